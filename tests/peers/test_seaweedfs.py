"""The store that the tests read from: it lets in whom it should, and nobody else."""

from __future__ import annotations

import time

import jwt
import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.peers.openid_provider import PUBLIC_CLIENT
from tests.peers.relying_party import RelyingParty
from tests.peers.seaweedfs import ANALYST, BUCKET, FINANCE, OBJECT
from tests.peers.sign_in_pages import Browser


@pytest.fixture
def token_of(provider):
    def token_of(user):
        with Browser() as browser:
            return RelyingParty(provider).sign_in(browser, user)["id_token"]

    return token_of


def refusal(call, *args, **kwargs):
    with pytest.raises(ClientError) as caught:
        call(*args, **kwargs)
    return caught.value.response["Error"]["Code"]


def test_who_signed_in_at_the_provider_reads_an_object(store, token_of):
    s3 = store.client("s3", store.assume(token_of("alice")))
    key, content = OBJECT

    assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == content
    assert refusal(s3.put_object, Bucket=BUCKET, Key=key, Body=b"") == "AccessDenied"


def test_a_role_is_for_the_group_that_it_trusts(store, token_of):
    key, _ = OBJECT

    assert refusal(store.assume, token_of("alice"), FINANCE) == "AccessDenied"
    assert refusal(store.assume, token_of("bob"), ANALYST) == "AccessDenied"
    s3 = store.client("s3", store.assume(token_of("bob"), FINANCE))
    s3.put_object(Bucket=BUCKET, Key="finance/plan.csv", Body=b"")
    assert refusal(s3.get_object, Bucket=BUCKET, Key=key) == "AccessDenied"


def test_nobody_reads_without_credentials(store):
    key, _ = OBJECT

    assert refusal(store.client("s3").get_object, Bucket=BUCKET, Key=key) == "AccessDenied"


def test_a_forged_token_is_refused(store, token_of):
    genuine = token_of("alice")
    forged = jwt.encode(
        jwt.decode(genuine, options={"verify_signature": False}),
        rsa.generate_private_key(65537, 2048),
        "RS256",
        jwt.get_unverified_header(genuine),
    )

    assert refusal(store.assume, forged) == "InvalidParameterValue"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"exp": 1_700_000_000}, "ExpiredTokenException"),
        ({"aud": "another-client"}, "InvalidParameterValue"),
        ({"iss": "http://127.0.0.1:9"}, "AccessDenied"),
    ],
    ids=["expired", "for another client", "of another issuer"],
)
def test_a_token_that_is_not_good_for_it_is_refused(store, provider, wrong, code):
    claims = {
        "iss": provider.issuer,
        "aud": PUBLIC_CLIENT,
        "sub": "alice",
        "groups": ["analysts"],
        "iat": int(time.time()),
        "exp": int(time.time()) + 60,
    }

    assert store.assume(provider.sign(**claims))
    assert refusal(store.assume, provider.sign(**{**claims, **wrong})) == code
