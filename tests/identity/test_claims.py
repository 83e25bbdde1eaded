"""Optional members that a provider sends as null or empty: they count as missing."""

from __future__ import annotations

import pytest

from jupyter_wb_aws.errors import IdpBadAnswer, TokenInvalid
from tests.conftest import NULL
from tests.identity.signing_in import sign_in, sign_out
from tests.openid import CLIENT, say

NOTHING = pytest.mark.parametrize("nothing", [NULL, "", [], {}], ids=["null", "''", "[]", "{}"])
OPTIONAL_METADATA = (
    "end_session_endpoint", "revocation_endpoint", "scopes_supported", "claims_supported",
    "token_endpoint_auth_methods_supported", "code_challenge_methods_supported",
    "authorization_response_iss_parameter_supported", "registration_endpoint",
)  # fmt: skip


@NOTHING
async def test_empty_optional_metadata_count_as_missing(make, provider, tmp_path, nothing):
    provider.metadata_changes = dict.fromkeys(OPTIONAL_METADATA, nothing)
    provider.secret = "s3cret-of-the-client"
    (tmp_path / "secret").write_text(provider.secret)
    source = make(client_secret_file=str(tmp_path / "secret"))
    await sign_in(source, provider)
    signed_out = await sign_out(source)
    assert (signed_out.revoked, signed_out.end_session_url) == (False, None)


@NOTHING
async def test_a_flow_with_an_empty_endpoint_is_not_offered(make, provider, nothing):
    provider.metadata_changes = {"device_authorization_endpoint": nothing}
    assert await make().sign_in.available_flows() == ["code"]
    provider.metadata_changes = {"authorization_endpoint": nothing}
    assert await make().sign_in.available_flows() == ["device"]


@NOTHING
async def test_an_empty_required_endpoint_is_named(source, provider, nothing):
    provider.metadata_changes = {"token_endpoint": nothing}
    with pytest.raises(IdpBadAnswer, match="has no token_endpoint"):
        await sign_in(source, provider)


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint"])
@pytest.mark.parametrize(
    "url",
    ["http://[::1/x", "http://idp.example:99999/x", "http://idp.example:x/", "http://", "http:///x",
     "http://idp.example/\nx", "http://idp example/", "http://idp.example/\x00", "http://idp.example/\ud800",
     "http://idp\u2100.example/", "idp.example/x", ["http://idp.example/x"], 7],
)  # fmt: skip
async def test_an_endpoint_that_is_not_a_url_is_named(source, provider, name, url):
    provider.metadata_changes = {name: url}
    with pytest.raises(IdpBadAnswer, match=f"{name} at .* is not an http"):
        await sign_in(source, provider)


@NOTHING
async def test_empty_optional_members_of_a_token_response_count_as_missing(
    source, provider, nothing
):
    optional = ("refresh_token", "expires_in", "scope", "refresh_expires_in", "error")
    provider.answers = dict.fromkeys((*optional, "error_description"), nothing)
    await sign_in(source, provider)
    assert source.sign_in.state == "signed_in"


@NOTHING
async def test_empty_optional_claims_of_an_id_token_count_as_missing(source, provider, nothing):
    provider.claims = dict.fromkeys(("azp", "nbf", "auth_time", "acr", "amr", "name"), nothing)
    await sign_in(source, provider)
    assert source.sign_in.state == "signed_in"


async def test_an_id_token_of_another_client_is_still_refused(source, provider):
    provider.claims = {"aud": [CLIENT, "other"], "azp": "other"}
    with pytest.raises(TokenInvalid, match="another client"):
        await sign_in(source, provider)


@NOTHING
async def test_an_id_token_without_a_nonce_is_reported(source, provider, nothing):
    provider.answers = {"id_token": provider.id_token(nonce=nothing)}
    with pytest.raises(TokenInvalid, match="it has no `nonce`"):
        await sign_in(source, provider)


@NOTHING
async def test_empty_optional_members_of_a_device_response_count_as_missing(
    source, provider, nothing
):
    answer = {
        "device_code": "d", "user_code": "USER-CODE", "verification_uri": "https://idp.example.com/activate",
        **dict.fromkeys(("verification_uri_complete", "expires_in", "interval"), nothing),
    }  # fmt: skip
    provider.faults["/device"] = [lambda handler: say(handler, answer)]
    begun = await source.sign_in.begin_device()
    assert (begun.user_code, begun.verification_uri_complete) == ("USER-CODE", None)


@pytest.mark.parametrize("empty", ["iss", "error", "error_description"])
async def test_an_empty_parameter_of_the_callback_counts_as_missing(source, provider, empty):
    begun = await source.sign_in.begin_code()
    query = {**provider.authorize(begun.authorization_url), empty: ""}
    await source.sign_in.finish_code(query, {begun.cookie_name: begun.cookie})
    assert source.sign_in.state == "signed_in"
