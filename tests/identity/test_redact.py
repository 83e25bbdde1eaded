"""Messages of others are shown without anything that looks like a secret."""

import base64
import random
import re
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_wb_aws.identity.redact import redact_secrets, redact_userinfo
from tests.conftest import make_jwt

TOKEN = make_jwt()
# AWS's own example.
KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
# Dotted, like those of Microsoft, Auth0 and Vault; the pieces beside the long one are removed too.
REFRESH = f"0.AXoA6WgJJ9X2.{'Ag-AB_7x' * 12}.k9Zq"
AROUND = [
    "{}",
    "Bearer {}",
    '{{"id_token":"{}","url":"https://x.y"}}',
    "t={}&u=/a/b",
    "a.b.{}",
    "aws_secret_access_key={}",
    "https://AKIAIOSFODNN7EXAMPLE:{}@x.y",
    "({}), and so on.",
]


def base64_of(count):
    """Text like AWS's; from a seed, since hypothesis prefers bytes that no generator of keys makes."""
    return st.integers().map(
        lambda seed: base64.b64encode(random.Random(seed).randbytes(count)).decode()
    )


@pytest.mark.parametrize(
    "secret",
    [TOKEN, TOKEN.split(".")[1], TOKEN.rpartition(".")[0], KEY],
    ids=["a token", "its claims", "without its signature", "a key"],
)
@pytest.mark.parametrize("around", AROUND)
def test_no_part_of_a_token_or_key_remains(secret, around):
    text = redact_secrets(around.format(secret), 100_000)
    assert "<secret>" in text
    assert not any(piece in text for piece in secret.replace("/", ".").split("."))


def test_no_part_of_a_dotted_refresh_token_remains():
    assert redact_secrets(f"refresh_token={REFRESH} was refused", 500).endswith(
        "<secret> was refused"
    )
    assert "AXoA" not in redact_secrets(f"refresh_token={REFRESH}", 500)


@given(base64_of(30), st.sampled_from(AROUND))
def test_no_part_of_a_secret_key_remains(key, around):
    for written in (key, quote(key, safe="")):
        text = redact_secrets(around.format(written), 500)
        assert "<secret>" in text
        assert not any(piece in text for piece in key.split("/") if len(piece) > 3)


@given(st.integers(100, 900).flatmap(base64_of), st.sampled_from(AROUND))
def test_no_part_of_a_session_token_remains(token, around):
    for written in (token, quote(token, safe="")):
        text = redact_secrets(around.format(written), 10_000)
        assert "<secret>" in text
        assert not any(piece in text for piece in token.split("/") if len(piece) > 3)


@pytest.mark.parametrize(
    "text",
    [
        "Could not resolve host: identity-provider.company-sso.example.com",
        "Could not resolve host: vpce-0123456789abcdef0-abcdefgh.sts.us-east-1.vpce.amazonaws.com",
        "can't open /home/alice/.config/company-identity/settings.toml: not found",
        "can't open /home/alice/projects/colorado/notebooks/rainfall/settings: not found",
        "can't open /srv/jupyter/users/alice/work/notebooks1: not found",
        'File "/usr/local/lib/python3.11/site-packages/company_identity/client.py", line 7, in fetch',
        "GET https://login.example.com/auth/realms/company/protocol/openid-connect/token: 404",
        "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/oauth2/v2.0/.well-known/openid-configuration",
        "org.springframework.security.oauth2.core.OAuth2AuthenticationException: invalid_grant",
        "No OpenIDConnect provider found for https://oidc.eks.us-east-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE",
        "User: arn:aws:sts::111122223333:assumed-role/research/DataScientists2024/alice is not authorized",
    ],
)
def test_text_that_an_administrator_needs_remains(text):
    assert redact_secrets(text, 500) == text


@given(st.text(max_size=2000), st.integers(1, 500))
def test_any_text_becomes_one_short_printable_line(text, longest):
    message = redact_secrets(text, longest)
    assert len(message) <= longest
    assert message.isprintable()


@pytest.mark.parametrize(
    "piece", ["a", "a.", ".", "eyJ", "a/", "%2F", "A" * 39 + "/.", "a" * 39 + "."]
)
def test_a_long_text_costs_no_more_than_its_length(piece):
    # If each character costs the whole text, this takes hours, and meets the test's timeout.
    assert len(redact_secrets(piece * 50_000, 500)) <= 500


# --- URLs' user names and passwords ------------------------------------------------------------

PASSWORDS = ["Winter2026#x", "Winter/2026", "Winter?2026", "Win@ter2026", "Winter%202026", "Winter 2026", "%Winter2026", "Winter2026:8"]  # fmt: skip


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize(
    "said",
    [
        "Failed to connect to proxy URL: {url!r}",
        "Failed to parse: svc:{password}",
        "Invalid port: {password!r}",
        "Invalid port: {beginning!r}",
        "Could not resolve {beginning!r}",
        "{{'Proxy-Authorization': 'Basic {basic}'}}",
        "{quoted}",
    ],
)
def test_no_part_of_a_proxys_user_and_password_remains(said, password):
    url = f"http://svc:{password}@proxy.example.com:3128"
    basic = base64.b64encode(f"svc:{unquote(password)}".encode()).decode()
    beginning = re.split(r"[#/?@%: ]", password)[0].lower()
    quoted = quote(url, safe="")
    text = said.format(url=url, password=password, beginning=beginning, basic=basic, quoted=quoted)
    left = redact_userinfo(text, url)
    assert not any(piece in left.lower() for piece in ("winter", "2026", "svc", basic.lower()))


@given(
    st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=3, max_size=20),
    st.sampled_from(["https://me:{}@x.y/z", "//me:{}@x.y", "me:{}@x.y:1", "socks5://{}@x.y"]),
)
def test_no_userinfo_of_a_known_url_remains(password, url):
    left = redact_userinfo(f"{url.format(password)} can't be reached", url.format(password))
    words = set(re.findall(r"[a-zA-Z0-9]{3,}", unquote(password))) - {"can", "reached"}
    assert not any(re.search(rf"\b{word}\b", left) for word in words)


def test_a_url_in_a_text_loses_its_userinfo_and_nothing_else():
    text = "GET https://svc:Winter2026@idp.example.com/x failed (see http://a.b/c)"
    assert redact_userinfo(text) == "GET https://***@idp.example.com/x failed (see http://a.b/c)"


@pytest.mark.parametrize("piece", ["/", "//", "a://", "a+", "a:", "@/", "a"])
def test_a_long_text_without_a_users_name_costs_no_more_than_its_length_either(piece):
    # A provider's document of 1 MiB may be quoted. If each slash costs the whole text, this takes half an hour.
    text = piece * (1024 * 1024 // len(piece))
    assert len(redact_userinfo(text)) <= len(text) + len("***")


def test_a_text_without_a_url_stays_as_it_is():
    text = "The name of user@example.com, a colleague, stays."
    assert redact_userinfo(text, "", "http://proxy:3128", "not a URL") == text
