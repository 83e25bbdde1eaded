"""Requests signed with credentials, good and bad."""

from __future__ import annotations

import http.client
import socket
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_wb_aws.demo.local_aws import accounts
from jupyter_wb_aws.demo.names import BUCKET, REGION

CALLS = {
    "sts": lambda client: client.get_caller_identity(),
    "iam": lambda client: client.list_roles(),
    "s3": lambda client: client.list_objects_v2(Bucket=BUCKET),
    "dynamodb": lambda client: client.list_tables(),
}


@pytest.fixture
def good(caller):
    return caller.credentials("analyst")


def missing(_good):
    return None


def made_up(_good):
    return {"AccessKeyId": "ASIAMADEUP", "SecretAccessKey": "x" * 40, "SessionToken": "y"}


def made_up_long_lived(_good):
    return {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "x" * 40}


def wrong_secret(good):
    return good | {"SecretAccessKey": "x" * 40}


def tampered_token(good):
    return good | {"SessionToken": good["SessionToken"][:-1] + "~"}


def without_token(good):
    return good | {"SessionToken": None}


def expired(good):
    issued = accounts.find_credentials(good["AccessKeyId"])
    issued.expiration = accounts.utcnow()
    return good


@pytest.mark.parametrize(
    ("service", "fault", "code", "status"),
    [
        ("sts", missing, "MissingAuthenticationToken", 403),
        ("sts", made_up, "InvalidClientTokenId", 403),
        ("sts", made_up_long_lived, "InvalidClientTokenId", 403),
        ("sts", wrong_secret, "SignatureDoesNotMatch", 403),
        ("sts", tampered_token, "InvalidClientTokenId", 403),
        ("sts", without_token, "InvalidClientTokenId", 403),
        ("sts", expired, "ExpiredToken", 403),
        ("iam", missing, "MissingAuthenticationToken", 403),
        ("iam", made_up, "InvalidClientTokenId", 403),
        ("iam", wrong_secret, "SignatureDoesNotMatch", 403),
        ("iam", expired, "ExpiredToken", 403),
        ("s3", missing, "AccessDenied", 403),
        ("s3", made_up, "InvalidAccessKeyId", 403),
        ("s3", made_up_long_lived, "InvalidAccessKeyId", 403),
        ("s3", wrong_secret, "SignatureDoesNotMatch", 403),
        ("s3", tampered_token, "InvalidToken", 400),
        ("s3", without_token, "InvalidAccessKeyId", 403),
        ("s3", expired, "ExpiredToken", 400),
        ("dynamodb", missing, "MissingAuthenticationTokenException", 400),
        ("dynamodb", made_up, "UnrecognizedClientException", 400),
        ("dynamodb", tampered_token, "UnrecognizedClientException", 400),
        ("dynamodb", expired, "ExpiredTokenException", 400),
    ],
)
def test_bad_credentials_are_refused_in_the_services_own_words(
    caller, good, service, fault, code, status
):
    client = caller.client(service, fault(good))
    assert caller.refused(CALLS[service], client) == (code, status)


@pytest.mark.parametrize("service", ["iam", "dynamodb", "ec2"])
def test_good_credentials_reach_nothing_but_sts_and_s3(caller, good, service):
    client = caller.client(service, good)
    call = client.describe_instances if service == "ec2" else lambda: CALLS[service](client)
    assert caller.refused(call)[0] in ("AccessDenied", "AccessDeniedException")


def test_credentials_of_another_partitions_region_are_refused(caller, good):
    client = caller.client("sts", good, region="cn-north-1")
    assert caller.refused(client.get_caller_identity) == ("InvalidClientTokenId", 403)


@pytest.mark.parametrize("call", ["get_session_token", "get_access_key_info"])
def test_sts_calls_that_the_role_does_not_allow_are_refused(caller, good, call):
    arguments = {"AccessKeyId": good["AccessKeyId"]} if call == "get_access_key_info" else {}
    code = caller.refused(getattr(caller.client("sts", good), call), **arguments)
    assert code == ("AccessDenied", 403)


