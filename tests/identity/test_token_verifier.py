"""Verification of tokens, against a real HTTP server in place of the identity provider."""

import asyncio
import base64
import dataclasses
import json
import socket
import threading
import time
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from jupyter_wb_aws.errors import TokenInvalid, TokenSourceFailed
from jupyter_wb_aws.identity.http.client import HttpClient, HttpSettings
from jupyter_wb_aws.identity.provider import Provider as IdProvider
from jupyter_wb_aws.identity.token import WebIdentityToken
from jupyter_wb_aws.identity.token_verifier import TokenVerifier as AsyncVerifier
from tests.conftest import KEY, NOON, make_jwt, public_jwk

OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
DISCOVERY = "/.well-known/openid-configuration"


class TokenVerifier(AsyncVerifier):
    """The verifier, in its own event loop."""

    def verify(self, token):
        asyncio.run(super().verify(token))


class Provider:
    """An identity provider on loopback: `documents` by path; `asked` lists the requests."""

    def __init__(self):
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                provider.asked.append(self.path)
                answer = provider.documents.get(self.path)
                if answer is None:
                    self.send_error(404)
                elif callable(answer):
                    answer(self)
                else:
                    content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                    self.send_response(200)
                    self.end_headers()
                    self.wfile.write(content)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.asked = []
        self.documents = {
            DISCOVERY: {"issuer": self.url, "jwks_uri": f"{self.url}/jwks"},
            "/jwks": {"keys": [public_jwk()]},
        }

    def publish(self, *keys):
        self.documents["/jwks"] = {"keys": list(keys)}

    def token(self, received_at=NOON, **claims):
        return WebIdentityToken.parse(make_jwt(**{"iss": self.url, **claims}), received_at)

    def verifier(self, audience="wb", algorithms=("RS256", "ES256"), http=None):
        return TokenVerifier(IdProvider(self.url, HttpClient(http)), audience, algorithms)


@pytest.fixture
def provider():
    provider = Provider()
    thread = threading.Thread(target=lambda: provider.server.serve_forever(poll_interval=0.01))
    thread.start()
    yield provider
    provider.server.shutdown()
    provider.server.server_close()
    thread.join()


def ec_jwk(kid="e1", **more):
    return {
        **json.loads(jwt.algorithms.ECAlgorithm.to_jwk(EC_KEY.public_key())), "kid": kid, **more
    }  # fmt: skip


# --- Accepted tokens -------------------------------------------------------------------------


def test_a_token_of_the_issuer_for_this_audience_is_accepted(provider):
    provider.verifier().verify(provider.token())
    assert provider.asked == [DISCOVERY, "/jwks"]


def test_the_keys_are_fetched_once_for_many_tokens(provider):
    verifier = provider.verifier()
    for number in range(3):
        verifier.verify(provider.token(jti=str(number)))
    assert len(provider.asked) == 2


def test_one_of_several_audiences_is_enough(provider):
    provider.verifier().verify(provider.token(aud=["other", "wb"]))


def test_an_elliptic_curve_signature_is_accepted(provider):
    provider.publish(public_jwk(), ec_jwk())
    provider.verifier().verify(provider.token(key=EC_KEY, kid="e1", algorithm="ES256"))


def test_a_key_that_names_no_algorithm_fits_each_accepted_one_of_its_type(provider):
    provider.publish({k: v for k, v in public_jwk().items() if k != "alg"})
    provider.verifier(algorithms=["RS512"]).verify(provider.token(algorithm="RS512"))


def test_a_provider_with_one_key_need_not_name_it_in_the_token(provider):
    provider.verifier().verify(provider.token(kid=None))


def test_a_provider_need_not_name_its_key_at_all(provider):
    provider.publish({k: v for k, v in public_jwk().items() if k != "kid"})
    provider.verifier().verify(provider.token(kid=None))


@pytest.mark.parametrize(
    "other",
    [
        {"kty": "RSA", "use": "enc", "alg": "RSA-OAEP", "kid": "enc", "n": "AQAB", "e": "AQAB"},
        {"kty": "RSA", "kid": "broken", "n": "!", "e": 7},
        {"kty": "OKP", "crv": "X25519", "kid": "new", "x": "AA"},
        {"kty": "RSA", "alg": ["RS256"], "kid": "odd"},
        {"kid": "empty"},
        "no key",
        None,
    ],
)
def test_a_broken_key_does_not_affect_the_others(provider, other):
    provider.publish(other, public_jwk())
    provider.verifier().verify(provider.token())


