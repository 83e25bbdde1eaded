"""`jupyter wb-aws doctor` in all kinds of processes, with real calls to the strict local AWS."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import re
import socket
import ssl
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import botocore.session
import pytest

from jupyter_wb_aws.doctor.diagnose import diagnose
from jupyter_wb_aws.doctor.metadata import RequestBlocked, guard
from tests.aws.fake_sts import ASSUMED_USER, CREDENTIALS, FakeSts, assumed, error
from tests.conftest import make_jwt
from tests.site import ANALYST, MISCONFIGURED

KEYS = {"AWS_ACCESS_KEY_ID": "AKIADECOY", "AWS_SECRET_ACCESS_KEY": "decoy-secret"}
STATIC = "aws_access_key_id = AKIAUSER\naws_secret_access_key = user-secret\n"
PROCESS = """#!/bin/sh
echo '{"Version": 1, "AccessKeyId": "AKIAPROCESS", "SecretAccessKey": "process-secret"}'
"""
WEB = "assume-role-with-web-identity"


def test_a_process_with_a_role_session_has_no_error_and_works_as_the_role(ask, role_env):
    asked = ask(role_env, "--json")
    assert asked.codes("error", "warning") == []
    assert asked.code == 0
    assert asked.report["status"] == "ok"
    made = asked.report["call"]
    assert (made["outcome"], made["provider"]) == ("ok", WEB)
    assert made["identity"]["Arn"].endswith(":assumed-role/analyst/alice-1")
    assert asked.report["token"]["claims"]["sub"] == "alice"


def test_the_report_shows_the_caller_and_the_provider(ask, role_env):
    asked = ask(role_env)
    assert asked.code == 0
    assert asked.out.startswith("All is well: ")
    assert ":assumed-role/analyst/alice-1\nby the role and the token file" in asked.out
    assert "\nINFO     endpoint_set\n" in asked.out
    assert asked.err == ""


# A home folder, AWS_PROFILE, what is found, and who boto3 then works as (None: it fails).
HOMES = [
    ("", f"[default]\n{STATIC}", None, "profile_static_keys", WEB),
    ("", f"[other]\n{STATIC}", "other", "profile_static_keys", WEB),
    ("", f"[other]\n{STATIC}", "missing", "profile_missing", None),
    ("", f"[other]\n{STATIC}", "", "profile_empty", None),
    ("", "", "default", "profile_missing", None),
    ("[default]\ncredential_process = {home}/get\n", "", None, "profile_credential_process", WEB),
    (f"[default]\nrole_arn = {ANALYST}\nsource_profile = other\n", f"[other]\n{STATIC}", None, "profile_assumes_role", "assume-role"),
    (f"[profile wb]\nrole_arn = {ANALYST}\nweb_identity_token_file = {{home}}/the.token\n", "", "wb", "profile_web_identity", WEB),
    ("[default]\nsso_start_url = https://x\nsso_region = us-east-1\nsso_account_id = 1\nsso_role_name = x\n", "", None, "profile_sso", WEB),
    ("[default]\nlogin_session = x\n", "", None, "profile_login", WEB),
    ("[default\n", "", None, "profile_file_broken", None),
    ("[default]\nregion = eu-west-1\n", "", None, None, WEB),
]  # fmt: skip


@pytest.mark.parametrize(("config", "credentials", "chosen", "code", "provider"), HOMES)
def test_every_kind_of_conflicting_home_is_found_with_the_provider_that_wins(
    ask, role_env, home, config, credentials, chosen, code, provider
):
    (home / ".aws/config").write_text(config.format(home=home) if "{home}" in config else config)
    (home / ".aws/credentials").write_text(credentials)
    (home / "get").write_text(PROCESS)
    (home / "get").chmod(0o700)
    asked = ask({**role_env, **({} if chosen is None else {"AWS_PROFILE": chosen})}, "--json")
    assert asked.code == (1 if code else 0)
    assert asked.codes("error")[:1] == ([code] if code else [])
    if provider:
        assert asked.report["call"]["provider"] == provider
    else:
        assert asked.report["call"]["outcome"] == "failed"
    for secret in ("user-secret", "process-secret", (home / "the.token").read_text()[-40:]):
        assert secret not in asked.out


@pytest.mark.parametrize("name", ["$HOME/work.cfg", "${HOME}/work.cfg", "~/work.cfg"])
def test_a_file_that_a_variable_names_with_a_dollar_is_the_one_that_boto3_reads(
    ask, role_env, home, name
):
    (home / "work.cfg").write_bytes(b"\xef\xbb\xbf[default]\n")
    asked = ask({**role_env, "AWS_CONFIG_FILE": name}, "--json")
    assert asked.codes("error") == ["profile_file_broken", "call_failed"]
    assert f"{home}/work.cfg:1 " in asked.out


def test_no_line_of_a_broken_file_is_shown(ask, role_env, home):
    (home / ".aws/credentials").write_text(
        "[default]\naws_secret_access_key wJalrXUtnFEMI/K7MDENG\n"
    )
    asked = ask(role_env, "--json")
    assert asked.codes("error") == ["profile_file_broken", "call_failed"]
    assert f"{home}/.aws/credentials:2 " in asked.out
    assert "wJalr" not in asked.out


def test_no_remedy_refers_to_missing_findings(ask, role_env, home):
    (home / ".aws/config").write_text("[default]\nregion = eu-west-1\n")
    asked = ask({**role_env, "AWS_METADATA_SERVICE_TIMEOUT": "x"}, "--json")
    (finding,) = [f for f in asked.report["findings"] if f["code"] == "call_failed"]
    above = [f for f in asked.report["findings"] if f["severity"] != "info" and f != finding]
    assert bool(above) == ("findings above" in finding["remedy"])
    assert not above


def test_keys_in_the_environment_are_reported_without_their_values(ask, role_env):
    asked = ask({**role_env, **KEYS}, "--json")
    assert asked.code == 1
    assert asked.codes("error") == ["static_keys", "call_failed"]
    assert asked.report["call"]["provider"] == "env"
    assert "decoy-secret" not in asked.out
    assert "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY" in asked.out


def test_a_role_that_refuses_is_explained_as_the_server_explains_it(ask, role_env):
    asked = ask({**role_env, "AWS_ROLE_ARN": MISCONFIGURED}, "--json")
    (finding,) = [f for f in asked.report["findings"] if f["severity"] == "error"]
    assert finding["code"] == "call_failed"
    assert "is not set up for you, or it does not exist" in finding["message"]
    assert "alice" in finding["admin_hint"]


def test_a_token_with_a_newline_is_reported_and_refused(ask, role_env, token_file):
    token_file.write_text(token_file.read_text() + "\n")
    asked = ask(role_env, "--json")
    assert "token_file_newline" in asked.codes("error")
    assert asked.code == 1


def test_the_remedy_for_a_newline_removes_it_and_lets_nobody_else_read_it(
    ask, role_env, token_file
):
    token_file.write_text(token_file.read_text() + "\n")
    (finding,) = [
        f for f in ask(role_env, "--json").report["findings"] if f["code"] == "token_file_newline"
    ]
    command = re.match(r"Run: (.*) \(and", finding["remedy"])[1]
    subprocess.run(f"umask 022; {command}", shell=True, check=True)
    assert token_file.stat().st_mode & 0o777 == 0o600
    assert ask(role_env, "--json").code == 0


# --- What it never does --------------------------------------------------------------------


METADATA = "169.254.169.254"
SOURCE = f"[default]\nrole_arn = {ANALYST}\ncredential_source = Ec2InstanceMetadata\n"
SERVICES = "[default]\nservices = s\n[services s]\nsts =\n  endpoint_url = http://{}/\n"
SSO = "[default]\nsso_start_url = https://x\nsso_region = us-east-1\nsso_account_id = 1\nsso_role_name = x\n"
NEW_SSO = """[default]
sso_session = s
sso_account_id = 1
sso_role_name = x
[sso-session s]
sso_region = us-east-1
sso_start_url = https://x
"""


def sign_in(home, name, hours):
    """Write the files of `aws sso login`, in the form that refreshes itself."""
    until = (datetime.now(UTC) + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
    path = home / f".aws/sso/cache/{hashlib.sha1(name.encode()).hexdigest()}.json"
    path.parent.mkdir(parents=True)
    path.write_text(
        json.dumps(
            {
                "startUrl": "https://x",
                "accessToken": "a",
                "expiresAt": until,
                "clientId": "c",
                "clientSecret": "s",
                "refreshToken": "r",
                "registrationExpiresAt": "2099-01-01T00:00:00Z",
            }
        )
    )
    return path


@pytest.mark.parametrize(
    ("config", "kind", "change"),
    [
        ("", "plain", {}),
        (SOURCE, "plain", {}),
        ("", "role", {"AWS_ENDPOINT_URL": f"http://{METADATA}/"}),
        ("", "role", {"AWS_ENDPOINT_URL": f"http://[::ffff:{METADATA}]/"}),
        ("", "role", {"AWS_ENDPOINT_URL": "http://2852039166/"}),
        ("", "role", {"AWS_ENDPOINT_URL": "http://0xa9fea9fe/"}),
        ("", "role", {"AWS_ENDPOINT_URL_STS": "http://0251.0376.0251.0376/"}),
        (SERVICES.format(METADATA), "role", {"AWS_ENDPOINT_URL": None}),
        (SERVICES.format("0xa9fea9fe"), "role", {"AWS_ENDPOINT_URL": None}),
        (SSO, "plain", {"AWS_ENDPOINT_URL_SSO": f"http://{METADATA}/"}),
        ("", "plain", {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"https://{METADATA}/x"}),
        ("", "plain", {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "https://2852039166/x"}),
        ("", "role", {"http_proxy": f"http://{METADATA}:80"}),
        ("", "role", {"http_proxy": f"{METADATA}:3128"}),
        ("", "role", {"http_proxy": "2852039166:3128"}),
    ],
)  # fmt: skip
def test_the_machines_metadata_service_is_never_called(
    ask, plain_env, role_env, home, config, kind, change
):
    (home / ".aws/config").write_text(config)
    sign_in(home, "https://x", hours=1)
    env = {**(role_env if kind == "role" else plain_env), **change}
    asked = ask({k: v for k, v in env.items() if v is not None}, "--json")
    assert asked.code == 1
    assert connections(asked, METADATA) == []
    if change:
        assert asked.report["call"]["outcome"] == "not_made"
        assert "endpoint_metadata" in asked.codes("error")


def test_the_connections_of_a_process_are_recorded(ask, role_env):
    """Without this, the test above could not fail."""
    assert connections(ask(role_env), "127.0.0.1")


def connections(asked, host):
    lines = asked.connected.splitlines()
    return [line for line in lines if line.startswith("socket.connect ") and host in line]


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "http_proxy", "AWS_CONTAINER_CREDENTIALS_FULL_URI"])  # fmt: skip
def test_no_name_of_the_metadata_service_is_called(plain_env, monkeypatch, name):
    """Any DNS name may lead there. Here the resolver is ours, and nothing connects."""
    env = {**plain_env, **(KEYS if name != "AWS_CONTAINER_CREDENTIALS_FULL_URI" else {})}
    env[name] = "https://looks.example.com:80/" if "FULL" in name else "http://looks.example.com"
    for variable in [n for n in os.environ if n.startswith("AWS_") or n.lower().endswith("_proxy")]:
        monkeypatch.delenv(variable)
    for variable, value in {**env, "AWS_EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(variable, value)
    connected = []
    address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", (METADATA, 80))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [address])
    monkeypatch.setattr(socket.socket, "connect", lambda _, to: connected.append(to) or refuse())
    report = diagnose(env, None, lambda: None)
    assert report.facts.call.outcome == "not_made"
    assert "leads to" in report.facts.call.detail or "the proxy" in report.facts.call.detail
    assert METADATA not in {to[0] for to in connected}


def refuse():
    raise ConnectionRefusedError


def test_a_sign_in_that_boto3_would_refresh_is_left_unchanged(ask, plain_env, home):
    """boto3 would write the new one below ~/.aws, and the provider would no longer accept the old one."""
    (home / ".aws/config").write_text(NEW_SSO)
    kept = sign_in(home, "s", hours=-1)
    before = kept.read_text()
    asked = ask(plain_env, "--json")
    assert "IAM Identity Center" in asked.report["call"]["detail"]
    assert "call_not_made" in asked.codes("warning")
    assert kept.read_text() == before


def test_a_sign_in_of_aws_login_is_not_refreshed_either():
    """Its request needs another library, so this test checks only the event's name."""
    model = botocore.session.Session().get_service_model("signin")
    operation = model.operation_model("CreateOAuth2Token")
    event = f"before-send.{model.service_id.hyphenize()}.{operation.name}"
    with pytest.raises(RequestBlocked, match="aws login"):
        guard({})(None, event)


