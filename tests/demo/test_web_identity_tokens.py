"""The tokens that AssumeRoleWithWebIdentity accepts."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from jupyter_wb_aws.demo.identity_provider import IdentityProvider
from jupyter_wb_aws.demo.local_aws import accounts
from jupyter_wb_aws.demo.names import ACCOUNT_ID, CLIENT_ID

INVALID = ("InvalidIdentityToken", 400)
EXPIRED = ("ExpiredTokenException", 400)


def b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def forger():
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def kid(idp):
    return idp.jwks()["keys"][0]["kid"]


@pytest.fixture
def public_pem(idp):
    key = jwt.PyJWK(idp.jwks()["keys"][0]).key
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def hs256(header, claims, secret: bytes) -> str:
    """Sign by hand, because PyJWT refuses to use a public key as a secret."""
    signed = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"
    return f"{signed}.{b64(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


def test_a_genuine_token_is_accepted_and_the_answer_names_its_user(caller, idp):
    answer = caller.assume()
    host = idp.issuer.removeprefix("http://")
    assert answer["SubjectFromWebIdentityToken"] == "alice"
    assert answer["Audience"] == CLIENT_ID
    assert answer["Provider"] == f"arn:aws:iam::{ACCOUNT_ID}:oidc-provider/{host}"
    assert answer["SourceIdentity"] == "alice"
    assert answer["PackedPolicySize"] >= 0


def test_the_answer_and_get_caller_identity_agree(caller):
    answer = caller.assume()
    identity = caller.client("sts", answer["Credentials"]).get_caller_identity()
    assert identity["Arn"] == answer["AssumedRoleUser"]["Arn"]
    assert identity["Arn"] == f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/analyst/alice-test"
    assert identity["UserId"] == answer["AssumedRoleUser"]["AssumedRoleId"]
    assert identity["UserId"].startswith("AROA")
    assert identity["UserId"].endswith(":alice-test")
    assert identity["Account"] == ACCOUNT_ID


def test_a_token_signed_with_another_key_is_refused(caller, idp, kid, forger):
    token = jwt.encode(idp.claims(), forger, "RS256", headers={"kid": kid})
    assert caller.refused_token(token) == INVALID


def test_a_token_with_a_changed_claim_and_the_old_signature_is_refused(caller, idp):
    header, _, signature = idp.mint().split(".")
    claims = b64(json.dumps(idp.claims(sub="frank")).encode())
    assert caller.refused_token(f"{header}.{claims}.{signature}") == INVALID


def test_a_token_that_brings_its_own_key_is_refused(caller, idp, forger):
    jwk = jwt.algorithms.RSAAlgorithm.to_jwk(forger.public_key(), as_dict=True)
    for headers in ({"jwk": jwk}, {"jwk": jwk, "kid": "mine"}, {"jku": f"{idp.issuer}/mine"}):
        token = jwt.encode(idp.claims(), forger, "RS256", headers=headers)
        assert caller.refused_token(token) == INVALID


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "", None, [], 5], ids=repr)
def test_an_unsigned_token_is_refused(caller, idp, kid, algorithm):
    header = b64(json.dumps({"alg": algorithm, "typ": "JWT", "kid": kid}).encode())
    claims = b64(json.dumps(idp.claims()).encode())
    signature = idp.mint().split(".")[2]
    assert caller.refused_token(f"{header}.{claims}.") == INVALID
    assert caller.refused_token(f"{header}.{claims}.{signature}") == INVALID


def test_a_token_signed_by_hs256_with_the_public_key_is_refused(caller, idp, kid, public_pem):
    header = {"alg": "HS256", "typ": "JWT", "kid": kid}
    jwk = json.dumps(idp.jwks()["keys"][0]).encode()
    for secret in (public_pem, public_pem.strip(), jwk, b""):
        assert caller.refused_token(hs256(header, idp.claims(), secret)) == INVALID


@pytest.mark.parametrize("changes", [{"kid": "another"}, {"kid": None}, {"kid": ""}], ids=str)
def test_a_token_whose_key_is_not_published_is_refused(caller, idp, changes):
    key = idp.signing_key.private
    token = jwt.encode(idp.claims(), key, "RS256", headers={k: v for k, v in changes.items() if v})
    assert caller.refused_token(token) == INVALID


def test_an_algorithm_other_than_the_keys_own_is_refused(caller, idp, kid):
    token = jwt.encode(idp.claims(), idp.signing_key.private, "RS512", headers={"kid": kid})
    assert caller.refused_token(token) == INVALID


def test_a_token_with_critical_extensions_is_refused(caller, idp, kid):
    headers = {"kid": kid, "crit": ["x"], "x": 1}
    token = jwt.encode(idp.claims(), idp.signing_key.private, "RS256", headers=headers)
    assert caller.refused_token(token) == INVALID


def test_an_expired_token_is_refused(caller, idp):
    assert caller.refused_token(idp.mint(exp=int(time.time()) - 1)) == EXPIRED


@pytest.mark.parametrize("claim", ["nbf", "iat"])
def test_a_token_that_is_not_valid_yet_is_refused(caller, idp, claim):
    assert caller.refused_token(idp.mint(**{claim: int(time.time()) + 60})) == INVALID


@pytest.mark.parametrize("claim", ["iss", "sub", "aud", "exp", "iat"])
def test_a_token_without_a_required_claim_is_refused(caller, idp, claim):
    assert caller.refused_token(idp.mint(**{claim: None})) == INVALID


def test_a_token_without_nbf_and_jti_is_accepted(caller, idp):
    assert caller.assume(WebIdentityToken=idp.mint(nbf=None, jti=None))


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "somebody-else"},
        {"aud": ["somebody-else", CLIENT_ID]},
        {"aud": []},
        {"aud": "sts.amazonaws.com"},
        {"azp": "somebody-else"},
        {"aud": CLIENT_ID.upper()},
    ],
    ids=str,
)
def test_a_token_for_another_audience_is_refused(caller, idp, changes):
    assert caller.refused_token(idp.mint(**changes)) == INVALID


def test_a_token_with_one_audience_in_a_list_is_accepted(caller, idp):
    assert caller.assume(WebIdentityToken=idp.mint(aud=[CLIENT_ID]))["Audience"] == CLIENT_ID


def test_with_several_audiences_the_authorized_party_counts(caller, idp):
    token = idp.mint(aud=["another", CLIENT_ID], azp=CLIENT_ID)
    assert caller.assume(WebIdentityToken=token)["Audience"] == CLIENT_ID


@pytest.mark.parametrize("sub", [5, ["alice"], {"a": 1}, True], ids=str)
def test_a_subject_that_is_not_a_string_is_refused(caller, idp, kid, sub):
    # By hand, because PyJWT refuses to make such a token.
    text = json.dumps(idp.claims(sub="SUB")).replace('"SUB"', json.dumps(sub)).encode()
    token = jwt.api_jws.encode(text, idp.signing_key.private, "RS256", headers={"kid": kid})
    assert caller.refused_token(token) == INVALID


@pytest.mark.parametrize("exp", ["soon", 1e400, -1e400, [], {}, None, -1], ids=str)
def test_an_expiry_that_is_not_a_future_time_is_refused(caller, idp, kid, exp):
    text = json.dumps(idp.claims() | {"exp": exp}).encode()
    token = jwt.api_jws.encode(text, idp.signing_key.private, "RS256", headers={"kid": kid})
    assert caller.refused_token(token) in (INVALID, EXPIRED)


def test_a_foreign_issuers_genuine_token_is_refused(caller):
    with IdentityProvider() as foreign:
        assert caller.refused_token(foreign.mint()) == INVALID


def test_a_foreign_issuer_that_claims_to_be_ours_is_refused(caller, idp):
    with IdentityProvider() as foreign:
        assert caller.refused_token(foreign.mint(iss=idp.issuer)) == INVALID


def test_a_token_of_our_issuer_that_names_another_issuer_is_refused(caller, idp):
    for issuer in (idp.issuer + "/", idp.issuer.upper(), "https://accounts.google.com", "", 5):
        claims = json.dumps(idp.claims() | {"iss": issuer}).encode()
        headers = {"kid": idp.jwks()["keys"][0]["kid"]}
        token = jwt.api_jws.encode(claims, idp.signing_key.private, "RS256", headers=headers)
        assert caller.refused_token(token) == INVALID


def test_an_issuer_outside_this_machine_is_not_asked(caller, idp):
    accounts.register_provider("https://idp.example.com", [CLIENT_ID])
    token = idp.mint(iss="https://idp.example.com")
    assert caller.refused_token(token) == ("IDPCommunicationError", 400)


@pytest.mark.parametrize(
    "token",
    [
        "garbage",
        "a.b.c",
        "....",
        "e30.e30.e30",
        "eyJhbGciOiJSUzI1NiJ9.W10.AA",
        "ünïcödé.token.x",
        pytest.param(b64(b"[" * 9000) + ".e30.AA", id="deeply nested"),
        pytest.param("x" * 20000, id="20,000 characters"),
    ],
)
def test_text_that_is_not_a_token_is_refused(caller, token):
    assert caller.refused_token(token) == INVALID


def test_a_subject_that_is_longer_than_aws_accepts_is_refused(caller, idp):
    assert caller.refused_token(idp.mint(sub="a" * 256)) == INVALID