def test_an_encryption_key_beside_the_only_signing_key_does_not_count(provider):
    provider.publish(public_jwk(), {**public_jwk(OTHER_KEY, "enc"), "use": "enc"})
    provider.verifier().verify(provider.token(kid=None))


def test_clocks_may_differ_by_two_minutes(provider):
    verifier = provider.verifier()
    verifier.verify(provider.token(nbf=NOON + timedelta(seconds=119)))
    verifier.verify(provider.token(iat=NOON + timedelta(seconds=119)))
    verifier.verify(provider.token(received_at=NOON + timedelta(hours=1, seconds=119)))


@pytest.mark.parametrize("keys", [(KEY, OTHER_KEY), (OTHER_KEY, KEY)], ids=["first", "last"])
def test_any_of_several_keys_with_one_name_may_have_signed(provider, keys):
    provider.publish(*(public_jwk(key) for key in keys))
    verifier = provider.verifier()
    for key in keys:
        verifier.verify(provider.token(key=key))
    assert provider.asked == [DISCOVERY, "/jwks"]


def test_keys_of_two_types_may_share_a_name(provider):
    provider.publish(public_jwk(), ec_jwk(kid="k1"))
    verifier = provider.verifier()
    verifier.verify(provider.token())
    verifier.verify(provider.token(key=EC_KEY, algorithm="ES256"))


def test_an_unpublished_key_is_refused_if_several_share_its_name(provider):
    provider.publish(public_jwk(), {**public_jwk(), "kty": "oct"}, ec_jwk(kid="k1"))
    with pytest.raises(TokenInvalid, match="signature"):
        provider.verifier().verify(provider.token(key=OTHER_KEY))


# --- Optional members that are null, empty or missing ---------------------------------------

NOTHING = pytest.mark.parametrize("nothing", [None, "", [], {}], ids=json.dumps)


@NOTHING
@pytest.mark.parametrize("name", ["kid", "alg", "use", "key_ops", "x5c", "x5t", "d", "p"])
def test_an_empty_optional_member_of_a_key_counts_as_missing(provider, name, nothing):
    provider.publish({**public_jwk(), name: nothing}, public_jwk(OTHER_KEY, "k2"))
    provider.verifier().verify(provider.token())


@NOTHING
@pytest.mark.parametrize(
    "others",
    [[], [ec_jwk()], [public_jwk(OTHER_KEY, "k2")]],
    ids=["alone", "beside an EC key", "beside an RSA key"],
)
def test_a_key_without_a_name_may_have_signed_a_token_that_names_one(provider, others, nothing):
    provider.publish({**public_jwk(), "kid": nothing}, *others)
    provider.verifier().verify(provider.token(kid="k1"))


@pytest.mark.parametrize("kid", [None, ""])
def test_a_token_with_an_empty_key_name_names_no_key(provider, kid):
    provider.verifier().verify(with_header(provider, kid=kid))


