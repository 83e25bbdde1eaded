"""The environment variables by which AWS SDKs find credentials."""

import botocore.utils
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_wb_aws.variables import (
    CONFLICTING,
    RESERVED,
    extra_environment_error,
    is_conflicting,
    is_credential,
    is_masked,
    with_direct_endpoint,
    without_passwords,
)


@pytest.mark.parametrize(
    "name",
    ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_PROFILE",
     "AWS_DEFAULT_PROFILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
     "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
     "AWS_BEARER_TOKEN_BEDROCK", "AWS_BEARER_TOKEN_S3_TABLES"],
)  # fmt: skip
def test_a_conflicting_variable_is_a_credential(name):
    assert is_conflicting(name)
    assert is_credential(name)
    assert (
        extra_environment_error({name: "x"})
        == f"{name} belongs to the role session and can't be set here"
    )


@pytest.mark.parametrize("name", ["AWS_CREDENTIAL_FILE", "BOTO_CONFIG"])
def test_old_files_with_keys_are_credentials_that_come_after_a_role(name):
    assert is_credential(name)
    assert not is_conflicting(name)
    assert extra_environment_error({name: "x"})


@pytest.mark.parametrize(
    "name", ["AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_SESSION_NAME", "JUPYTER_WB_AWS_ROLE"]
)  # fmt: skip
def test_a_role_sessions_own_variables_are_credentials_without_a_conflict(name):
    assert is_credential(name)
    assert not is_conflicting(name)
    assert extra_environment_error({name: "x"})


@pytest.mark.parametrize(
    "name",
    ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_CONFIG_FILE", "AWS_EC2_METADATA_DISABLED", "PATH", "AWS_PROFILES",
     "AWS_CREDENTIAL_EXPIRATION"],
)  # fmt: skip
def test_other_variables_are_not_credentials(name):
    assert not is_credential(name)


@pytest.mark.parametrize(
    "name", ["AWS_ENDPOINT_URL_S3", "AWS_CA_BUNDLE", "HTTPS_PROXY", "no_proxy", "_x9", "AWS_STS_REGIONAL_ENDPOINTS"]
)  # fmt: skip
def test_endpoints_proxies_and_bundles_may_be_added(name):
    assert extra_environment_error({name: "value"}) is None
    assert extra_environment_error({name: ""}) is None


@pytest.mark.parametrize("name", ["", "A B", "A=B", "9A", "A-B", "Ä", "A\0", "A\n", "ª"])
def test_what_is_not_the_name_of_a_variable_is_refused(name):
    assert (
        extra_environment_error({name: "x"})
        == f"{name!r} is not the name of an environment variable"
    )


@pytest.mark.parametrize("value", [7, None, True, ["x"], "a\0b"])
def test_what_is_not_text_is_refused(value):
    assert extra_environment_error({"A": value}) == "the value of A is not text"


@pytest.mark.skipif(
    not hasattr(botocore.utils, "get_token_from_environment"),
    reason="this botocore knows no bearer tokens",
)
@pytest.mark.parametrize("service", ["bedrock", "s3tables", "any-other service"])
def test_the_bearer_tokens_that_botocore_sends_instead_of_a_role_are_known(service):
    asked = []

    class Watched(dict):
        def get(self, name, default=None):
            asked.append(name)
            return default

    botocore.utils.get_token_from_environment(service, Watched())
    assert asked
    assert all(is_conflicting(name) for name in asked)


def test_botocore_reads_the_old_files_after_the_web_identity():
    from botocore.credentials import create_credential_resolver
    from botocore.session import Session

    order = [provider.METHOD for provider in create_credential_resolver(Session()).providers]
    web = order.index("assume-role-with-web-identity")
    assert web < min(order.index("ec2-credentials-file"), order.index("boto-config"))


def test_an_empty_extra_environment_is_valid():
    assert extra_environment_error({}) is None


