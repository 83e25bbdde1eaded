"""The demo's provider, seen by a browser and by a client; the client is authlib's."""

from __future__ import annotations

import contextlib
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oauth2 import rfc9207
from authlib.oidc.discovery import OpenIDProviderMetadata

from jupyter_wb_aws.demo.local_aws import LocalAws
from jupyter_wb_aws.demo.names import CLIENT_ID, SOURCE_IDENTITY_CLAIM, TAGS_CLAIM
from jupyter_wb_aws.demo.sign_in import SignInProvider, memory, protocol
from jupyter_wb_aws.demo.users import ALICE, BOB
from tests.demo_pages import DemoBrowser, Page

REDIRECT_URI = "http://127.0.0.1:8888/aws/sign-in/callback"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
VERIFIER = "v" * 43


@pytest.fixture(scope="module")
def idp():
    with SignInProvider(REDIRECT_URI, token_lifetime=600, interval=0) as provider:
        yield provider


@pytest.fixture
def metadata(idp):
    return httpx.get(f"{idp.issuer}/.well-known/openid-configuration", trust_env=False).json()


@pytest.fixture
def browser():
    with DemoBrowser() as browser:
        yield browser


@pytest.fixture
def client():
    with OAuth2Client(
        CLIENT_ID,
        redirect_uri=REDIRECT_URI,
        scope="openid profile offline_access",
        code_challenge_method="S256",
        token_endpoint_auth_method="none",
        trust_env=False,
    ) as client:
        yield client


@pytest.fixture
def address(client, metadata):
    """Return the address that begins a sign-in; None leaves a parameter out."""

    def address(**changes):
        asked = {"code_verifier": VERIFIER, "nonce": "n-1", "state": "s-1", **changes}
        given = {name: value for name, value in asked.items() if value is not None}
        return client.create_authorization_url(metadata["authorization_endpoint"], **given)[0]

    return address


@pytest.fixture
def redeem(client, metadata):
    def redeem(sent_back, **changes):
        return client.fetch_token(
            metadata["token_endpoint"],
            authorization_response=sent_back,
            **{"code_verifier": VERIFIER, "state": "s-1", **changes},
        )

    return redeem


@pytest.fixture
def sign_in(browser, address, redeem):
    """Sign in by authorization code; return the token endpoint's answer."""
    return lambda user="alice", **changes: redeem(browser.sign_in(address(**changes), user))


@pytest.fixture
def refresh(client, metadata):
    return lambda tokens: client.refresh_token(
        metadata["token_endpoint"], refresh_token=tokens["refresh_token"]
    )


@pytest.fixture
def ask_device(metadata):
    form = {"client_id": CLIENT_ID, "scope": "openid offline_access"}
    endpoint = metadata["device_authorization_endpoint"]
    return lambda: httpx.post(endpoint, data=form, trust_env=False).json()


@pytest.fixture
def poll(metadata):
    def poll(asked):
        form = {
            "grant_type": DEVICE_CODE,
            "client_id": CLIENT_ID,
            "device_code": asked["device_code"],
        }
        return httpx.post(metadata["token_endpoint"], data=form, trust_env=False).json()

    return poll


@pytest.fixture
def verified(metadata):
    def verified(tokens):
        keys = jwt.PyJWKSet.from_dict(httpx.get(metadata["jwks_uri"], trust_env=False).json())
        token = tokens["id_token"]
        key = keys[jwt.get_unverified_header(token)["kid"]]
        return jwt.decode(token, key, ["RS256"], audience=CLIENT_ID, issuer=metadata["issuer"])

    return verified


def query(url):
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def refused(call, *args, **kwargs):
    with pytest.raises(OAuthError) as caught:
        call(*args, **kwargs)
    return caught.value.error


# --- Discovery -----------------------------------------------------------------------------


def test_the_metadata_is_valid_and_names_everything(metadata):
    OpenIDProviderMetadata(metadata).validate(
        metadata_classes=[rfc9207.AuthorizationServerMetadata]
    )
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["token_endpoint_auth_methods_supported"] == ["none"]
    assert metadata["response_types_supported"] == ["code"]
    assert metadata["authorization_response_iss_parameter_supported"] is True
    assert "offline_access" in metadata["scopes_supported"]
    assert {"authorization_code", "refresh_token", DEVICE_CODE} == set(
        metadata["grant_types_supported"]
    )
    endpoints = [
        "authorization_endpoint",
        "token_endpoint",
        "device_authorization_endpoint",
        "revocation_endpoint",
        "end_session_endpoint",
    ]
    assert all(metadata[name].startswith(f"{metadata['issuer']}/") for name in endpoints)