@pytest.mark.parametrize(
    "other",
    [
        ec_jwk(),
        {**public_jwk(OTHER_KEY), "alg": "RS512"},
        {**public_jwk(OTHER_KEY), "n": None},
        {**public_jwk(OTHER_KEY), "e": "AA"},
        {"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"},
        {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"},
        {"kty": None},
    ],
    ids=["EC", "RS512", "no modulus", "a bad exponent", "secp256k1", "ML-DSA-44", "no kty"],
)
def test_a_token_need_not_name_the_only_key_that_fits(provider, other):
    provider.publish(other, public_jwk())
    provider.verifier().verify(provider.token(kid=None))


@NOTHING
@pytest.mark.parametrize("name", ["nbf", "iat", "azp", "jti", "nonce", "groups"])
def test_an_empty_optional_claim_counts_as_missing(provider, name, nothing):
    provider.verifier().verify(odd_token(provider, **{name: nothing}))


@pytest.mark.parametrize("name", ["iss", "aud"])
@NOTHING
def test_an_empty_required_claim_is_missing(provider, name, nothing):
    with pytest.raises(TokenInvalid, match=f"`{name}` is missing"):
        provider.verifier().verify(odd_token(provider, **{name: nothing}))


@pytest.mark.parametrize("alg", [None, ""])
def test_a_token_without_an_algorithm_is_reported(provider, alg):
    with pytest.raises(TokenInvalid, match=r"what it is signed with \(`alg`\)"):
        provider.verifier().verify(with_header(provider, alg=alg))


@pytest.mark.parametrize(
    ("keys", "kid", "reason"),
    [
        ([public_jwk(OTHER_KEY, "k2")], "k1", "a key that .* does not publish"),
        ([public_jwk(OTHER_KEY, "k1")], "k1", "signature is not"),
        ([ec_jwk(kid="k1")], "k1", "publishes no readable key for RS256 under the name 'k1'"),
        ([{**public_jwk(), "n": "!"}], "k1", "publishes no readable key for RS256"),
        ([ec_jwk()], None, "publishes no readable key for RS256"),
    ],
    ids=["unknown kid", "another key", "an EC key", "a bad modulus", "an EC key without a kid"],
)
def test_a_refused_signature_is_explained(provider, keys, kid, reason):
    provider.publish(*keys)
    with pytest.raises(TokenInvalid, match=reason):
        provider.verifier().verify(provider.token(kid=kid))


def test_a_time_that_is_not_a_number_is_reported(provider):
    with pytest.raises(TokenInvalid, match="`nbf` is not a number"):
        provider.verifier().verify(odd_token(provider, nbf="9"))


def with_header(provider, key=KEY, **changes):
    """Sign a token with this header."""
    header = {"alg": "RS256", "kid": "k1", **changes}
    parts = (json.dumps(header), json.dumps({**provider.token().claims}))
    signed = ".".join(base64.urlsafe_b64encode(p.encode()).rstrip(b"=").decode() for p in parts)
    signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    text = f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    return WebIdentityToken.parse(text, NOON)


# --- Keys that change ----------------------------------------------------------------------


def test_a_new_key_is_fetched_when_a_token_names_it(provider):
    verifier = provider.verifier()
    verifier.verify(provider.token())
    provider.publish(public_jwk(), public_jwk(OTHER_KEY, "k2"))
    verifier.verify(provider.token(key=OTHER_KEY, kid="k2"))
    assert provider.asked == [DISCOVERY, "/jwks"] * 2


def test_a_withdrawn_key_is_dropped_with_the_next_fetch(provider):
    verifier = provider.verifier()
    verifier.verify(provider.token())
    provider.publish(public_jwk(OTHER_KEY, "k2"))
    verifier.verify(provider.token(key=OTHER_KEY, kid="k2"))
    with pytest.raises(TokenInvalid, match="does not publish"):
        verifier.verify(provider.token())


@pytest.mark.parametrize("kid", ["k1", None])
def test_a_key_that_changed_under_the_same_name_or_without_one_is_fetched_again(provider, kid):
    verifier = provider.verifier()
    verifier.verify(provider.token(kid=kid))
    provider.publish(public_jwk(OTHER_KEY))
    verifier.verify(provider.token(key=OTHER_KEY, kid=kid))
    with pytest.raises(TokenInvalid, match="signature"):
        verifier.verify(provider.token(kid=kid))


def test_a_withdrawn_key_is_accepted_for_a_day_at_most(provider):
    verifier = provider.verifier()
    verifier.verify(provider.token())
    provider.publish(public_jwk(OTHER_KEY, "k2"))
    later = NOON + timedelta(hours=25)
    verifier.verify(provider.token(NOON + timedelta(minutes=30)))
    with pytest.raises(TokenInvalid, match="does not publish"):
        verifier.verify(provider.token(later, iat=later, exp=later + timedelta(hours=1)))


def test_a_provider_that_is_down_then_does_not_matter(provider):
    verifier = provider.verifier()
    verifier.verify(provider.token())
    provider.documents["/jwks"] = answer_500
    later = NOON + timedelta(hours=25)
    verifier.verify(provider.token(later, iat=later, exp=later + timedelta(hours=1)))


def test_an_unknown_key_causes_one_fetch(provider):
    verifier = provider.verifier()
    with pytest.raises(TokenInvalid, match="does not publish") as refused:
        verifier.verify(provider.token(kid="k9"))
    assert provider.asked == [DISCOVERY, "/jwks"]
    assert "kid" in refused.value.admin_hint


def test_with_several_keys_a_token_must_name_its_own(provider):
    provider.publish(public_jwk(), public_jwk(OTHER_KEY, "k2"))
    with pytest.raises(TokenInvalid, match="does not name its key .* publishes several"):
        provider.verifier().verify(provider.token(kid=None))


def test_keys_that_are_known_need_no_provider(provider):
    verifier = provider.verifier()
    verifier.verify(provider.token())
    provider.documents.clear()
    verifier.verify(provider.token(jti="2"))


# --- Forgeries -----------------------------------------------------------------------------


def test_a_token_signed_by_another_key_of_the_same_name_is_refused(provider):
    with pytest.raises(TokenInvalid, match="signature is not"):
        provider.verifier().verify(provider.token(key=OTHER_KEY))


def test_a_changed_payload_is_refused(provider):
    head, _, signature = provider.token().reveal().split(".")
    _, payload, _ = provider.token(sub="root").reveal().split(".")
    forged = WebIdentityToken.parse(f"{head}.{payload}.{signature}", NOON)
    with pytest.raises(TokenInvalid, match="signature"):
        provider.verifier().verify(forged)


def test_a_token_without_a_signature_is_refused(provider):
    head, payload, _ = provider.token().reveal().split(".")
    with pytest.raises(TokenInvalid, match="signature"):
        provider.verifier().verify(WebIdentityToken.parse(f"{head}.{payload}.", NOON))


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", "", "RS256 "])
def test_no_spelling_of_alg_none_is_accepted(provider, name):
    _, payload, _ = provider.token().reveal().split(".")
    header = base64.urlsafe_b64encode(json.dumps({"alg": name, "kid": "k1"}).encode())
    forged = WebIdentityToken.parse(f"{header.rstrip(b'=').decode()}.{payload}.", NOON)
    with pytest.raises(TokenInvalid, match="is signed with"):
        provider.verifier().verify(forged)
    assert provider.asked == []


@pytest.mark.parametrize("alg", [None, 7, ["RS256"], {"a": 1}, "x" * 5000])
def test_an_odd_alg_is_refused_in_a_few_words(provider, alg):
    _, payload, signature = provider.token().reveal().split(".")
    header = base64.urlsafe_b64encode(json.dumps({"alg": alg, "kid": "k1"}).encode())
    forged = WebIdentityToken.parse(f"{header.rstrip(b'=').decode()}.{payload}.{signature}", NOON)
    with pytest.raises(TokenInvalid) as refused:
        provider.verifier().verify(forged)
    assert len(refused.value.detail) < 400


def test_hs256_with_the_public_key_as_secret_is_refused(provider):
    pem = KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    # PyJWT refuses to make such a token, so this builds it.
    signer = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"k1"}').rstrip(b"=").decode()
    signed = f"{head}.{provider.token().reveal().split('.')[1]}"
    signature = base64.urlsafe_b64encode(signer.sign(signed.encode(), pem)).rstrip(b"=").decode()
    with pytest.raises(TokenInvalid, match="'HS256'; accepted: RS256, ES256"):
        provider.verifier().verify(WebIdentityToken.parse(f"{signed}.{signature}", NOON))


