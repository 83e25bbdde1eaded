"""Signing in with OpenID Connect, against a provider on loopback that can misbehave."""

from __future__ import annotations

import asyncio
import threading

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from jupyter_wb_aws.errors import (
    FlowNotAvailable,
    IdpBadAnswer,
    IdpTimeout,
    IdpUnavailable,
    ServerStopping,
    SignInFailed,
    SignInRequired,
    TokenInvalid,
    TokenSourceFailed,
)
from tests.conftest import make_jwt
from tests.identity.signing_in import fetch, sign_in, sign_out
from tests.openid import CLIENT, failing, hanging, say
from tests.role_sessions.support import asleep, eventually

OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


# --- The code flow ---------------------------------------------------------------------------


async def test_a_user_who_signs_in_is_known_and_has_a_token(source, provider):
    assert source.sign_in.state == "signed_out"
    await sign_in(source, provider)
    assert source.sign_in.state == "signed_in"
    assert (source.sign_in.user.subject, source.sign_in.user.groups) == ("alice", ("analysts",))
    token = await fetch(source)
    assert token.claims["sub"] == "alice"
    assert len(provider.asked_for("/token")) == 1


async def test_a_sign_in_under_way_is_pending_for_ten_minutes(source):
    await source.sign_in.begin_code()
    assert source.sign_in.state == "pending"
    source.clock.advance(599)
    assert source.sign_in.state == "pending"
    source.clock.advance(1)
    assert source.sign_in.state == "signed_out"


async def test_a_refresh_token_is_requested_as_the_standard_says(source):
    url = (await source.sign_in.begin_code()).authorization_url
    assert "prompt=consent" in url
    assert "scope=openid+profile+offline_access" in url
    assert "code_challenge_method=S256" in url


async def test_a_site_can_set_the_requests_parameters(make):
    source = make(
        scopes=["openid", "email"], authorize_parameters={"access_type": "offline", "prompt": ""}
    )
    url = (await source.sign_in.begin_code()).authorization_url
    assert "access_type=offline" in url
    assert "prompt" not in url


async def test_a_callback_works_once(source, provider):
    begun = await source.sign_in.begin_code()
    query = provider.authorize(begun.authorization_url)
    cookies = {begun.cookie_name: begun.cookie}
    await source.sign_in.finish_code(query, cookies)
    with pytest.raises(SignInFailed, match="not known here"):
        await source.sign_in.finish_code(query, cookies)
    assert source.sign_in.state == "signed_in"
    assert len(provider.asked_for("/token")) == 1


async def test_a_callback_comes_too_late_after_ten_minutes(source, provider):
    begun = await source.sign_in.begin_code()
    query = provider.authorize(begun.authorization_url)
    source.clock.advance(600)
    with pytest.raises(SignInFailed, match="ten minutes"):
        await source.sign_in.finish_code(query, {begun.cookie_name: begun.cookie})
    assert provider.asked_for("/token") == []


@pytest.mark.parametrize("change", [{"state": "made-up"}, {"state": ""}])
async def test_an_unknown_state_is_refused(source, provider, change):
    begun = await source.sign_in.begin_code()
    query = {**provider.authorize(begun.authorization_url), **change}
    with pytest.raises(SignInFailed, match="not known here"):
        await source.sign_in.finish_code(query, {begun.cookie_name: begun.cookie})
    assert provider.asked_for("/token") == []


@pytest.mark.parametrize("cookie", ["", "made-up", None])
async def test_another_browser_cannot_finish_it(source, provider, cookie):
    begun = await source.sign_in.begin_code()
    query = provider.authorize(begun.authorization_url)
    cookies = {} if cookie is None else {begun.cookie_name: cookie}
    with pytest.raises(SignInFailed, match="another browser"):
        await source.sign_in.finish_code(query, cookies)
    assert source.sign_in.user is None
    assert provider.asked_for("/token") == []


async def test_the_cookie_of_another_attempt_does_not_count(source, provider):
    first, second = await source.sign_in.begin_code(), await source.sign_in.begin_code()
    query = provider.authorize(first.authorization_url)
    with pytest.raises(SignInFailed, match="another browser"):
        await source.sign_in.finish_code(query, {second.cookie_name: second.cookie})


async def test_two_windows_may_both_begin_a_sign_in(source, provider):
    first, second = await source.sign_in.begin_code(), await source.sign_in.begin_code()
    cookies = {first.cookie_name: first.cookie, second.cookie_name: second.cookie}
    await source.sign_in.finish_code(provider.authorize(first.authorization_url), cookies)
    assert source.sign_in.state == "signed_in"


