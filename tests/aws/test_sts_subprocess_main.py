"""Asking STS in a kernel's environment: what boto3 would obey is obeyed, what fails is explained.

The child's function runs in this process, with `os.environ` as the child has it; `test_sts_subprocess` has real
children.
"""

import io
import json
import os
from datetime import UTC, datetime, timedelta

import pytest

from jupyter_wb_aws.aws import sts, sts_subprocess_main
from jupyter_wb_aws.aws.sts import BlockingStsClient, StsRequest
from jupyter_wb_aws.aws.sts_operations import expiration_of
from jupyter_wb_aws.aws.sts_subprocess import parse_answer, request_for
from jupyter_wb_aws.errors import (
    StsBadAnswer,
    StsRejected,
    StsTimeout,
    StsUnavailable,
    Throttled,
    TokenRefused,
    TrustRefused,
)
from jupyter_wb_aws.roles.role import RoleArn
from tests.aws.fake_sts import ASSUMED_USER, CREDENTIALS, FakeSts, answer_id, assumed, caller, error
from tests.conftest import NOON, make_token

ROLE = RoleArn.parse("arn:aws:iam::111122223333:role/team/analyst")
TOKEN = make_token()
SECRETS = [*TOKEN.reveal().split("."), "fake-secret-access-key", "fake-session-token"]
ME = "arn:aws:sts::111122223333:assumed-role/analyst/alice-1"
ELSEWHERE = "http://sts.elsewhere.example"
ASSUME, WHO = "AssumeRoleWithWebIdentity", "GetCallerIdentity"


@pytest.fixture
def proxy():
    """A proxy that records its requests, and answers as STS does."""
    with FakeSts() as proxy:
        yield proxy


@pytest.fixture
def kernel(monkeypatch, tmp_path):
    """Give this process the environment of a kernel, and call STS as the child does."""
    monkeypatch.setattr(sts, "MAX_ATTEMPTS", 1)

    def ask(role=ROLE, region=None, *, verify=False, credentials=False, raw=False, **environment):
        usual = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true"}  # fmt: skip
        for name in list(os.environ):
            monkeypatch.delenv(name)
        for name, value in {**usual, **environment}.items():
            monkeypatch.setenv(name, value)
        request = StsRequest(role, region, "alice-1", TOKEN, environment)
        question = request_for(request, verify=verify)
        found = json.loads(
            json.dumps(sts_subprocess_main.answer({**question, "credentials": credentials}))
        )
        assert not any(secret in json.dumps(found) for secret in SECRETS) or credentials
        return found if raw else parse_answer(found, request)

    return ask


# --- Where the call goes -------------------------------------------------------------------


def test_the_role_is_assumed_by_one_unsigned_call_in_the_kernels_endpoint(kernel, fake):
    found = kernel(AWS_ENDPOINT_URL=fake.url, AWS_DEFAULT_REGION="us-east-2")
    assert found == {
        "caller": {"UserId": "AROAFAKE:alice-1", "Account": "", "Arn": ME},
        "expiration": "2026-11-24T13:00:00+00:00",
        "endpoint": fake.url,
    }
    ((action, fields, headers),) = fake.calls
    assert (action, fields["RoleArn"], fields["WebIdentityToken"]) == (ASSUME, str(ROLE), TOKEN.reveal())  # fmt: skip
    assert "Authorization" not in headers


def test_credentials_are_in_the_answer_only_if_they_are_asked_for(kernel, fake):
    found = kernel(AWS_ENDPOINT_URL=fake.url, credentials=True)
    assert found["credentials"] == {
        "AccessKeyId": "ASIAFAKEKEY",
        "SecretAccessKey": "fake-secret-access-key",
        "SessionToken": "fake-session-token",
        "Expiration": "2026-11-24T13:00:00+00:00",
    }


@pytest.mark.parametrize(
    "environment",
    [
        {"NO_PROXY": "127.0.0.1"},
        {"no_proxy": "127.0.0.1"},
        {"NO_PROXY": "*"},
        {"NO_PROXY": "example.com, 127.0.0.1"},
        {"NO_PROXY": "nothing.example", "no_proxy": "127.0.0.1"},
    ],
)
def test_a_proxy_that_no_proxy_excludes_sees_nothing(kernel, fake, proxy, environment):
    kernel(AWS_ENDPOINT_URL=fake.url, HTTP_PROXY=proxy.url, HTTPS_PROXY=proxy.url, **environment)
    assert fake.actions == [ASSUME]
    assert proxy.calls == []


