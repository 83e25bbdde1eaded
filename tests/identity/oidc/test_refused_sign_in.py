"""A sign-in that the token endpoint refuses: whether the user can do something about it."""

from __future__ import annotations

import pytest

from jupyter_wb_aws.errors import IdpBadAnswer, IdpUnavailable, SignInFailed
from tests.identity.signing_in import sign_in
from tests.openid import failing, say
from tests.role_sessions.support import asleep, eventually


@pytest.mark.parametrize(
    "error",
    ["invalid_grant", "INVALID_GRANT", "interaction_required", "code_expired", "CodeAlreadyUsed"],
)
async def test_a_code_that_no_longer_works_asks_the_user_to_try_again(source, provider, error):
    provider.faults["/token"] = [failing(400, {"error": error, "error_description": "too late"})]
    with pytest.raises(SignInFailed, match="too late") as failed:
        await sign_in(source, provider)
    assert "Sign in again" in failed.value.hint
    assert "redirect URI" in failed.value.admin_hint


@pytest.mark.parametrize(
    "error", ["too_many_requests", "slow_down", "server_error", "temporarily_unavailable"]
)
async def test_temporary_trouble_is_reported_as_temporary(source, provider, error):
    provider.faults["/token"] = [failing(400, {"error": error}, Retry_After="9")]
    with pytest.raises(IdpUnavailable) as failed:
        await sign_in(source, provider)
    assert failed.value.retry_after == 9
    provider.faults["/device"] = [failing(400, {"error": error})]
    with pytest.raises(IdpUnavailable):
        await source.sign_in.begin_device()


async def test_a_gateways_page_asks_the_user_to_try_again(source, provider):
    provider.faults["/token"] = [failing(403, b"<html>no</html>")]
    with pytest.raises(IdpBadAnswer, match="403") as failed:
        await sign_in(source, provider)
    assert "won't help" not in failed.value.hint


async def begun(source, provider, answer):
    begun = await source.sign_in.begin_device()
    provider.faults["/token"] = [answer]
    await asleep(source.clock)
    source.clock.advance(5)
    return begun


async def test_a_device_code_that_no_longer_works_has_expired(source, provider):
    await begun(source, provider, failing(400, {"error": "invalid_grant"}))
    await eventually(lambda: source.sign_in.problem)
    assert source.sign_in.problem.code == "sign_in_failed"
    assert source.sign_in.state == "signed_out"


@pytest.mark.parametrize(
    "error", ["code_expired", "bad_verification_code", "device_code_used", "ExpiredCodeException"]
)
async def test_a_providers_own_code_for_an_expired_device_code_asks_the_user_to_try_again(
    source, provider, error
):
    await begun(source, provider, failing(400, {"error": error}))
    await eventually(lambda: source.sign_in.problem)
    assert source.sign_in.problem.code == "sign_in_failed"
    assert error in source.sign_in.problem.detail
    assert "won't help" not in source.sign_in.problem.hint


@pytest.mark.parametrize("error", ["invalid_client", "invalid_scope", "unauthorized_client"])
async def test_an_error_of_the_registration_is_the_administrators_in_a_device_flow_too(
    source, provider, error
):
    await begun(source, provider, failing(401, {"error": error}))
    await eventually(lambda: source.sign_in.problem)
    assert source.sign_in.problem.code == "identity_provider_bad_answer"


@pytest.mark.parametrize("life", [70, 10**8, 9 * 10**8], ids=["short", "years", "decades"])
async def test_a_device_flow_ends_with_its_code_and_in_an_hour_at_the_latest(
    source, provider, life
):
    device = {
        "device_code": "d-0-0",
        "user_code": "AB",
        "verification_uri": "https://idp.example.com/",
    }
    provider.faults["/device"] = [
        lambda handler: say(handler, {**device, "expires_in": life, "interval": 60})
    ]
    provider.faults["/token"] = [failing(400, {"error": "authorization_pending"})] * 100
    begins = source.clock.now()
    code = await source.sign_in.begin_device()
    assert (code.expires_at - begins).total_seconds() == min(life, 3600)
    ended = False
    while not ended:
        await asleep(source.clock)
        assert source.clock.now() < code.expires_at
        left = (code.expires_at - source.clock.now()).total_seconds()
        ended = left <= 60
        source.clock.advance(min(60, left))
    await eventually(lambda: source.sign_in.problem)
    assert source.sign_in.problem.code == "sign_in_failed"
    assert source.sign_in.state == "signed_out"


@pytest.mark.parametrize(
    "error", ["server_error", "TooManyRequestsException", "Slow_Down", "AUTHORIZATION_PENDING"]
)
async def test_temporary_trouble_does_not_end_a_device_flow(source, provider, error):
    device = await begun(source, provider, failing(400, {"error": error}))
    await eventually(lambda: provider.asked_for("/token"))
    provider.approve_device(device.user_code)
    await asleep(source.clock)
    source.clock.advance(60)
    await eventually(lambda: source.sign_in.state == "signed_in")
