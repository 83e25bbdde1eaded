"""The web identity token: what counts as one, what it says, and that it is never shown."""

import base64
import copy
import dataclasses
import json
import logging
import pickle
import traceback
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_wb_aws.errors import TokenInvalid
from jupyter_wb_aws.identity.token import MAX_TOKEN_LENGTH, WebIdentityToken
from jupyter_wb_aws.identity.token_cache import TokenStatus
from tests.conftest import NOON, make_jwt, make_token


def unsigned(claims: object, header: object = None) -> str:
    """Write a JWT with a made-up signature."""
    parts = [
        base64.urlsafe_b64encode(part).rstrip(b"=").decode()
        for part in (
            json.dumps(header or {"alg": "RS256"}).encode(),
            claims if isinstance(claims, bytes) else json.dumps(claims).encode(),
            b"not-a-signature",
        )
    ]
    return ".".join(parts)


def test_for_a_token_that_is_too_long_the_largest_claim_is_named():
    text = make_jwt(groups=["secret-group"] * 2000)
    with pytest.raises(TokenInvalid, match=f"{len(text)} characters") as refused:
        WebIdentityToken.parse(text, NOON)
    assert "The largest is `groups`, with about 42" in refused.value.admin_hint
    assert "secret" not in str(refused.value.as_problem())


@pytest.mark.parametrize(
    "text",
    ["x" * 30_000, "e30." + "A" * 30_000 + ".AA", unsigned([1] * 30_000), unsigned(b"[" * 30_000)],
)
def test_a_long_text_that_is_not_a_token_is_reported_without_a_claim(text):
    with pytest.raises(TokenInvalid, match="characters") as refused:
        WebIdentityToken.parse(text, NOON)
    assert "largest" not in refused.value.admin_hint


def test_the_size_is_that_of_the_text():
    text = make_jwt()
    assert WebIdentityToken.parse(text, NOON).size == len(text)


def test_a_token_names_its_user_and_its_lifetime():
    token = make_token()
    identity = token.identity("preferred_username", "groups")
    assert (identity.issuer, identity.subject, identity.name) == (
        "https://idp.example.com",
        "alice",
        "alice",
    )
    assert identity.groups == ("analysts",)
    assert (token.issued_at, token.expires_at) == (NOON, NOON + timedelta(hours=1))
    assert token.received_at == NOON


def test_the_text_is_revealed_as_it_came():
    text = make_jwt()
    assert WebIdentityToken.parse(text, NOON).reveal() == text


def test_a_token_without_iat_counts_as_issued_when_it_was_received():
    token = WebIdentityToken.parse(make_jwt(iat=None, exp=NOON + timedelta(hours=1)), NOON)
    assert token.issued_at == NOON


def test_a_token_issued_in_the_future_counts_as_issued_when_it_was_received():
    token = make_token(iat=NOON + timedelta(minutes=5))
    assert token.issued_at == NOON


def test_a_fraction_of_a_second_is_accepted():
    token = WebIdentityToken.parse(unsigned({"sub": "a", "exp": NOON.timestamp() + 0.5}), NOON)
    assert token.expires_at == NOON + timedelta(seconds=0.5)


def test_a_time_of_receipt_without_zone_is_read_as_local_time():
    received = datetime.now()  # noqa: DTZ005 - a careless third-party source's
    token = WebIdentityToken.parse(unsigned({"sub": "a", "exp": 4e9}), received)
    assert token.issued_at.tzinfo is not None
    assert abs(token.received_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_times_are_utc_for_any_zone_of_the_time_of_receipt():
    token = WebIdentityToken.parse(
        unsigned({"sub": "a", "exp": 4e9}), NOON.astimezone(timezone(timedelta(hours=5)))
    )
    assert token.received_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("claims", "named"),
    [
        ({"sub": "alice"}, "`exp`"),
        ({"exp": 4e9}, "`sub`"),
        ({"sub": "", "exp": 4e9}, "`sub`"),
        ({"sub": 7, "exp": 4e9}, "`sub`"),
        ({"sub": None, "exp": 4e9}, "`sub`"),
        ({"sub": "a", "exp": "tomorrow"}, "`exp`"),
        ({"sub": "a", "exp": True}, "`exp`"),
        ({"sub": "a", "exp": [1]}, "`exp`"),
        ({"sub": "a", "exp": 1e300}, "`exp`"),
        ({"sub": "a", "exp": 10**400}, "`exp`"),
        ({"sub": "a", "exp": float("nan")}, "`exp`"),
        ({"sub": "a", "exp": float("inf")}, "`exp`"),
        ({"sub": "a", "exp": 4e9, "iat": "now"}, "`iat`"),
        ({"sub": "a", "exp": 4e9, "iat": -1e300}, "`iat`"),
    ],
)
def test_a_token_without_usable_claims_is_refused_by_the_claims_name(claims, named):
    with pytest.raises(TokenInvalid, match=named):
        WebIdentityToken.parse(unsigned(claims), NOON)