@pytest.mark.parametrize(
    "environment",
    [
        {"HTTPS_PROXY": "http://[::1"},
        {"https_proxy": "http://svc:Winter2026#x@127.0.0.1:9", "ALL_PROXY": "nonsense://"},
        {"NO_PROXY": "localhost,[::1]"},
        {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": ""},
        {"FTP_PROXY": "http://["},
    ],
)
def test_a_proxy_that_the_endpoint_does_not_need_does_not_matter(kernel, fake, environment):
    assert kernel(AWS_ENDPOINT_URL=fake.url, **environment)["caller"]["Arn"] == ME


def test_a_proxy_that_the_endpoint_needs_is_used(kernel, proxy):
    assert kernel(AWS_ENDPOINT_URL=ELSEWHERE, HTTP_PROXY=proxy.url)["caller"]["Arn"] == ME
    assert proxy.actions == [ASSUME]


def test_of_two_endpoints_the_one_of_sts_is_called(kernel, fake):
    kernel(AWS_ENDPOINT_URL=ELSEWHERE, AWS_ENDPOINT_URL_STS=fake.url)
    assert fake.actions == [ASSUME]


def test_an_endpoint_of_the_users_config_file_is_called(kernel, fake, tmp_path):
    config = tmp_path / "config"
    config.write_text(f"[default]\nservices = lab\n[services lab]\nsts =\n  endpoint_url = {fake.url}\n")  # fmt: skip
    kernel(AWS_CONFIG_FILE=str(config))
    assert fake.actions == [ASSUME]


@pytest.mark.parametrize(
    ("environment", "endpoint"),
    [
        ({}, "https://sts.amazonaws.com"),
        (
            # Set for every role session: an older boto3 would ask the global STS.
            {"AWS_DEFAULT_REGION": "eu-central-1", "AWS_STS_REGIONAL_ENDPOINTS": "regional"},
            "https://sts.eu-central-1.amazonaws.com",
        ),
        (
            {"AWS_DEFAULT_REGION": "us-east-2", "AWS_USE_FIPS_ENDPOINT": "true"},
            "https://sts-fips.us-east-2.amazonaws.com",
        ),
        (
            {"AWS_DEFAULT_REGION": "us-east-2", "AWS_USE_DUALSTACK_ENDPOINT": "true"},
            "https://sts.us-east-2.api.aws",
        ),
        (
            {
                "AWS_DEFAULT_REGION": "us-east-2",
                "AWS_STS_REGIONAL_ENDPOINTS": "regional",
                "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
                "AWS_ENDPOINT_URL": "http://ignored.example",
            },
            "https://sts.us-east-2.amazonaws.com",
        ),
        (
            {"AWS_DEFAULT_REGION": "us-east-1", "AWS_STS_REGIONAL_ENDPOINTS": "legacy"},
            "https://sts.amazonaws.com",
        ),
    ],
)
def test_the_endpoint_is_that_of_boto3_in_the_same_environment(kernel, environment, endpoint):
    # What would be sent goes nowhere: a proxy that is not there.
    found = kernel(raw=True, HTTPS_PROXY="http://127.0.0.1:9", **environment)
    assert found["endpoint"] == endpoint

    import boto3

    assert boto3.client("sts").meta.endpoint_url == endpoint


def test_a_partition_without_a_global_sts_has_one_where_no_region_is_named(kernel):
    role = RoleArn.parse("arn:aws-us-gov:iam::111122223333:role/r")
    found = kernel(role, raw=True, HTTPS_PROXY="http://127.0.0.1:9")
    assert found["endpoint"] == "https://sts.us-gov-west-1.amazonaws.com"


def test_the_credential_chain_is_never_used(kernel, fake, tmp_path):
    config = tmp_path / "config"
    config.write_text(f"[default]\ncredential_process = touch {tmp_path}/asked\n")
    found = kernel(
        AWS_ENDPOINT_URL=fake.url,
        AWS_CONFIG_FILE=str(config),
        AWS_ROLE_ARN="arn:aws:iam::999999999999:role/pod",
        AWS_WEB_IDENTITY_TOKEN_FILE="/no/such/token",
        AWS_CONTAINER_CREDENTIALS_FULL_URI="http://127.0.0.1:9/",
        verify=True,
    )
    assert found["caller"]["Arn"] == ME
    assert not (tmp_path / "asked").exists()
    assert "Credential=ASIAFAKEKEY/" in fake.calls[1][2]["Authorization"]


def test_the_programs_question_and_answer_are_json(monkeypatch, fake, capsys):
    monkeypatch.setattr(sts_subprocess_main.signal, "alarm", lambda seconds: None)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "false")
    monkeypatch.setenv("AWS_ENDPOINT_URL", fake.url)
    request = StsRequest(ROLE, None, "alice-1", TOKEN)
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(request_for(request, verify=False))))

    sts_subprocess_main.main()

    assert json.loads(capsys.readouterr().out)["caller"]["Arn"] == ME
    assert os.environ["AWS_EC2_METADATA_DISABLED"] == "true"