def test_it_changes_nothing(ask, role_env, home):
    (home / ".aws/cli/cache").mkdir(parents=True)
    (home / ".aws/cli/cache/x.json").write_text("{}")
    before = {path: (path.stat().st_mtime_ns, path.stat().st_mode) for path in home.rglob("*")}
    ask(role_env, "--json")
    assert {p: (p.stat().st_mtime_ns, p.stat().st_mode) for p in home.rglob("*")} == before


def test_a_program_that_hangs_does_not_block_the_doctor(home, monkeypatch):
    (home / ".aws/config").write_text("[default]\ncredential_process = sleep 5\n")
    env = {
        "HOME": str(home),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    }
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    report = diagnose(env, None, lambda: None, timeout=1.0)
    assert "call_slow" in {finding.code for finding in report.findings}


# --- Without a server, or without anything -------------------------------------------------


def test_without_a_role_it_says_how_to_get_one(ask, plain_env):
    asked = ask(plain_env, "--json")
    assert asked.code == 1
    assert asked.report["findings"][0]["code"] == "no_role"
    assert asked.codes("error") == ["no_role"]
    assert {"no_credentials", "server_not_found"} <= set(asked.codes("info"))


def test_consequences_of_having_no_role_are_not_errors(ask, plain_env, nobody):
    without = {k: v for k, v in plain_env.items() if k not in {"AWS_REGION", "AWS_DEFAULT_REGION"}}
    asked = ask({**without, "AWS_ENDPOINT_URL": nobody}, "--json")
    assert asked.codes("error") == ["no_role"]
    assert {"region_missing", "sts_unreachable", "no_credentials"} <= set(asked.codes("info"))
    assert "AWS_REGION=" not in asked.out


