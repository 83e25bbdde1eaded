"""What an error of STS means, for the user and the administrator."""

import pytest
from botocore import exceptions as boto
from hypothesis import given
from hypothesis import strategies as st

from jupyter_wb_aws.aws.botocore_errors import explain_exception
from jupyter_wb_aws.aws.token_hints import claims_seen
from jupyter_wb_aws.errors import (
    StsBadAnswer,
    StsUnavailable,
    TokenRefused,
    TrustRefused,
    WbAwsError,
)
from jupyter_wb_aws.roles.role import RoleArn
from tests.conftest import make_jwt

ROLE = RoleArn.parse("arn:aws:iam::111122223333:role/analyst")
CLAIMS = {"iss": "https://idp.example.com", "aud": "wb", "sub": "alice", "email": "a@example.com"}


def client_error(code, message="", status=400):
    response = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return boto.ClientError(response, "AssumeRoleWithWebIdentity")


def test_a_refused_trust_names_the_role_and_what_the_policy_must_match():
    explained = explain_exception(client_error("AccessDenied"), ROLE, CLAIMS)
    assert isinstance(explained, TrustRefused)
    assert str(ROLE) in explained.admin_hint
    for value in (
        "https://idp.example.com",
        '"idp.example.com:aud": "wb"',
        '"idp.example.com:sub": "alice"',
    ):
        assert value in explained.admin_hint
    assert "a@example.com" not in str(explained.as_problem())


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("InvalidIdentityToken", "Account 111122223333 needs an IAM identity provider"),
        ("InvalidParameterValue", "Account 111122223333 needs an IAM identity provider"),
        ("IDPRejectedClaim", "withdrawn"),
        ("ExpiredTokenException", "clocks"),
    ],
)
def test_a_refused_token_is_explained_with_what_to_compare(code, hint):
    explained = explain_exception(client_error(code, "No provider found."), ROLE, CLAIMS)
    assert isinstance(explained, TokenRefused)
    assert "No provider found." in explained.detail
    assert hint in explained.admin_hint
    assert "iss = 'https://idp.example.com'" in explained.admin_hint


@pytest.mark.parametrize("code", ["IDPCommunicationError", "ServiceUnavailable", "Throttling"])
def test_a_temporary_failure_says_when_to_try_again(code):
    assert explain_exception(client_error(code), ROLE, CLAIMS).retry_after


@pytest.mark.parametrize("code", ["InvalidIdentityToken", "Unheard"])
@pytest.mark.parametrize(
    "around", ["{}", '{{"token":"{}","at":"https://idp"}}', "bad token={}&next=/x", "'{}'"]
)
def test_a_token_that_sts_echoes_is_not_shown(code, around):
    token = make_jwt()
    explained = explain_exception(client_error(code, around.format(token)), ROLE, CLAIMS)
    assert not any(piece in str(explained.as_problem()) for piece in token.split("."))


def test_long_claims_and_messages_are_cut():
    claims = {"iss": "x" * 9000, "aud": ["y" * 9000], "sub": "z" * 9000}
    explained = explain_exception(client_error("InvalidIdentityToken", "no " * 9000), ROLE, claims)
    assert len(str(explained.as_problem())) < 4000
    assert len(claims_seen(claims)) < 700


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (boto.ConnectTimeoutError(endpoint_url="https://x"), StsUnavailable),
        (boto.EndpointConnectionError(endpoint_url="https://x"), StsUnavailable),
        (boto.ProxyConnectionError(proxy_url="http://user:hunter2@p"), StsUnavailable),
        (boto.SSLError(endpoint_url="https://x", error="bad"), StsUnavailable),
        (boto.ResponseStreamingError(error="x"), StsUnavailable),
        (boto.ParamValidationError(report="hunter2"), StsBadAnswer),
        (KeyError("hunter2"), StsBadAnswer),
        pytest.param(boto.ClientError({}, "x"), StsBadAnswer, id="ClientError without a code"),
        pytest.param(
            boto.ClientError({"Error": {"Code": None}}, "x"),
            WbAwsError,
            id="ClientError with a null code",
        ),
    ],
)
def test_other_errors_are_reported_by_their_kind_only(error, kind):
    explained = explain_exception(error, ROLE, CLAIMS)
    assert isinstance(explained, kind)
    assert "hunter2" not in str(explained.as_problem())


@pytest.mark.parametrize(
    "error", [boto.EndpointConnectionError, boto.ConnectTimeoutError, boto.ConnectionClosedError]
)
def test_a_connection_that_fails_names_the_host_of_sts(error):
    explained = explain_exception(
        error(endpoint_url="https://sts.us-east-2.amazonaws.com/"), ROLE, CLAIMS
    )
    assert "at sts.us-east-2.amazonaws.com" in explained.detail
    assert "does not know" not in explained.detail


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("sts.us-east2.amazonaws.com", "us-east2"),
        ("sts.us-east-9.amazonaws.com", "us-east-9"),
        ("sts-fips.us-west-7.amazonaws.com", "us-west-7"),
        ("sts.cn-nowhere-1.amazonaws.com.cn", "cn-nowhere-1"),
    ],
)
def test_a_region_that_botocore_does_not_know_is_named(host, region):
    explained = explain_exception(
        boto.EndpointConnectionError(endpoint_url=f"https://{host}/"), ROLE, CLAIMS
    )
    assert f"at {host}" in explained.detail
    assert f"botocore does not know the region {region}" in explained.detail
    assert region in explained.admin_hint


@pytest.mark.parametrize("host", ["sts.amazonaws.com", "sts.minio-1.example.com", "localhost:9000"])
def test_other_hosts_of_an_sts_are_named_without_a_region(host):
    explained = explain_exception(
        boto.EndpointConnectionError(endpoint_url=f"https://{host}/"), ROLE, CLAIMS
    )
    assert f"at {host.partition(':')[0]}" in explained.detail
    assert "region " not in explained.detail


@pytest.mark.parametrize(
    "url", ["https://me:hun#ter2@s3.example.com/", "https://me:x@h/", "https://[/"]
)
def test_a_url_with_a_user_names_no_host(url):
    explained = explain_exception(boto.EndpointConnectionError(endpoint_url=url), ROLE, CLAIMS)
    assert explained.detail == "AWS STS can't be reached (EndpointConnectionError)."


@given(st.text(max_size=40), st.text(max_size=300), st.integers(0, 599))
def test_any_code_message_and_status_is_explained(code, message, status):
    explained = explain_exception(client_error(code, message, status), ROLE, CLAIMS)
    assert explained.status in (403, 502, 503)
    assert explained.detail.isprintable() or not code.isprintable()
    assert explained.hint