# --- Proxies and settings that fail --------------------------------------------------------


PASSWORDS = [
    "http://svc:Winter2026#x@127.0.0.1:9",
    "http://svc:Winter2026/x@127.0.0.1:9",
    "http://svc:Winter2026?x@127.0.0.1:9",
    "http://svc:Winter2026@x@127.0.0.1:9",
    "http://svc:Winter2026%@127.0.0.1:9",
    "http://svc:Winter2026%40@127.0.0.1:9",
    "http://svc:Winter2026ü@127.0.0.1:9",
    "http://svc:Winter2026[@127.0.0.1:9",
    "http://Winter2026@127.0.0.1:9",
    "svc:Winter2026@127.0.0.1:9",
    "socks5://svc:Winter2026@127.0.0.1:9",
]


@pytest.mark.parametrize("url", PASSWORDS)
@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy"])
def test_a_proxy_that_can_not_be_used_is_named_without_its_password(kernel, url, name, caplog):
    with pytest.raises(StsUnavailable, match=f"proxy that {name} names") as failed:
        kernel(AWS_ENDPOINT_URL=ELSEWHERE, **{name: url})
    said = str(failed.value.as_problem()) + caplog.text
    assert name in failed.value.admin_hint
    assert "Winter" not in said
    assert "svc" not in said


@pytest.mark.parametrize("url", PASSWORDS)
def test_an_endpoint_that_can_not_be_used_shows_no_password(kernel, url, caplog):
    with pytest.raises((StsUnavailable, StsBadAnswer)) as failed:
        kernel(AWS_ENDPOINT_URL_STS=url)
    said = str(failed.value.as_problem()) + caplog.text
    assert "Winter" not in said
    assert "svc" not in said


def test_a_proxy_that_requires_a_password_is_named(kernel, proxy):
    proxy.answers[ASSUME] = 407, "<html>Proxy Authentication Required</html>"
    with pytest.raises(StsUnavailable, match="HTTP_PROXY"):
        kernel(AWS_ENDPOINT_URL=ELSEWHERE, HTTP_PROXY=proxy.url)


def test_a_proxy_that_does_not_answer_is_named(kernel, proxy, monkeypatch):
    monkeypatch.setattr(sts, "READ_TIMEOUT", 0.2)
    proxy.answers[ASSUME] = "hang"
    with pytest.raises(StsTimeout) as failed:
        kernel(AWS_ENDPOINT_URL=ELSEWHERE, HTTP_PROXY=proxy.url)
    assert "HTTP_PROXY" in failed.value.admin_hint


def test_a_missing_sts_is_unreachable(kernel):
    with pytest.raises(StsUnavailable, match="EndpointConnectionError"):
        kernel(AWS_ENDPOINT_URL="http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"AWS_RETRY_MODE": "nonsense"}, "nonsense"),
        ({"AWS_STS_REGIONAL_ENDPOINTS": "nonsense"}, "nonsense"),
        ({"AWS_ENDPOINT_URL": "sts.example.com"}, "sts.example.com"),
        ({"AWS_CONFIG_FILE": "{broken}"}, "broken"),
        ({"AWS_DEFAULT_REGION": "not a region"}, "not a region"),
    ],
)
def test_settings_that_boto3_refuses_are_named(kernel, tmp_path, environment, said):
    (tmp_path / "broken").write_text("aws_secret_access_key = a-key-of-mine\n[default")
    environment = {n: v.format(broken=tmp_path / "broken") for n, v in environment.items()}
    with pytest.raises(StsUnavailable, match="settings") as failed:
        kernel(**environment)
    assert said in failed.value.admin_hint
    assert "a-key-of-mine" not in failed.value.admin_hint


def test_a_session_name_that_boto3_refuses_shows_no_parameter(kernel, fake, monkeypatch):
    monkeypatch.setattr("jupyter_wb_aws.aws.sts_subprocess.request_for", request_for)
    request = StsRequest(ROLE, None, "x", TOKEN)
    found = sts_subprocess_main.answer({**request_for(request, verify=False), "session_name": "x"})
    assert found["failure"]["kind"] == "settings"
    assert found["failure"]["message"] == ""


# --- A store's STS -------------------------------------------------------------------------


CEPH = "arn:aws:sts::111122223333:assumed-role/analyst/alice-1"


