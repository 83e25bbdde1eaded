"""The provider that the tests sign in at: it behaves as the rest of the tests take for granted."""

from __future__ import annotations

from urllib.parse import urlencode

import httpx
import jwt
import pytest

from tests.peers.openid_provider import CONFIDENTIAL_CLIENT, PUBLIC_CLIENT
from tests.peers.relying_party import CALLBACK, RelyingParty, query_of
from tests.peers.sign_in_pages import Browser


@pytest.fixture
def client(provider):
    return RelyingParty(provider)


@pytest.fixture
def browser():
    with Browser() as browser:
        yield browser


@pytest.mark.parametrize("client_id", [PUBLIC_CLIENT, CONFIDENTIAL_CLIENT])
@pytest.mark.parametrize(("user", "group"), [("alice", "analysts"), ("bob", "finance")])
def test_the_code_flow_brings_an_id_token_with_the_users_groups(
    provider, browser, client_id, user, group
):
    client = RelyingParty(provider, client_id)

    callback = browser.sign_in(client.authorization_url(), user)
    claims = client.claims(client.redeem(callback).json())

    assert callback.startswith(f"{CALLBACK}?")
    assert query_of(callback)["state"] == "a-state"
    assert (claims["sub"], claims["preferred_username"], claims["groups"]) == (user, user, [group])
    assert claims["nonce"] == "a-nonce"
    assert claims["exp"] - claims["iat"] == 60


def test_a_code_is_worth_nothing_without_its_verifier(client, browser):
    callback = browser.sign_in(client.authorization_url(), "alice")

    assert client.redeem(callback, code_verifier="x" * 43).json()["error"] == "invalid_grant"


def test_the_public_client_may_not_leave_pkce_out(client, browser):
    url = client.authorization_url(code_challenge="", code_challenge_method="")

    back = httpx.get(url, trust_env=False).headers["Location"]

    assert query_of(back)["error"] == "invalid_request"


def test_a_redirect_uri_that_is_not_registered_is_never_followed(client, browser):
    answer = httpx.get(client.authorization_url(redirect_uri=CALLBACK + "/x"), trust_env=False)

    assert (answer.status_code, "Location" in answer.headers) == (400, False)


def test_the_confidential_client_needs_its_secret(provider, browser):
    client = RelyingParty(provider, CONFIDENTIAL_CLIENT)
    callback = browser.sign_in(client.authorization_url(), "alice")
    client.secret = "guessed"

    assert client.redeem(callback).json()["error"] == "invalid_client"


def test_a_native_clients_loopback_redirect_may_have_any_port(start_openid_provider, browser):
    registered = "http://127.0.0.1/aws/sign-in/callback"
    provider = start_openid_provider(redirect_uris=(registered,), application_type="native")

    callback = browser.sign_in(RelyingParty(provider).authorization_url(), "alice")

    assert callback.startswith(f"{CALLBACK}?")


def test_access_tokens_can_be_jwts_for_an_audience(start_openid_provider, browser):
    audience = "https://sts.example.com"
    client = RelyingParty(
        start_openid_provider(redirect_uris=(CALLBACK,), access_token_audience=audience)
    )

    first = client.sign_in(browser, "bob")
    second = client.refresh(first).json()

    for tokens in (first, second):
        assert client.verified(tokens["access_token"], audience)["groups"] == ["finance"]
        assert client.claims(tokens)["groups"] == ["finance"]


def test_the_client_learns_of_a_cancellation(client, browser):
    assert query_of(browser.cancel(client.authorization_url()))["error"] == "access_denied"


def test_a_browser_stays_signed_in_until_it_signs_out(client, browser):
    tokens = client.sign_in(browser, "alice")
    assert client.claims(client.sign_in(browser, "bob"))["sub"] == "alice"

    end = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": CALLBACK}
    answer = browser.sign_out(f"{client.metadata['end_session_endpoint']}?{urlencode(end)}")

    assert answer.headers["Location"] == CALLBACK
    assert client.claims(client.sign_in(browser, "bob"))["sub"] == "bob"


def test_a_refresh_rotates_and_brings_an_id_token_with_todays_groups(client, provider, browser):
    first = client.sign_in(browser)
    provider.set_groups("alice", ["auditors"])

    second = client.refresh(first).json()

    assert second["refresh_token"] != first["refresh_token"]
    assert client.claims(second)["groups"] == ["auditors"]