# --- By code -------------------------------------------------------------------------------


@pytest.mark.parametrize("user", [ALICE, BOB], ids=["alice", "bob"])
def test_the_id_token_names_the_chosen_user_and_has_the_claims_for_aws(sign_in, verified, user):
    claims = verified(sign_in(user.subject))
    assert (claims["sub"], claims["name"], claims["nonce"]) == (user.subject, user.name, "n-1")
    assert claims["groups"] == list(user.groups)
    assert claims[SOURCE_IDENTITY_CLAIM] == user.subject
    assert claims[TAGS_CLAIM]["principal_tags"]["Team"] == [user.tags["Team"]]
    assert claims["exp"] - claims["iat"] == 600


def test_the_browser_is_sent_back_with_the_state_and_the_issuer(browser, address, idp):
    sent_back = browser.sign_in(address(), "alice")
    assert sent_back.startswith(f"{REDIRECT_URI}?")
    assert query(sent_back) == {"code": query(sent_back)["code"], "state": "s-1", "iss": idp.issuer}


def test_a_user_who_declines_is_sent_back_with_an_error(browser, address, idp):
    sent_back = query(browser.cancel(address()))
    assert sent_back["error"] == "access_denied"
    assert (sent_back["state"], sent_back["iss"]) == ("s-1", idp.issuer)


def test_a_second_sign_in_of_a_browser_needs_no_choice(browser, address):
    browser.sign_in(address(), "bob")
    assert browser.http.get(address()).is_redirect
    assert browser.http.get(address(prompt="none")).is_redirect


@pytest.mark.parametrize(
    "more", [{"prompt": "login"}, {"prompt": "select_account"}, {"max_age": "-1"}], ids=str
)
def test_it_asks_again_when_the_request_says_so(browser, address, redeem, verified, more):
    browser.sign_in(address(), "bob")
    assert "Bob Baker" in browser.http.get(address(**more)).text
    assert verified(redeem(browser.sign_in(address(**more), "alice")))["sub"] == "alice"


def test_a_browser_that_may_not_be_asked_is_sent_back_with_an_error(browser, address, idp):
    answer = browser.http.get(address(prompt="none"))
    sent_back = query(answer.headers["Location"])
    assert (sent_back["error"], sent_back["iss"]) == ("login_required", idp.issuer)


def test_a_request_may_come_by_post_too(browser, address, redeem, verified):
    endpoint, _, parameters = address().partition("?")
    page = browser.http.post(endpoint, data=query(f"?{parameters}"))
    sent_back = browser.press(page, "bob").headers["Location"]
    assert verified(redeem(sent_back))["sub"] == "bob"


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": REDIRECT_URI.replace("8888", "8889")},
        {"redirect_uri": f"{REDIRECT_URI}/"},
        {"redirect_uri": 'http://evil.example/"<ü>'},
        {"client_id": "another"},
    ],
)
def test_nobody_is_sent_to_another_redirect_uri(browser, client, address, changes):
    for name, value in changes.items():
        setattr(client, name, value)
    answer = browser.http.get(address())
    assert answer.status_code == 400
    assert "evil" not in answer.text


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": None},
        {"code_verifier": None, "code_challenge": VERIFIER},
        {"code_verifier": None, "code_challenge": VERIFIER, "code_challenge_method": "plain"},
    ],
    ids=["none", "no method", "plain"],
)
def test_without_pkce_with_s256_there_is_no_code(browser, address, changes):
    sent_back = query(browser.http.get(address(**changes)).headers["Location"])
    assert (sent_back["error"], sent_back["state"]) == ("invalid_request", "s-1")


@pytest.mark.parametrize("response_type", ["token", "id_token", 'odd"ü'])
def test_only_a_code_is_sent(browser, address, response_type):
    answer = browser.http.get(address(response_type=response_type))
    assert answer.status_code == 400 or "error" in query(answer.headers["Location"])


