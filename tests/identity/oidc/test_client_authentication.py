"""How this server authenticates at the token endpoint: RFC 6749, section 2.3.1 and appendix B."""

from __future__ import annotations

import base64
import codecs
from urllib.parse import unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_wb_aws.errors import IdpBadAnswer
from jupyter_wb_aws.identity.oidc.client_authentication import authentication, read_secret
from tests.identity.signing_in import sign_in

SECRETS = ["a+b/c=", "50%2Fpercent", "100%", "pässwörd-ключ-密", "colon:colon", "with blank", "a&b=c", "#?;\\\"'", "~.-_"]  # fmt: skip


@pytest.mark.parametrize("secret", SECRETS)
async def test_a_provider_that_decodes_as_the_rfc_says_reads_the_secret(
    make, provider, tmp_path, secret
):
    provider.secret = secret
    path = tmp_path / "secret"
    path.write_text(f"{secret}\n", encoding="utf-8")
    source = make(client_secret_file=str(path))
    await sign_in(source, provider)
    assert source.sign_in.state == "signed_in"


async def test_a_client_id_with_a_colon_is_read_too(make, provider, tmp_path):
    provider.client_id, provider.secret = "urn:app:jupyter é", "s3cret"
    path = tmp_path / "secret"
    path.write_text("s3cret")
    source = make(client_id=provider.client_id, client_secret_file=str(path))
    await sign_in(source, provider)
    assert source.sign_in.state == "signed_in"


@pytest.mark.parametrize("secret", SECRETS)
async def test_in_the_form_the_secret_is_encoded_once(make, provider, tmp_path, secret):
    path = tmp_path / "secret"
    path.write_text(secret, encoding="utf-8")
    source = make(client_secret_file=str(path), token_endpoint_auth_method="client_secret_post")
    await sign_in(source, provider)
    assert provider.asked_for("/token")[0]["client_secret"] == secret


def test_basic_credentials_are_form_encoded_first():
    # The example of openid/AppAuth-Android, issue 337.
    headers, form = authentication(
        "client_secret_basic", "1PpG/Q 1", "z/tZ9VwFZqApmIQ+ZH1I5pLk/uB4ud:X2/8bL+wfFTt1rFw="
    )
    encoded = (
        "MVBwRyUyRlErMTp6JTJGdFo5VndGWnFBcG1JUSUyQlpIMUk1cExrJTJGdUI0dWQlM0FYMiUyRjhiTCUyQndm"
        "RlR0MXJGdyUzRA=="
    )
    assert headers == {"Authorization": f"Basic {encoded}"}
    assert form == {}


def test_a_secret_of_unreserved_characters_is_the_same_for_a_provider_that_does_not_decode():
    headers, _ = authentication("client_secret_basic", "app-1", "AbC8Q~x.y-z_0")
    assert headers == {
        "Authorization": f"Basic {base64.b64encode(b'app-1:AbC8Q~x.y-z_0').decode()}"
    }


def test_a_public_client_names_itself_in_the_form():
    assert authentication("none", "app", None) == ({}, {"client_id": "app"})


@given(st.text(min_size=1), st.text(min_size=1))
def test_basic_credentials_decode_to_the_same(client_id, secret):
    headers, _ = authentication("client_secret_basic", client_id, secret)
    plain = base64.b64decode(headers["Authorization"].removeprefix("Basic ")).decode("ascii")
    first, _, second = plain.partition(":")
    assert (unquote_plus(first), unquote_plus(second)) == (client_id, secret)


# --- The secret's file -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [b"s3cret", b"s3cret\n", b"s3cret\r\n", b"  s3cret \n\n", codecs.BOM_UTF8 + b"s3cret\r\n",
     codecs.BOM_UTF8 * 2 + b"s3cret", codecs.BOM_UTF8 + b" s3cret"],
)  # fmt: skip
def test_the_secret_is_what_the_file_says(tmp_path, content):
    path = tmp_path / "secret"
    path.write_bytes(content)
    assert read_secret(str(path)) == "s3cret"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("s3cret".encode("utf-16"), "UTF-16"),
        (codecs.BOM_UTF16_BE + "s3cret".encode("utf-16-be"), "UTF-16"),
        ("s3cret".encode("utf-16-le"), "control character"),
        ("pässwörd".encode("latin-1"), "UTF-8"),
        (b"s3cret\nof two lines", "line"),
        (b"\n", "empty"),
        (codecs.BOM_UTF8 + b"\n", "empty"),
    ],
)  # fmt: skip
def test_a_file_that_holds_no_secret_is_refused_with_the_reason(tmp_path, content, reason):
    path = tmp_path / "secret"
    path.write_bytes(content)
    with pytest.raises(IdpBadAnswer, match=reason) as refused:
        read_secret(str(path))
    assert str(path) in refused.value.admin_hint
    assert "s3cret" not in str(refused.value.as_problem())


@pytest.mark.parametrize("path", ["/does/not/exist", "/", "~no-such-user/secret"])
def test_a_file_that_cannot_be_read_is_named(path):
    with pytest.raises(IdpBadAnswer, match="can't be read") as refused:
        read_secret(path)
    assert path in refused.value.admin_hint
