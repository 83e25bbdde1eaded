"""Settings of the default profile that break boto3 for every signer, against boto3 itself."""

import io
import os

import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES as VARIABLES

from jupyter_wb_aws.aws.file_conflicts import find_conflict
from jupyter_wb_aws.aws.profile_files import parse, services_of
from jupyter_wb_aws.aws.profile_values import CHECKS, foreign_sts_setting, invalid_settings

ASSUMED = b"""<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey>
<SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>"""
CALLER = b"""<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<GetCallerIdentityResult><Arn>arn:x</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>"""
ANSWERS = {"AssumeRoleWithWebIdentity": ASSUMED, "GetCallerIdentity": CALLER}
SETTINGS = sorted({v[0] for v in VARIABLES.values() if isinstance(v[0], str)} | set(CHECKS))


class Raw(io.BytesIO):
    def stream(self, **_):
        yield self.read()


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Return what boto3 raises, or None if it works as the role; and what we report about the file."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    config, token = tmp_path / "config", tmp_path / "token"
    token.write_text("a.b.c")
    for name, value in {
        "AWS_CONFIG_FILE": str(config),
        "AWS_SHARED_CREDENTIALS_FILE": "/no/such",
        "AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/x",
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
        "AWS_STS_REGIONAL_ENDPOINTS": "regional",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)

    def run(text):
        config.write_text(text)
        return calls(), find_conflict({"HOME": "/no/such", "AWS_CONFIG_FILE": str(config)})

    return run


def calls():
    asked = []

    def answer(request, **_):
        asked.append(request.url)
        content = b"<x/>"
        for operation, answered in ANSWERS.items():
            content = answered if operation in str(request.body) else content
        return AWSResponse(request.url, 200, {}, Raw(content))

    try:
        session = botocore.session.Session()
        session.register("before-send", answer)
        region = {} if "[default]\nregion" in _config() else {"region_name": "eu-central-1"}
        session.create_client("sts", **region).get_caller_identity()
        session.create_client("s3", **region).list_buckets()
    except Exception as error:  # noqa: BLE001 - botocore may raise anything
        return f"{type(error).__name__}: {error}"
    return next((f"asked {url}" for url in asked if ".amazonaws.com" not in url), None)


def _config():
    with open(os.environ["AWS_CONFIG_FILE"], encoding="utf-8") as file:
        return file.read()


@pytest.mark.parametrize("value", ["junk!", "", "\n  a = b"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_value_that_breaks_boto3_is_found(run, setting, value):
    raised, found = run(f"[default]\n{setting} = {value}\n")
    if raised is not None:
        assert found is not None, raised


@pytest.mark.parametrize(
    "text",
    [
        "max_attempts = 5", "max_attempts = 1_0", "retry_mode = adaptive", "defaults_mode = Mobile", "region = eu-west-1",
        "endpoint_discovery_enabled = AUTO", "request_checksum_calculation = When_Required", "s3_disable_express_session_auth = FALSE",
        "s3 =\n  addressing_style = path\n  max_concurrent_requests = 20", "account_id_endpoint_mode = Preferred",
        "metadata_service_timeout = 3", "ec2_metadata_service_endpoint_mode = IPv6", "parameter_validation = false",
        "request_min_compression_size_bytes = 128", "s3_us_east_1_regional_endpoint = regional", "use_fips_endpoint = False",
        "tcp_keepalive = maybe", "unknown = junk", "sdk_ua_app_id = mine", "csm_enabled = false\ncsm_port = x",
        "ec2_metadata_service_endpoint = http://[::1]:1338/", "services = s\n[services s]\ndynamodb =\n  endpoint_url = http://x",
        "ignore_configured_endpoint_urls = true\nendpoint_url = http://x",
    ],
)  # fmt: skip
def test_a_value_with_which_boto3_works_is_not_reported(run, text):
    assert run(f"[default]\n{text}\n") == (None, None)


@pytest.mark.parametrize(
    "text",
    [
        "max_attempts = 1.0", "max_attempts = 0", "retry_mode = Standard", "request_min_compression_size_bytes = 1048577",
        "s3 =\n  addressing_style = Virtual", "s3 =\n  us_east_1_regional_endpoint = Legacy", "csm_enabled = true\ncsm_port = x",
        "region = us east", "region = us_east_1", "services = none", "services = s\n[services s]\ns3 = junk",
        "endpoint_url = http://127.0.0.1:9", "services = s\n[services s]\nsts =\n  endpoint_url = http://127.0.0.1:9",
    ],
)  # fmt: skip
def test_more_values_that_break_boto3_or_send_the_token_elsewhere(run, text):
    raised, found = run(f"[default]\n{text}\n")
    assert raised is not None
    assert (
        found
        == f"{text.partition(' ')[0] if 'csm' not in text else 'csm_port'} of [default] in {os.environ['AWS_CONFIG_FILE']}"
    )


def test_a_bundle_must_be_a_file_of_certificates(run, tmp_path):
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    assert run(f"[default]\nca_bundle = {tmp_path}/ca.pem\n")[1] is None
    for name in ("~/ca.pem", "/no/such.pem", "/dev/zero", str(tmp_path), f"{tmp_path}/token"):
        assert "ca_bundle of [default]" in run(f"[default]\nca_bundle = {name}\n")[1]


def test_a_variable_overrides_a_bad_value_in_the_file():
    profile = {"max_attempts": "x", "endpoint_url": "http://x"}
    assert [key for key, _ in invalid_settings(profile, None, {})] == ["max_attempts"]
    assert list(invalid_settings(profile, None, {"AWS_MAX_ATTEMPTS": "3"})) == []
    assert foreign_sts_setting(profile, None, {}) == "endpoint_url"
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"):
        assert foreign_sts_setting(profile, None, {name: "http://store"}) is None
    assert (
        foreign_sts_setting(profile, None, {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "True"}) is None
    )


def test_the_endpoint_of_another_service_is_not_reported():
    file = parse(b"[default]\nservices = s\n[services s]\ns3 =\n  endpoint_url = http://x\n")
    profile = file.sections["default"]
    assert foreign_sts_setting(profile, services_of(profile, file), {}) is None


@pytest.mark.parametrize("header", ["services", "services 'x", "services a b", "servicesx"])
def test_a_section_of_services_without_a_name_belongs_to_no_profile(header):
    file = parse(f"[default]\n[{header}]\nsts =\n  endpoint_url = http://x\n".encode())
    assert services_of(file.sections["default"], file) is None


@pytest.mark.parametrize("service", ["sts", "s3", "dynamodb"])
def test_a_version_of_an_api_that_boto3_does_not_have_is_found(run, service):
    _, found = run(f"[default]\napi_versions =\n  {service} = 1999-01-01\n")
    assert found is not None
    assert "api_versions of [default]" in found


def test_versions_of_apis_that_boto3_has_are_not_reported(run):
    text = (
        "[default]\napi_versions =\n  sts = 2011-06-15\n  ec2 = 2016-11-15\n  no-such-service = 1\n"
    )
    assert run(text) == (None, None)
