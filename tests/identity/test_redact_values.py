"""The secrets that we sent do not come back in a message, however they are quoted."""

from __future__ import annotations

import base64
import html
import json
import secrets
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from jupyter_wb_aws.identity.redact import redact_secrets
from jupyter_wb_aws.identity.redact_values import redact_values

SECRET = "pa+ss/w%2Förd \"<&>'\\n:1"
ENCODERS = {
    "as it is": lambda s: s,
    "percent-encoded": lambda s: quote(s, safe=""),
    "percent-encoded, but slashes": quote,
    "in a form": quote_plus,
    "in lower case hex": lambda s: quote(s, safe="").replace("%2F", "%2f").replace("%C3", "%c3"),
    "each byte percent-encoded": lambda s: "".join(f"%{b:02x}" for b in s.encode()),
    "JSON": lambda s: json.dumps(s)[1:-1],
    "JSON in UTF-8": lambda s: json.dumps(s, ensure_ascii=False)[1:-1],
    "JSON with slashes escaped": lambda s: json.dumps(s)[1:-1].replace("/", "\\/"),
    "HTML": html.escape,
    "HTML by number": lambda s: "".join(f"&#{ord(c)};" for c in s),
    "HTML by number in hex": lambda s: "".join(f"&#x{ord(c):X};" for c in s),
    "HTML with names": lambda s: s.replace("ö", "&ouml;").replace("+", "&plus;"),
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64 for URLs": lambda s: base64.urlsafe_b64encode(s.encode()).decode().rstrip("="),
    "hex": lambda s: s.encode().hex(),
    "HEX": lambda s: s.encode().hex().upper(),
    "upper case": lambda s: s.upper() if s.isascii() else s,
    "bytes of Python": lambda s: repr(s.encode())[2:-1],
}
encoders = pytest.mark.parametrize("encode", ENCODERS.values(), ids=ENCODERS)
AROUND = ["The token {} was refused.", '{{"refresh_token":"{}"}}', "{}", "<p>{}</p>", "x={}&y=1"]


@encoders
@pytest.mark.parametrize("around", AROUND)
def test_a_value_is_removed_in_every_encoding(encode, around):
    text = around.format(encode(SECRET))
    said = redact_values(text, [SECRET])
    assert encode(SECRET).rstrip("=") not in said
    assert "<secret>" in said
    assert said.replace("=", "") == around.format("<secret>").replace("=", "")


@encoders
@pytest.mark.parametrize("again", ["JSON", "in a form", "HTML", "percent-encoded"])
def test_encodings_may_be_on_top_of_each_other(encode, again):
    text = ENCODERS[again](encode(SECRET))
    assert redact_values(f"It was ({text}).", [SECRET]).replace("%3D", "").replace("=", "") == (
        "It was (<secret>)."
    )


def test_the_header_of_http_basic_is_removed():
    sent = base64.b64encode(f"client:{quote_plus(SECRET)}".encode()).decode()
    said = redact_values(f"Authorization: Basic {sent}", [SECRET, sent])
    assert said == "Authorization: Basic <secret>"
    # A program that knows only the secret leaves only a few characters of it.
    plain = base64.b64encode(f"client:{SECRET}".encode()).decode()
    left = redact_values(plain, [SECRET]).split("<secret>")
    assert len(left) == 2
    assert sum(map(len, left)) <= len("client:") * 8 / 6 + 6


@pytest.mark.parametrize("length", [8, 12, 20])
@encoders
def test_a_piece_of_eight_characters_is_removed(encode, length):
    secret = secrets.token_urlsafe(32)
    for piece in (secret[:length], secret[-length:], secret[5 : 5 + length]):
        assert redact_values(f"token {piece}… unknown", [secret]) == "token <secret>… unknown"
    encoded = encode(secret[:length]).rstrip("=")
    assert encoded not in redact_values(f"token {encoded}… unknown", [secret])


@pytest.mark.parametrize("value", ["a", "abc", "12345", "ééééé", "%41%42"])
def test_a_whole_text_is_removed_if_a_value_is_short(value):
    assert redact_values("Anything at all.", ["long-enough-value", value]) == ""


DISGUISES = {
    "escaped as in Python": lambda s: "".join(f"\\U{ord(c):08x}" for c in s),
    "escaped as in JavaScript": lambda s: "".join(f"\\u{{{ord(c):x}}}" for c in s),
    "in octal": lambda s: "".join(f"\\{b:03o}" for b in s.encode()),
    "quoted-printable": lambda s: "".join(f"={b:02X}" for b in s.encode()),
    "HTML without semicolons": lambda s: "".join(f"&#{ord(c)}" for c in s),
    "base32": lambda s: base64.b32encode(s.encode()).decode().rstrip("="),
    "hex with colons": lambda s: s.encode().hex(":"),
    "UTF-16": lambda s: repr(s.encode("utf-16-le"))[2:-1],
    "full-width": lambda s: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in s),
    "with blanks": " ".join,
    "with zero-width spaces": "\u200b".join,
    "in groups of four": lambda s: "-".join(s[at : at + 4] for at in range(0, len(s), 4)),
    "over two lines": lambda s: f"{s[:9]}\r\n  {s[9:]}",
}


@pytest.mark.parametrize("disguise", DISGUISES.values(), ids=DISGUISES)
def test_a_value_is_found_in_a_disguise(disguise):
    secret = "Sommer2026+x%2Fé~geheim"
    said = redact_values(f"Wrong secret: {disguise(secret)} was given.", [secret])
    assert disguise(secret)[4:12] not in said
    assert said.startswith("Wrong secret: <secret>")
    assert said.endswith(" was given.")


def test_text_that_was_not_sent_remains():
    text = "Client authentication failed: 100% sure, see https://idp.example.com/a?b=c%20d"
    assert redact_values(text, [SECRET, None, ""]) == text
    assert redact_values(text, []) == text


def test_the_places_around_a_value_cannot_hide_it():
    assert redact_values("100%41abcdefgh", ["41abcdefgh"]) == "100%<secret>"
    assert redact_values("\\41abcdefgh&amp;41abcdefgh", ["41abcdefgh"]) == "\\<secret>&amp;<secret>"


LETTERS = st.sampled_from("abcXYZ0189-._~+/=%&<>\"' \\:;#?éß密🔑")
VALUES = st.text(LETTERS, min_size=8, max_size=60)
NAMES = st.sampled_from([name for name in ENCODERS if "upper" not in name and "names" not in name])


@given(VALUES, NAMES, st.lists(NAMES, max_size=2), st.text(max_size=40), st.text(max_size=40))
def test_no_mixture_of_encodings_hides_a_value(value, first, more, before, after):
    encoded = ENCODERS[first](value)
    for name in [n for n in more if "base64" not in n and "hex" not in n.lower()]:
        encoded = ENCODERS[name](encoded)
    assume(encoded not in before + "<secret>" + after)
    said = redact_values(before + encoded + after, [value])
    assert encoded.rstrip("=") not in said or said == ""


@given(st.text(max_size=500), st.lists(st.text(max_size=30), max_size=4))
def test_any_text_and_any_values_give_a_text(text, values):
    said = redact_secrets(redact_values(text, values), 300)
    assert len(said) <= 300


@pytest.mark.parametrize("piece", ["%25", "a", "&amp;", "\\\\", "abcdefgh"])
def test_a_long_text_costs_no_more_than_its_length(piece):
    # If the cost grew with the square of the length, this would meet the test's timeout.
    assert len(redact_values(piece * 300_000, ["abcdefgh" * 3])) <= 20_000