@pytest.mark.parametrize("skew", [-600, 600])
@pytest.mark.parametrize("second", [-62135596800, 253402300799], ids=["first", "last"])
def test_the_ends_of_the_calendar_are_times_for_any_clock(second, skew):
    claims = {"sub": "a", "iat": min(second, 0), "exp": second}
    token = WebIdentityToken.parse(unsigned(claims), NOON, timedelta(seconds=skew))
    assert (token.expires_at > NOON) == (second > 0)
    assert token.issued_at < NOON


def test_a_sub_that_is_not_text_is_not_reported_as_missing():
    with pytest.raises(TokenInvalid, match="`sub` claim that is not text"):
        WebIdentityToken.parse(unsigned({"sub": 7, "exp": 4e9}), NOON)


@pytest.mark.parametrize(
    "text",
    [
        "opaque-access-token",
        "a.b.c",
        "....",
        unsigned([1, 2]),
        unsigned("text"),
        unsigned(b"\xff\xfe"),
        unsigned(b'{"sub": "a", "exp": 4'),
        unsigned(b'{"sub": ' + b"[" * 9000 + b"]" * 9000 + b"}")[:MAX_TOKEN_LENGTH],
        unsigned({"sub": "a", "exp": 4e9}, {"alg": "RS256", "kid": 7}),
        unsigned({"sub": "a", "exp": 4e9}, {"alg": "RS256", "crit": ["b64"], "b64": False}),
        pytest.param(make_jwt() + "\nToken refreshed", id="a line after it"),
        pytest.param(make_jwt() + "\n" + make_jwt(), id="two tokens"),
        pytest.param("Bearer " + make_jwt(), id="a scheme before it"),
        pytest.param(make_jwt().replace(".", ".\n"), id="in three lines"),
        pytest.param(make_jwt() + "\0", id="NUL after it"),
        pytest.param("\ufffd" + make_jwt(), id="U+FFFD before it"),
        pytest.param(make_jwt() + "\ud800", id="a surrogate after it"),
    ],
)
def test_a_text_that_is_not_a_jwt_is_refused(text):
    with pytest.raises(TokenInvalid):
        WebIdentityToken.parse(text, NOON)


@pytest.mark.parametrize("text", ["", "abc", "x" * (MAX_TOKEN_LENGTH + 1), "a" * 10_000_000])
def test_lengths_that_sts_does_not_accept_are_refused(text):
    with pytest.raises(TokenInvalid, match="characters"):
        WebIdentityToken.parse(text, NOON)


@given(st.text(max_size=300))
def test_random_text_is_a_token_or_refused(text):
    with pytest.raises(TokenInvalid):
        WebIdentityToken.parse(text, NOON)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["iss", "sub", "aud", "exp", "iat", "nbf", "groups", "n"]), JSON
    )
)
def test_random_claims_are_read_or_refused(claims):
    try:
        token = WebIdentityToken.parse(unsigned(claims), NOON)
    except TokenInvalid:
        return
    identity = token.identity("n", "groups")
    assert identity.subject == claims["sub"]
    assert identity.name
    assert all(isinstance(group, str) for group in identity.groups)
    assert token.issued_at <= NOON


@pytest.mark.parametrize(
    ("claims", "groups"),
    [
        ({"groups": "analysts"}, ("analysts",)),
        ({"groups": ["a", 7, None, "b"]}, ("a", "b")),
        ({"groups": {"a": 1}}, ()),
        ({"groups": 7}, ()),
        ({"groups": None}, ()),
    ],
)
def test_groups_are_a_list_of_texts_or_one_text(claims, groups):
    assert make_token(**claims).identity("preferred_username", "groups").groups == groups