async def test_the_reason_why_a_sign_in_could_not_begin_is_kept(make, provider):
    provider.metadata_changes = {"authorization_endpoint": "ftp://idp.example.com/"}
    source = make()
    with pytest.raises(IdpBadAnswer) as refused:
        await source.sign_in.begin_code()
    assert source.sign_in.problem is refused.value


async def test_many_abandoned_sign_ins_are_forgotten(source, provider):
    first = await source.sign_in.begin_code()
    for _ in range(16):
        await source.sign_in.begin_code()
    with pytest.raises(SignInFailed, match="not known here"):
        await source.sign_in.finish_code(
            provider.authorize(first.authorization_url), {first.cookie_name: first.cookie}
        )


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("access_denied", "provider refused"),
        ("server_error", "problem of its own"),
        ("<b>x", "does not say why"),
    ],
)
async def test_an_error_of_the_provider_is_explained_in_our_words(source, provider, error, reason):
    begun = await source.sign_in.begin_code()
    state = provider.authorize(begun.authorization_url)["state"]
    with pytest.raises(SignInFailed, match=reason) as refused:
        await source.sign_in.finish_code(
            {"state": state, "error": error}, {begun.cookie_name: begun.cookie}
        )
    assert "<b>" not in refused.value.detail
    assert source.sign_in.problem is refused.value


@pytest.mark.parametrize(
    ("promised", "iss", "fine"),
    [
        (None, "issuer", True), (None, "https://other.example.com", False), (None, None, True),
        (True, None, False), (True, "issuer", True), (True, "", False),
    ],
)  # fmt: skip
async def test_only_the_provider_that_was_asked_may_answer(make, provider, promised, iss, fine):
    provider.metadata_changes = {"authorization_response_iss_parameter_supported": promised}
    source = make()
    begun = await source.sign_in.begin_code()
    query = provider.authorize(begun.authorization_url)
    if iss is not None:
        query["iss"] = provider.issuer if iss == "issuer" else iss
    finish = source.sign_in.finish_code(query, {begun.cookie_name: begun.cookie})
    if fine:
        await finish
    else:
        with pytest.raises(SignInFailed, match="not from the identity provider"):
            await finish
        assert provider.asked_for("/token") == []


BAD_ID_TOKENS = {
    "nonce of another": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "iss of another": {"iss": "https://other.example.com"},
    "aud of another": {"aud": "other"},
    "azp of another": {"azp": "other"},
    "expired": {"exp": 1},
    "nonce of half a character": {"nonce": "\ud800"},
}


@pytest.mark.parametrize("claims", BAD_ID_TOKENS.values(), ids=BAD_ID_TOKENS)
async def test_an_id_token_of_another_sign_in_is_refused(source, provider, claims):
    begun = await source.sign_in.begin_code()
    query = provider.authorize(begun.authorization_url)
    provider.codes[query["code"]] = {**provider.codes[query["code"]]}
    nonce = {"nonce": provider.codes[query["code"]]["nonce"]}
    provider.answers = {"id_token": provider.id_token(**{**nonce, **claims})}
    with pytest.raises(TokenInvalid):
        await source.sign_in.finish_code(query, {begun.cookie_name: begun.cookie})
    assert source.sign_in.state == "signed_out"
    assert source.sign_in.problem.code == "token_invalid"


async def test_a_forged_id_token_is_refused(source, provider):
    begun = await source.sign_in.begin_code()
    query = provider.authorize(begun.authorization_url)
    nonce = provider.codes[query["code"]]["nonce"]
    provider.answers = {
        "id_token": make_jwt(key=OTHER_KEY, iss=provider.issuer, aud=CLIENT, nonce=nonce)
    }
    with pytest.raises(TokenInvalid, match="signature"):
        await source.sign_in.finish_code(query, {begun.cookie_name: begun.cookie})


async def test_an_answer_without_an_id_token_names_the_scope(source, provider):
    provider.answers = {"id_token": None}
    with pytest.raises(TokenInvalid) as refused:
        await sign_in(source, provider)
    assert "openid" in refused.value.admin_hint


async def test_without_a_redirect_uri_the_device_flow_is_offered_instead(make):
    source = make(redirect_uri=None)
    assert await source.sign_in.available_flows() == ["device"]
    assert await source.sign_in.choose_flow(None) == "device"
    with pytest.raises(FlowNotAvailable, match="device"):
        await source.sign_in.choose_flow("code")


async def test_a_provider_without_the_device_flow_leaves_the_code_flow(make, provider):
    provider.metadata_changes = {"device_authorization_endpoint": None}
    assert await make().sign_in.available_flows() == ["code"]
    with pytest.raises(FlowNotAvailable, match="no way to sign in"):
        await make(redirect_uri=None).sign_in.choose_flow(None)