def test_the_analyst_reads_and_writes_the_project(caller, good):
    s3 = caller.client("s3", good)
    s3.put_object(Bucket=BUCKET, Key="a b/ü+%.csv", Body=b"1,2")
    assert s3.get_object(Bucket=BUCKET, Key="a b/ü+%.csv")["Body"].read() == b"1,2"
    s3.delete_object(Bucket=BUCKET, Key="a b/ü+%.csv")
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert keys == ["2025/rainfall.csv", "README.txt"]
    assert s3.head_bucket(Bucket=BUCKET)["BucketRegion"] == REGION


def test_the_auditor_reads_the_project_and_can_not_change_it(caller):
    s3 = caller.client("s3", caller.credentials("auditor"))
    denied = ("AccessDenied", 403)
    assert s3.get_object(Bucket=BUCKET, Key="README.txt")["Body"].read()
    assert caller.refused(s3.put_object, Bucket=BUCKET, Key="x", Body=b"") == denied
    assert caller.refused(s3.delete_object, Bucket=BUCKET, Key="README.txt") == denied
    assert caller.refused(s3.delete_bucket, Bucket=BUCKET) == denied
    assert caller.refused(s3.put_bucket_policy, Bucket=BUCKET, Policy="{}") == denied
    assert caller.refused(s3.create_multipart_upload, Bucket=BUCKET, Key="x") == denied
    answer = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "README.txt"}]})
    assert [error["Code"] for error in answer["Errors"]] == ["AccessDenied"]


def test_no_role_creates_or_reaches_another_bucket(caller, good):
    s3 = caller.client("s3", good)
    elsewhere = {"LocationConstraint": REGION}
    create = {"Bucket": "another-bucket", "CreateBucketConfiguration": elsewhere}
    assert caller.refused(s3.create_bucket, **create) == ("AccessDenied", 403)
    assert caller.refused(s3.list_objects_v2, Bucket="moto-api") == ("AccessDenied", 403)


def fetch(url, method="GET", body=None, headers=None):
    # Set explicitly: by default urllib calls every body a form, and moto believes it.
    headers = {"Content-Type": "text/plain", **(headers or {})}
    request = urllib.request.Request(url, body, headers, method=method)
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def presign(caller, credentials, operation="get_object", **parameters):
    s3 = caller.client("s3", credentials)
    expires = parameters.pop("ExpiresIn", 60)
    parameters = {"Bucket": BUCKET, "Key": "README.txt", **parameters}
    return s3.generate_presigned_url(operation, Params=parameters, ExpiresIn=expires)


def test_a_presigned_url_works(caller, good):
    status, body = fetch(presign(caller, good, ResponseContentType="text/plain; a b"))
    assert status == 200
    assert body.startswith(b"Projects")


def test_a_presigned_upload_works_for_the_analyst_and_not_for_the_auditor(caller, good):
    auditor = caller.credentials("auditor")
    assert fetch(presign(caller, good, "put_object", Key="up"), "PUT", b"hello")[0] == 200
    assert fetch(presign(caller, good, Key="up")) == (200, b"hello")
    status, body = fetch(presign(caller, auditor, "put_object", Key="up"), "PUT", b"bye")
    assert (status, b"<Code>AccessDenied</Code>" in body) == (403, True)
    caller.client("s3", good).delete_object(Bucket=BUCKET, Key="up")