@pytest.mark.parametrize(
    "user",
    [
        f"<AssumedRoleUser><Arn>{CEPH}</Arn></AssumedRoleUser>",
        f"<AssumedRoleUser><Arn>{CEPH}</Arn><AssumeRoleId>x:alice-1</AssumeRoleId></AssumedRoleUser>",
        f"<AssumedRoleUser><Arn>{CEPH}</Arn><AssumedRoleId/></AssumedRoleUser>",
    ],
    ids=["no id", "the id misspelt", "an empty id"],
)
@pytest.mark.parametrize("verify", [False, True])
def test_an_arn_without_an_id_names_the_caller(kernel, fake, user, verify):
    fake.answers[ASSUME] = assumed(CREDENTIALS + user)
    fake.answers[WHO] = 405, ""
    found = kernel(AWS_ENDPOINT_URL=fake.url, verify=verify)
    assert found["caller"] == {"UserId": "", "Account": "", "Arn": CEPH}
    assert fake.actions == ([ASSUME, WHO] if verify else [ASSUME])


@pytest.mark.parametrize("verify", [False, True])
def test_a_strange_name_for_the_caller_is_better_than_none(kernel, fake, verify):
    fake.answers[ASSUME] = assumed(
        CREDENTIALS + "<AssumedRoleUser><Arn>alice</Arn></AssumedRoleUser>"
    )
    fake.answers[WHO] = 405, ""
    assert kernel(AWS_ENDPOINT_URL=fake.url, verify=verify)["caller"]["Arn"] == "alice"
    assert fake.actions == [ASSUME, WHO]


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:sts::assumed-role/x/y",
        "arn:aws:iam::111122223333:user/alice",
        "arn:minio:sts:::x/y",
    ],
)
def test_any_arn_names_the_caller(kernel, fake, arn):
    fake.answers[ASSUME] = assumed(
        f"{CREDENTIALS}<AssumedRoleUser><Arn>{arn}</Arn></AssumedRoleUser>"
    )
    assert kernel(AWS_ENDPOINT_URL=fake.url)["caller"]["Arn"] == arn
    assert fake.actions == [ASSUME]


WITHOUT = [
    (405, ""),
    (405, "<html><body>Method Not Allowed</body></html>"),
    (405, "<Error><Code>MethodNotAllowed</Code><Message>No.</Message></Error>"),
    (405, "<?xml version='1.0'?><Error><Code>MethodNotAllowed</Code></Error>"),
    (501, ""),
    (501, "<Error><Code>NotImplemented</Code></Error>"),
    (404, "not found"),
    error("InvalidAction"),
    error("NotImplemented"),
    error("MethodNotAllowed"),
    (400, "<Error><Code>InvalidAction</Code></Error>"),
    (400, '{"code": "not_implemented"}'),
    (400, '{"__type": "com.example#UnknownOperationException"}'),
]


@pytest.mark.parametrize("answer", WITHOUT, ids=answer_id)
@pytest.mark.parametrize("verify", [False, True])
def test_a_store_without_get_caller_identity_starts_and_verifies(kernel, fake, answer, verify):
    fake.answers[ASSUME] = assumed(CREDENTIALS)
    fake.answers[WHO] = answer
    assert kernel(AWS_ENDPOINT_URL=fake.url, verify=verify)["caller"] is None
    assert fake.actions == [ASSUME, WHO]


@pytest.mark.parametrize("answer", WITHOUT, ids=answer_id)
def test_in_this_process_such_a_store_works_too(fake, answer, monkeypatch):
    monkeypatch.setattr(sts, "MAX_ATTEMPTS", 1)
    fake.answers[ASSUME] = assumed(CREDENTIALS)
    fake.answers[WHO] = answer
    request = StsRequest(ROLE, None, "alice-1", TOKEN, {"AWS_ENDPOINT_URL": fake.url})
    named = BlockingStsClient().assume(request).caller
    assert (named.user_id, named.account, named.arn) == ("", "111122223333", CEPH)
    assert BlockingStsClient().verify(request) == named