async def test_a_site_may_allow_only_one_flow(make):
    assert await make(flows=["device"]).sign_in.available_flows() == ["device"]
    assert await make(flows=["device", "code"]).sign_in.choose_flow(None) == "device"


async def test_an_odd_flow_is_quoted_in_a_few_characters(source):
    with pytest.raises(FlowNotAvailable) as refused:
        await source.sign_in.choose_flow("x" * 5000)
    assert len(refused.value.detail) < 200


# --- Confidential clients, and the token for AWS ---------------------------------------------------


async def test_a_confidential_client_sends_its_secret(make, provider, tmp_path):
    provider.secret = "s3cret-of-the-client"
    path = tmp_path / "secret"
    path.write_text("s3cret-of-the-client\n")
    source = make(client_secret_file=str(path))
    await sign_in(source, provider)
    assert source.sign_in.state == "signed_in"
    assert "client_secret" not in provider.asked_for("/token")[0]


@pytest.mark.parametrize("how", ["set", "found out"])
async def test_a_provider_may_accept_the_secret_only_in_the_form(make, provider, tmp_path, how):
    path = tmp_path / "secret"
    path.write_text("s3cret")
    settings = {"token_endpoint_auth_method": "client_secret_post"} if how == "set" else {}
    if how == "found out":
        provider.metadata_changes = {
            "token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_post"]
        }
    await sign_in(make(client_secret_file=str(path), **settings), provider)
    assert provider.asked_for("/token")[0]["client_secret"] == "s3cret"


async def test_a_wrong_secret_is_explained_to_the_administrator(make, provider, tmp_path):
    provider.secret = "right"
    path = tmp_path / "secret"
    path.write_text("wrong-secret")
    with pytest.raises(IdpBadAnswer, match="invalid_client") as refused:
        await sign_in(make(client_secret_file=str(path)), provider)
    assert "client_secret_file" in refused.value.admin_hint
    assert "wrong-secret" not in str(refused.value.as_problem())


async def test_aws_can_get_the_access_token(make, provider):
    source = make(web_identity="access_token", audience="sts.amazonaws.com")
    provider.answers = {"access_token": provider.id_token(aud="sts.amazonaws.com")}
    await sign_in(source, provider)
    assert (await fetch(source)).claims["aud"] == "sts.amazonaws.com"


# --- The device flow -------------------------------------------------------------------------


async def poll(source, seconds=5.0):
    """Let one interval pass, and wait until the provider has been asked."""
    await asleep(source.clock)
    source.clock.advance(seconds)


async def asked(provider, times):
    await eventually(lambda: len(provider.asked_for("/token")) >= times)


async def test_a_code_that_is_entered_signs_in(source, provider):
    begun = await source.sign_in.begin_device()
    assert begun.verification_uri == f"{provider.issuer}/activate"
    assert begun.user_code in begun.verification_uri_complete
    await poll(source)
    await asked(provider, 1)
    assert source.sign_in.state == "pending"
    provider.approve_device(begun.user_code)
    await poll(source)
    await eventually(lambda: source.sign_in.state == "signed_in")
    assert (await fetch(source)).claims["sub"] == "alice"


async def test_it_polls_no_more_often_than_the_provider_allows(source, provider):
    await source.sign_in.begin_device()
    await poll(source, 4.9)
    await asyncio.sleep(0)
    assert provider.asked_for("/token") == []
    source.clock.advance(0.1)
    await asked(provider, 1)
    provider.faults["/token"] = [failing(400, {"error": "slow_down"})]
    await poll(source)
    await asked(provider, 2)
    await poll(source, 9.9)
    await asyncio.sleep(0)
    assert len(provider.asked_for("/token")) == 2
    source.clock.advance(0.1)
    await asked(provider, 3)


async def test_googles_response_for_pending_is_not_a_failure(source, provider):
    begun = await source.sign_in.begin_device()
    provider.faults["/token"] = [failing(428, {"error": "authorization_pending"})]
    await poll(source)
    await asked(provider, 1)
    provider.approve_device(begun.user_code)
    await poll(source)  # after the same time as before
    await eventually(lambda: source.sign_in.state == "signed_in")


@pytest.mark.parametrize("error", ["access_denied", "authorization_declined"])  # Entra ID's
async def test_a_refused_code_is_reported(source, provider, error):
    begun = await source.sign_in.begin_device()
    provider.devices[begun.user_code] = error
    await poll(source)
    await eventually(lambda: source.sign_in.state == "signed_out")
    assert source.sign_in.problem.code == "sign_in_failed"
    assert "was refused" in source.sign_in.problem.detail