def test_a_code_needs_its_verifier_and_its_redirect_uri(browser, address, redeem):
    assert refused(redeem, browser.sign_in(address(), "alice"), code_verifier="w" * 43) == (
        "invalid_grant"
    )
    elsewhere = {"redirect_uri": "http://127.0.0.1:1/"}
    assert refused(redeem, browser.sign_in(address(), "alice"), **elsewhere) == "invalid_grant"


def test_a_code_that_is_used_twice_ends_its_grant(browser, address, redeem, refresh):
    sent_back = browser.sign_in(address(), "alice")
    tokens = redeem(sent_back)
    assert refused(redeem, sent_back) == "invalid_grant"
    assert refused(refresh, tokens) == "invalid_grant"


def test_a_code_is_valid_for_a_minute(browser, address, redeem, monkeypatch):
    monkeypatch.setattr("jupyter_wb_aws.demo.sign_in.memory.CODE_LIFETIME", -1)
    assert refused(redeem, browser.sign_in(address(), "alice")) == "invalid_grant"


# --- The pages -----------------------------------------------------------------------------


def test_the_page_offers_both_users_and_explains_that_it_is_a_demo(browser, address):
    answer = browser.http.get(address())
    assert Page(answer.text).choices == ["alice", "bob", "deny"]
    assert "no passwords" in answer.text
    assert "account on this machine" in answer.text


def test_the_pages_have_no_scripts_load_nothing_from_elsewhere_and_refuse_frames(browser, address):
    answer = browser.http.get(address())
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'; style-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self' http://127.0.0.1:8888" in policy
    assert answer.headers["Cache-Control"] == "no-store"
    assert "<script" not in answer.text
    style = browser.http.get(answer.url.join("/static/style.css"))
    assert (style.status_code, style.headers["Content-Type"]) == (200, "text/css; charset=utf-8")
    assert "url(" not in style.text


def test_text_in_the_address_is_escaped(browser, address):
    answer = browser.http.get(address(state='"><script>alert(1)</script>'))
    assert answer.status_code == 200
    assert "<script" not in answer.text


def test_a_form_of_another_site_signs_nobody_in(browser, address):
    page = browser.http.get(address())
    fields = Page(page.text)
    forged = {**fields.fields, "csrf": "guess", "choice": "alice"}
    assert browser.http.post(page.url.join(fields.action), data=forged).status_code == 400
    with DemoBrowser() as other:
        stolen = {**fields.fields, "choice": "alice"}
        assert other.http.post(page.url.join(fields.action), data=stolen).status_code == 400


def test_an_unknown_user_is_not_signed_in(browser, address):
    page = browser.http.get(address())
    fields = Page(page.text)
    form = {**fields.fields, "choice": "mallory"}
    assert browser.http.post(page.url.join(fields.action), data=form).status_code == 400


# --- By device -----------------------------------------------------------------------------


def test_a_device_gets_its_tokens_once_a_user_is_chosen(browser, ask_device, poll, verified):
    asked = ask_device()
    assert poll(asked)["error"] == "authorization_pending"
    browser.approve_device(asked["verification_uri_complete"], "bob")
    tokens = poll(asked)
    assert verified(tokens)["sub"] == "bob"
    assert "nonce" not in verified(tokens)
    assert tokens["refresh_token"]
    assert poll(asked)["error"] == "invalid_request"


@pytest.mark.parametrize(
    "typed",
    [str, str.lower, lambda code: f" {code.replace('-', ' ')} "],
    ids=["as shown", "in lower case", "with blanks"],
)
def test_a_code_can_be_typed_in_different_ways(browser, ask_device, poll, typed):
    asked = ask_device()
    browser.approve_device(asked["verification_uri"], "alice", typed(asked["user_code"]))
    assert "id_token" in poll(asked)


def test_the_page_shows_the_code_to_compare_and_a_link_alone_does_nothing(
    browser, ask_device, poll
):
    asked = ask_device()
    assert asked["user_code"] in browser.http.get(asked["verification_uri_complete"]).text
    assert poll(asked)["error"] == "authorization_pending"


def test_a_device_learns_that_the_user_declined(browser, ask_device, poll):
    asked = ask_device()
    browser.deny_device(asked["verification_uri_complete"])
    assert poll(asked)["error"] == "access_denied"


