"""The whole way, with parts that others wrote: from the provider's pages to an object in a kernel."""

from __future__ import annotations

from pathlib import Path

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.peers.openid_provider import PUBLIC_CLIENT
from tests.peers.seaweedfs import ANALYST, FINANCE
from tests.peers.site import CONTENT, READ

REFUSED = f"""
from botocore.exceptions import ClientError
try:
    {READ.strip().replace(chr(10), chr(10) + " " * 4)}
except ClientError as error:
    print(error.response["Error"]["Code"])
"""


def forged(genuine):
    """Sign the claims of a genuine token with a key of one's own."""
    return jwt.encode(
        jwt.decode(genuine, options={"verify_signature": False}),
        rsa.generate_private_key(65537, 2048),
        "RS256",
        jwt.get_unverified_header(genuine),
    )


async def test_by_code_to_an_object_in_a_kernel(api, run, new_person, new_kernel):
    page = await new_person("alice").sign_in()
    session = await api.start(ANALYST)

    said = await run(await new_kernel(), READ)

    assert "You are signed in as alice" in page.text
    assert (session["state"], session["default"]) == ("active", True)
    assert said == CONTENT


async def test_by_device_to_an_object_in_a_kernel(api, run, new_person, new_kernel):
    await new_person("alice").sign_in_by_device()
    await api.start(ANALYST)

    assert await run(await new_kernel(), READ) == CONTENT


class TestConfidentialClient:
    @pytest.fixture
    def provider(self, provider):
        provider.demand_secret()
        provider.restart()
        yield provider
        provider.demand_secret(demanded=False)
        provider.restart()

    @pytest.fixture
    def site_config(self, site_config, provider, tmp_path):
        path = tmp_path / "client-secret"
        path.write_text(provider.client_secret)
        site_config["OidcTokenSource"]["client_secret_file"] = str(path)
        return site_config

    async def test_it_shows_its_secret_all_the_way(self, api, run, new_person, new_kernel):
        await new_person("alice").sign_in()
        session = await api.start(ANALYST)
        refreshed = await api("POST", f"/aws/sessions/{session['id']}/refresh")

        assert refreshed.data["state"] == "active"
        assert await run(await new_kernel(), READ) == CONTENT
        assert (await api("DELETE", "/aws/sign-in")).data["revoked"] is True

    async def test_without_it_nobody_gets_in(self, api, new_person, tmp_path):
        (tmp_path / "client-secret").write_text("guessed")

        page = await new_person("alice").come_back()

        assert page.status_code == 502
        assert "For your administrator" in page.text
        assert (await api("GET", "/aws/sign-in")).data["problem"]["code"] == (
            "identity_provider_bad_answer"
        )


async def test_a_forged_token_opens_nothing_at_the_store(api, run, new_person, new_kernel):
    await new_person("alice").sign_in()
    session = await api.start(ANALYST)
    path = Path(session["environment"]["AWS_WEB_IDENTITY_TOKEN_FILE"])
    forgery = path.with_name("forgery")
    forgery.write_text(forged(path.read_text()))
    elsewhere = f"%env AWS_WEB_IDENTITY_TOKEN_FILE={forgery}\n"

    said = await run(await new_kernel(), elsewhere + REFUSED)

    assert said.splitlines()[-1] == "InvalidParameterValue"


class TestForgedToken:
    """Of a source whose tokens this server does not verify, since it names no issuer."""

    @pytest.fixture
    def site_config(self, site_config, provider, tmp_path):
        claims = {"iss": provider.issuer, "aud": PUBLIC_CLIENT, "sub": "alice", "exp": 2**32}
        path = tmp_path / "forgery"
        path.write_text(forged(provider.sign(**claims, groups=["analysts"])))
        site_config["WbAwsApp"]["token_source"] = "file"
        site_config["FileTokenSource"] = {"path": str(path)}
        return site_config

    async def test_it_starts_no_role_session(self, api, heard):
        refused = await api("POST", "/aws/sessions", {"role_arn": ANALYST})

        assert (refused.status, refused.data["code"]) == (403, "token_refused")
        assert (await api("GET", "/aws/sessions")).data["sessions"] == []


async def test_a_role_is_open_to_its_group_alone(api, run, new_person, new_kernel):
    await new_person("bob").sign_in()
    offered = (await api("GET", "/aws/roles")).data["roles"]
    refused = await api("POST", "/aws/sessions", {"role_arn": ANALYST})
    await api.start(FINANCE)
    kernel = await new_kernel()

    assert [role["arn"] for role in offered] == [FINANCE]
    assert (refused.status, refused.data["code"]) == (403, "role_not_allowed")
    # And the catalogue is not the boundary: the store itself refuses.
    said = await run(kernel, f"%env AWS_ROLE_ARN={ANALYST}\n" + REFUSED)
    assert said.splitlines()[-1] == "AccessDenied"


async def test_signing_out_ends_it_everywhere(api, provider, new_person, heard):
    await new_person("alice").sign_in()
    session = await api.start(ANALYST)
    token_file = Path(session["environment"]["AWS_WEB_IDENTITY_TOKEN_FILE"])
    was_there = token_file.exists()

    out = (await api("DELETE", "/aws/sign-in")).data

    assert out["revoked"] is True
    assert out["credentials_expire_at"] > session["started_at"]
    over = (await api("GET", f"/aws/sessions/{session['id']}")).data
    assert (over["state"], over["end_reason"]) == ("ended", "signed_out")
    assert (was_there, token_file.exists()) == (True, False)
    assert refresh_errors(provider) == {"invalid_grant"}


def refresh_errors(provider):
    """Try every refresh token that the provider has ever given out."""
    endpoint = provider.metadata()["token_endpoint"]
    form = {"client_id": PUBLIC_CLIENT, "grant_type": "refresh_token"}
    tokens = [issued.value for issued in provider.issued() if issued.kind == "refresh_token"]
    answers = [
        httpx.post(endpoint, data={**form, "refresh_token": token}, trust_env=False).json()
        for token in tokens
    ]
    return {answer.get("error") for answer in answers}


async def test_a_user_who_signs_in_after_signing_out_is_asked_for_their_name(
    api, new_person, new_browser
):
    shared = new_browser()
    await new_person("alice", shared).sign_in()
    out = (await api("DELETE", "/aws/sign-in")).data

    await new_person("bob", shared).sign_in()

    assert out["end_session_url"] is not None  # alice's browser is still hers at the provider
    assert (await api("GET", "/aws/sign-in")).data["user"]["subject"] == "bob"


async def test_a_refusal_at_the_provider_is_reported(api, new_person):
    alice = new_person("alice")

    page = await alice.cancel()

    assert page.status_code == 400
    assert "provider refused" in page.text
    known = (await api("GET", "/aws/sign-in")).data
    assert (known["state"], known["problem"]["code"]) == ("signed_out", "sign_in_failed")