@pytest.mark.parametrize("who", ["the provider", "we"])
async def test_a_code_that_nobody_enters_expires(source, provider, who):
    begun = await source.sign_in.begin_device()
    if who == "the provider":
        provider.devices[begun.user_code] = "expired_token"
        await poll(source)
    else:
        await poll(source, 600)
    await eventually(lambda: source.sign_in.problem is not None)
    assert "expired" in source.sign_in.problem.detail
    assert source.sign_in.state == "signed_out"


FAULTS = {
    "500": failing(500), "503": failing(503), "429": failing(429, Retry_After="3"),
    "garbage": failing(200, b"<html>"), "no object": failing(200, b"[]"), "nothing": failing(200),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_trouble_at_the_provider_does_not_end_a_device_flow(source, provider, fault):
    begun = await source.sign_in.begin_device()
    provider.approve_device(begun.user_code)
    provider.faults["/token"] = [fault]
    await poll(source)
    await asked(provider, 1)
    await poll(source, 60)
    await eventually(lambda: source.sign_in.state == "signed_in")


@pytest.mark.parametrize("fault", ["garbage", "no object", "nothing"])
async def test_two_unreadable_token_responses_end_the_device_flow(source, provider, fault):
    begun = await source.sign_in.begin_device()
    provider.approve_device(begun.user_code)
    provider.faults["/token"] = [FAULTS[fault]] * 2
    await poll(source)
    await asked(provider, 1)
    await poll(source)
    await eventually(lambda: source.sign_in.state == "signed_out")
    assert source.sign_in.problem.code == "identity_provider_bad_answer"
    assert "token endpoint" in source.sign_in.problem.detail
    assert len(provider.asked_for("/token")) == 2


@pytest.mark.parametrize("fault", ["garbage", "nothing"])
async def test_unreadable_tokens_followed_by_a_used_code_name_the_provider(source, provider, fault):
    await source.sign_in.begin_device()
    provider.faults["/token"] = [FAULTS[fault], failing(400, {"error": "invalid_grant"})]
    await poll(source)
    await asked(provider, 1)
    await poll(source)
    await eventually(lambda: source.sign_in.problem)
    assert source.sign_in.problem.code == "identity_provider_bad_answer"
    assert "token endpoint" in source.sign_in.problem.detail


async def test_a_code_that_expires_while_the_provider_is_away_names_the_provider(source, provider):
    await source.sign_in.begin_device()
    provider.faults["/token"] = [failing(503)] * 100
    for times in range(1, 10):
        await poll(source, 60)
        await asked(provider, times)
    await poll(source, 60)
    await eventually(lambda: source.sign_in.problem)
    assert source.sign_in.problem.code == "identity_provider_unavailable"


async def test_a_code_that_the_user_may_be_typing_stays_valid(source, provider):
    first = await source.sign_in.begin_device()
    assert await source.sign_in.begin_device() == first
    assert len(provider.asked_for("/device")) == 1
    source.clock.advance(545)
    second = await source.sign_in.begin_device()
    assert second.user_code != first.user_code
    provider.approve_device(second.user_code)
    await poll(source, 60)
    await eventually(lambda: source.sign_in.state == "signed_in")


def device_answer(**changes):
    usual = {
        "device_code": "d",
        "user_code": "ABCD",
        "verification_uri": "https://idp.example.com/device",
    }
    return lambda handler: say(handler, {**usual, **changes})


@pytest.mark.parametrize(
    "changes",
    [{"user_code": "AB\nCD"}, {"user_code": "AB\r\n\nThe code is EVIL:"}, {"user_code": "\x1b[2JAB"},
     {"user_code": "AB\u2028CD"}, {"user_code": "AB\u202eCD"}, {"user_code": "A" * 101},
     pytest.param({"verification_uri": "https://idp.example.com/\nOpen https://evil.example.com"}, id="a second line"),
     pytest.param({"verification_uri": "https://idp.example.com/\x1b]8;;https://evil.example.com"}, id="a terminal's link"),
     {"verification_uri": "https://idp.example.com/" + " " * 80 + "Then type your password here."},
     {"verification_uri": "https://idp.example.com/" + "a" * 3000},
     {"verification_uri": "https://[idp.example.com/"}],
)  # fmt: skip
async def test_a_code_or_address_that_could_pretend_to_be_ours_is_not_shown(
    source, provider, changes
):
    provider.faults["/device"] = [device_answer(**changes)]
    with pytest.raises(IdpBadAnswer, match="can't be shown") as refused:
        await source.sign_in.begin_device()
    assert "evil" not in str(refused.value.as_problem()).lower()


async def test_blanks_around_a_code_and_its_addresses_are_ignored(source, provider):
    uri = "https://idp.example.com/device"
    fault = device_answer(
        user_code=" AB CD\n", verification_uri=f"{uri}\n", verification_uri_complete=f"{uri}?c=1\n"
    )
    provider.faults["/device"] = [fault]
    begun = await source.sign_in.begin_device()
    assert begun.user_code == "AB CD"
    assert (begun.verification_uri, begun.verification_uri_complete) == (uri, f"{uri}?c=1")


async def test_a_second_address_that_could_pretend_to_be_ours_is_left_out(source, provider):
    complete = "https://idp.example.com/?c=1\nSign in here"
    provider.faults["/device"] = [device_answer(verification_uri_complete=complete)]
    assert (await source.sign_in.begin_device()).verification_uri_complete is None


@pytest.mark.parametrize(
    "answer",
    [b"{}", b'{"device_code": 7, "user_code": "x", "verification_uri": "https://x"}', b"[]",
     b'{"device_code": "d", "user_code": "x", "verification_uri": "javascript:alert(1)"}'],
)  # fmt: skip
async def test_a_device_answer_that_makes_no_sense_is_refused(source, provider, answer):
    provider.faults["/device"] = [failing(200, answer)]
    with pytest.raises(IdpBadAnswer):
        await source.sign_in.begin_device()
    assert source.sign_in.state == "signed_out"


# --- Refreshing -----------------------------------------------------------------------------


async def test_each_fetch_after_the_first_brings_a_new_token(source, provider):
    await sign_in(source, provider)
    tokens = [await fetch(source) for _ in range(3)]
    assert len({token.fingerprint for token in tokens}) == 3
    used = [form["refresh_token"] for form in provider.asked_for("/token")[1:]]
    assert len(set(used)) == 2


async def test_a_refresh_token_that_does_not_rotate_is_used_again(source, provider):
    await sign_in(source, provider)
    await fetch(source)
    provider.answers = {"refresh_token": None}
    (kept,) = provider.refresh_tokens
    for _ in range(2):
        await fetch(source)
        provider.refresh_tokens = {kept: "alice"}
    assert provider.asked_for("/token")[-1]["refresh_token"] == kept


async def test_two_refreshes_never_run_at_once(source, provider):
    await sign_in(source, provider)
    await fetch(source)
    tokens = await asyncio.gather(*(fetch(source) for _ in range(5)))
    assert len({token.fingerprint for token in tokens}) == 1
    assert len(provider.asked_for("/token")) == 2


async def test_a_caller_that_stops_waiting_does_not_lose_the_rotated_token(source, provider):
    await sign_in(source, provider)
    await fetch(source)
    answered = threading.Event()
    provider.faults["/token"] = []
    provider.hold_tokens(answered)
    waiting = asyncio.create_task(fetch(source))
    await asked(provider, 2)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    answered.set()
    await fetch(source)  # joins it
    await fetch(source)
    assert source.sign_in.state == "signed_in"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (failing(500), IdpUnavailable), (failing(429, Retry_After="7"), IdpUnavailable),
        (failing(200, b"<html>"), IdpBadAnswer), (failing(302, Location="/x"), IdpBadAnswer),
    ],
)  # fmt: skip
async def test_trouble_at_the_provider_does_not_end_a_sign_in(source, provider, fault, error):
    await sign_in(source, provider)
    await fetch(source)
    provider.faults["/token"] = [fault]
    with pytest.raises(error):
        await fetch(source)
    assert source.sign_in.state == "signed_in"
    await fetch(source)


