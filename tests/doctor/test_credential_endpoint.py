"""What the doctor finds where the credential endpoint gives a process its role."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from jupyter_wb_aws.aws.sts import CallerIdentity
from jupyter_wb_aws.demo.background_server import BackgroundServer
from jupyter_wb_aws.doctor.ask_endpoint import ask_endpoint, sdk_versions
from jupyter_wb_aws.doctor.checks import CHECKS, call, credential_endpoint, keys, profiles
from jupyter_wb_aws.doctor.checks import server as server_check
from jupyter_wb_aws.doctor.facts import CallResult, EndpointAnswer, Facts, ServerFacts
from jupyter_wb_aws.doctor.finding import Severity
from jupyter_wb_aws.doctor.gather import gather
from jupyter_wb_aws.doctor.get_caller_identity import get_caller_identity
from jupyter_wb_aws.endpoint.answers import Answer, Refusal
from jupyter_wb_aws.endpoint.server import EndpointServer
from jupyter_wb_aws.variables import NAMES_SET
from tests.cli.contract_server import endpoint_client, role_session
from tests.conftest import NOON

TOKEN = "endpoint-token-of-this-kernel"
STATIC = "aws_access_key_id = AKIAUSER\naws_secret_access_key = user-secret\n"
REFUSED = Refusal(403, "RoleSessionEnded", "The role session of Analyst has ended.")
NOT_READY = Refusal(503, "CredentialsNotReady", "AWS STS has not answered yet.")
URI, TOKEN_FILE = "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
RELATIVE_URI = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"


@pytest.fixture
def home(tmp_path):
    (tmp_path / ".aws").mkdir()
    return tmp_path


@pytest.fixture
def env(home):
    """The environment that a role session gives a process by the endpoint, with a port that nobody listens on."""
    file = home / "slot_0123456789abcdef.endpoint"
    file.write_text(TOKEN)
    file.chmod(0o600)
    return {
        "HOME": str(home), URI: "http://127.0.0.1:1/credentials", TOKEN_FILE: str(file),
        "AWS_REGION": "us-east-2", "AWS_DEFAULT_REGION": "us-east-2", "JUPYTER_WB_AWS_ROLE": "Analyst",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "no_proxy": "127.0.0.1",
        NAMES_SET: f"{TOKEN_FILE} {URI} AWS_REGION AWS_DEFAULT_REGION BOTO_CONFIG",
    }  # fmt: skip


@pytest.fixture
def serve():
    """Run a real endpoint that answers as told, and return its URI."""
    servers = []

    def serve(outcome):
        async def answer(authorization):
            assert authorization == TOKEN
            if isinstance(outcome, Refusal):
                raise outcome
            return outcome

        servers.append(EndpointServer(answer))
        assert servers[-1].ensure_running()
        return servers[-1]

    yield serve
    for server in servers:
        asyncio.run(server.close())


def found(check, facts):
    return {finding.code: finding for finding in check(facts)}


def test_a_process_with_the_endpoint_has_only_info_findings(env):
    facts = replace(gather(env, NOON, "kernel"), endpoint=EndpointAnswer("answers"))
    assert [f for c in CHECKS.values() for f in c(facts) if f.severity is not Severity.INFO] == []


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        ({RELATIVE_URI: "/v2/x"}, "container_elsewhere", "SDKs prefer it to the credential endpoint"),
        ({URI: "http://192.0.2.7/x"}, "container_elsewhere", "not on this machine"),
        ({"AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/x", "AWS_WEB_IDENTITY_TOKEN_FILE": "/x"}, "web_identity_beside", "SDKs use the web identity first"),
        ({"HTTP_PROXY": "http://u:pw@p:3128", "no_proxy": ""}, "endpoint_proxied", "HTTP_PROXY is set"),
        ({"http_proxy": "http://p:3128", "no_proxy": "localhost"}, "endpoint_proxied", "with the endpoint token, to the proxy"),
        ({TOKEN_FILE: "/no/such"}, "endpoint_token_missing", "/no/such, which does not exist"),
    ],
)  # fmt: skip
def test_a_variable_that_keeps_the_endpoint_from_working_is_named(env, more, code, said):
    finding = found(credential_endpoint.check, gather({**env, **more}, NOON, "terminal"))[code]
    assert (finding.severity, said in finding.message) == ("error", True)
    assert finding.remedy
    assert "pw@" not in f"{finding}"


@pytest.mark.parametrize(
    ("text", "mode", "code"),
    [
        (f"{TOKEN}\n", 0o600, "endpoint_token_newline"),
        ("", 0o600, "endpoint_token_missing"),
        (TOKEN, 0o644, "endpoint_token_open"),
    ],
)
def test_a_token_file_that_sdks_can_not_use_or_others_can_read_is_reported(env, home, text, mode, code):  # fmt: skip
    file = home / "slot_0123456789abcdef.endpoint"
    file.write_text(text)
    file.chmod(mode)
    findings = found(credential_endpoint.check, gather(env, NOON, "terminal"))
    assert list(findings) == [code]
    assert TOKEN not in f"{findings}"


@pytest.mark.parametrize(
    ("versions", "affected"),
    [
        ({"botocore": "1.34.40"}, [("boto3", "aws")]),
        ({"botocore": "1.34.41", "aws": "2.15.0"}, []),
        ({"aws": "2.14.6"}, [("aws",)]),
        ({"aws": "1.29.9"}, [("aws",)]),
        ({"aws": "1.46.3"}, []),
        ({"botocore": "2.0.dev1"}, []),
    ],
)
def test_an_sdk_that_does_not_send_the_token_is_named_with_the_least_version(env, versions, affected):  # fmt: skip
    facts = Facts(env, NOON, "terminal", sdk_versions=versions)
    findings = list(credential_endpoint.check(facts))
    assert [finding.sdks for finding in findings] == affected
    assert all(f.code == "sdk_too_old" and "is the first version that does" in f.message for f in findings)  # fmt: skip


def test_the_version_of_the_aws_command_is_asked_for_on_the_processs_own_path(tmp_path):
    program = tmp_path / "aws"
    program.write_text("#!/bin/sh\necho aws-cli/2.9.19 Python/3.11.2 Linux/6\n")
    program.chmod(0o700)
    assert sdk_versions({"PATH": str(tmp_path)})["aws"] == "2.9.19"
    assert "aws" not in sdk_versions({"PATH": "/no/such"})


# --- Asking it -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "code", "said"),
    [
        (Answer(200, {"AccessKeyId": "ASIASECRET"}), None, ""),
        (REFUSED, "endpoint_refused", "(RoleSessionEnded): The role session of Analyst has ended."),
        (NOT_READY, "endpoint_not_ready", "(CredentialsNotReady): AWS STS has not answered yet."),
    ],
)
def test_the_endpoint_is_asked_and_its_own_sentence_is_shown(env, serve, outcome, code, said):
    env = {**env, URI: serve(outcome).uri, "http_proxy": "http://127.0.0.1:1", "no_proxy": "127.0.0.1"}  # fmt: skip
    answer = ask_endpoint(env)
    findings = list(
        credential_endpoint.check(replace(gather(env, NOON, "kernel"), endpoint=answer))
    )
    assert [finding.code for finding in findings] == ([code] if code else [])
    assert all(said in finding.message for finding in findings)
    assert "ASIASECRET" not in repr(answer)


def test_a_dead_server_is_unreachable_and_the_kernel_is_to_be_restarted(env, serve):
    server = serve(REFUSED)
    asyncio.run(server.close())
    env = {**env, URI: server.uri}
    facts = replace(gather(env, NOON, "kernel"), endpoint=ask_endpoint(env))
    (finding,) = credential_endpoint.check(facts)
    assert finding.code == "endpoint_unreachable"
    assert "Connection refused" in finding.message
    assert "The Jupyter server that ran it was restarted, or has ended" in finding.message
    assert finding.remedy == "Restart the kernel (Kernel > Restart Kernel)."


def test_another_program_at_a_dead_servers_port_is_not_taken_for_the_endpoint(env):
    class Echo(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(404, self.headers["Authorization"])

        def log_message(self, *_):
            pass

    with BackgroundServer(HTTPServer(("127.0.0.1", 0), Echo)) as other:
        answer = ask_endpoint({**env, URI: f"{other.url}/credentials"})
    assert answer == EndpointAnswer("unreachable", "", "another program answers there, with status 404")  # fmt: skip


@pytest.mark.parametrize("uri", ["http://192.0.2.7/credentials", "https://127.0.0.1:1/x", "ftp://x", "http://[/"])  # fmt: skip
def test_no_other_address_gets_the_endpoint_token(env, uri):
    assert ask_endpoint({**env, URI: uri}) is None


# --- What else the report says ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "text", "code", "sdks"),
    [
        ("credentials", f"[default]\n{STATIC}", "profile_static_keys", {"boto3", "aws", "JavaScript", "pyarrow", "polars", "duckdb"}),
        ("config", f"[default]\n{STATIC}", "profile_static_keys", {"boto3", "aws", "JavaScript", "pyarrow"}),
        ("config", "[default]\ncredential_process = x\n", "profile_credential_process", {"boto3", "aws", "JavaScript", "pyarrow", "duckdb"}),
        ("config", "[default]\nsso_session = corp\n", "profile_sso", {"boto3", "aws", "JavaScript"}),
    ],
)  # fmt: skip
def test_a_profile_overrides_the_endpoint_in_more_sdks_than_a_web_identity(
    env, home, file, text, code, sdks
):
    (home / ".aws" / file).write_text(text)
    finding = found(profiles.check, gather(env, NOON, "terminal"))[code]
    assert finding.severity == "error"
    assert set(finding.sdks) - {"Rust"} == sdks


def test_a_key_in_a_file_of_boto_2_is_found_unless_the_file_is_hidden(env, home):
    (home / ".boto").write_text(f"[Credentials]\n{STATIC}")
    (home / "empty").write_text("# hidden\n")
    finding = found(credential_endpoint.check, gather(env, NOON, "terminal"))["boto2_file"]
    assert f"[Credentials] in {home}/.boto: boto3 signs with this key" in finding.message
    hidden = gather({**env, "BOTO_CONFIG": str(home / "empty")}, NOON, "terminal")
    assert not list(credential_endpoint.check(hidden))
    assert not list(keys.check(hidden))


@pytest.mark.parametrize(
    ("more", "lacking"),
    [
        ({"ALL_PROXY": "socks5://p:1", "no_proxy": "a.example"}, ["no_proxy"]),
        ({"http_proxy": "http://p:1", "NO_PROXY": "a.example"}, ["NO_PROXY"]),
        ({"http_proxy": "http://p:1", "NO_PROXY": "a.example", "no_proxy": ""}, ["NO_PROXY", "no_proxy"]),
        ({"http_proxy": "http://p:1", "NO_PROXY": "*"}, []),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": ""}, []),
    ],
)  # fmt: skip
def test_either_name_of_no_proxy_must_list_the_endpoint(env, more, lacking):
    findings = found(credential_endpoint.check, gather({**env, **more}, NOON, "terminal"))
    assert list(findings) == (["endpoint_proxied"] if lacking else [])
    for name in lacking:
        assert f"export {name}=" in findings["endpoint_proxied"].remedy
        assert "127.0.0.1" in findings["endpoint_proxied"].remedy


def test_a_containers_own_endpoint_is_not_taken_for_ours(env):
    foreign = {n: v for n, v in env.items() if n not in {NAMES_SET, "JUPYTER_WB_AWS_ROLE"}}
    facts = gather(foreign, NOON, "terminal")
    assert not list(credential_endpoint.check(facts))
    assert list(found(keys.check, facts)) == ["container_credentials"]


def server_with(env, uri, **client):
    """Return what a server says: two role sessions, and the client of this process."""
    sessions = [role_session(name, environment={URI: uri}) for name in ("analyst", "auditor")]
    clients = [endpoint_client("1", **{"id": "0123456789abcdef", **client})]
    return ServerFacts(None, None, None, sessions, endpoint_clients=clients)


def test_an_endpoint_of_an_earlier_server_is_named_as_such(env):
    server = server_with(env, "http://127.0.0.1:2/credentials")
    facts = Facts(env, NOON, "terminal", server=server)
    finding = found(credential_endpoint.check, facts)["container_elsewhere"]
    assert "is not the credential endpoint of this Jupyter server" in finding.message


def test_the_role_of_a_process_is_that_of_its_endpoint_token(env):
    caller = "arn:aws:sts::111122223333:assumed-role/{}/alice-1"
    facts = Facts(env, NOON, "terminal", server=server_with(env, env[URI]))
    assert server_check.own_session(facts)["label"] == "auditor"
    assert not list(server_check.check(facts))
    for name, provider, codes in (
        ("auditor", "container-role", []),
        ("analyst", "container-role", ["signs_as_other"]),
        ("auditor", "shared-credentials-file", ["signs_as_other"]),
    ):
        who = CallerIdentity("AROA:alice-1", "111122223333", caller.format(name))
        result = CallResult("ok", provider, who, lifetime=timedelta(minutes=16))
        assert list(found(call.check, replace(facts, call=result))) == codes


BY_MAGIC = "Run in the notebook: %load_ext jupyter_wb_aws, then %aws_role {} (or choose a role in its toolbar)"
BY_RESTART = "Restart the kernel (Kernel > Restart Kernel)."


@pytest.mark.parametrize(
    ("place", "client", "remedy"),
    [
        ("kernel", {}, BY_MAGIC.format("Analyst")),
        ("terminal", {"kind": "terminal"}, "Run: jupyter wb-aws start Analyst"),
        ("terminal", {"kind": "environment"}, 'Run: eval "$(jupyter wb-aws env Analyst)"'),
        ("kernel", {"state": "left_running"}, BY_RESTART),
        ("terminal", {"kind": "exec"}, "Open a new terminal."),
        ("kernel", {"id": "another"}, BY_RESTART),
    ],
)
def test_a_refused_process_is_to_be_switched_or_started_again_where_that_is_not_possible(
    env, place, client, remedy
):
    facts = Facts(env, NOON, place, server=server_with(env, env[URI], **client))
    refused = replace(facts, endpoint=EndpointAnswer("refused", REFUSED.code, REFUSED.message))
    finding = found(credential_endpoint.check, refused)["endpoint_refused"]
    assert "To work with a role again: " in finding.remedy
    assert remedy in finding.remedy
    failed = replace(refused, call=CallResult("failed", None, error="NoCredentials"))
    (finding,) = call.check(failed)
    assert remedy in finding.remedy


@pytest.mark.parametrize(
    ("place", "delivery", "remedy"),
    [
        ("kernel", "endpoint", f"To use the default role: {BY_MAGIC.format('analyst')}"),
        ("kernel", "web_identity", "Run in the notebook: !jupyter wb-aws start ROLE, then restart the kernel."),
        ("terminal", "endpoint", "To use the default role: Run: jupyter wb-aws start analyst"),
        ("terminal", "web_identity", "To use the default role, open a new terminal."),
    ],
)  # fmt: skip
def test_another_default_role_takes_a_restart_only_by_web_identity(env, place, delivery, remedy):
    server = server_with(env, env[URI], kind=place)
    server.sessions[0].update(default=True, delivery=delivery)
    finding = found(server_check.check, Facts(env, NOON, place, server=server))["other_default"]
    assert finding.remedy.startswith(remedy)


def test_a_containers_own_credentials_are_not_asked_for_beside_the_endpoint(env):
    facts = gather({**env, RELATIVE_URI: "/v2/x"}, NOON, "terminal")
    result = get_caller_identity(facts, {})
    assert result.outcome == "not_made"
    assert "boto3 would ask for this container's credentials" in result.detail


def test_of_boto3s_error_only_the_endpoints_own_sentence_is_shown(ask, plain_env, env, serve):
    environment = {**plain_env, **{n: env[n] for n in (TOKEN_FILE, NAMES_SET)}}
    asked = ask({**environment, URI: serve(REFUSED).uri}, "--json")
    (finding,) = [f for f in asked.report["findings"] if f["code"] == "call_failed"]
    assert finding["message"].endswith(f": CredentialRetrievalError: {REFUSED.message}")


def test_the_command_reports_a_dead_endpoint_and_shows_no_token(ask, plain_env, env):
    environment = {**plain_env, **{n: env[n] for n in (URI, TOKEN_FILE, NAMES_SET)}}
    asked = ask(environment, "--json")
    assert asked.code == 1
    assert "endpoint_unreachable" in asked.codes("error")
    assert asked.report["call"]["provider"] in {"container-role", None}
    assert TOKEN not in asked.out + asked.err