@pytest.mark.parametrize("answer", ["alice", "deny"])
def test_a_code_is_answered_once(browser, ask_device, answer):
    asked = ask_device()
    page = browser.http.get(asked["verification_uri_complete"])
    browser.press(page, answer)
    assert "No sign-in waits for this code" in browser.press(page, "bob").text


def test_an_unknown_code_is_reported(browser, metadata):
    page = browser.http.get(f"{metadata['issuer']}/device", params={"user_code": "<b>BCDF-GHJK"})
    assert page.status_code == 404
    assert "No sign-in waits for this code" in page.text
    assert "<b>" not in page.text


def test_a_device_learns_that_it_is_too_late(browser):
    with SignInProvider(REDIRECT_URI, interval=0, device_lifetime=-1) as idp:
        form = {"client_id": CLIENT_ID, "scope": "openid"}
        asked = browser.http.post(f"{idp.issuer}/device-authorization", data=form).json()
        assert "No sign-in" in browser.http.get(asked["verification_uri_complete"]).text
        form |= {"grant_type": DEVICE_CODE, "device_code": asked["device_code"]}
        assert browser.http.post(f"{idp.issuer}/token", data=form).json()["error"] == (
            "expired_token"
        )


def test_a_device_that_polls_too_often_has_to_slow_down(browser):
    with SignInProvider(REDIRECT_URI) as idp:
        form = {"client_id": CLIENT_ID, "scope": "openid"}
        asked = browser.http.post(f"{idp.issuer}/device-authorization", data=form).json()
        assert asked["interval"] == 2
        form |= {"grant_type": DEVICE_CODE, "device_code": asked["device_code"]}
        said = [browser.http.post(f"{idp.issuer}/token", data=form).json() for _ in "12"]
        assert [answer["error"] for answer in said] == ["authorization_pending", "slow_down"]


def test_each_poll_that_is_too_early_makes_the_wait_longer(monkeypatch):
    asked = memory.DeviceRequest(CLIENT_ID, "openid", "BCDF-GHJK", expires_at=0, interval=2)
    polls = iter([100, 102, 103, 109, 121])
    monkeypatch.setattr(memory, "time", SimpleNamespace(monotonic=lambda: next(polls)))
    early = [asked.is_polled_too_often() for _ in range(5)]
    assert early == [False, False, True, True, False]


def test_another_client_gets_no_device_code(metadata):
    form = {"client_id": "another", "scope": "openid"}
    endpoint = metadata["device_authorization_endpoint"]
    answer = httpx.post(endpoint, data=form, trust_env=False)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")


# --- Afterwards ----------------------------------------------------------------------------


def test_a_refresh_brings_a_new_id_token_and_a_new_refresh_token(sign_in, refresh, verified):
    first = sign_in()
    second = refresh(first)
    assert second["refresh_token"] != first["refresh_token"]
    before, after = verified(first), verified(second)
    assert after["jti"] != before["jti"]
    assert "nonce" not in after
    same = ("sub", "sid", "auth_time", "groups", TAGS_CLAIM)
    assert {name: after[name] for name in same} == {name: before[name] for name in same}


def test_an_old_refresh_token_ends_its_grant(sign_in, refresh):
    first = sign_in()
    second = refresh(first)
    assert refused(refresh, first) == "invalid_grant"
    assert refused(refresh, second) == "invalid_grant"


def test_of_two_refreshes_at_once_one_is_refused(sign_in, metadata, monkeypatch):
    form = {
        "grant_type": "refresh_token",
        "client_id": CLIENT_ID,
        "refresh_token": sign_in()["refresh_token"],
    }
    both_are_let_in = threading.Barrier(2)

    def token_urlsafe(_size):
        with contextlib.suppress(threading.BrokenBarrierError):
            both_are_let_in.wait(1)
        return uuid.uuid4().hex

    monkeypatch.setattr(protocol, "secrets", SimpleNamespace(token_urlsafe=token_urlsafe))
    with ThreadPoolExecutor() as pool:
        post = partial(httpx.post, data=form, trust_env=False)
        answers = list(pool.map(post, [metadata["token_endpoint"]] * 2))
    assert sorted(answer.status_code for answer in answers) == [200, 400]
    assert both_are_let_in.broken