async def test_a_slow_provider_times_out(make, provider):
    source = make(timeout=0.2)
    await sign_in(source, provider)
    await fetch(source)
    over = threading.Event()
    provider.faults["/token"] = [hanging(over)]
    with pytest.raises(IdpTimeout):
        await fetch(source)
    over.set()
    assert source.sign_in.state == "signed_in"


ODD_ANSWERS = {
    "a gateway's refusal": failing(403, {"message": "Forbidden"}),
    "no error in it": failing(401, {}),
    "no tokens in it": failing(200, {}),
    "nothing": failing(200, {"error": None}),
    "null": failing(400, b"null"),
    "a number for an error": failing(400, {"error": 5}),
    "a text for a description": failing(503, {"error": "invalid_grant"}),
    "an endless number": failing(200, b'{"expires_in": 1e400}'),
}


@pytest.mark.parametrize("fault", ODD_ANSWERS.values(), ids=ODD_ANSWERS)
async def test_an_odd_response_does_not_end_a_sign_in(source, provider, fault):
    await sign_in(source, provider)
    first = await fetch(source)
    provider.faults["/token"] = [fault]
    with pytest.raises(TokenSourceFailed):
        await fetch(source)
    assert not (await fetch(source)).same_text(first)


@pytest.mark.parametrize(
    "oddity", [{"expires_in": "3600.0"}, {"expires_in": []}, {"expires_at": {}}, {"token_type": 7}]
)
async def test_a_rotated_token_is_kept_with_anything_beside_it(source, provider, oddity):
    await sign_in(source, provider)
    await fetch(source)
    provider.answers = oddity
    for _ in range(3):
        await fetch(source)
    assert source.sign_in.state == "signed_in"