def test_without_a_role_but_with_other_credentials_there_is_a_warning(ask, plain_env, late):
    keys = ask({**plain_env, **KEYS, "AWS_ENDPOINT_URL": late}, "--json")
    assert "no_role" in keys.codes("warning")


def test_without_a_home_and_without_a_variable_it_runs(ask):
    assert (
        ask({"PATH": os.environ["PATH"], "HTTPS_PROXY": "http://127.0.0.1:9"}, "--json").code == 1
    )


def test_a_defect_of_its_own_is_exit_code_two(run_in_process, monkeypatch):
    def broken(*args):
        raise RuntimeError("a secret")

    monkeypatch.setattr("jupyter_wb_aws.doctor.diagnose.diagnose", broken)
    code, out, err = run_in_process("doctor")
    assert code == 2
    assert "could not run" in err
    assert "a secret" not in out + err


@pytest.fixture
def run_in_process(capsys):
    from jupyter_wb_aws.cli.main import main

    def run(*words):
        code = main(words)
        return code, *capsys.readouterr()

    return run


def test_wrong_arguments_are_exit_code_two(run_in_process):
    assert run_in_process("doctor", "--no-such-option")[0] == 2


# --- The network ---------------------------------------------------------------------------


class Late(http.server.BaseHTTPRequestHandler):
    """An STS whose clock is ten minutes ahead."""

    def do_GET(self):
        self.send_response_only(403)
        self.send_header(
            "Date", format_datetime(datetime.now(UTC) + timedelta(minutes=10), usegmt=True)
        )
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self):
        self.do_GET()

    def log_message(self, *args):
        pass