@pytest.mark.parametrize(
    "answer",
    [
        error("AccessDenied", 403),
        (403, ""),
        (200, "<ListAllMyBucketsResult/>"),
        (200, "<html>Welcome</html>"),
        (200, ""),
        caller(arn=""),
    ],
)
def test_a_store_that_does_not_say_who_the_caller_is_starts(kernel, fake, answer):
    fake.answers[ASSUME] = assumed(CREDENTIALS)
    fake.answers[WHO] = answer
    assert kernel(AWS_ENDPOINT_URL=fake.url)["caller"] is None


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error("InternalFailure", 500), StsUnavailable),
        ((503, ""), StsUnavailable),
        (error("Throttling", 429), Throttled),
        (b"", StsUnavailable),
    ],
)
def test_a_store_that_is_down_when_it_is_asked_who_the_caller_is_fails(kernel, fake, answer, kind):
    fake.answers[ASSUME] = assumed(CREDENTIALS)
    fake.answers[WHO] = answer
    with pytest.raises(kind):
        kernel(AWS_ENDPOINT_URL=fake.url)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error("AccessDenied", 403), TrustRefused),
        ((403, ""), TrustRefused),
        ((403, "<Error><Code>AccessDenied</Code><Message>No.</Message></Error>"), TrustRefused),
        ((403, "<error><code>accessdenied</code><message>No.</message></error>"), TrustRefused),
        ((403, '{"Code": "AccessDenied", "Message": "No."}'), TrustRefused),
        ((403, '{"Error": {"Code": "access_denied"}}'), TrustRefused),
        ((400, "<Error><Code>AccessDenied</Code></Error>"), TrustRefused),
        (error("AccessDeniedException", 403), TrustRefused),
        (error("InvalidParameterValue"), TokenRefused),
        (error("invalidIdentityToken"), TokenRefused),
        (error("ExpiredToken"), TokenRefused),
        ((400, '{"code": "InvalidIdentityToken", "message": "Bad."}'), TokenRefused),
        ((400, '{"error": "invalid_parameter_value"}'), TokenRefused),
        ((503, "<Error><Code>SlowDown</Code></Error>"), Throttled),
        ((403, "<html>Blocked by your company</html>"), StsBadAnswer),
        ((405, ""), StsBadAnswer),
        ((501, ""), StsBadAnswer),
        ((400, ""), StsBadAnswer),
        ((400, "[]"), StsBadAnswer),
        ((400, '{"error": {"code": "WhoKnows"}}'), StsRejected),
        ((200, "<html>Log in to the hotel's network</html>"), StsBadAnswer),
        pytest.param(assumed("<Credentials/>"), StsBadAnswer, id="empty credentials"),
        pytest.param(
            assumed(CREDENTIALS.replace("2026-11-24T13:00:00Z", "soon") + ASSUMED_USER),
            StsBadAnswer, id="an expiration that is not a time",
        ),
    ],
    ids=answer_id,
)  # fmt: skip
def test_each_error_of_a_store_has_its_failure(kernel, fake, answer, kind):
    fake.answers[ASSUME] = answer
    with pytest.raises(Exception) as failed:
        kernel(AWS_ENDPOINT_URL=fake.url)
    assert type(failed.value) is kind, failed.value
    assert failed.value.hint
    if kind in {TrustRefused, TokenRefused}:
        assert "alice" in failed.value.admin_hint
        assert "https://idp.example.com" in failed.value.admin_hint


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-11-24T13:00:00Z", NOON + timedelta(hours=1)),
        ("2026-11-24T13:00:00.123Z", NOON + timedelta(hours=1, milliseconds=123)),
        ("2026-11-24T14:00:00+01:00", NOON + timedelta(hours=1)),
        ("2026-11-24T13:00:00", NOON + timedelta(hours=1)),
        ("2026-11-24 13:00:00 +0000 UTC", NOON + timedelta(hours=1)),
        ("Tue, 24 Nov 2026 13:00:00 GMT", NOON + timedelta(hours=1)),
        (str(int((NOON + timedelta(hours=1)).timestamp())), NOON + timedelta(hours=1)),
        (str(int((NOON + timedelta(hours=1)).timestamp() * 1000)), NOON + timedelta(hours=1)),
        ("", NOON + timedelta(hours=1)),
        (None, NOON + timedelta(hours=1)),
    ],
)
def test_an_expiration_is_read_in_every_form_of_a_store(written, read):
    assert expiration_of(written, NOON) == read


@pytest.mark.parametrize("written", ["soon", "2026-13-45", "-", "9" * 40, "nan", "inf"])
def test_what_is_not_a_time_is_refused(written):
    with pytest.raises(StsBadAnswer):
        expiration_of(written, NOON)


def test_credentials_without_an_expiration_are_assumed_to_live_for_an_hour(kernel, fake):
    content = CREDENTIALS.replace("<Expiration>2026-11-24T13:00:00Z</Expiration>", "")
    fake.answers[ASSUME] = assumed(content + ASSUMED_USER)
    left = datetime.fromisoformat(kernel(AWS_ENDPOINT_URL=fake.url)["expiration"]) - datetime.now(UTC)  # fmt: skip
    assert timedelta(minutes=50) < left <= timedelta(hours=1)