@given(st.text(max_size=10), st.text(max_size=10))
def test_a_valid_extra_variable_can_be_in_an_environment(name, value):
    if extra_environment_error({name: value}) is None:
        assert "=" not in name
        assert "\0" not in name + value
        assert name not in RESERVED | CONFLICTING


@pytest.mark.parametrize(
    ("name", "value", "masked"),
    [
        ("HTTPS_PROXY", "http://u:pw@proxy:3128", "http://***@proxy:3128"),
        ("HTTPS_PROXY", "http://u:p@ss@proxy", "http://***@proxy"),
        ("https_proxy", "u:pw@proxy:3128", "***@proxy:3128"),
        ("ALL_PROXY", "u:p@ss@proxy", "***@proxy"),
        ("HTTP_PROXY", "http://u:p/w@proxy:3128", "http://***@proxy:3128"),
        ("HTTP_PROXY", "http://u:p/w@proxy", "http://***@proxy"),
        ("HTTP_PROXY", "http://u:12/w@127.0.0.1:9", "http://***@127.0.0.1:9"),
        ("HTTP_PROXY", "http://token/x@127.0.0.1:9", "http://***@127.0.0.1:9"),
        ("http_proxy", "u:p/w@[::1]:9", "***@[::1]:9"),
        ("HTTP_PROXY", "http://u:p w@proxy", "http://***@proxy"),
        ("HTTP_PROXY", "http://u:p#w@proxy", "http://***@proxy"),
        ("HTTP_PROXY", "http://u:p://w@proxy", "http://***@proxy"),
        ("AWS_ENDPOINT_URL_S3", "https://u:p/w?x@store:8443", "https://***@store:8443"),
        ("STORE", "https://u:pw@a/x@y https://b", "https://***@a/x@y https://b"),
    ],
)
def test_a_whole_password_is_masked(name, value, masked):
    assert without_passwords({name: value}) == {name: masked}
    assert is_masked(name, masked)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTPS_PROXY", "http://proxy:3128/x@y"),
        ("HTTPS_PROXY", "proxy:3128"),
        ("no_proxy", "localhost,.example.com"),
        ("MAIL", "alice@example.com"),
        ("MAIL", "***@example.com"),
    ],
)
def test_a_value_without_a_password_is_unchanged(name, value):
    assert without_passwords({name: value}) == {name: value}
    assert not is_masked(name, value)


@pytest.mark.parametrize(
    ("given", "upper", "lower"),
    [
        ({"HTTP_PROXY": "http://p"}, "127.0.0.1", "127.0.0.1"),
        ({"all_proxy": "socks5://p"}, "127.0.0.1", "127.0.0.1"),
        ({"https_proxy": "p:1", "NO_PROXY": "a.example, b"}, "a.example, b,127.0.0.1", "a.example, b,127.0.0.1"),
        ({"https_proxy": "p:1", "no_proxy": "a"}, "a,127.0.0.1", "a,127.0.0.1"),
        ({"http_proxy": "p", "NO_PROXY": "a", "no_proxy": "b,"}, "a,127.0.0.1", "b,127.0.0.1"),
        ({"http_proxy": "p", "NO_PROXY": "localhost 127.0.0.1", "no_proxy": ""}, "localhost 127.0.0.1", "127.0.0.1"),
        ({"http_proxy": "p", "NO_PROXY": "*"}, "*", "*"),
        ({"http_proxy": "p", "NO_PROXY": "127.0.0.10"}, "127.0.0.10,127.0.0.1", "127.0.0.10,127.0.0.1"),
    ],
)  # fmt: skip
def test_the_credential_endpoint_is_asked_without_a_proxy(given, upper, lower):
    changed = with_direct_endpoint(given)

    assert changed == {**given, "NO_PROXY": upper, "no_proxy": lower}
    assert with_direct_endpoint(changed) == changed


@pytest.mark.parametrize("given", [{}, {"NO_PROXY": "a"}, {"HTTP_PROXY": "", "NO_PROXY": "a"}])
def test_without_a_proxy_nothing_is_added(given):
    assert with_direct_endpoint(given) == given