async def test_a_rotated_token_is_kept_even_if_the_id_token_is_bad(source, provider):
    await sign_in(source, provider)
    await fetch(source)
    provider.claims = {"azp": "another"}
    with pytest.raises(TokenInvalid, match="another client"):
        await fetch(source)
    provider.claims = {}
    await fetch(source)
    assert source.sign_in.state == "signed_in"


async def test_a_provider_that_moves_its_endpoint_is_followed(source, provider):
    await sign_in(source, provider)
    await fetch(source)
    provider.moved = "/token2"
    with pytest.raises(IdpBadAnswer, match="404"):
        await fetch(source)
    await fetch(source)
    assert source.sign_in.state == "signed_in"


async def test_many_callers_share_one_request_to_a_hanging_provider(source, provider):
    over = threading.Event()
    provider.faults["/.well-known/openid-configuration"] = [hanging(over) for _ in range(9)]
    looks = [asyncio.create_task(source.sign_in.available_flows()) for _ in range(9)]
    await eventually(lambda: provider.asked)
    async with asyncio.timeout(2):  # and the threads that all of Jupyter shares are free
        await asyncio.gather(*(asyncio.to_thread(int) for _ in range(20)))
    assert len(provider.asked) == 1
    over.set()
    for look in looks:
        look.cancel()
    await asyncio.gather(*looks, return_exceptions=True)


@pytest.mark.parametrize("error", ["invalid_grant", "interaction_required", "login_required"])
async def test_a_sign_in_that_the_provider_ended_has_ended_here(source, provider, error):
    await sign_in(source, provider)
    await fetch(source)
    provider.faults["/token"] = [failing(400, {"error": error, "error_description": "closed"})]
    with pytest.raises(SignInRequired, match=error):
        await fetch(source)
    assert source.sign_in.state == "signed_out"
    assert "closed" in source.sign_in.problem.detail
    with pytest.raises(SignInRequired, match=error):
        await fetch(source)
    assert len(provider.asked_for("/token")) == 2


async def test_a_refusal_that_the_user_did_not_cause_does_not_end_it(source, provider):
    await sign_in(source, provider)
    await fetch(source)
    provider.faults["/token"] = [failing(401, {"error": "invalid_client"})]
    with pytest.raises(IdpBadAnswer, match="invalid_client"):
        await fetch(source)
    assert source.sign_in.state == "signed_in"


async def test_a_refresh_without_a_new_id_token_keeps_the_old_one_to_its_end(source, provider):
    await sign_in(source, provider)
    first = await fetch(source)
    provider.answers = {"id_token": None}
    assert (await fetch(source)).same_text(first)
    asked_before = len(provider.asked)
    assert (await fetch(source)).same_text(first)
    assert len(provider.asked) == asked_before
    assert source.sign_in.expires_at == first.expires_at
    source.clock.advance(3601)
    with pytest.raises(SignInRequired, match="does not refresh it") as over:
        await fetch(source)
    assert "offline_access" in over.value.admin_hint
    assert source.sign_in.state == "signed_out"


async def test_a_sign_in_without_a_refresh_token_lasts_as_long_as_its_token(source, provider):
    provider.answers = {"refresh_token": None}
    await sign_in(source, provider)
    first = await fetch(source)
    assert (await fetch(source)).same_text(first)
    assert source.sign_in.expires_at == first.expires_at
    source.clock.advance(3601)
    with pytest.raises(SignInRequired):
        await fetch(source)


async def test_a_refresh_for_another_user_ends_the_sign_in(source, provider):
    await sign_in(source, provider)
    await fetch(source)
    provider.answers = {"id_token": provider.id_token(sub="mallory")}
    with pytest.raises(SignInRequired, match="another user"):
        await fetch(source)
    assert source.sign_in.user is None


async def test_new_signing_keys_are_accepted(source, provider):
    await sign_in(source, provider)
    await fetch(source)
    provider.key, provider.kid = OTHER_KEY, "k2"
    assert (await fetch(source)).claims["sub"] == "alice"


