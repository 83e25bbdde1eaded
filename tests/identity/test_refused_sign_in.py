"""A sign-in that the token endpoint refuses: whether the user can do something about it."""

from __future__ import annotations

import pytest

from jupyter_wb_aws.errors import IdpBadAnswer, IdpUnavailable, SignInFailed
from tests.identity.signing_in import sign_in
from tests.openid import failing
from tests.role_sessions.support import asleep, eventually


@pytest.mark.parametrize("error", ["invalid_grant", "INVALID_GRANT", "interaction_required"])
async def test_a_code_that_is_no_longer_good_means_another_try(source, provider, error):
    provider.faults["/token"] = [failing(400, {"error": error, "error_description": "too late"})]
    with pytest.raises(SignInFailed, match="too late") as failed:
        await sign_in(source, provider)
    assert "Sign in again" in failed.value.hint
    assert "redirect URI" in failed.value.admin_hint


@pytest.mark.parametrize(
    "error", ["too_many_requests", "slow_down", "server_error", "temporarily_unavailable"]
)
async def test_trouble_that_passes_is_said_to_pass(source, provider, error):
    provider.faults["/token"] = [failing(400, {"error": error}, Retry_After="9")]
    with pytest.raises(IdpUnavailable) as failed:
        await sign_in(source, provider)
    assert failed.value.retry_after == 9
    provider.faults["/device"] = [failing(400, {"error": error})]
    with pytest.raises(IdpUnavailable):
        await source.sign_in.begin_device()


async def test_a_gateways_page_is_worth_another_try(source, provider):
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


async def test_a_device_code_that_is_no_longer_good_has_expired(source, provider):
    await begun(source, provider, failing(400, {"error": "invalid_grant"}))
    await eventually(lambda: source.sign_in.problem)
    assert source.sign_in.problem.code == "sign_in_failed"
    assert source.sign_in.state == "signed_out"


@pytest.mark.parametrize(
    "error", ["server_error", "TooManyRequestsException", "Slow_Down", "AUTHORIZATION_PENDING"]
)
async def test_trouble_that_passes_does_not_end_a_device_flow(source, provider, error):
    device = await begun(source, provider, failing(400, {"error": error}))
    await eventually(lambda: provider.asked_for("/token"))
    provider.approve_device(device.user_code)
    await asleep(source.clock)
    source.clock.advance(60)
    await eventually(lambda: source.sign_in.state == "signed_in")