@pytest.mark.parametrize("nothing", [None, "", [], {}])
def test_an_empty_optional_claim_counts_as_missing(nothing):
    claims = {"sub": "a", "exp": 4e9, "iat": nothing, "iss": nothing, "name": nothing}
    token = WebIdentityToken.parse(unsigned(claims, {"alg": "RS256", "kid": None}), NOON)
    identity = token.identity("name", "groups")
    assert token.issued_at == NOON
    assert (identity.issuer, identity.name) == ("", "a")


@pytest.mark.parametrize("name", [None, "", 7, ["alice"]])
def test_a_user_without_a_usable_name_is_called_by_the_subject(name):
    token = make_token(sub="0042", preferred_username=name)
    assert token.identity("preferred_username", "groups").name == "0042"


def test_a_user_is_the_same_by_issuer_and_subject_together():
    alice = make_token().identity("preferred_username", "groups")
    renamed = make_token(preferred_username="Alice", groups=[]).identity(
        "preferred_username", "groups"
    )
    elsewhere = make_token(iss="https://other.example.com").identity("x", "groups")
    assert alice.same_user(renamed)
    assert not alice.same_user(elsewhere)
    assert not alice.same_user(make_token(sub="bob").identity("x", "groups"))


def test_two_readings_of_one_text_are_the_same_token():
    token, again = make_token(), make_token(received_at=NOON + timedelta(minutes=1))
    assert token.same_text(again)
    assert not token.same_text(make_token(sub="bob"))
    assert not token.same_text(None)


def test_a_fingerprint_distinguishes_tokens_and_is_not_part_of_them():
    token, other = make_token(), make_token(sub="bob")
    assert token.fingerprint == make_token().fingerprint != other.fingerprint
    assert token.fingerprint not in token.reveal()


def shown(token):
    """Ways in which a program might print an object by accident."""
    return [
        repr(token), str(token), format(token), f"{token!r:>20}", f"{[token]}", f"{ {'t': token} }",
        repr(token.identity("preferred_username", "groups")),
    ]  # fmt: skip


def test_printing_a_token_never_shows_its_text_or_claims():
    token = make_token(secret_claim="hunter2-claim")
    pieces = token.reveal().split(".")
    for text in shown(token):
        assert not any(piece in text for piece in pieces)
        assert "hunter2" not in text


def test_logging_a_token_shows_nothing_of_it(caplog):
    caplog.set_level(logging.DEBUG)
    token = make_token()
    logging.getLogger("jupyter_wb_aws").warning("got %s and %r", token, [token])
    assert token.reveal().split(".")[1] not in caplog.text


@pytest.mark.parametrize(
    "claims", [{"exp": 4e9}, {"sub": "a"}, {"sub": "a", "exp": "soon"}, b"{broken"]
)
def test_a_refusal_never_quotes_the_token(claims):
    text = unsigned(claims)
    with pytest.raises(TokenInvalid) as refused:
        WebIdentityToken.parse(text, NOON)
    message = "".join(traceback.format_exception(refused.value)) + json.dumps(
        refused.value.as_problem()
    )
    assert not any(piece in message for piece in text.split("."))


def test_a_token_can_not_be_changed():
    with pytest.raises(AttributeError):
        make_token().expires_at = NOON


def test_tokens_are_compared_by_identity_so_that_no_assertion_prints_them():
    assert make_token() != make_token()


@pytest.mark.parametrize(
    "bring_out",
    [pickle.dumps, copy.deepcopy, dataclasses.asdict, dataclasses.astuple, lambda t: json.dumps(t, default=dataclasses.asdict)],
    ids=["pickle", "deepcopy", "asdict", "astuple", "json"],
)  # fmt: skip
@pytest.mark.parametrize(
    "wrap", [lambda t: t, lambda t: TokenStatus(token=t)], ids=["", "token_status"]
)
def test_a_token_is_not_pickled_or_copied(bring_out, wrap):
    with pytest.raises(TypeError, match="not pickled or copied") as refused:
        bring_out(wrap(make_token()))
    message = "".join(traceback.format_exception(refused.value))
    assert make_token().reveal() not in message


def test_the_revealed_text_is_a_plain_str():
    text = make_token().reveal()
    assert type(text) is str
    assert pickle.loads(pickle.dumps(text)) == text
