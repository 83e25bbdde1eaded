"""When to look for a token's successor: tables for the numbers, properties for the promises."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_wb_aws.errors import TokenSourceFailed
from jupyter_wb_aws.identity.token import WebIdentityToken
from jupyter_wb_aws.identity.token_cache import TokenStatus
from jupyter_wb_aws.role_sessions.schedule import (
    back_off,
    nearly_expired,
    next_refresh,
    refresh_time,
)
from tests.role_sessions.support import NOON, make_token, quiet

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)

jitters = st.floats(0, 1, allow_nan=False)
failures = st.integers(1, 10_000)
moments = st.timedeltas(-7 * 24 * HOUR, 7 * 24 * HOUR).map(lambda delta: NOON + delta)


@st.composite
def living_tokens(draw):
    """Tokens that were received alive, fresh or old, for seconds or for days."""
    life = draw(st.timedeltas(2 * SECOND, 48 * HOUR))
    age = draw(st.timedeltas(timedelta(0), life - SECOND))
    issued = NOON - age
    return WebIdentityToken("text", {}, issued, issued + life, NOON)


# --- A token that was just received ----------------------------------------------------------


@pytest.mark.parametrize(
    ("jitter", "minutes"), [(0.0, 48), (0.5, 45), (1.0, 42)], ids=["latest", "middle", "earliest"]
)
def test_an_hours_token_is_refreshed_between_70_and_80_percent_of_its_life(jitter, minutes):
    token_status = quiet(make_token(), jitter=jitter)

    assert next_refresh(token_status, NOON) == NOON + timedelta(minutes=minutes)


def test_a_token_never_looked_for_is_due_at_once():
    assert next_refresh(TokenStatus(), NOON) == NOON


def test_an_old_token_that_came_without_news_of_failure_is_not_asked_for_in_a_tight_loop():
    old = make_token(received_at=NOON + 59 * MINUTE)

    assert next_refresh(quiet(old), NOON + 59 * MINUTE) == NOON + 59 * MINUTE + 6 * SECOND


@given(token=living_tokens(), jitter=jitters, unchanged=st.booleans())
def test_a_living_token_is_looked_after_no_sooner_than_a_second_and_before_it_expires(
    token, jitter, unchanged
):
    token_status = quiet(token, jitter=jitter, unchanged=unchanged)

    look = next_refresh(token_status, NOON)

    assert NOON + SECOND <= look <= max(token.expires_at, NOON + SECOND)


@given(token=living_tokens(), jitter=jitters)
def test_jitter_brings_a_refresh_forward_by_a_tenth_of_the_life_at_most(token, jitter):
    life = token.expires_at - token.issued_at

    at = refresh_time(token, jitter)

    latest, microsecond = token.issued_at + 0.8 * life, timedelta(microseconds=2)
    assert latest - 0.1 * life - microsecond <= at <= latest + microsecond


@pytest.mark.parametrize(
    ("jitter", "minutes"),
    [(0.0, 42), (0.5, 21), (0.9999, 0.5)],
    ids=["latest", "middle", "earliest"],
)
def test_a_token_that_many_may_have_fetched_at_once_is_refreshed_at_any_time_of_its_life(
    jitter, minutes
):
    token_status = quiet(make_token(), jitter=jitter, spread=True)

    assert next_refresh(token_status, NOON) == NOON + timedelta(minutes=minutes)


@given(token=living_tokens(), jitter=jitters, now=moments)
def test_the_time_of_the_next_refresh_is_drawn_once_a_token_and_does_not_move(token, jitter, now):
    token_status = quiet(token, jitter=jitter)
    later = max(now, NOON)

    assert next_refresh(token_status, later) == next_refresh(token_status, NOON)


# --- Nothing newer ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "pause"),
    [(HOUR, 30), (5 * MINUTE, 30), (MINUTE, 6), (5 * SECOND, 1)],
)
def test_a_source_with_nothing_newer_is_looked_at_again_after_a_tenth_of_what_is_left(left, pause):
    attempted_at = NOON + HOUR - left
    token_status = quiet(make_token(), attempted_at=attempted_at, unchanged=True)

    assert next_refresh(token_status, attempted_at) == attempted_at + pause * SECOND


def test_without_a_token_and_without_a_failure_the_source_is_asked_again_after_a_second():
    assert next_refresh(quiet(None), NOON) == NOON + SECOND


# --- Failures --------------------------------------------------------------------------------


@given(failures=failures, jitter=jitters)
def test_the_back_off_is_between_one_second_and_a_minute(failures, jitter):
    assert SECOND <= back_off(failures, jitter, None) <= MINUTE


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 2), (2, 4), (3, 8), (5, 32), (6, 60), (500, 60)]
)
def test_the_back_offs_ceiling_doubles_with_each_failure_up_to_a_minute(failures, seconds):
    assert back_off(failures, 1.0, None) == seconds * SECOND


@given(failures=failures, jitter=jitters, asked=st.integers(0, 3600))
def test_a_failure_that_names_a_time_is_not_followed_up_before_it_while_the_token_lives_longer(
    failures, jitter, asked
):
    assert back_off(failures, jitter, asked, 2 * asked * SECOND) >= asked * SECOND


@pytest.mark.parametrize(
    ("left", "minutes"), [(12, 6), (5, 2.5), (2, 1), (1, 1), (0, 1), (-90, 1), (24 * 60, 60)]
)
def test_a_failure_that_names_an_hour_is_followed_up_at_half_of_what_is_left_of_the_token(
    left, minutes
):
    token = WebIdentityToken("text", {}, NOON - HOUR, NOON + left * MINUTE, NOON - HOUR)
    problem = TokenSourceFailed(retry_after=3600)
    token_status = quiet(token, problem=problem, failures=1, attempted_at=NOON)

    assert next_refresh(token_status, NOON) == NOON + minutes * MINUTE


def test_without_a_token_a_failure_that_names_an_hour_is_followed_up_after_a_minute():
    problem = TokenSourceFailed(retry_after=3600)

    assert next_refresh(quiet(problem=problem, failures=1), NOON) == NOON + MINUTE


@given(failures=failures, jitter=jitters, asked=st.integers(), token=living_tokens())
def test_no_retry_after_delays_a_refresh_until_the_token_has_expired(
    failures, jitter, asked, token
):
    problem = TokenSourceFailed(retry_after=asked)
    token_status = quiet(token, problem=problem, failures=failures, jitter=jitter)

    look = next_refresh(token_status, NOON)

    assert NOON + SECOND <= look <= NOON + HOUR
    assert look <= max(token.expires_at - MINUTE, NOON + MINUTE)


@given(failures=failures, jitter=jitters, token=living_tokens())
def test_after_a_failure_the_back_off_counts_and_not_the_tokens_life(failures, jitter, token):
    problem = TokenSourceFailed()
    token_status = quiet(token, problem=problem, failures=failures, jitter=jitter)

    assert next_refresh(token_status, NOON) == NOON + back_off(failures, jitter, None)


# --- The clock -------------------------------------------------------------------------------


@pytest.mark.parametrize("problem", [None, TokenSourceFailed()])
def test_a_clock_that_was_set_back_makes_a_look_due_at_once(problem):
    token_status = quiet(make_token(), problem=problem, failures=1)
    before = NOON - HOUR

    assert next_refresh(token_status, before) == before


def test_a_step_of_network_time_makes_nothing_due():
    token_status = quiet(make_token())

    assert next_refresh(token_status, NOON - 4 * SECOND) > NOON


@given(token=living_tokens(), jitter=jitters, slept=st.timedeltas(timedelta(0), 14 * 24 * HOUR))
def test_after_a_suspend_past_the_refresh_time_a_look_is_due(token, jitter, slept):
    token_status = quiet(token, jitter=jitter)
    woken = token.expires_at + SECOND + slept

    assert next_refresh(token_status, woken) <= woken


# --- Little is left --------------------------------------------------------------------------


@pytest.mark.parametrize(("minutes", "little"), [(0, False), (54, False), (55, True), (61, True)])
def test_little_is_left_in_the_last_tenth_of_a_life(minutes, little):
    assert nearly_expired(make_token(), NOON + minutes * MINUTE) is little
