"""The token cache: shared fetches, verification that can't be skipped, sources that misbehave."""

import asyncio
import contextlib
import json
import random
from dataclasses import replace
from datetime import timedelta

import pytest

from jupyter_wb_aws.errors import SignInRequired, TokenInvalid, TokenSourceFailed
from jupyter_wb_aws.identity import token_cache as token_cache_module
from jupyter_wb_aws.identity.source import TokenRequest
from jupyter_wb_aws.identity.token import WebIdentityToken
from jupyter_wb_aws.identity.token_cache import TokenCache, TokenStatus
from tests.conftest import NOON, FakeClock, ScriptedSource, make_jwt, make_token

ANALYST = "arn:aws:iam::111122223333:role/analyst"
AUDITOR = "arn:aws:iam::111122223333:role/auditor"
HOUR = 3600


def token_cache_of(clock, *answers, audience="", **settings):
    return TokenCache(ScriptedSource(*answers, **settings), clock, random.Random(1), audience)


class Gate(ScriptedSource):
    """A source that answers when the test opens it."""

    def __init__(self, *answers):
        super().__init__(*answers)
        self.open = asyncio.Event()

    async def fetch(self, request):
        answer = await super().fetch(request)
        await self.open.wait()
        return answer


class Binding(ScriptedSource):
    binds_role = True


# --- Fetching and refreshing -------------------------------------------------------------------


async def test_the_first_token_is_fetched_and_kept(clock):
    token_cache = token_cache_of(clock, make_token(), audience="wb")
    token = await token_cache.current()
    assert await token_cache.current() is token
    assert token_cache.source.requests == [TokenRequest("wb", None)]
    assert token_cache.status(None).token is token


async def test_a_token_with_a_fifth_of_its_life_left_is_fetched_again(clock):
    token_cache = token_cache_of(clock, make_token(), make_token(jti="2"))
    first = await token_cache.current()
    clock.advance(0.8 * HOUR - 1)
    assert await token_cache.current() is first
    clock.advance(1)
    assert (await token_cache.current()).claims["jti"] == "2"


async def test_while_the_source_fails_a_valid_token_is_returned(clock):
    token_cache = token_cache_of(clock, make_token(), TokenSourceFailed("down"))
    token = await token_cache.current()
    clock.advance(0.9 * HOUR)
    assert await token_cache.current() is token
    clock.advance(0.1 * HOUR)
    with pytest.raises(TokenSourceFailed, match="down"):
        await token_cache.current()


async def test_a_failure_without_a_token_is_raised(clock):
    token_cache = token_cache_of(clock, SignInRequired("sign in"))
    with pytest.raises(SignInRequired):
        await token_cache.current()
    assert token_cache.status(None).token is None


async def test_failures_are_counted_and_a_success_resets_them(clock):
    failed = TokenSourceFailed("down")
    token_cache = token_cache_of(clock, failed, failed, make_token())
    for count in (1, 2):
        with pytest.raises(TokenSourceFailed):
            await token_cache.refresh()
        assert token_cache.status(None).failures == count
    await token_cache.refresh()
    token_status = token_cache.status(None)
    assert (token_status.failures, token_status.problem, token_status.attempted_at) == (
        0,
        None,
        NOON,
    )


async def test_a_failed_refresh_keeps_the_current_token(clock):
    token_cache = token_cache_of(clock, make_token(), TokenSourceFailed("down"))
    token = await token_cache.refresh()
    with pytest.raises(TokenSourceFailed):
        await token_cache.refresh()
    assert token_cache.status(None).token is token


async def test_the_same_token_again_is_not_a_failure_and_keeps_its_jitter(clock):
    token_cache = token_cache_of(clock, make_token(), lambda: make_token(received_at=clock.now()))
    first = await token_cache.refresh()
    jitter = token_cache.status(None).jitter
    clock.advance(60)
    assert await token_cache.refresh() is first
    token_status = token_cache.status(None)
    assert (token_status.unchanged, token_status.failures, token_status.jitter) == (
        True,
        0,
        jitter,
    )
    assert token_status.attempted_at == NOON + timedelta(seconds=60)


