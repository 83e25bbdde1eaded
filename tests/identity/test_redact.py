"""What others say is shown to people without anything like a secret in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_wb_aws.identity.redact import harmless
from tests.conftest import make_jwt

TOKEN = make_jwt()
KEY = "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize("secret", [TOKEN, TOKEN.split(".")[1], TOKEN.rpartition(".")[0], KEY])
@pytest.mark.parametrize(
    "around",
    ["{}", "Bearer {}", '{{"id_token":"{}","url":"https://x.y"}}', "t={}&u=/a/b", "a.b.{}"],
)
def test_no_piece_of_a_token_or_key_is_left(secret, around):
    text = harmless(around.format(secret), 100_000)
    assert "<secret>" in text
    assert not any(piece in text for piece in secret.split("."))


@pytest.mark.parametrize(
    "text",
    [
        "Could not resolve host: identity-provider.company-sso.example.com",
        "can't open /home/alice/.config/company-identity/settings.toml: not found",
        "No OpenIDConnect provider found for https://oidc.eks.us-east-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE",
    ],
)
def test_what_an_administrator_needs_to_see_is_left(text):
    assert harmless(text, 500) == text


@given(st.text(max_size=2000), st.integers(1, 500))
def test_any_text_becomes_one_short_printable_line(text, longest):
    told = harmless(text, longest)
    assert len(told) <= longest
    assert told.isprintable()