@pytest.mark.parametrize("ahead", [-120, -60, 60, 120])
async def test_clocks_may_differ_by_two_minutes_even_if_tokens_live_for_one(
    source, provider, ahead
):
    provider.lifetime, provider.clock_ahead = 60, ahead
    await sign_in(source, provider)
    for token in [await fetch(source), await fetch(source)]:
        left = (token.expires_at - source.clock.now()).total_seconds()
        assert 50 < left < 70


async def test_a_site_limits_the_age_of_a_sign_in(make, provider):
    source = make(max_sign_in_age=1000.0)
    await sign_in(source, provider)
    assert "max_age=1000" in (await source.sign_in.begin_code()).authorization_url
    await fetch(source)
    source.clock.advance(999)
    assert source.sign_in.end_if_expired() is None
    source.clock.advance(1)
    assert "maximum age" in source.sign_in.end_if_expired().detail
    with pytest.raises(SignInRequired, match="maximum age"):
        await fetch(source)


async def test_the_age_counts_from_the_sign_in_at_the_provider(make, provider):
    source = make(max_sign_in_age=1000.0)
    provider.claims = {"auth_time": source.clock.now().timestamp() - 600}
    await sign_in(source, provider)
    left = (source.sign_in.expires_at - source.clock.now()).total_seconds()
    assert 395 < left <= 401


@pytest.mark.parametrize("at", [10**400, -1, True, "noon", None])
async def test_an_odd_time_of_sign_in_is_ignored(make, provider, at):
    source = make(max_sign_in_age=1000.0)
    provider.claims = {"auth_time": at}
    try:
        await sign_in(source, provider)
    except SignInFailed:
        assert at == -1


async def test_a_provider_that_ignores_the_maximum_age_is_named(make, provider):
    source = make(max_sign_in_age=1000.0)
    provider.claims = {"auth_time": source.clock.now().timestamp() - 5000}
    with pytest.raises(SignInFailed) as refused:
        await sign_in(source, provider)
    assert "max_age" in refused.value.admin_hint


async def test_a_provider_that_left_the_token_out_once_is_asked_again(source, provider):
    await sign_in(source, provider)
    first = await fetch(source)
    source.clock.advance(2880)
    provider.answers = {"id_token": None}
    await fetch(source)
    provider.answers = {}
    asked_before = len(provider.asked_for("/token"))
    assert (await fetch(source)).same_text(first)
    # The provider's clock is real: the token expires a little more than 3,600 s after this clock began.
    pause = (first.expires_at - source.clock.now()).total_seconds() / 4
    source.clock.advance(pause - 1)
    await fetch(source)
    assert len(provider.asked_for("/token")) == asked_before
    source.clock.advance(2)
    assert not (await fetch(source)).same_text(first)
    assert source.sign_in.expires_at is None


async def test_a_refresh_of_the_previous_sign_in_does_not_disturb_the_new_one(source, provider):
    await sign_in(source, provider)
    await fetch(source)
    answered = threading.Event()
    provider.faults["/token"] = [hanging(answered)]
    waiting = asyncio.create_task(fetch(source))
    await asked(provider, 2)
    await sign_in(source, provider, "bob")
    assert (await fetch(source)).claims["sub"] == "bob"
    assert (await fetch(source)).claims["sub"] == "bob"
    answered.set()
    await asyncio.gather(waiting, return_exceptions=True)
    assert source.sign_in.user.subject == "bob"


async def test_without_a_token_for_aws_nobody_is_signed_in(source, provider):
    async def refuse():
        raise TokenInvalid("no")

    source.sign_in.on_signed_in = refuse
    with pytest.raises(TokenInvalid):
        await sign_in(source, provider)
    assert source.sign_in.state == "signed_out"
    begun = await source.sign_in.begin_device()
    provider.approve_device(begun.user_code)
    await poll(source)
    await eventually(lambda: source.sign_in.problem is not None)
    assert source.sign_in.problem.code == "token_invalid"


# --- Ending --- -------------------------------------------------------------------------------


async def test_signing_out_revokes_and_ends_the_session_there(source, provider):
    await sign_in(source, provider)
    await fetch(source)
    await fetch(source)
    (living,) = provider.refresh_tokens
    out = await sign_out(source)
    assert provider.revoked == [living]
    (end,) = provider.asked_for("/end")
    assert end["client_id"] == CLIENT
    assert end["id_token_hint"] in provider.issued
    assert (out.revoked, out.end_session_url) == (True, f"{provider.issuer}/end")
    with pytest.raises(SignInRequired):
        await fetch(source)


async def test_after_signing_out_the_provider_asks_the_user_to_log_in(source, provider):
    await sign_in(source, provider)
    await sign_out(source)
    assert "prompt=login+consent" in (await source.sign_in.begin_code()).authorization_url
    await sign_in(source, provider, "bob")
    assert source.sign_in.user.subject == "bob"