async def test_the_same_token_past_its_end_is_a_failure(clock):
    token_cache = token_cache_of(clock, make_token())
    await token_cache.refresh()
    clock.advance(HOUR)
    with pytest.raises(TokenSourceFailed, match="has expired"):
        await token_cache.refresh()
    assert not token_cache.status(None).unchanged


async def test_a_token_that_has_already_expired_is_not_accepted(clock):
    clock.advance(2 * HOUR)
    token_cache = token_cache_of(clock, make_token())
    with pytest.raises(TokenSourceFailed, match="has expired"):
        await token_cache.current()
    assert token_cache.status(None).token is None


async def test_an_expired_token_does_not_replace_a_valid_one(clock):
    token_cache = token_cache_of(clock, make_token(), make_token(iat=NOON - timedelta(hours=2)))
    token = await token_cache.refresh()
    with pytest.raises(TokenSourceFailed):
        await token_cache.refresh()
    assert token_cache.status(None).token is token


async def test_jitter_is_drawn_again_for_each_token(clock):
    token_cache = token_cache_of(clock, make_token(), make_token(jti="2"))
    await token_cache.refresh()
    first = token_cache.status(None).jitter
    await token_cache.refresh()
    assert token_cache.status(None).jitter != first
    assert 0 <= first <= 1


# --- Shared fetches ---------------------------------------------------------------------


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


async def test_callers_at_the_same_time_share_one_fetch(clock):
    source = Gate(make_token())
    token_cache = TokenCache(source, clock, random.Random(1))
    calls = [asyncio.create_task(token_cache.refresh(arn)) for arn in (None, ANALYST, AUDITOR)]
    await settle()
    source.open.set()
    tokens = await asyncio.gather(*calls)
    assert len(source.requests) == 1
    assert tokens[0] is tokens[1] is tokens[2]


async def test_a_caller_that_hangs_up_cancels_no_other(clock):
    source = Gate(make_token())
    token_cache = TokenCache(source, clock, random.Random(1))
    gone, stays = (asyncio.create_task(token_cache.refresh()) for _ in range(2))
    await settle()
    gone.cancel()
    await settle()
    source.open.set()
    assert (await stays).reveal() == make_token().reveal()
    assert gone.cancelled()


async def test_all_callers_of_a_failed_fetch_get_the_error(clock):
    source = Gate(TokenSourceFailed("down"))
    source.open.set()
    token_cache = TokenCache(source, clock, random.Random(1))
    errors = await asyncio.gather(
        *(token_cache.refresh() for _ in range(3)), return_exceptions=True
    )
    assert [str(error) for error in errors] == ["down"] * 3
    assert token_cache.status(None).failures == 1


async def test_of_a_source_that_signs_each_token_the_first_and_the_first_after_a_failure_are_spread(
    clock,
):
    answers = [make_token(), make_token(jti="2"), TokenSourceFailed("down"), make_token(jti="3")]
    token_cache = TokenCache(Binding(*answers), clock, random.Random(1))
    spread = []
    for _ in answers:
        with contextlib.suppress(TokenSourceFailed):
            await token_cache.refresh(ANALYST)
        spread.append(token_cache.status(ANALYST).spread)
    assert spread == [True, False, False, True]


async def test_the_first_token_of_another_source_is_not_spread(clock):
    token_cache = token_cache_of(clock, make_token())
    await token_cache.refresh()
    assert not token_cache.status(None).spread


async def test_a_source_that_binds_roles_is_asked_for_each_role(clock):
    token_cache = TokenCache(Binding(make_token()), clock, random.Random(1), "wb")
    await asyncio.gather(
        token_cache.current(ANALYST), token_cache.current(ANALYST), token_cache.current(AUDITOR)
    )
    assert sorted(request.role_arn for request in token_cache.source.requests) == [ANALYST, AUDITOR]
    assert token_cache.status(ANALYST) is not token_cache.status(AUDITOR)