def test_a_refresh_token_used_twice_ends_the_sign_in(client, browser):
    first = client.sign_in(browser)
    second = client.refresh(first).json()

    assert client.refresh(first).json()["error"] == "invalid_grant"
    assert client.refresh(second).json()["error"] == "invalid_grant"


def test_a_client_can_revoke_its_refresh_token(client, browser):
    tokens = client.sign_in(browser)

    answer = client.post("revocation_endpoint", token=tokens["refresh_token"])

    assert answer.status_code == 200
    assert client.refresh(tokens).json()["error"] == "invalid_grant"


def test_revoking_at_the_provider_ends_one_users_grants(client, provider, browser):
    alices = client.sign_in(browser)
    with Browser() as another:
        bobs = client.sign_in(another, "bob")

    provider.revoke("alice")

    assert client.refresh(alices).json()["error"] == "invalid_grant"
    assert client.refresh(bobs).status_code == 200
    assert client.claims(client.sign_in(browser, "bob"))["sub"] == "alice"


def test_closing_a_users_sessions_ends_their_grants_too(client, provider, browser):
    tokens = client.sign_in(browser)

    provider.close_sessions("alice")

    assert client.refresh(tokens).json()["error"] == "invalid_grant"
    assert client.claims(client.sign_in(browser, "bob"))["sub"] == "bob"


@pytest.mark.parametrize("client_id", [PUBLIC_CLIENT, CONFIDENTIAL_CLIENT])
@pytest.mark.parametrize("typed", [True, False])
def test_the_device_flow_waits_for_approval(provider, browser, client_id, typed):
    client = RelyingParty(provider, client_id)
    begun = client.begin_device()
    assert client.poll_device(begun).json()["error"] == "authorization_pending"

    if typed:
        browser.approve_device(begun["verification_uri"], "bob", begun["user_code"])
    else:
        browser.approve_device(begun["verification_uri_complete"], "bob")

    tokens = client.poll_device(begun).json()
    assert client.claims(tokens)["groups"] == ["finance"]
    assert client.refresh(tokens).status_code == 200


@pytest.mark.parametrize("typed", [True, False])
def test_a_device_can_be_denied(client, browser, typed):
    begun = client.begin_device()

    if typed:
        browser.deny_device(begun["verification_uri"], begun["user_code"])
    else:
        browser.deny_device(begun["verification_uri_complete"])

    assert client.poll_device(begun).json()["error"] == "access_denied"


def test_a_restart_keeps_what_was_signed_in(client, provider, browser):
    tokens = client.sign_in(browser)
    key = jwt.get_unverified_header(tokens["id_token"])["kid"]

    provider.restart()
    tokens = client.refresh(tokens).json()

    assert jwt.get_unverified_header(tokens["id_token"])["kid"] == key
    assert client.claims(client.sign_in(browser, "bob"))["sub"] == "alice"


def test_a_restart_can_change_the_signing_key(client, provider, browser):
    before = client.sign_in(browser)

    provider.restart(new_signing_key=True)
    after = client.refresh(before).json()

    assert client.claims(after)["sub"] == "alice"
    with pytest.raises(jwt.PyJWKClientError):
        client.claims(before)


def test_a_restart_can_forget_everything(client, provider, browser):
    tokens = client.sign_in(browser)

    provider.restart(keep_state=False)

    assert client.refresh(tokens).json()["error"] == "invalid_grant"
    assert client.claims(client.sign_in(browser, "bob"))["sub"] == "bob"


def test_everything_that_was_given_out_is_listed_over_a_restart_too(start_openid_provider, browser):
    provider = start_openid_provider(redirect_uris=(CALLBACK,))
    client = RelyingParty(provider)
    callback = browser.sign_in(client.authorization_url(), "alice")
    first = client.redeem(callback).json()
    provider.restart()
    second = client.refresh(first).json()
    begun = client.begin_device()
    provider.stop()

    given = {query_of(callback)["code"], begun["device_code"]}
    given |= {
        tokens[kind]
        for tokens in (first, second)
        for kind in ("access_token", "id_token", "refresh_token")
    }
    assert {issued.value for issued in provider.issued()} == given


def test_its_pages_take_nothing_from_other_machines(client):
    begun = client.begin_device()
    pages = [client.authorization_url(), begun["verification_uri"]]

    for page in pages:
        text = httpx.get(page, follow_redirects=True, trust_env=False).text
        assert "<form" in text
        assert "https://" not in text