async def test_signing_out_works_while_the_provider_is_down(source, provider):
    await sign_in(source, provider)
    provider.faults["/revoke"] = [failing(503)]
    provider.faults["/end"] = [failing(500)]
    out = await sign_out(source)
    assert not out.revoked
    assert source.sign_in.state == "signed_out"


async def test_a_flow_begun_before_signing_out_is_not_completed(source, provider):
    begun = await source.sign_in.begin_code()
    device = await source.sign_in.begin_device()
    await asleep(source.clock)
    await sign_out(source)
    provider.approve_device(device.user_code)
    source.clock.advance(600)
    with pytest.raises(SignInFailed):
        await source.sign_in.finish_code(
            provider.authorize(begun.authorization_url), {begun.cookie_name: begun.cookie}
        )
    assert source.sign_in.user is None


async def test_tokens_that_come_after_signing_out_are_revoked(source, provider):
    begun = await source.sign_in.begin_code()
    query = provider.authorize(begun.authorization_url)
    may_answer = threading.Event()
    provider.hold_tokens(may_answer)
    finishing = asyncio.create_task(
        source.sign_in.finish_code(query, {begun.cookie_name: begun.cookie})
    )
    await asked(provider, 1)
    await sign_out(source)
    may_answer.set()
    with pytest.raises(SignInFailed, match="in the meantime"):
        await finishing
    await eventually(lambda: provider.refresh_tokens == {})


async def test_signing_out_revokes_the_tokens_of_earlier_sign_ins(source, provider):
    await sign_in(source, provider)
    await sign_in(source, provider)
    assert len(provider.refresh_tokens) == 2
    out = await sign_out(source)
    assert out.revoked
    assert provider.refresh_tokens == {}


async def test_the_tokens_of_a_failed_sign_in_are_revoked(source, provider):
    provider.claims = {"azp": "another"}
    with pytest.raises(TokenInvalid):
        await sign_in(source, provider)
    await eventually(lambda: provider.refresh_tokens == {})


async def test_concurrent_requests_for_a_code_get_the_same(source, provider):
    first, second = await asyncio.gather(
        source.sign_in.begin_device(), source.sign_in.begin_device()
    )
    assert first == second
    assert len(provider.asked_for("/device")) == 1


async def test_after_the_server_has_stopped_nothing_begins(source, provider):
    await source.sign_in.available_flows()
    await source.close()
    for begin in (source.sign_in.begin_code, source.sign_in.begin_device):
        with pytest.raises(ServerStopping):
            await begin()


async def test_a_caller_that_waited_for_the_previous_sign_in_gets_the_new_token(source, provider):
    await sign_in(source, provider)
    await fetch(source)
    answered = threading.Event()
    provider.faults["/token"] = [hanging(answered)]
    waiting = asyncio.create_task(fetch(source))
    await asked(provider, 2)
    await sign_in(source, provider)
    answered.set()
    assert (await waiting).claims["sub"] == "alice"


async def test_a_forged_callback_changes_nothing(source, provider):
    await sign_in(source, provider)
    provider.refresh_tokens.clear()
    await fetch(source)
    with pytest.raises(SignInRequired):
        await fetch(source)
    why = source.sign_in.problem
    with pytest.raises(SignInFailed):
        await source.sign_in.finish_code({"state": "made up", "error": "access_denied"}, {})
    assert source.sign_in.problem is why


async def test_signing_in_again_does_not_revoke_tokens_that_another_server_may_share(
    source, provider
):
    await sign_in(source, provider)
    await sign_in(source, provider)
    assert provider.revoked == []


async def test_nothing_secret_shows(source, provider, caplog):
    begun = await source.sign_in.begin_code()
    device = await source.sign_in.begin_device()
    query = provider.authorize(begun.authorization_url)
    shown = [repr(begun), repr(device), repr(source.sign_in)]
    await source.sign_in.finish_code(query, {begun.cookie_name: begun.cookie})
    await fetch(source)
    await fetch(source)
    provider.faults["/token"] = [
        failing(400, {"error": "invalid_grant", "error_description": f"bad {t}"})
        for t in provider.refresh_tokens
    ]
    with pytest.raises(SignInRequired) as over:
        await fetch(source)
    provider.faults["/token"].clear()
    await sign_in(source, provider)
    shown.append(repr(await source.sign_in.sign_out()))
    shown += [repr(over.value), str(over.value.as_problem()), caplog.text]
    secrets = [*provider.issued, query["state"], begun.cookie]
    assert not [s for s in secrets for text in shown if s in text]