async def test_when_all_tokens_are_fetched_one_failure_does_not_stop_the_others(clock):
    down, slow = TokenSourceFailed("down"), TokenSourceFailed("slow")
    source = Binding(make_token(), make_token(), down, make_token(jti="2"), slow)
    token_cache = TokenCache(source, clock, random.Random(1))
    for role_arn in (ANALYST, AUDITOR):
        await token_cache.current(role_arn)
    token_cache.status("a third role")
    with pytest.raises(TokenSourceFailed, match="down"):
        await token_cache.refresh_all()
    asked_for = [request.role_arn for request in source.requests]
    assert asked_for == [ANALYST, AUDITOR, ANALYST, AUDITOR, "a third role"]
    assert token_cache.status(ANALYST).problem is down
    assert token_cache.status(AUDITOR).token.claims["jti"] == "2"
    assert token_cache.status("a third role").problem is slow


async def test_other_sources_do_not_learn_the_role(clock):
    token_cache = token_cache_of(clock, make_token())
    await token_cache.current(ANALYST)
    assert token_cache.source.requests == [TokenRequest("", None)]
    assert token_cache.status(ANALYST) is token_cache.status(AUDITOR) is token_cache.status(None)


async def test_closing_cancels_a_fetch_that_runs(clock):
    source = Gate(make_token())
    token_cache = TokenCache(source, clock, random.Random(1))
    call = asyncio.create_task(token_cache.refresh())
    await settle()
    await token_cache.close()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert token_cache.status(None).token is None
    await token_cache.close()


async def test_the_identity_is_read_by_the_sources_settings(clock):
    token_cache = token_cache_of(clock, make_token(), name_claim="sub", groups_claim="roles")
    identity = token_cache.identity_of(make_token(sub="0042", roles=["x"]))
    assert (identity.name, identity.groups) == ("0042", ("x",))


# --- Sources that misbehave ----------------------------------------------------------------


class Rude(Exception):
    def __str__(self):
        return make_jwt()


class Odd(ScriptedSource):
    """Raises the exception that it is given."""

    async def fetch(self, request):
        raise self.answers[0]