@pytest.fixture
def late():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Late) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_clock_that_is_off_is_found_against_sts(ask, plain_env, late):
    asked = ask({**plain_env, **KEYS, "AWS_ENDPOINT_URL": late}, "--json")
    (finding,) = [f for f in asked.report["findings"] if f["code"] == "clock_skewed"]
    assert "behind" in finding["message"]


@pytest.fixture
def nobody():
    """A URL where nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def test_what_can_not_be_reached_is_reported(ask, role_env, nobody, token_file):
    asked = ask({**role_env, "AWS_ENDPOINT_URL": nobody}, "--json")
    assert {"sts_unreachable", "call_failed"} <= set(asked.codes("error"))
    assert "idp_unreachable" not in asked.out  # the demo's is there
    now = datetime.now(UTC)
    token_file.write_text(make_jwt(iss=nobody, iat=now, exp=now + timedelta(hours=1)))
    assert "idp_unreachable" in ask(role_env, "--json").codes("warning")


def test_a_proxy_is_used_as_boto3_uses_it_and_its_password_is_not_shown(ask, role_env, nobody):
    proxy = nobody.replace("//", "//alice:proxy-secret@")
    aws = {name: value for name, value in role_env.items() if name != "AWS_ENDPOINT_URL"}
    asked = ask({**aws, "HTTPS_PROXY": proxy}, "--json")
    assert {"sts_unreachable", "call_failed"} <= set(asked.codes("error"))
    assert "proxy_used" in asked.codes("info")
    assert f"through the proxy {nobody}" in asked.out
    assert "proxy-secret" not in asked.out


@pytest.mark.parametrize(
    "url",
    [
        "https://bob:hunter2@127.0.0.1:9",
        "http://bob:hun@hunter2@127.0.0.1:9",
        "bob:hunter2@127.0.0.1:9",
        "https://bob:hun/hunter2@127.0.0.1:9",
        "http://bob:hunter2#x@127.0.0.1:9",
        "http://bob:hunter2?x@127.0.0.1:9",
        "http://bob:hunter2[@127.0.0.1:9",
        "http://bob:hunter2://x@127.0.0.1:9",
        "hunter2:x#@127.0.0.1:9",
    ],
)
def test_what_the_real_call_says_has_no_password(ask, role_env, url):
    for env in (
        {**role_env, "AWS_ENDPOINT_URL_STS": url},
        {**role_env, "AWS_ENDPOINT_URL_STS": "https://127.0.0.1:9", "HTTPS_PROXY": url},
    ):
        asked = ask(env, "--json")
        assert "call_failed" in asked.codes("error")
        assert "hunter2" not in asked.out


@pytest.mark.parametrize("answer", [(405, ""), (501, "<html>"), error("InvalidAction")])
def test_a_store_that_does_not_name_the_caller_is_not_an_error(ask, role_env, answer):
    with FakeSts() as store:
        store.answers["GetCallerIdentity"] = answer
        # Live credentials: boto3 would not sign with others.
        store.answers["AssumeRoleWithWebIdentity"] = assumed(
            CREDENTIALS.replace("2026-11-24", "2099-11-24") + ASSUMED_USER
        )
        asked = ask({**role_env, "AWS_ENDPOINT_URL": store.url}, "--json")
    assert asked.codes("error") == []
    assert "caller_unknown" in asked.codes("info")
    assert (asked.report["call"]["outcome"], asked.report["call"]["identity"]) == ("ok", None)


def test_a_certificate_is_trusted_by_the_bundle_that_boto3_reads(ask, plain_env, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Late) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        env = {**plain_env, **KEYS, "AWS_ENDPOINT_URL": f"https://localhost:{server.server_port}"}
        without = ask(env, "--json")
        trusting = ask({**env, "AWS_CA_BUNDLE": str(certificate)}, "--json")
        server.shutdown()
    assert "sts_certificate" in without.codes("error")
    assert "sts_certificate" not in trusting.out
    assert "clock_skewed" in trusting.codes("error")