def test_a_published_symmetric_key_is_not_used(provider):
    secret = base64.urlsafe_b64encode(b"s" * 32).rstrip(b"=").decode()
    provider.publish({"kty": "oct", "kid": "k1", "k": secret, "alg": "HS256"})
    head = base64.urlsafe_b64encode(b'{"alg":"RS256","kid":"k1"}').rstrip(b"=").decode()
    signed = f"{head}.{provider.token().reveal().split('.')[1]}"
    signer = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signature = base64.urlsafe_b64encode(signer.sign(signed.encode(), b"s" * 32)).rstrip(b"=")
    with pytest.raises(TokenInvalid, match="signature"):
        provider.verifier().verify(WebIdentityToken.parse(f"{signed}.{signature.decode()}", NOON))


def test_a_key_for_another_algorithm_is_not_used(provider):
    provider.publish({**public_jwk(), "alg": "RS512"})
    with pytest.raises(TokenInvalid, match="signature"):
        provider.verifier().verify(provider.token())


@pytest.mark.parametrize("bits", [1024, 2040])
def test_an_rsa_key_that_is_too_short_is_refused_for_its_length(provider, bits):
    short = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    provider.publish(public_jwk(short))
    with pytest.raises(TokenInvalid, match=f"RSA key of {bits} bits; .* 2048 or more"):
        provider.verifier().verify(with_header(provider, short))


