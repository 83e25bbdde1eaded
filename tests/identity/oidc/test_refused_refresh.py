"""A refresh that is refused: which refusals end a sign-in, when, and what the user reads."""

from __future__ import annotations

import gzip

import pytest

from jupyter_wb_aws.errors import IdpBadAnswer, IdpUnavailable, SignInRequired
from tests.identity.signing_in import fetch, sign_in, sign_out
from tests.openid import failing

PAGE = b"<html><h1>Blocked by the gateway</h1></html>"


def cut_off(answer):
    """Make a fault: these bytes, and then the connection ends."""
    return lambda handler: handler.wfile.write(answer)


ENDED = {
    "invalid_grant": (400, {"error": "invalid_grant"}),
    "invalid_request": (400, {"error": "invalid_request", "error_description": "Refresh token expired."}),
    "invalid_request without words": (400, {"error": "invalid_request"}),
    "Okta": (400, {"error": "invalid_grant", "error_description": "The refresh token is invalid or expired."}),
    "Entra": (400, {"error": "invalid_grant", "error_description": "AADSTS700082: …", "error_codes": [700082]}),
    "Entra, more to do": (400, {"error": "interaction_required", "suberror": "basic_action"}),
    "Keycloak": (400, {"error": "invalid_grant", "error_description": "Token is not active"}),
    "Google": (400, {"error": "invalid_grant", "error_subtype": "invalid_rapt"}),
    "Auth0": (403, {"error": "invalid_grant", "error_description": "Unknown or invalid refresh token."}),
    "UAA": (401, {"error": "invalid_token", "error_description": "The token expired"}),
    "in a 200": (200, {"error": "bad_refresh_token"}),
    "in capitals": (400, {"error": "INVALID_GRANT"}),
    "a name of its own": (400, {"error": "refresh_token_expired"}),
    "scope": (400, {"error": "invalid_scope"}),
    "denied": (403, {"error": "access_denied"}),
    "a description that is not text": (400, {"error": "invalid_grant", "error_description": {"en": "over"}}),
}  # fmt: skip
UNCLEAR = {
    "proxy": failing(407, PAGE, Proxy_Authenticate="Basic"),
    "page": failing(403, PAGE),
    "nothing": failing(400),
    "challenge": failing(401, WWW_Authenticate='Basic realm="gateway"'),
    "Spring": failing(404, {"status": 404, "error": "Not Found", "path": "/token"}),
    "object": failing(400, {"error": {"code": 400, "message": "invalid_grant"}}),
    "list": failing(400, {"error": ["invalid_grant"]}),
    "Cognito's API": failing(400, {"__type": "NotAuthorizedException", "message": "expired"}),
    "server_error": failing(400, {"error": "server_error"}),
    "temporarily_unavailable": failing(400, {"error": "temporarily_unavailable"}),
    "time-out": failing(408),
    "redirect": failing(302, PAGE, Location="https://gateway.example.com/login"),
    "page in a 200": failing(200, PAGE),
    "nothing in a 200": failing(200),
    "no tokens": failing(200, {}),
    "a coding that nobody reads": failing(403, b"\x0b\x02", Content_Encoding="br"),
    "gzip that is none": failing(400, PAGE, Content_Encoding="gzip"),
    "a bomb": failing(403, gzip.compress(b" " * 3_000_000), Content_Encoding="gzip"),
    "cut off": cut_off(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 99\r\n\r\n<html>"),
    "a chunk that is none": cut_off(
        b"HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
    ),
}
PASSING = {
    "429": failing(429, Retry_After="7"),
    "slow_down": failing(400, {"error": "slow_down"}, Retry_After="7"),
    "Cognito": failing(400, {"error": "TooManyRequestsException"}, Retry_After="7"),
    "503": failing(503, {"error": "temporarily_unavailable"}, Retry_After="7"),
    "500 with words": failing(500, {"error": "invalid_grant"}, Retry_After="7"),
    "503, encoded": failing(503, b"\x0b\x02", Content_Encoding="br", Retry_After="7"),
    "429, encoded": failing(429, PAGE, Content_Encoding="gzip", Retry_After="7"),
}


@pytest.fixture
def signed_in(source, provider, jp_asyncio_loop):
    jp_asyncio_loop.run_until_complete(sign_in(source, provider))
    jp_asyncio_loop.run_until_complete(fetch(source))
    # The provider's clock is real, and does not move for our purposes.
    provider.lifetime = 20_000
    return source


def says_to_sign_in(problem):
    assert "sign in" in problem.hint.lower()
    assert "won't help" not in f"{problem.detail} {problem.hint}"


@pytest.mark.parametrize(("status", "answer"), ENDED.values(), ids=ENDED)
async def test_an_oauth_error_that_ends_the_refresh_token_ends_the_sign_in(
    signed_in, provider, status, answer
):
    provider.faults["/token"] = [failing(status, answer)]
    with pytest.raises(SignInRequired) as over:
        await fetch(signed_in)
    assert (signed_in.sign_in.state, signed_in.sign_in.user) == ("signed_out", None)
    says_to_sign_in(over.value)
    asked = len(provider.asked)
    with pytest.raises(SignInRequired):
        await fetch(signed_in)
    assert len(provider.asked) == asked


@pytest.mark.parametrize(
    "error", ["invalid_client", "unauthorized_client", "Unsupported_Grant_Type"]
)
async def test_an_error_of_the_registration_does_not_end_it(signed_in, provider, error):
    for _ in range(2):
        provider.faults["/token"] = [failing(401, {"error": error})]
        with pytest.raises(IdpBadAnswer, match=error.lower()):
            await fetch(signed_in)
        assert signed_in.sign_in.state == "signed_in"
        signed_in.clock.advance(3601)
    assert (await fetch(signed_in)).claims["sub"] == "alice"


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
async def test_temporary_trouble_does_not_end_it_even_if_the_token_expires(
    signed_in, provider, fault
):
    for _ in range(2):
        provider.faults["/token"] = [fault]
        with pytest.raises(IdpUnavailable) as unavailable:
            await fetch(signed_in)
        assert unavailable.value.retry_after == 7
        assert signed_in.sign_in.state == "signed_in"
        signed_in.clock.advance(3601)
    assert (await fetch(signed_in)).claims["sub"] == "alice"


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nDate: "], ids=["nothing", "half"])
async def test_a_connection_closed_without_a_response_is_tried_again(signed_in, provider, begun):
    provider.faults["/token"] = [cut_off(begun)]
    with pytest.raises(IdpUnavailable, match="closed before the answer") as unavailable:
        await fetch(signed_in)
    assert "Try again" in unavailable.value.hint
    assert (await fetch(signed_in)).claims["sub"] == "alice"


unclear = pytest.mark.parametrize("fault", UNCLEAR.values(), ids=UNCLEAR)


@unclear
async def test_an_unclear_refusal_changes_nothing_while_the_token_is_valid(
    signed_in, provider, fault
):
    provider.faults["/token"] = [fault]
    with pytest.raises(IdpBadAnswer) as refused:
        await fetch(signed_in)
    assert signed_in.sign_in.state == "signed_in"
    assert "until it expires" in refused.value.hint
    assert (await fetch(signed_in)).claims["sub"] == "alice"


@unclear
async def test_once_the_token_has_expired_the_sign_in_is_suspended_and_recovers_by_itself(
    signed_in, provider, fault
):
    states = []
    signed_in.sign_in.on_state_change = states.append
    signed_in.clock.advance(3601)
    provider.faults["/token"] = [fault, fault]
    for _ in range(2):
        with pytest.raises(SignInRequired) as over:
            await fetch(signed_in)
        says_to_sign_in(over.value)
        assert (signed_in.sign_in.state, signed_in.sign_in.user) == ("signed_out", None)
        assert signed_in.sign_in.problem.code == "sign_in_required"
    assert (await fetch(signed_in)).claims["sub"] == "alice"
    assert (signed_in.sign_in.state, signed_in.sign_in.problem) == ("signed_in", None)
    assert states == ["signed_out", "signed_in"]
    first, second, third = provider.asked_for("/token")[1:]
    assert first["refresh_token"] == second["refresh_token"] == third["refresh_token"]


async def test_the_suspension_is_noticed_at_expiry_without_another_try(signed_in, provider):
    provider.faults["/token"] = [failing(403, PAGE)]
    with pytest.raises(IdpBadAnswer):
        await fetch(signed_in)
    asked = len(provider.asked)
    signed_in.clock.advance(3590)
    assert signed_in.sign_in.end_if_expired() is None
    signed_in.clock.advance(11)
    says_to_sign_in(signed_in.sign_in.end_if_expired())
    assert (signed_in.sign_in.state, len(provider.asked)) == ("signed_out", asked)
    assert signed_in.sign_in.problem.code == "sign_in_required"
    assert signed_in.sign_in.end_if_expired() is None
    assert (await fetch(signed_in)).claims["sub"] == "alice"
    assert signed_in.sign_in.state == "signed_in"


async def test_a_refresh_that_works_clears_the_unclear_refusal(signed_in, provider):
    provider.faults["/token"] = [failing(403, PAGE)]
    with pytest.raises(IdpBadAnswer):
        await fetch(signed_in)
    await fetch(signed_in)
    signed_in.clock.advance(20_001)
    assert signed_in.sign_in.end_if_expired() is None


@pytest.fixture
def paused(signed_in, provider, jp_asyncio_loop):
    """A sign-in whose token has expired while a gateway refuses each refresh."""
    signed_in.clock.advance(3601)
    provider.faults["/token"] = [failing(403, PAGE)]
    with pytest.raises(SignInRequired):
        jp_asyncio_loop.run_until_complete(fetch(signed_in))
    return signed_in


@pytest.mark.parametrize("fault", [failing(503), failing(401, {"error": "invalid_client"})])
async def test_other_trouble_does_not_change_what_the_user_has_to_do(paused, provider, fault):
    provider.faults["/token"] = [fault]
    with pytest.raises(SignInRequired, match="403"):
        await fetch(paused)
    assert (await fetch(paused)).claims["sub"] == "alice"


async def test_an_oauth_error_ends_a_suspended_sign_in_for_good(paused, provider):
    provider.faults["/token"] = [failing(400, {"error": "invalid_grant"})]
    for _ in range(2):
        with pytest.raises(SignInRequired, match="invalid_grant"):
            await fetch(paused)
    assert len(provider.asked_for("/token")) == 3


async def test_a_new_sign_in_ends_the_suspension(paused, provider):
    await sign_in(paused, provider)
    assert (paused.sign_in.state, paused.sign_in.problem) == ("signed_in", None)
    assert (await fetch(paused)).claims["sub"] == "alice"
    out = await sign_out(paused)
    assert out.revoked
    assert provider.refresh_tokens == {}


async def test_signing_out_revokes_the_refresh_token_that_was_kept(paused, provider):
    assert len(provider.refresh_tokens) == 1
    await sign_out(paused)
    assert provider.refresh_tokens == {}
    assert paused.sign_in.problem is None
    with pytest.raises(SignInRequired, match="not signed in"):
        await fetch(paused)


async def test_a_failed_sign_in_leaves_the_suspended_one_unchanged(paused, provider):
    begun = await paused.sign_in.begin_code()
    assert paused.sign_in.state == "pending"
    query = {**provider.authorize(begun.authorization_url), "error": "access_denied"}
    with pytest.raises(Exception, match="provider refused"):
        await paused.sign_in.finish_code(query, {begun.cookie_name: begun.cookie})
    assert "provider refused" in paused.sign_in.problem.detail
    assert (await fetch(paused)).claims["sub"] == "alice"
    assert paused.sign_in.problem is None


async def test_a_sign_in_that_could_not_be_completed_leaves_the_suspended_one_unchanged(
    paused, provider
):
    async def refuse():
        raise IdpUnavailable("not now")

    paused.sign_in.on_signed_in = refuse
    with pytest.raises(IdpUnavailable):
        await sign_in(paused, provider)
    assert paused.sign_in.state == "signed_out"
    assert (await fetch(paused)).claims["sub"] == "alice"
    assert paused.sign_in.state == "signed_in"


async def test_the_maximum_age_also_ends_a_suspended_sign_in(make, provider):
    source = make(max_sign_in_age=5000.0)
    await sign_in(source, provider)
    await fetch(source)
    source.clock.advance(3601)
    provider.faults["/token"] = [failing(403, PAGE)]
    with pytest.raises(SignInRequired, match="403"):
        await fetch(source)
    source.clock.advance(1400)
    with pytest.raises(SignInRequired, match="maximum age"):
        await fetch(source)
    assert len(provider.asked_for("/token")) == 2