@pytest.mark.parametrize(
    "error",
    [
        Rude(), ValueError("secret"), KeyError("secret"), TimeoutError("secret"), OSError("secret"),
        RecursionError(), ExceptionGroup("secret", [ValueError("secret")]), NotImplementedError(),
        StopAsyncIteration(), SystemExit("secret"), asyncio.CancelledError("secret"), AssertionError(),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
async def test_any_exception_of_a_source_is_reported_by_its_type_only(clock, error):
    token_cache = TokenCache(Odd(error), clock, random.Random(1))
    with pytest.raises(TokenSourceFailed, match=f"failed with {type(error).__name__}") as failed:
        await token_cache.refresh()
    message = json.dumps(failed.value.as_problem())
    assert "secret" not in message
    assert make_jwt() not in message
    assert "Odd must raise" in message
    assert token_cache.status(None).failures == 1


@pytest.mark.parametrize(
    "garbage",
    [
        None,
        "eyJ.eyJ.x",
        pytest.param(make_jwt(), id="a JWT"),
        b"bytes",
        7,
        {},
        pytest.param(object(), id="an object"),
    ],
)
async def test_an_object_that_is_not_a_token_is_refused(clock, garbage):
    token_cache = token_cache_of(clock, "unused")
    token_cache.source.answers = [garbage]
    with pytest.raises(TokenInvalid, match="not a WebIdentityToken"):
        await token_cache.refresh()


async def test_a_source_without_a_timeout_is_given_up(clock, monkeypatch):
    monkeypatch.setattr(token_cache_module, "FETCH_TIMEOUT", 0.05)
    token_cache = TokenCache(Gate(make_token()), clock, random.Random(1))
    with pytest.raises(TokenSourceFailed, match=r"within 0\.05 s"):
        await token_cache.refresh()
    token_cache.source.open.set()
    assert await token_cache.refresh()


async def test_claims_that_a_source_made_up_are_not_believed(clock):
    made_up = replace(make_token(), claims={"sub": "root", "groups": ["admins"]})
    token = await token_cache_of(clock, made_up).refresh()
    assert token.claims["sub"] == "alice"


async def test_times_that_a_source_made_up_are_not_believed(clock):
    naive = NOON.replace(tzinfo=None)
    made_up = replace(make_token(), issued_at=naive, expires_at=naive, received_at=naive)
    token = await token_cache_of(clock, made_up).current()
    assert (token.issued_at, token.expires_at) == (NOON, NOON + timedelta(hours=1))


async def test_a_text_that_a_source_made_up_is_refused(clock):
    made_up = replace(make_token(), _text="made up")
    with pytest.raises(TokenInvalid):
        await token_cache_of(clock, made_up).refresh()


# --- Verification --------------------------------------------------------------------------


class Recorder:
    def __init__(self, problem=None):
        self.seen, self.problem = [], problem

    async def verify(self, token):
        self.seen.append(token.claims.get("jti"))
        if self.problem:
            raise self.problem


def verified(clock, recorder, *answers):
    class Verified(ScriptedSource):
        def verifier(self, audience=""):
            return recorder

    return TokenCache(Verified(*answers), clock, random.Random(1))


async def test_every_new_token_is_verified_and_the_same_one_once(clock):
    recorder = Recorder()
    token_cache = verified(
        clock, recorder, make_token(jti="1"), make_token(jti="1"), make_token(jti="2")
    )
    for _ in range(3):
        await token_cache.refresh()
    assert recorder.seen == ["1", "2"]


async def test_a_token_that_fails_verification_is_never_kept(clock):
    recorder = Recorder(TokenInvalid("forged"))
    token_cache = verified(clock, recorder, make_token())
    for _ in range(2):
        with pytest.raises(TokenInvalid, match="forged"):
            await token_cache.current()
    assert token_cache.status(None).token is None
    assert len(recorder.seen) == 2


async def test_a_subclass_of_the_token_can_not_avoid_verification(clock):
    class Smooth(WebIdentityToken):
        def same_text(self, other):
            return True

    fields = make_token(jti="smooth")
    smooth = Smooth(
        fields.reveal(), fields.claims, fields.issued_at, fields.expires_at, fields.received_at
    )
    recorder = Recorder()
    await verified(clock, recorder, smooth).refresh()
    assert recorder.seen == ["smooth"]


async def test_a_source_with_an_issuer_has_its_tokens_verified_for_real(clock):
    token_cache = token_cache_of(clock, make_token(), issuer="http://127.0.0.1:9", audience="wb")
    with pytest.raises(TokenSourceFailed, match=r"http://127\.0\.0\.1:9/\.well-known"):
        await token_cache.refresh()


async def test_the_sources_own_audience_is_verified_before_the_sites(clock):
    own = TokenCache(
        ScriptedSource(make_token(), issuer="https://i", audience="own"),
        FakeClock(),
        random.Random(1),
        "site",
    )
    assert own.source.verifier().audience == "own"
    site = token_cache_of(clock, make_token(), issuer="https://i", audience="")
    assert site.source.verifier().audience == ""


async def test_without_an_issuer_the_signature_is_left_to_aws(clock):
    assert token_cache_of(clock, make_token()).source.verifier() is None


def test_a_token_status_shows_no_token():
    token_status = TokenStatus()
    token_status.record_token(make_token(), NOON, 0.5)
    assert make_jwt().split(".")[1] not in repr(token_status)