def test_a_key_in_the_tokens_own_header_is_not_trusted(provider):
    text = jwt.encode(
        {"iss": provider.url, "aud": "wb", "sub": "root", "exp": NOON + timedelta(hours=1)},
        OTHER_KEY,
        "RS256",
        {"kid": "k1", "jwk": public_jwk(OTHER_KEY), "jku": f"{provider.url}/evil"},
    )
    with pytest.raises(TokenInvalid, match="signature"):
        provider.verifier().verify(WebIdentityToken.parse(text, NOON))
    assert "/evil" not in provider.asked


# --- Claims --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "aud", ["other", "WB", "wb ", "wb2", ["other"], [], ["w", "b"], None, 7, {"wb": 1}, [["wb"]]]
)
def test_a_wrong_audience_is_named(provider, aud):
    with pytest.raises(TokenInvalid, match="`aud` is .* expects 'wb'"):
        provider.verifier().verify(odd_token(provider, aud=aud))


def odd_token(provider, **claims):
    """Sign claims that PyJWT's own encoder refuses."""
    payload = {"iss": provider.url, "aud": "wb", "sub": "alice", "exp": 4e9, **claims}
    text = jwt.PyJWS().encode(json.dumps(payload).encode(), KEY, "RS256", {"kid": "k1"})
    return WebIdentityToken.parse(text, NOON)


def test_without_our_own_audience_no_token_is_accepted(provider):
    with pytest.raises(TokenInvalid, match="aud"):
        provider.verifier(audience="").verify(provider.token(aud=""))


@pytest.mark.parametrize(
    "change",
    [lambda url: f"{url}/", lambda _: "https://evil", lambda _: None],
    ids=["a slash more", "another", "none"],
)
def test_a_wrong_issuer_is_named(provider, change):
    with pytest.raises(TokenInvalid, match="`iss` is"):
        provider.verifier().verify(provider.token(iss=change(provider.url)))


CRITICAL = pytest.mark.parametrize("crit", [["exp"], ["b64"], [], "x", None])


def critical(provider, crit):
    claims = dict(provider.token().claims)
    return jwt.encode(claims, KEY, "RS256", {"kid": "k1", "crit": crit, "exp": 1})


@CRITICAL
def test_a_token_whose_header_must_be_understood_is_refused(provider, crit):
    with pytest.raises(TokenInvalid):  # newer versions of PyJWT refuse it when parsing
        provider.verifier().verify(WebIdentityToken.parse(critical(provider, crit), NOON))


@CRITICAL
def test_critical_extensions_are_refused_even_if_pyjwt_ignores_them(provider, crit, monkeypatch):
    def header_unjudged(text):
        return json.loads(jwt.utils.base64url_decode(text.partition(".")[0]))

    monkeypatch.setattr(jwt, "get_unverified_header", header_unjudged)
    token = dataclasses.replace(provider.token(), _text=critical(provider, crit))
    with pytest.raises(TokenInvalid, match="critical extensions"):
        provider.verifier().verify(token)
    assert provider.asked == []


@pytest.mark.parametrize("iss", [7, ["x"], {}])
def test_an_issuer_that_is_not_text_is_refused(provider, iss):
    with pytest.raises(TokenInvalid, match="`iss` is"):
        provider.verifier().verify(odd_token(provider, iss=iss))