@pytest.mark.parametrize(
    ("fault", "code", "status"),
    [
        (made_up, b"InvalidAccessKeyId", 403),
        (wrong_secret, b"SignatureDoesNotMatch", 403),
        (tampered_token, b"InvalidToken", 400),
        (without_token, b"InvalidAccessKeyId", 403),
        (expired, b"ExpiredToken", 400),
    ],
)
def test_a_presigned_url_with_bad_credentials_is_refused(caller, good, fault, code, status):
    answer, body = fetch(presign(caller, fault(good)))
    assert answer == status
    assert b"<Code>" + code + b"</Code>" in body


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("README.txt", "2025/rainfall.csv", b"SignatureDoesNotMatch"),
        ("X-Amz-Expires=60", "X-Amz-Expires=600", b"SignatureDoesNotMatch"),
        ("X-Amz-Signature=", "X-Amz-Signature=0", b"SignatureDoesNotMatch"),
        pytest.param(
            "X-Amz-Expires=60",
            "X-Amz-Expires=" + "9" * 5000,
            b"SignatureDoesNotMatch",
            id="an expiry of 5,000 digits",
        ),
        ("X-Amz-Signature=", "X-Other=", b"AuthorizationHeaderMalformed"),
        ("AWS4-HMAC-SHA256", "AWS4-HMAC-MD5", b"AuthorizationHeaderMalformed"),
        ("X-Amz-Date=2", "X-Amz-Date=", b"AuthorizationHeaderMalformed"),
    ],
)
def test_a_presigned_url_that_was_changed_is_refused(caller, good, old, new, code):
    url = presign(caller, good)
    assert old in url
    status, body = fetch(url.replace(old, new))
    assert 400 <= status < 500
    assert b"<Code>" + code + b"</Code>" in body


def test_an_expired_presigned_url_is_refused(caller, good):
    status, body = fetch(presign(caller, good, ExpiresIn=-1))
    assert 400 <= status < 500
    assert b"<Code>A" in body
    assert fetch(presign(caller, good, ExpiresIn=0))[0] in (200, 403)


@pytest.mark.parametrize("host", ["[", "[::1", "a]b", "a[b]c"])
def test_a_presigned_url_with_a_malformed_host_is_refused_as_in_aws(caller, good, host):
    status, body = fetch(presign(caller, good), headers={"Host": host})
    assert (status, b"<Code>InvalidRequest</Code>" in body) == (400, True)


@pytest.mark.parametrize("service", ["sts", "iam"])
@pytest.mark.parametrize(("method", "path"), [("POST", "/x"), ("GET", "/x/y")])
def test_a_signed_call_to_an_unknown_path_is_refused_in_xml(good, aws, service, method, path):
    request = AWSRequest(method, f"{aws.url}{path}", data=b"Action=GetCallerIdentity&Version=x")
    SigV4Auth(
        Credentials(good["AccessKeyId"], good["SecretAccessKey"], good["SessionToken"]),
        service, REGION,
    ).add_auth(request)  # fmt: skip
    status, body = fetch(request.url, method, request.data, dict(request.headers.items()))
    assert (status, b"<Code>InvalidAction</Code>" in body) == (400, True)


def test_an_outdated_presigned_url_is_refused_as_in_this_region(caller, aws):
    url = f"{aws.url}/{BUCKET}/README.txt?AWSAccessKeyId=x&Signature=y&Expires=9999999999"
    status, body = fetch(url)
    assert (status, b"<Code>InvalidRequest</Code>" in body) == (400, True)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/moto-api/",
        "/moto-api/reset",
        "/moto-api/reset-auth",
        "/moto-api/data.json",
        "/moto-api/state-manager/set-transition",
        "//moto-api/reset",
        "/latest/meta-data/iam/security-credentials/",
        "/favicon.ico",
        f"/{BUCKET}",
        f"/{BUCKET}/README.txt",
        "/us-east-1_abc/.well-known/jwks.json",
        "/sts_us-east-1/x",
    ],
)
def test_every_path_refuses_unsigned_requests(caller, aws, method, path):
    assert fetch(aws.url + path, method)[0] == 403


def test_motos_account_header_is_without_effect(caller, good, aws):
    sts = caller.client("sts", good)
    sts.meta.events.register(
        "before-send.sts", lambda request, **_: request.headers.update({"x-moto-account-id": "9"})
    )
    assert sts.get_caller_identity()["Account"] == "111122223333"