def test_without_offline_access_there_is_no_refresh_token(client, sign_in):
    client.scope = "openid"
    assert "refresh_token" not in sign_in()


def test_an_unknown_scope_is_left_out(client, sign_in):
    client.scope = "openid groups"
    assert sign_in()["scope"] == "openid"


def test_a_revoked_refresh_token_no_longer_works(client, metadata, sign_in, refresh):
    tokens = sign_in()
    for _ in "12":  # again: the same
        answer = client.revoke_token(metadata["revocation_endpoint"], tokens["refresh_token"])
        assert answer.status_code == 200
    assert refused(refresh, tokens) == "invalid_grant"


def test_a_client_that_signs_out_ends_the_browsers_sign_in(
    browser, address, redeem, refresh, metadata
):
    tokens = redeem(browser.sign_in(address(), "alice"))
    form = {"id_token_hint": tokens["id_token"], "client_id": CLIENT_ID}
    answer = httpx.post(metadata["end_session_endpoint"], data=form, trust_env=False)
    assert answer.status_code == 200
    assert "You are signed out" in answer.text
    assert "Alice Archer" in browser.http.get(address()).text
    assert refused(refresh, tokens) == "invalid_grant"


def test_an_expired_token_and_a_link_end_the_sign_in_too(browser, address, redeem, idp, metadata):
    claims = jwt.decode(
        redeem(browser.sign_in(address(), "alice"))["id_token"], options={"verify_signature": False}
    )
    old = idp.mint("alice", sid=claims["sid"], exp=claims["iat"] - 600)
    browser.http.get(metadata["end_session_endpoint"], params={"id_token_hint": old})
    assert not browser.http.get(address()).is_redirect


def test_a_user_can_sign_out_at_the_provider(browser, address, redeem, refresh, metadata):
    tokens = redeem(browser.sign_in(address(), "bob"))
    assert "signed in here as Bob" in browser.http.get(metadata["end_session_endpoint"]).text
    assert browser.http.get(address()).is_redirect  # asked, and not done
    assert "You are signed out" in browser.sign_out(metadata["end_session_endpoint"]).text
    assert not browser.http.get(address()).is_redirect
    assert "Nobody is signed in" in browser.http.get(metadata["end_session_endpoint"]).text
    assert refused(refresh, tokens) == "invalid_grant"


@pytest.mark.parametrize("hint", ["garbage", "a.b.c", "ü"])
def test_a_hint_that_the_provider_did_not_sign_ends_nothing(browser, address, metadata, hint):
    browser.sign_in(address(), "alice")
    asked = {"id_token_hint": hint}
    assert browser.http.get(metadata["end_session_endpoint"], params=asked).status_code == 400
    assert browser.http.get(address()).is_redirect


def test_a_hint_of_another_issuer_ends_nothing(browser, address, metadata, idp):
    browser.sign_in(address(), "alice")
    with SignInProvider(REDIRECT_URI) as other:
        asked = {"id_token_hint": other.mint("alice", iss=idp.issuer)}
    assert browser.http.get(metadata["end_session_endpoint"], params=asked).status_code == 400
    assert browser.http.get(address()).is_redirect


# --- What is not there ---------------------------------------------------------------------


def test_neither_a_secret_nor_a_password_gets_a_token(idp):
    for form in ({"user": "alice"}, {"grant_type": "password", "username": "alice"}):
        answer = httpx.post(f"{idp.issuer}/token", data=form, trust_env=False)
        assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


# --- AWS -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "yes", "no"),
    [
        ("alice", ["analyst", "auditor"], ["finance-admin", "misconfigured"]),
        ("bob", ["auditor", "finance-admin"], ["analyst", "misconfigured"]),
    ],
    ids=["alice", "bob"],
)
def test_aws_gives_each_user_their_own_roles(idp, make_caller, sign_in, user, yes, no):
    token = sign_in(user)["id_token"]
    with LocalAws(idp.issuer) as aws:
        caller = make_caller(idp, aws)
        for role in yes:
            assert (
                caller.assume(role, WebIdentityToken=token)["SubjectFromWebIdentityToken"] == user
            )
        for role in no:
            code, _ = caller.refused(caller.assume, role, WebIdentityToken=token)
            assert code == "AccessDenied"