def test_an_issuer_with_a_trailing_slash_must_have_it_everywhere(provider):
    issuer = f"{provider.url}/"
    provider.documents[DISCOVERY]["issuer"] = issuer
    TokenVerifier(IdProvider(issuer), "wb", ["RS256"]).verify(provider.token(iss=issuer))
    with pytest.raises(TokenInvalid, match="`iss` is") as refused:
        TokenVerifier(IdProvider(issuer), "wb", ["RS256"]).verify(provider.token())
    assert "only in the slash" in refused.value.admin_hint


def test_a_discovery_document_whose_issuer_has_an_extra_slash_is_explained(provider):
    provider.documents[DISCOVERY]["issuer"] = f"{provider.url}/"
    with pytest.raises(TokenInvalid, match="discovery document") as refused:
        provider.verifier().verify(provider.token())
    assert "only in the slash" in refused.value.admin_hint


def test_an_expired_token_is_refused(provider):
    with pytest.raises(TokenInvalid, match="expired"):
        provider.verifier().verify(provider.token(received_at=NOON + timedelta(hours=1, minutes=2)))


@pytest.mark.parametrize(
    "nbf", [NOON.timestamp() + 121, 9e99, float("inf"), float("nan"), "9", [1]]
)
def test_a_token_that_is_not_valid_yet_is_refused(provider, nbf):
    with pytest.raises(TokenInvalid, match="not valid yet"):
        provider.verifier().verify(odd_token(provider, nbf=nbf))


def test_a_refusal_quotes_values_briefly_and_never_the_token(provider):
    token = provider.token(aud="x" * 3000)
    with pytest.raises(TokenInvalid) as refused:
        provider.verifier().verify(token)
    message = json.dumps(refused.value.as_problem())
    assert len(message) < 1500
    assert not any(piece in message for piece in token.reveal().split("."))


# --- A provider that does not work -------------------------------------------------------


def test_a_provider_that_is_down_is_a_temporary_failure():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        issuer = f"http://127.0.0.1:{taken.getsockname()[1]}"
        token = WebIdentityToken.parse(make_jwt(iss=issuer), NOON)
        with pytest.raises(TokenSourceFailed, match=r"openid-configuration.*refused"):
            TokenVerifier(IdProvider(issuer), "wb", ["RS256"]).verify(token)


@pytest.mark.parametrize(
    "document", [b"", b"<html>", b"[]", b'"text"', b"\xff", b"[" * 100_000, b" " * 2_000_000]
)
@pytest.mark.parametrize("path", [DISCOVERY, "/jwks"])
def test_a_nonsensical_document_is_a_failure_of_the_source(provider, path, document):
    provider.documents[path] = document
    with pytest.raises(TokenSourceFailed, match=path):
        provider.verifier().verify(provider.token())


def answer_rubbish(handler):
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")


def answer_half(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "5000")
    handler.end_headers()
    handler.wfile.write(b'{"issuer"')