def test_motos_control_paths_do_not_exist_for_signed_requests_either(caller, good):
    s3 = caller.client("s3", good)
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket="moto-api", Key="reset", Body=b"")
    assert error.value.response["Error"]["Code"] == "AccessDenied"
    assert caller.client("sts", good).get_caller_identity()


def test_no_answer_allows_other_origins(aws):
    request = urllib.request.Request(aws.url, headers={"Origin": "https://evil.example"})
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(request)
    assert "Access-Control-Allow-Origin" not in error.value.headers


def test_a_large_upload_without_credentials_still_gets_the_reason(caller):
    s3 = caller.client("s3")
    call = {"Bucket": BUCKET, "Key": "large", "Body": b"x" * 2_000_000}
    assert caller.refused(s3.put_object, **call) == ("AccessDenied", 403)


SCOPE = "Credential=ASIA/20260101/us-east-2/{}/aws4_request"


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "x",
        "Bearer abc",
        "Basic YTpi",
        "AWS AKIAIOSFODNN7EXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg=",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host, Signature=0",
        f"AWS4-HMAC-SHA256 {SCOPE.format('s3')}",
        *(
            pytest.param(
                f"AWS4-HMAC-SHA256 {SCOPE.format(service)}, SignedHeaders=host, Signature=0",
                id=f"signature for {service}",
            )
            for service in ("s3", "sts", "moto_api", "dynamodb")
        ),
    ],
)
def test_a_malformed_authorization_header_is_refused(aws, authorization):
    for date in ({}, {"X-Amz-Date": "20260101T000000Z"}, {"X-Amz-Date": "soon"}):
        status, _ = fetch(aws.url + "/x", "POST", b"", {"Authorization": authorization, **date})
        assert status in (400, 403)


def test_a_good_key_with_a_malformed_signature_is_refused(caller, good, aws):
    scope = f"{good['AccessKeyId']}/20260101/us-east-2/%s/aws4_request"
    for service in ("s3", "sts", "iam", "dynamodb"):
        for signed_headers in ("host", "nothing;there", ";", "x-amz-date"):
            headers = {
                "Authorization": f"AWS4-HMAC-SHA256 Credential={scope % service}, "
                f"SignedHeaders={signed_headers}, Signature=00",
                "X-Amz-Date": "20260101T000000Z",
                "X-Amz-Security-Token": good["SessionToken"],
            }
            assert 400 <= fetch(f"{aws.url}/{BUCKET}", "GET", None, headers)[0] < 500
            assert 400 <= fetch(aws.url, "POST", b"Action=GetCallerIdentity", headers)[0] < 500


header_text = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    authorization=header_text | header_text.map(lambda text: f"AWS4-HMAC-SHA256 {text}"),
    target=st.none() | header_text,
    query=st.text(st.sampled_from("Xamz-=&%+/?A"), max_size=30),
    length=st.sampled_from([None, "0", "²", "x", "-1"]),
)
def test_any_unsigned_request_is_refused(aws, authorization, target, query, length):
    connection = http.client.HTTPConnection(urlsplit(aws.url).netloc, timeout=5)
    connection.putrequest("POST", f"/?{query}")
    for name, value in [
        ("Authorization", authorization),
        ("X-Amz-Target", target),
        ("Content-Length", length),
    ]:
        if value is not None:
            connection.putheader(name, value.encode("latin-1"))
    connection.endheaders()
    assert 400 <= connection.getresponse().status < 500
    connection.close()


def test_a_request_without_a_host_is_not_a_server_error(aws):
    address = urlsplit(aws.url)
    with socket.create_connection((address.hostname, address.port), timeout=5) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert connection.recv(64).split()[1] == b"403"


def test_an_upload_that_fails_after_its_body_was_read_is_answered(caller, monkeypatch):
    # moto fails on a profile that does not exist, before it evaluates the policies.
    s3 = caller.client("s3", caller.credentials("auditor"))
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")

    code, status = caller.refused(s3.put_object, Bucket="colorado-projects", Key="k", Body=b"1")

    assert (code, status) in {("NotImplemented", 501), ("AccessDenied", 403)}
