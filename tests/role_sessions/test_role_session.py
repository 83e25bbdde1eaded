"""The state of a role session, and its name in CloudTrail."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_wb_aws.errors import SignInRequired, TokenFolderRefused, TokenSourceFailed
from jupyter_wb_aws.identity.token_cache import TokenStatus
from jupyter_wb_aws.role_sessions.role_session import Ended, State, session_name, state_of
from tests.role_sessions.support import NOON, identity, make_session, make_token, quiet

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
TOKEN = make_token()
FAILING, FULL_DISK = TokenSourceFailed(), TokenFolderRefused()

# Source: API reference of AssumeRoleWithWebIdentity, RoleSessionName.
STS_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{2,64}")


def started(**fields):
    """Build a role session whose token, issued at noon for an hour, is in its file."""
    usual = {"file_fingerprint": TOKEN.fingerprint, "file_expires_at": TOKEN.expires_at}
    return make_session(**{**usual, **fields})


# --- Table -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("token_status", "fields", "minutes", "state"),
    [
        pytest.param(TokenStatus(), {"file_fingerprint": None}, 0, State.STARTING, id="back from the last run"),
        pytest.param(quiet(TOKEN), {"file_fingerprint": None}, 0, State.STARTING, id="not yet in its file"),
        pytest.param(quiet(TOKEN), {}, 59, State.ACTIVE, id="its token lives"),
        pytest.param(quiet(TOKEN), {}, 60, State.EXPIRED, id="its token is over"),
        pytest.param(
            quiet(TOKEN, problem=FAILING), {}, 59, State.DEGRADED, id="no successor available"
        ),
        pytest.param(
            quiet(TOKEN, problem=FAILING), {}, 60, State.EXPIRED, id="no successor, and over"
        ),
        pytest.param(
            quiet(TOKEN), {"file_problem": FULL_DISK}, 10, State.DEGRADED, id="old token in the file"
        ),
        pytest.param(
            quiet(TOKEN),
            {"file_fingerprint": None, "file_problem": FULL_DISK},
            10,
            State.EXPIRED,
            id="no file could ever be written",
        ),
        pytest.param(
            TokenStatus(problem=FAILING), {"file_fingerprint": None}, 0, State.EXPIRED, id="back without a token"
        ),
        pytest.param(
            quiet(TOKEN, unchanged=True), {}, 53, State.ACTIVE, id="nothing newer, much left"
        ),
        pytest.param(
            quiet(TOKEN, unchanged=True), {}, 55, State.DEGRADED, id="nothing newer, little left"
        ),
        pytest.param(
            quiet(TOKEN, problem=SignInRequired()), {}, 5, State.SIGN_IN_REQUIRED, id="signed out"
        ),
        pytest.param(
            quiet(TOKEN, problem=SignInRequired()), {}, 99, State.SIGN_IN_REQUIRED, id="and expired"
        ),
    ],
)  # fmt: skip
def test_the_state_says_what_the_token_in_the_file_is_good_for(
    token_status, fields, minutes, state
):
    if "file_fingerprint" in fields:
        fields = {**fields, "file_expires_at": None}
    session = started(**fields)

    assert session.state(token_status, NOON + minutes * MINUTE) is state


def test_a_newer_current_token_does_not_hide_that_the_one_in_the_file_has_expired():
    refreshed = make_token(received_at=NOON + 50 * MINUTE, iat=NOON + 50 * MINUTE)
    session = started(file_problem=FULL_DISK)

    assert session.state(quiet(refreshed), NOON + 59 * MINUTE) is State.DEGRADED
    assert session.state(quiet(refreshed), NOON + 61 * MINUTE) is State.EXPIRED


# --- Properties ------------------------------------------------------------------------------

nows = st.timedeltas(-HOUR, 3 * HOUR).map(lambda delta: NOON + delta)
holdings = st.builds(
    TokenStatus,
    token=st.sampled_from([None, TOKEN]),
    problem=st.sampled_from([None, FAILING, SignInRequired()]),
    failures=st.integers(0, 5),
    jitter=st.floats(0, 1),
    attempted_at=st.none() | nows,
    unchanged=st.booleans(),
)
situations = st.fixed_dictionaries(
    {
        "ended": st.booleans(),
        "file_expires_at": st.none() | nows,
        "file_problem": st.sampled_from([None, FULL_DISK]),
        "token_status": holdings,
        "now": nows,
    }
)


@given(situations)
def test_ended_is_final(situation):
    assert state_of(**{**situation, "ended": True}) is State.ENDED


@given(situations)
def test_nothing_but_an_end_ends_a_role_session(situation):
    assert state_of(**{**situation, "ended": False}) is not State.ENDED


@given(situations)
def test_the_need_to_sign_in_outranks_everything_but_an_end(situation):
    token_status = replace(situation["token_status"], problem=SignInRequired())

    state = state_of(**{**situation, "ended": False, "token_status": token_status})

    assert state is State.SIGN_IN_REQUIRED


@given(situations)
def test_active_and_degraded_promise_a_living_token_in_the_file(situation):
    state = state_of(**situation)

    if state in (State.ACTIVE, State.DEGRADED):
        assert situation["file_expires_at"] > situation["now"]


@given(situations)
def test_a_new_token_in_the_file_always_makes_it_active_again(situation):
    healed = {
        **situation,
        "ended": False,
        "file_problem": None,
        "file_expires_at": situation["now"] + HOUR,
        "token_status": quiet(TOKEN),
    }

    assert state_of(**healed) is State.ACTIVE


@given(situations)
def test_an_active_role_session_has_no_problem_to_show(situation):
    if state_of(**situation) is State.ACTIVE:
        assert situation["token_status"].problem is None
        assert situation["file_problem"] is None


def test_how_it_ended_is_kept():
    session = started(ended=Ended(NOON, "by_user", NOON + HOUR))

    assert session.state(quiet(TOKEN), NOON) is State.ENDED


def test_the_same_role_in_another_region_is_another_role_session():
    assert make_session().key == make_session(id="f" * 16).key
    assert make_session().key != make_session(region="eu-west-1").key


# --- Session names ---------------------------------------------------------------------------

ids = st.text("0123456789abcdef", min_size=16, max_size=16)
templates = st.one_of(
    st.sampled_from(
        ["{user}-{session_id}", "{session_id}", "{user}", "", "wb", "{subject}/{user}", "é {user}"]
    ),
    st.text(st.characters(exclude_characters="{}")),
)


@given(template=templates, user=st.text(min_size=1), subject=st.text(min_size=1), its_id=ids)
def test_every_session_name_is_one_that_sts_takes_and_holds_the_id(template, user, subject, its_id):
    name = session_name(template, identity(subject, name=user), its_id)

    assert STS_NAME.fullmatch(name)
    assert its_id in name


@given(user=st.text(min_size=1), first=ids, second=ids)
def test_no_two_role_sessions_share_a_session_name(user, first, second):
    names = {session_name("{user}", identity(name=user), its_id) for its_id in (first, second)}

    assert len(names) == len({first, second})


@pytest.mark.parametrize(
    ("template", "user", "name"),
    [
        ("{user}-{session_id}", "alice", "alice-0123456789abcdef"),
        ("{user}-{session_id}", "alice@example.com", "alice@example.com-0123456789abcdef"),
        ("{user}-{session_id}", "Zoë Müller", "Zo--M-ller-0123456789abcdef"),
        ("wb.{session_id}.{user}", "bob", "wb.0123456789abcdef.bob"),
        ("{user}", "alice", "alice-0123456789abcdef"),
        ("{user}-{session_id}", "a" * 99, "a" * 47 + "-0123456789abcdef"),
        ("{session_id}-{user}", "a" * 99, "a" * 47 + "-0123456789abcdef"),
    ],
)
def test_a_session_name_is_read_by_people_in_cloudtrail(template, user, name):
    assert session_name(template, identity(name=user), "0123456789abcdef") == name