def answer_in_broken_chunks(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")


def answer_500(handler):
    handler.send_error(500)


@pytest.mark.parametrize(
    "answer", [answer_rubbish, answer_half, answer_in_broken_chunks, answer_500]
)
def test_a_broken_response_is_a_failure_of_the_source(provider, answer):
    provider.documents["/jwks"] = answer
    with pytest.raises(
        TokenSourceFailed, match=r"/jwks can't be (read|reached)|/jwks is not available now"
    ):
        provider.verifier().verify(provider.token())


def test_a_provider_that_hangs_times_out(provider):
    over = threading.Event()
    provider.documents["/jwks"] = lambda _: over.wait(10)
    started = time.monotonic()
    with pytest.raises(TokenSourceFailed, match="in time"):
        provider.verifier(http=HttpSettings(timeout=0.1)).verify(provider.token())
    assert time.monotonic() - started < 5
    over.set()


@pytest.mark.parametrize(
    "keys", [{}, {"keys": []}, {"keys": {}}, {"keys": "abc"}, {"keys": [7]}, {"kids": []}]
)
def test_a_provider_without_keys_is_a_failure_of_the_source(provider, keys):
    provider.documents["/jwks"] = keys
    with pytest.raises(TokenSourceFailed, match="no signing keys"):
        provider.verifier().verify(provider.token())


@pytest.mark.parametrize("issuer", [None, "", [], {}])
def test_a_discovery_document_without_an_issuer_is_reported(provider, issuer):
    provider.documents[DISCOVERY]["issuer"] = issuer
    with pytest.raises(TokenInvalid, match="does not name its issuer"):
        provider.verifier().verify(provider.token())


@pytest.mark.parametrize("issuer", ["https://other.example.com", None, 7, "x" * 3000])
def test_a_discovery_document_of_another_issuer_is_refused(provider, issuer):
    provider.documents[DISCOVERY]["issuer"] = issuer
    with pytest.raises(TokenInvalid, match="discovery document") as refused:
        provider.verifier().verify(provider.token())
    assert len(refused.value.detail) < 500
    assert "/jwks" not in provider.asked


@pytest.mark.parametrize("uri", ["", "file:///etc/passwd", "ftp://x", "jwks", 7])
def test_keys_are_fetched_by_http_only(provider, uri):
    provider.documents[DISCOVERY]["jwks_uri"] = uri
    with pytest.raises(TokenSourceFailed, match=r"not an http|where its keys are \(`jwks_uri`\)"):
        provider.verifier().verify(provider.token())


def test_a_provider_that_names_no_keys_is_a_failure_of_the_source(provider):
    del provider.documents[DISCOVERY]["jwks_uri"]
    with pytest.raises(TokenSourceFailed, match="does not say where its keys are"):
        provider.verifier().verify(provider.token())


@pytest.mark.parametrize("issuer", ["", "idp.example.com", "file:///etc"])
def test_an_issuer_that_is_not_a_url_is_named(issuer):
    token = WebIdentityToken.parse(make_jwt(iss=issuer), NOON)
    with pytest.raises(TokenSourceFailed, match=r"not an http\(s\) URL"):
        TokenVerifier(IdProvider(issuer), "wb", ["RS256"]).verify(token)


def test_keys_of_an_https_issuer_are_never_fetched_in_the_clear(monkeypatch):
    issuer = "https://idp.example.com"
    asked = []

    async def get(_http, url):
        asked.append(url)
        return {"issuer": issuer, "jwks_uri": "http://idp.example.com/jwks"}

    monkeypatch.setattr("jupyter_wb_aws.identity.http.client.HttpClient.get_json", get)
    with pytest.raises(TokenSourceFailed, match="not an https URL"):
        TokenVerifier(IdProvider(issuer), "wb", ["RS256"]).verify(
            WebIdentityToken.parse(make_jwt(), NOON)
        )
    assert len(asked) == 1


def redirect(target):
    def answer(handler):
        handler.send_response(302)
        handler.send_header("Location", target)
        handler.end_headers()

    return answer


def test_a_redirect_to_the_same_scheme_is_followed(provider):
    provider.documents["/keys"] = provider.documents["/jwks"]
    provider.documents["/jwks"] = redirect(f"{provider.url}/keys")
    provider.verifier().verify(provider.token())


@pytest.mark.parametrize("target", ["ftp://127.0.0.1/x", "file:///etc/passwd"])
def test_a_redirect_to_another_scheme_is_not_followed(provider, target):
    provider.documents["/jwks"] = redirect(target)
    with pytest.raises(TokenSourceFailed, match="/jwks can't be re"):
        provider.verifier().verify(provider.token())


def test_no_proxy_stands_between_us_and_a_provider_on_this_machine(provider, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    provider.verifier().verify(provider.token())


def test_a_provider_elsewhere_is_reached_through_the_servers_proxy(provider, monkeypatch):
    issuer = "http://idp.example.invalid"
    provider.documents = {  # a proxy gets whole URLs
        f"{issuer}{DISCOVERY}": {"issuer": issuer, "jwks_uri": f"{issuer}/jwks"},
        f"{issuer}/jwks": {"keys": [public_jwk()]},
    }
    monkeypatch.setenv("http_proxy", provider.url)
    monkeypatch.setenv("no_proxy", "")
    TokenVerifier(IdProvider(issuer), "wb", ["RS256"]).verify(provider.token(iss=issuer))
    assert provider.asked == list(provider.documents)


def test_a_verifier_shows_no_keys(provider):
    verifier = provider.verifier()
    verifier.verify(provider.token())
    assert "AQAB" not in repr(verifier)
