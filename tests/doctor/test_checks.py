"""Each check as a table: an environment and a home folder, and the codes that are found."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from botocore.utils import get_environ_proxies

import jupyter_wb_aws.doctor
from jupyter_wb_aws.aws.file_conflicts import find_conflict
from jupyter_wb_aws.aws.sts import CallerIdentity
from jupyter_wb_aws.doctor.addresses import proxy_for
from jupyter_wb_aws.doctor.checks import (
    CHECKS,
    caches,
    call,
    endpoints,
    keys,
    network,
    profiles,
    region,
    renviron,
    role,
    token,
)
from jupyter_wb_aws.doctor.checks import server as server_check
from jupyter_wb_aws.doctor.codes import CODES
from jupyter_wb_aws.doctor.facts import CallResult, Facts, ProbeResult, ServerFacts
from jupyter_wb_aws.doctor.finding import Severity, sorted_findings
from jupyter_wb_aws.doctor.gather import gather
from jupyter_wb_aws.doctor.profiles import user_profiles
from tests.aws.profiles import CONFLICTING
from tests.cli.contract_server import problem, role_session, token_source
from tests.conftest import NOON, make_jwt

HOUR = timedelta(hours=1)
ARN = "arn:aws:iam::111122223333:role/analyst"
STATIC = "aws_access_key_id = AKIAUSER\naws_secret_access_key = user-secret\n"
SOURCED = f"role_arn = {ARN}-own\nsource_profile = other\n"
OTHER = f"[other]\n{STATIC}"


@pytest.fixture
def home(tmp_path):
    (tmp_path / ".aws").mkdir()
    return tmp_path


@pytest.fixture
def role_env(home):
    """The environment that a role session gives a process."""
    file = home / "the.token"
    file.write_text(make_jwt())
    file.chmod(0o600)
    return {
        "HOME": str(home),
        "AWS_ROLE_ARN": ARN,
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(file),
        "AWS_ROLE_SESSION_NAME": "alice-1",
        "AWS_REGION": "us-east-2",
        "AWS_DEFAULT_REGION": "us-east-2",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",  # no AWS: the demo's issuer is on loopback
        "no_proxy": "127.0.0.1",
    }


def codes(check, facts):
    return [finding.code for finding in check(facts)]


def only(check, facts):
    (finding,) = check(facts)
    return finding


def test_a_role_session_has_only_info_findings(role_env):
    facts = gather(role_env, NOON, "terminal")
    worse = [
        f for check in CHECKS.values() for f in check(facts) if f.severity is not Severity.INFO
    ]
    assert worse == []


# --- Variables -----------------------------------------------------------------------------

PAIR = {"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "env-secret"}


@pytest.mark.parametrize(
    ("more", "code", "severity", "sdks"),
    [
        (PAIR, "static_keys", "error", {"boto3", "aws", "JavaScript", "pyarrow", "rclone", "duckdb"}),
        ({"AWS_ACCESS_KEY_ID": "AKIA"}, "static_keys_half", "error", {"boto3", "aws"}),
        ({"AWS_SECRET_ACCESS_KEY": "s"}, "static_keys_half", "warning", set()),
        ({"AWS_ACCESS_KEY_ID": ""}, "static_keys_empty", "error", {"deltalake"}),
        ({"AWS_SECRET_ACCESS_KEY": ""}, "static_keys_empty", "error", {"deltalake"}),
        ({"AWS_SESSION_TOKEN": "t"}, "session_token_alone", "warning", set()),
        ({"AWS_SECURITY_TOKEN": "t"}, "session_token_alone", "warning", set()),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/"}, "container_credentials", "error", {"duckdb"}),
        ({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/x"}, "container_credentials", "error", {"duckdb"}),
        ({"AWS_BEARER_TOKEN_BEDROCK": "k"}, "bearer_token", "error", {"boto3"}),
        ({"AWS_CREDENTIAL_FILE": "/x"}, "last_resort_files", "info", set()),
        ({"BOTO_CONFIG": "/x"}, "last_resort_files", "info", set()),
    ],
)  # fmt: skip
def test_variables_that_override_the_role(role_env, more, code, severity, sdks):
    finding = only(keys.check, Facts({**role_env, **more}, NOON, "terminal"))
    assert (finding.code, finding.severity) == (code, severity)
    assert sdks <= set(finding.sdks)
    assert finding.remedy.startswith("Run: unset ")
    assert all(name in finding.remedy for name in more)


def test_the_remedy_removes_a_variable_and_names_the_line_that_sets_it(role_env, home):
    (home / ".bashrc").write_text("# mine\nexport AWS_ACCESS_KEY_ID=AKIAENV\n")
    env = {**role_env, **PAIR}
    remedies = {
        place: only(keys.check, gather(env, NOON, place)).remedy
        for place in ("terminal", "kernel", "server")
    }
    assert remedies["terminal"] == (
        f"Run: unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY; and remove the line {home}/.bashrc:2"
    )
    assert 'os.environ.pop("AWS_SECRET_ACCESS_KEY", None)' in remedies["kernel"]
    assert remedies["server"].startswith("Start the Jupyter server without AWS_ACCESS_KEY_ID and")


def test_two_sdks_that_still_ask_for_the_machines_role_are_reported():
    without = Facts({"AWS_EC2_METADATA_DISABLED": "true"}, NOON)
    finding = only(keys.check, without)
    assert finding.code == "metadata_not_disabled"
    assert finding.sdks == ("polars", "deltalake")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, None),
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": None}, "role_without_token"),
        ({"AWS_ROLE_ARN": None}, "token_without_role"),
        ({"AWS_ROLE_ARN": "analyst"}, "role_arn_malformed"),
        ({"AWS_ROLE_SESSION_NAME": None}, "session_name_missing"),
        ({"AWS_ROLE_SESSION_NAME": ""}, "session_name_unfit"),
        ({"AWS_ROLE_SESSION_NAME": "al ice"}, "session_name_unfit"),
        ({"AWS_ROLE_SESSION_NAME": "a" * 65}, "session_name_unfit"),
        ({"AWS_ROLE_ARN": None, "AWS_WEB_IDENTITY_TOKEN_FILE": None}, "no_role"),
    ],
)  # fmt: skip
def test_half_set_and_malformed_variables_of_a_role(role_env, change, code):
    env = {k: v for k, v in {**role_env, **change}.items() if v is not None}
    assert codes(role.check, Facts(env, NOON)) == ([code] if code else [])


ANALYST = role_session("analyst", label="Analyst", role_arn=ARN)
STARTED = "jupyter wb-aws start Analyst. Then:"


@pytest.mark.parametrize(
    ("place", "sessions", "more", "remedy"),
    [
        ("terminal", [], {}, "Run: jupyter wb-aws start ROLE (`jupyter wb-aws roles` lists yours). Then: Open a new terminal."),
        ("terminal", [{**ANALYST, "default": True}], {}, "Open a new terminal."),
        ("server", [], {}, "Choose a role in the launcher. Then: Start a new notebook or terminal."),
        ("kernel", [{**ANALYST, "default": True}], {}, "Restart the kernel (Kernel > Restart Kernel)."),
        ("kernel", [{**ANALYST, "default": True}], {"JUPYTER_WB_AWS_KERNEL_ID": "k"}, f"Run in the notebook: !{STARTED} Restart the kernel"),
    ],
)  # fmt: skip
def test_no_role_is_reported_with_how_to_get_one(place, sessions, more, remedy):
    facts = Facts(more, NOON, place, server=ServerFacts(sessions=sessions))
    finding = only(role.check, facts)
    assert (finding.code, finding.severity) == ("no_role", Severity.ERROR)
    assert finding.remedy.startswith(remedy)


@pytest.mark.parametrize(
    ("place", "sessions", "remedy"),
    [
        ("kernel", [], f"Run in the notebook: !{STARTED} Restart the kernel"),
        ("kernel", [role_session("auditor", default=True)], f"Run in the notebook: !{STARTED}"),
        ("kernel", [{**ANALYST, "shared": False}], f"Run in the notebook: !{STARTED}"),
        ("kernel", [ANALYST], "Restart the kernel (Kernel > Restart Kernel)."),
        ("terminal", [], f"Run: {STARTED} Open a new terminal."),
        ("terminal", [role_session("auditor", default=True)], "Open a new terminal."),
    ],
)
def test_after_the_end_of_its_role_session_a_process_gets_a_remedy(
    role_env, place, sessions, remedy
):
    gone = {"AWS_WEB_IDENTITY_TOKEN_FILE": "/no/such", "JUPYTER_WB_AWS_ROLE": "Analyst"}
    facts = gather({**role_env, **gone, "JUPYTER_WB_AWS_KERNEL_ID": "k"}, NOON, place)
    facts = replace(facts, server=ServerFacts(sessions=sessions))
    over, missing = only(server_check.check, facts), only(token.check, facts)
    assert (over.code, missing.code) == ("session_over", "token_file_missing")
    assert over.remedy.startswith(remedy)
    assert missing.remedy == over.remedy


def test_a_token_file_that_is_missing_without_a_server_to_ask_has_two_remedies(role_env):
    env = {**role_env, "AWS_WEB_IDENTITY_TOKEN_FILE": "/no/such"}
    finding = only(token.check, gather(env, NOON, "terminal"))
    assert (
        "If it lists the role: Open a new terminal. If not: Run: jupyter wb-aws" in finding.remedy
    )


@pytest.mark.parametrize(
    ("regions", "in_file", "code"),
    [
        (("us-east-2", "us-east-2"), None, None),
        (("us-east-2", None), None, "region_not_for_boto3"),
        ((None, "us-east-2"), None, "region_not_for_javascript"),
        ((None, None), None, "region_missing"),
        ((None, None), "eu-west-1", "region_in_file_only"),
        (("us-east-2", None), "eu-west-1", None),
        (("us-east-2", "eu-west-1"), None, "regions_differ"),
        (("US East", "US East"), None, "region_malformed"),
    ],
)  # fmt: skip
def test_regions(home, regions, in_file, code):
    if in_file:
        (home / ".aws/config").write_text(f"[default]\nregion = {in_file}\n")
    named = dict(zip(("AWS_REGION", "AWS_DEFAULT_REGION"), regions, strict=True))
    env = {"HOME": str(home), **{k: v for k, v in named.items() if v}}
    assert set(codes(region.check, gather(env, NOON, None))) == ({code} if code else set())


def test_a_legacy_sts_endpoint_is_reported(role_env):
    facts = Facts({**role_env, "AWS_STS_REGIONAL_ENDPOINTS": "legacy"}, NOON)
    assert codes(region.check, facts) == ["sts_global"]


# --- Profiles ------------------------------------------------------------------------------


def conflicting_home(home, config="", credentials=""):
    (home / ".aws/config").write_text(config)
    (home / ".aws/credentials").write_text(credentials)


# FACTS of 0003-environment.md: what is in the home folder, AWS_PROFILE, the code, and who is hit.
SHADOWS = [
    ("", f"[default]\n{STATIC}", None, "profile_static_keys", {"JavaScript", "pyarrow", "duckdb"}),
    (f"[default]\n{STATIC}", "", None, "profile_static_keys", {"JavaScript", "pyarrow", "duckdb"}),
    ("", OTHER, "other", "profile_static_keys", {"JavaScript", "pyarrow", "duckdb"}),
    ("", OTHER, "missing", "profile_missing", {"boto3", "aws"}),
    ("", OTHER, "", "profile_empty", {"boto3", "aws"}),
    ("", OTHER, "default", "profile_missing", {"boto3", "aws"}),
    ("[default]\ncredential_process = /opt/get\n", "", None, "profile_credential_process", {"JavaScript", "pyarrow", "duckdb"}),
    (f"[default]\n{SOURCED}", OTHER, None, "profile_assumes_role", {"boto3", "aws", "JavaScript", "duckdb"}),
    (f"[default]\nrole_arn = {ARN}\ncredential_source = Environment\n", "", None, "profile_assumes_role", {"boto3", "aws"}),
    (f"[profile wb]\nrole_arn = {ARN}\nweb_identity_token_file = /x\n", "", "wb", "profile_web_identity", {"JavaScript", "pyarrow"}),
    ("[default]\nsso_start_url = https://x\nsso_region = us-east-1\nsso_account_id = 1\nsso_role_name = x\n", "", None, "profile_sso", {"JavaScript"}),
    ("[default]\nsso_session = corp\n[sso-session corp]\nsso_region = x\n", "", None, "profile_sso", {"JavaScript"}),
    ("[default]\nlogin_session = x\n", "", None, "profile_login", {"JavaScript"}),
    ("[default]\nregion = eu-west-1\n", "", None, None, set()),
    ("[profile other]\nregion = eu-west-1\n", "", "other", None, set()),
    ("[default\n", "", None, "profile_file_broken", {"boto3", "aws"}),
]  # fmt: skip


@pytest.mark.parametrize(("config", "credentials", "chosen", "code", "sdks"), SHADOWS)
def test_every_kind_of_conflicting_home(role_env, home, config, credentials, chosen, code, sdks):
    conflicting_home(home, config, credentials)
    env = role_env if chosen is None else {**role_env, "AWS_PROFILE": chosen}
    found = [
        f for f in profiles.check(gather(env, NOON, "terminal")) if f.severity != Severity.INFO
    ]
    assert [f.code for f in found] == ([code] if code else [])
    for finding in found:
        assert finding.severity is Severity.ERROR
        assert sdks <= set(finding.sdks)
        assert finding.remedy == "Run: unset AWS_PROFILE" if chosen is not None else finding.remedy


@pytest.mark.parametrize(
    ("command", "severity"),
    [
        (f"jupyter wb-aws credential-process {ARN}", Severity.INFO),
        ("/opt/bin/jupyter-wb-aws credential-process --region eu-west-1 Analyst", Severity.INFO),
        ("jupyter wb-aws credential-process auditor", Severity.ERROR),
        (f"jupyter lab credential-process {ARN}", Severity.ERROR),
        ("'", Severity.ERROR),
    ],
)
def test_a_profile_that_gets_the_role_from_us_is_an_info(role_env, home, command, severity):
    conflicting_home(home, f"[profile mine]\ncredential_process = {command}\n")
    env = {**role_env, "AWS_PROFILE": "mine", "JUPYTER_WB_AWS_ROLE": "Analyst"}
    finding = only(profiles.check, gather(env, NOON, "terminal"))
    assert (finding.code, finding.severity) == ("profile_credential_process", severity)
    assert (finding.remedy == "") == (severity is Severity.INFO)


def test_a_process_whose_profile_gets_a_role_from_us_has_a_role(home):
    conflicting_home(
        home, f"[profile mine]\ncredential_process = jupyter-wb-aws credential-process {ARN}\n"
    )
    called = CallResult("ok", "custom-process", WHO)
    facts = replace(gather({"HOME": str(home), "AWS_PROFILE": "mine"}, NOON, None), call=called)
    for finding in (only(role.check, facts), only(profiles.check, facts)):
        assert (finding.severity, finding.remedy) == (Severity.INFO, "")


def test_a_conflict_is_an_info_without_a_role(home):
    conflicting_home(home, credentials=f"[default]\n{STATIC}")
    assert only(profiles.check, gather({"HOME": str(home)}, NOON, None)).severity is Severity.INFO


def test_the_line_to_change_is_named(role_env, home):
    conflicting_home(home, "# mine\n[default]\nregion = x\ncredential_process = /opt/get\n")
    finding = only(profiles.check, gather(role_env, NOON, "terminal"))
    assert f"{home}/.aws/config:4" in finding.message
    assert (
        f"Change the line {home}/.aws/config:2 from [default] to [profile personal]"
        in finding.remedy
    )


@pytest.mark.parametrize(("file", "text", "key"), CONFLICTING)
def test_the_doctor_finds_the_conflicts_for_which_files_are_hidden(role_env, home, file, text, key):
    """A credential_source alone differs here: no SDK reads it without a role."""
    (home / ".aws" / file).write_text(text)
    assert (find_conflict(role_env) is not None) == (key is not None)
    found = codes(profiles.check, gather(role_env, NOON, None))
    conflicts = [code for code in found if CODES[code].severity is Severity.ERROR]
    assert bool(conflicts) == (key not in {None, "credential_source"})


def test_what_r_sets_at_its_start_is_reported_without_its_value(role_env, home):
    (home / ".Renviron").write_text("EDITOR=vi\n# AWS_PROFILE=x\nAWS_ACCESS_KEY_ID=AKIAUSER\n")
    finding = only(renviron.check, gather(role_env, NOON, "kernel"))
    assert (finding.code, finding.severity, finding.sdks) == ("renviron", Severity.WARNING, ("R",))
    assert finding.remedy == f"Remove the line {home}/.Renviron:3, and restart R."
    assert "AWS_ACCESS_KEY_ID" in finding.message
    assert "AKIAUSER" not in repr(finding)
    without_role = gather({"HOME": str(home)}, NOON, "kernel")
    assert only(renviron.check, without_role).severity is Severity.INFO


def test_rs_file_is_where_r_looks_for_it(role_env, home):
    (home / "mine").write_text("AWS_REGION=eu-west-1\n")
    assert codes(renviron.check, gather(role_env, NOON, None)) == []
    moved = {**role_env, "R_ENVIRON_USER": "~/mine"}
    assert codes(renviron.check, gather(moved, NOON, None)) == ["renviron"]


def test_hidden_files_do_not_conflict(role_env, home):
    conflicting_home(home, credentials=f"[default]\n{STATIC}")
    files = {
        "AWS_CONFIG_FILE": str(home / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / "none"),
    }
    assert codes(profiles.check, gather({**role_env, **files}, NOON, None)) == ["files_set_aside"]


def test_named_profiles_and_two_variables_for_one(role_env, home):
    conflicting_home(home, credentials=OTHER)
    assert codes(profiles.check, gather(role_env, NOON, None)) == ["named_profiles"]
    both = {"AWS_PROFILE": "other", "AWS_DEFAULT_PROFILE": "another"}
    found = codes(profiles.check, gather({**role_env, **both}, NOON, None))
    assert found == ["profiles_differ", "profile_missing", "profile_static_keys"]


def test_a_fifo_and_a_file_without_rights_do_not_hang_it(role_env, home):
    os.mkfifo(home / ".aws/config")
    assert codes(profiles.check, gather(role_env, NOON, None)) == ["profile_file_broken"]


@pytest.mark.parametrize(
    ("content", "line", "reason", "remedy"),
    [
        (b"\xef\xbb\xbf[default]\n", 1, "byte order mark", "sed -i"),
        (b"[default]\n# f\xfcr\n", 2, "not UTF-8", "iconv"),
        ("[default]\n".encode("utf-16"), 1, "UTF-16", "iconv -f UTF-16 -t UTF-8"),
        (b"[default]\ns3 =\n  junk\n", 3, "has no `=`", "Correct or remove line 3"),
        (b"[a]\n[b]\n[a]\n", 3, "occurs twice", "Correct or remove line 3"),
    ],
)
def test_a_broken_file_is_named_with_line_reason_and_remedy(
    role_env, home, content, line, reason, remedy
):
    (home / ".aws/config").write_bytes(content)
    finding = only(profiles.check, gather(role_env, NOON, "terminal"))
    assert finding.code == "profile_file_broken"
    assert finding.message.startswith(f"{home}/.aws/config:{line} ")
    assert reason in finding.message
    assert remedy in finding.remedy


def test_the_remedy_for_a_byte_order_mark_removes_it(role_env, home):
    config = home / ".aws/config"
    config.write_bytes(b"\xef\xbb\xbf[default]\nregion = eu-west-1\n")
    finding = only(profiles.check, gather(role_env, NOON, "terminal"))
    subprocess.run(finding.remedy.partition("example: ")[2], shell=True, check=True)
    assert config.read_bytes() == b"[default]\nregion = eu-west-1\n"


@pytest.mark.parametrize(
    "text",
    [
        "[it's mine]\nregion = x\n",
        "[profile it's]\nregion = x\n",
        "[default] x\nregion: eu-west-1\n",
    ],
)
def test_a_file_that_boto3_accepts_is_not_reported_as_broken(role_env, home, text):
    (home / ".aws/config").write_text(text)
    assert "profile_file_broken" not in codes(profiles.check, gather(role_env, NOON, "terminal"))


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("[default]\nregion = eu-west-1\nmax_attempts = x\n", "profile_setting_unusable", 3),
        ("[default]\nservices = none\n", "profile_setting_unusable", 2),
        ("[default]\n\nendpoint_url = http://user:secret@store\n", "profile_endpoint", 3),
        (f"[default]\nregion = eu-west-1\n  {STATIC}", "profile_read_differently", 3),
    ],
)
def test_a_setting_that_breaks_an_sdk_is_named_with_its_line(role_env, home, text, code, line):
    (home / ".aws/config").write_text(text)
    environment = {k: v for k, v in role_env.items() if k != "AWS_ENDPOINT_URL"}
    finding = only(profiles.check, gather(environment, NOON, "terminal"))
    assert finding.code == code
    assert f"{home}/.aws/config:{line}" in finding.message
    assert f"line {line} of {home}/.aws/config" in finding.remedy
    assert "secret" not in finding.message


def test_files_hidden_by_the_credential_endpoints_placeholders_are_read(role_env, home):
    (home / ".aws/credentials").write_text("[work]\n")
    token = Path(role_env["AWS_WEB_IDENTITY_TOKEN_FILE"]).with_name("slot_ab.endpoint")
    aside = {
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token),
        "AWS_CONFIG_FILE": str(token.with_name("slot_files.config")),
    }
    facts = gather({**role_env, **aside}, NOON, "terminal")

    assert facts.user_profiles is not None
    assert "work" in facts.user_profiles.by_name


def test_a_broken_hidden_file_is_named_but_not_an_error(role_env, home):
    (home / ".aws/config").write_bytes(b"\xef\xbb\xbf[default]\n")
    (home / ".aws/credentials").write_text("[default]\nmax_attempts = x\n")
    token = Path(role_env["AWS_WEB_IDENTITY_TOKEN_FILE"])
    aside = {
        "AWS_CONFIG_FILE": str(token.with_suffix(".config")),
        "AWS_SHARED_CREDENTIALS_FILE": str(token.with_suffix(".credentials")),
    }
    findings = list(profiles.check(gather({**role_env, **aside}, NOON, "terminal")))
    assert [f.code for f in findings] == [
        "profile_file_broken",
        "profile_setting_unusable",
        "files_set_aside",
    ]
    assert {f.severity for f in findings} == {Severity.INFO}
    assert "no effect here" in findings[0].message


def test_a_relative_path_of_a_profile_file_is_named(role_env):
    environment = {**role_env, "AWS_CONFIG_FILE": "work.cfg"}
    finding = next(iter(profiles.check(gather(environment, NOON, "terminal"))))
    assert (finding.code, finding.remedy) == ("profile_path_relative", "Run: unset AWS_CONFIG_FILE")


def test_a_relative_path_of_a_hidden_file_is_named(role_env):
    token = Path(role_env["AWS_WEB_IDENTITY_TOKEN_FILE"])
    aside = {
        "AWS_CONFIG_FILE": str(token.with_suffix(".config")),
        "AWS_SHARED_CREDENTIALS_FILE": str(token.with_suffix(".credentials")),
    }
    facts = gather({**role_env, **aside}, NOON, "terminal")
    own = user_profiles(facts.environment, {"AWS_SHARED_CREDENTIALS_FILE": "work.cred"})

    finding = next(iter(profiles.check(replace(facts, user_profiles=own))))

    assert (finding.code, finding.severity) == ("profile_path_relative", Severity.INFO)
    assert finding.message.startswith(
        "AWS_SHARED_CREDENTIALS_FILE names the relative path work.cred"
    )
    assert (
        finding.remedy
        == "Set AWS_SHARED_CREDENTIALS_FILE to the absolute path of the file, or remove it."
    )


# --- The token file ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "mode", "found"),
    [
        (make_jwt, 0o600, []),
        (lambda: make_jwt() + "\n", 0o600, ["token_file_newline"]),
        (lambda: "", 0o600, ["token_file_empty"]),
        (lambda: "\n", 0o600, ["token_file_empty"]),
        (lambda: "no token", 0o600, ["token_malformed"]),
        (make_jwt, 0o644, ["token_file_open"]),
        (lambda: make_jwt(iat=NOON - HOUR), 0o600, ["token_expired"]),
        (lambda: make_jwt(iat=NOON - HOUR + timedelta(seconds=30)), 0o600, ["token_expires_soon"]),
        (lambda: make_jwt(exp=NOON + timedelta(seconds=50)), 0o600, ["token_unfit"]),  # just issued
        (lambda: make_jwt(iat=NOON + timedelta(minutes=5)), 0o600, ["token_not_yet"]),
    ],
    ids=[
        "good",
        "newline",
        "empty",
        "newline only",
        "not a token",
        "readable for others",
        "expired",
        "expires soon",
        "expires too soon",
        "not valid yet",
    ],
)
def test_what_may_be_wrong_with_a_token_file(role_env, home, content, mode, found):
    file = Path(role_env["AWS_WEB_IDENTITY_TOKEN_FILE"])
    file.write_text(content())
    file.chmod(mode)
    assert codes(token.check, gather(role_env, NOON, None)) == found


def test_a_token_file_that_is_not_a_file(role_env, home, monkeypatch):
    monkeypatch.chdir(home)
    os.mkfifo(home / "fifo")
    for path, found in {
        "/no/such/token": ["token_file_missing"],
        str(home): ["token_file_unreadable"],
        str(home / "fifo"): ["token_file_unreadable"],
        "the.token": ["token_file_relative"],
        "~/the.token": ["token_file_relative", "token_file_missing"],
    }.items():
        env = {**role_env, "AWS_WEB_IDENTITY_TOKEN_FILE": path}
        assert codes(token.check, gather(env, NOON, None)) == found


def test_claims_that_iam_does_not_accept_are_reported_if_aws_is_called(role_env, home):
    file = Path(role_env["AWS_WEB_IDENTITY_TOKEN_FILE"])
    file.write_text(make_jwt(iss="http://idp.example.com", aud=None))
    aws = {k: v for k, v in role_env.items() if k != "AWS_ENDPOINT_URL"}
    found = list(token.check(gather(aws, NOON, None)))
    assert {f.code for f in found} == {"token_unfit"}
    shown = " ".join(f.message for f in found)
    assert "not an https URL" in shown
    assert "no audience" in shown
    assert codes(token.check, gather(role_env, NOON, None)) == []


def test_a_token_that_is_not_the_servers_is_reported(role_env):
    claims = {"iss": "https://idp.example.com", "aud": "wb", "azp": None, "sub": "bob"}
    server = ServerFacts(token_source=token_source(claims=claims))
    facts = replace(gather(role_env, NOON, None), server=server)
    finding = only(token.check, facts)
    assert finding.code == "token_of_another"
    assert "sub: 'alice', not 'bob'" in finding.message


def test_a_token_bound_to_a_role_is_compared_with_the_servers_token_for_that_role(role_env):
    role = role_env["AWS_ROLE_ARN"]
    mine = {
        "iss": "https://idp.example.com",
        "aud": "wb",
        "azp": None,
        "sub": "alice",
        "roles": None,
    }
    others = {**mine, "sub": "user:alice:role:111122223333/auditor"}
    source = token_source(claims=others, binds_role=True)
    sessions = [{**role_session("analyst"), "role_arn": role}, role_session("auditor")]

    def found(claims):
        health = [{"id": "id-analyst", "claims": claims}, {"id": "id-auditor", "claims": others}]
        server = ServerFacts(token_source=source, sessions=sessions, health=health)
        return codes(token.check, replace(gather(role_env, NOON, None), server=server))

    assert found(mine) == []
    assert found(None) == []
    assert found({**mine, "roles": [role]}) == ["token_of_another"]


# --- Endpoints, proxies, certificates, caches ----------------------------------------------


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({"AWS_ENDPOINT_URL": None}, []),
        ({}, ["endpoint_set"]),
        ({"AWS_ENDPOINT_URL": "localhost:1"}, ["endpoint_malformed", "endpoint_set"]),
        ({"AWS_ENDPOINT_URL": None, "AWS_ENDPOINT_URL_STS": "http://x"}, ["sts_endpoint_http"]),
        ({"AWS_ENDPOINT_URL": None, "AWS_ENDPOINT_URL_STS": "https://x"}, ["sts_endpoint_set"]),
        ({"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, ["endpoint_ignored"]),
        ({"AWS_ENDPOINT_URL": "http://169.254.169.254/"}, ["endpoint_metadata", "endpoint_set"]),
        ({"AWS_ENDPOINT_URL": "http://[::ffff:169.254.169.254]/"}, ["endpoint_metadata", "endpoint_set"]),
        (
            {"AWS_ENDPOINT_URL": None, "AWS_CONTAINER_CREDENTIALS_FULL_URI": "https://169.254.169.254/x"},
            ["endpoint_metadata"],
        ),
    ],
)  # fmt: skip
def test_endpoint_variables(role_env, more, found):
    env = {k: v for k, v in {**role_env, **more}.items() if v is not None}
    assert codes(endpoints.check_endpoints, Facts(env, NOON)) == found


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({}, []),
        ({"http_proxy": "http://p:3128", "no_proxy": ""}, ["proxy_for_loopback"]),
        ({"http_proxy": "http://p:3128"}, []),
        ({"https_proxy": "http://p:3128", "AWS_ENDPOINT_URL": None}, ["proxy_used"]),
        ({"HTTPS_PROXY": "http://p:port"}, ["proxy_malformed"]),
        ({"https_proxy": "http://p:1", "HTTPS_PROXY": "http://q:1"}, ["proxies_differ"]),
    ],
)
def test_proxy_variables(role_env, more, found):
    env = {k: v for k, v in {**role_env, **more}.items() if v is not None}
    assert codes(endpoints.check_proxies, Facts(env, NOON)) == found


@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
def test_the_remedy_changes_the_no_proxy_variable_that_boto3_reads(role_env, name):
    others = {k: v for k, v in role_env.items() if k != "no_proxy"}
    env = {**others, "http_proxy": "http://p:3128", name: "example.com"}
    finding = only(endpoints.check_proxies, Facts(env, NOON, "terminal"))
    assert finding.remedy == f"Run: export {name}=example.com,localhost,127.0.0.1"


@pytest.mark.parametrize("host", ["127.1", "[::1]", "0x7f.1"])
def test_no_proxy_lists_the_endpoint_as_it_is_spelled(role_env, host):
    env = {**role_env, "AWS_ENDPOINT_URL": f"http://{host}:5000", "http_proxy": "http://p:3128"}
    finding = only(endpoints.check_proxies, Facts(env, NOON, "terminal"))
    listed = finding.remedy.partition("=")[2].strip("'")
    assert listed == f"127.0.0.1,localhost,127.0.0.1,{host}"
    assert proxy_for(f"http://{host}:5000", {**env, "no_proxy": listed}) is None


@pytest.mark.parametrize(
    "variables",
    [
        {"HTTP_PROXY": "http://p:1"},
        {"http_proxy": "http://p:1", "HTTP_PROXY": "http://q:1"},
        {"HTTP_PROXY": "http://q:1", "http_proxy": ""},
        {"Http_Proxy": "http://p:1"},
        {"http_proxy": "http://p:1", "NO_PROXY": "example.com"},
        {"http_proxy": "http://p:1", "NO_PROXY": "example.com", "no_proxy": ""},
        {"http_proxy": "http://p:1", "no_proxy": "*"},
    ],
)
def test_a_proxy_is_chosen_as_boto3_chooses_it(monkeypatch, variables):
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    url = "http://example.com/"
    assert proxy_for(url, dict(os.environ)) == get_environ_proxies(url).get("http")


def test_ca_bundles(role_env, home):
    (home / "empty.pem").write_text("")
    (home / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    for more, found in [
        ({"AWS_CA_BUNDLE": "/no/such"}, ["ca_bundle_missing", "ca_bundle_for_some"]),
        ({"REQUESTS_CA_BUNDLE": str(home / "empty.pem")}, ["ca_bundle_broken", "ca_bundle_for_some"]),
        ({"AWS_CA_BUNDLE": str(home / "ca.pem")}, ["ca_bundle_for_some"]),
        ({"NODE_EXTRA_CA_CERTS": "/no/such"}, ["ca_bundle_missing"]),
        ({"SSL_CERT_FILE": str(home / "ca.pem")}, []),
        ({"SSL_CERT_DIR": f"{home}:{home / '.aws'}"}, []),
        ({"SSL_CERT_DIR": f"/no/such:{home}"}, []),
        ({"SSL_CERT_DIR": "/no/such:/nor/this"}, ["ca_bundle_missing"]),
    ]:  # fmt: skip
        facts = gather({**role_env, **more}, NOON, None)
        assert codes(endpoints.check_bundles, facts) == found


@pytest.mark.parametrize(
    "more",
    [
        {"https_proxy": "http://u:proxy-secret@p:1", "HTTPS_PROXY": "http://u:proxy-secret@q:x"},
        {"AWS_ENDPOINT_URL_S3": "https://u:proxy-secret@s3?x=proxy-secret"},
        {"AWS_ENDPOINT_URL": "https://u:proxy-secret@all"},
        # Without a scheme, and with what should have been escaped:
        {"https_proxy": "u:proxy-secret@127.0.0.1:9", "AWS_ENDPOINT_URL": None},
        {"http_proxy": "u:proxy-secret@127.0.0.1:9", "no_proxy": ""},
        {"AWS_ENDPOINT_URL": "u:proxy-secret@127.0.0.1:9"},
        {"AWS_ENDPOINT_URL_STS": "u:proxy-secret@127.0.0.1:9"},
        {"AWS_ENDPOINT_URL_STS": "ftp://u:proxy-secret@127.0.0.1:9"},
        {"AWS_ENDPOINT_URL_STS": "https://u:a/?#proxy-secret@127.0.0.1:9"},
    ],
)  # fmt: skip
def test_no_password_of_a_proxy_or_an_endpoint_is_shown(role_env, more):
    env = {k: v for k, v in {**role_env, **more}.items() if v is not None}
    found = [f for check in CHECKS.values() for f in check(Facts(env, NOON))]
    assert {"endpoint_set", "endpoint_malformed", "proxy_used", "proxy_malformed"} & {
        f.code for f in found
    }
    assert "proxy-secret" not in repr(found)


def entry(name, hours):
    expires = (NOON + timedelta(hours=hours)).isoformat()
    return json.dumps(
        {
            "Credentials": {"AccessKeyId": "ASIA", "SecretAccessKey": "s", "Expiration": expires},
            "AssumedRoleUser": {"Arn": f"arn:aws:sts::1:assumed-role/analyst/{name}"},
        }
    )


def test_leftovers_in_the_aws_commands_cache(role_env, home):
    folder = home / ".aws/cli/cache"
    folder.mkdir(parents=True)
    for name, content in {"mine": entry("alice-1", 1), "not": "no json", "odd": "[1]"}.items():
        (folder / f"{name}.json").write_text(content)
    assert codes(caches.check, gather(role_env, NOON, None)) == []
    (folder / "old.json").write_text(entry("alice-0", -1))
    (home / ".aws/login/cache").mkdir(parents=True)
    (home / ".aws/login/cache/x.json").write_text("{}")
    old, login = caches.check(gather(role_env, NOON, "kernel"))
    assert (old.code, login.code) == ("cli_cache_old", "login_cache")
    assert old.remedy == f"Run in the notebook: !rm -r {folder}"


ENDED, LIVING = "147bbeb45c5c4499", "0123456789abcdef"


@pytest.mark.parametrize(
    ("name", "server", "found"),
    [
        (f"alice-{ENDED}", ServerFacts(), True),
        (f"alice-{ENDED}-duckdb", ServerFacts(), True),
        (f"alice-{LIVING}", ServerFacts(sessions=[role_session("analyst", id=LIVING)]), False),
        ("botocore-session-1796000000", ServerFacts(), False),  # a profile's own role
        (f"alice-{ENDED}", None, False),
        (f"alice-{ENDED}", ServerFacts({"code": "no_server", "detail": "None."}), False),
    ],
)
def test_credentials_of_role_sessions_that_have_ended_are_one_finding(
    role_env, home, name, server, found
):
    folder = home / ".aws/cli/cache"
    folder.mkdir(parents=True)
    for number in range(3):
        (folder / f"{number}.json").write_text(entry(name, 1))
    (folder / "old.json").write_text(entry(name, -1))
    facts = replace(gather(role_env, NOON, "terminal"), server=server)
    finding = only(caches.check, facts)
    assert finding.code == ("cli_cache_alive" if found else "cli_cache_old")
    assert finding.severity is Severity.INFO
    assert finding.remedy == f"Run: rm -r {folder}"
    assert not found or "2026-11-24T13:00:00Z" in finding.message


def test_this_process_own_credentials_outlive_its_token_file(role_env, home):
    (home / ".aws/cli/cache").mkdir(parents=True)
    (home / ".aws/cli/cache/x.json").write_text(entry("alice-1", 1))
    Path(role_env["AWS_WEB_IDENTITY_TOKEN_FILE"]).unlink()
    assert codes(caches.check, gather(role_env, NOON, None)) == ["cli_cache_alive"]


def test_a_moved_login_cache_is_found(role_env, home):
    (home / "moved").mkdir()
    (home / "moved/x.json").write_text("{}")
    env = {**role_env, "AWS_LOGIN_CACHE_DIRECTORY": "~/moved"}
    assert codes(caches.check, gather(env, NOON, None)) == ["login_cache"]


# --- Network, server, call -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("probe", "found"),
    [
        (ProbeResult("https://sts", ahead=timedelta(seconds=5)), []),
        (ProbeResult("https://sts", ahead=timedelta(seconds=-45)), ["clock_off"]),
        (ProbeResult("https://sts", ahead=timedelta(minutes=6)), ["clock_skewed"]),
        (ProbeResult("https://sts", "unreachable", "refused"), ["sts_unreachable"]),
        (ProbeResult("https://sts", "certificate", "self-signed"), ["sts_certificate"]),
        (ProbeResult("https://sts", "metadata"), []),
    ],
)
def test_what_sts_answered(role_env, probe, found):
    assert codes(network.check_sts, Facts(role_env, NOON, sts=probe)) == found


@pytest.mark.parametrize(
    ("probe", "found"),
    [
        (ProbeResult("https://idp.example.com/x", issuer="https://idp.example.com"), []),
        (ProbeResult("https://idp.example.com/x", issuer="https://idp.example.com/"), ["idp_issuer_differs"]),
        (ProbeResult("https://idp.example.com/x", "unreachable", "refused"), ["idp_unreachable"]),
    ],
)  # fmt: skip
def test_what_the_identity_provider_answered(role_env, probe, found):
    facts = replace(gather(role_env, NOON, None), idp=probe)
    assert codes(network.check_idp, facts) == found


def test_an_identity_provider_that_the_server_reaches_need_not_be_reached_here(role_env):
    claims = {"iss": "https://idp.example.com", "aud": "wb", "azp": None, "sub": "alice"}
    probe = ProbeResult("https://idp.example.com/x", "certificate", "not trusted")
    server = ServerFacts(token_source=token_source(claims=claims))
    facts = replace(gather(role_env, NOON, None), idp=probe)
    assert only(network.check_idp, facts).severity is Severity.WARNING
    assert only(network.check_idp, replace(facts, server=server)).severity is Severity.INFO


def alices(state="active", **more):
    environment = {"AWS_ROLE_SESSION_NAME": "alice-1"}
    return role_session("analyst", state=state, default=True, environment=environment, **more)


OTHERS = role_session("auditor", environment={"AWS_ROLE_SESSION_NAME": "alice-2"})
WRONG = problem("token_source_failed", "It is down.")


@pytest.mark.parametrize(
    ("server", "found"),
    [
        (ServerFacts(sessions=[alices()]), []),
        (ServerFacts(sessions=[alices("degraded", problem=WRONG)]), ["session_degraded"]),
        (ServerFacts(sessions=[alices("expired")]), ["session_expired"]),
        (ServerFacts(sessions=[alices("sign_in_required")]), ["sign_in_required"]),
        (ServerFacts(sessions=[OTHERS]), ["session_over"]),
        (ServerFacts(sessions=[{**alices(), "default": False}, {**OTHERS, "default": True}]), ["other_default"]),
        (ServerFacts(sessions=[alices()], token_source=token_source(problem=WRONG)), ["token_source_failing"]),
        (
            ServerFacts(sessions=[alices()], catalogue={"path": "/r.toml", "problem": {"line": 3, "reason": "x"}}),
            ["roles_file_broken"],
        ),
        (
            ServerFacts(sessions=[alices()], notices=[
                {"code": "token_dir_exposed", "message": "Others can write to /run."},
                {"code": "store_failed", "message": "No matter here."},
            ]),
            ["token_dir_exposed"],
        ),
        (ServerFacts({"code": "no_server", "detail": "None runs."}), ["server_not_found"]),
        (ServerFacts({"code": "not_configured", "detail": "Not set up."}), ["server_not_set_up"]),
        (ServerFacts({"code": "server_unreachable", "detail": "Hm."}), ["server_unreachable"]),
    ],
)  # fmt: skip
def test_what_the_server_knows(role_env, server, found):
    env = {**role_env, "JUPYTER_WB_AWS_ROLE": "Analyst"}
    assert codes(server_check.check, Facts(env, NOON, "terminal", server=server)) == found


SIGNED_OUT = ServerFacts(
    token_source=token_source(problem=problem("sign_in_required", "You are not signed in."))
)


@pytest.mark.parametrize("place", ["terminal", "kernel", "server"])
@pytest.mark.parametrize("label", [None, "Analyst"])
def test_a_user_who_is_signed_out_is_asked_to_sign_in_before_anything_else(role_env, place, label):
    gone = {**role_env, "AWS_WEB_IDENTITY_TOKEN_FILE": "/no/such", "JUPYTER_WB_AWS_ROLE": label}
    facts = replace(gather(gone if label else {}, NOON, place), server=SIGNED_OUT)
    found = [finding for check in CHECKS.values() for finding in check(facts)]
    first = sorted_findings(found)[0]
    assert (first.code, first.severity) == ("sign_in_required", Severity.ERROR)
    assert first.message == "You are not signed in."
    assert first.remedy == "Run: jupyter wb-aws sign-in"
    # It is said once, and before what needs it.
    assert "token_source_failing" not in [finding.code for finding in found]
    assert ("session_over" if label else "no_role") in [finding.code for finding in found]


@pytest.mark.parametrize(
    ("call", "server"),
    [
        (CallResult("ok", "env"), SIGNED_OUT),
        (None, replace(SIGNED_OUT, no_role_chosen=True)),
    ],
)
def test_a_process_that_needs_no_role_needs_no_sign_in(call, server):
    facts = Facts({}, NOON, "terminal", server=server, call=call)
    found = {f.code: f for f in [*role.check(facts), *server_check.check(facts)]}
    assert set(found) == {"no_role", "token_source_failing"}
    failing = found["token_source_failing"]
    assert (failing.severity, failing.message) == (Severity.WARNING, "You are not signed in.")


@pytest.mark.parametrize("code", ["not_configured", "not_enabled"])
@pytest.mark.parametrize("place", ["terminal", "kernel", None])
def test_without_roles_on_the_server_that_is_the_only_error(code, place):
    facts = Facts({}, NOON, place, server=ServerFacts({"code": code, "detail": "Set X.issuer."}))
    first, second = [*role.check(facts), *server_check.check(facts)]
    assert (first.code, first.severity) == ("server_not_set_up", Severity.ERROR)
    assert "Set X.issuer." in first.message
    assert "administrator" in first.remedy
    assert (second.code, second.severity) == ("no_role", Severity.INFO)
    assert "wb-aws start" not in first.remedy + second.remedy


def test_a_process_with_other_credentials_needs_no_roles_on_the_server():
    called = CallResult("ok", "env", WHO)
    problem = {"code": "not_configured", "detail": "Set X.issuer."}
    facts = Facts({}, NOON, "terminal", server=ServerFacts(problem), call=called)
    findings = [*role.check(facts), *server_check.check(facts)]
    assert [(f.code, f.severity) for f in findings] == [
        ("no_role", Severity.INFO),
        ("server_not_set_up", Severity.INFO),
    ]


def test_a_role_session_without_its_server_is_a_warning_with_the_expiry(role_env):
    env = {**role_env, "JUPYTER_WB_AWS_ROLE": "Analyst"}
    gone = ServerFacts({"code": "no_server", "detail": "None runs."})
    finding = only(server_check.check, replace(gather(env, NOON, "terminal"), server=gone))
    assert (finding.code, finding.severity) == ("server_not_found", Severity.WARNING)
    assert "until the token expires at 2026-" in finding.message


def test_without_a_role_session_a_missing_server_is_an_info(role_env):
    gone = ServerFacts({"code": "no_server", "detail": "None runs."})
    finding = only(server_check.check, replace(gather(role_env, NOON, None), server=gone))
    assert (finding.code, finding.severity) == ("server_not_found", Severity.INFO)


WHO = CallerIdentity(
    "AROA:alice-1", "111122223333", "arn:aws:sts::111122223333:assumed-role/analyst/alice-1"
)
ELSE = CallerIdentity(
    "AROA:x", "111122223333", "arn:aws:sts::111122223333:assumed-role/analyst-own/x"
)
STORE = CallerIdentity("x", "", "arn:aws:sts::assumed-role/analyst/alice-1")
WEB = "assume-role-with-web-identity"


@pytest.mark.parametrize(
    ("called", "found"),
    [
        (CallResult("ok", WEB, WHO, timedelta(hours=1)), []),
        (CallResult("ok", WEB, STORE, timedelta(hours=1)), []),
        (CallResult("ok", WEB, ELSE, timedelta(hours=1)), ["signs_as_other"]),
        (CallResult("ok", "env", WHO), ["signs_as_other"]),
        (CallResult("ok", WEB, None, timedelta(hours=1)), ["caller_unknown"]),
        (CallResult("ok", "env", None), ["caller_unknown", "signs_as_other"]),
        (CallResult("ok", WEB, WHO, timedelta(minutes=15)), ["short_credentials"]),
        (CallResult("failed", WEB, error="AccessDenied", detail="No."), ["call_failed"]),
        (CallResult("failed", error="NoCredentials"), ["no_credentials"]),
        (CallResult("slow", detail="Slow."), ["call_slow"]),
        (CallResult("not_made", detail="No boto3."), ["call_not_made"]),
    ],
)
def test_results_of_the_real_call(role_env, called, found):
    assert codes(call.check, Facts(role_env, NOON, call=called)) == found


# --- All of them ---------------------------------------------------------------------------


def test_every_code_is_used_and_every_finding_has_a_code():
    folder = Path(jupyter_wb_aws.doctor.__file__).parent / "checks"
    source = "".join(path.read_text() for path in folder.glob("*.py"))
    assert set(CODES) <= set(re.findall(r'"([a-z_0-9]+)"', source))
    assert set(re.findall(r'found\(\s*"([a-z_0-9]+)"', source)) <= set(CODES)


def test_no_key_and_no_token_is_in_a_report_or_in_the_facts(role_env, home):
    conflicting_home(home, f"[default]\n{SOURCED}", f"[default]\n{STATIC}")
    secrets = {
        **PAIR,
        "AWS_SESSION_TOKEN": "session-secret",
        "AWS_BEARER_TOKEN_BEDROCK": "bearer-secret",
    }
    facts = gather({**role_env, **secrets}, NOON, "kernel")
    shown = repr(facts) + repr([list(check(facts)) for check in CHECKS.values()])
    for secret in (*secrets.values(), "user-secret", "AKIAUSER", make_jwt().rpartition(".")[2]):
        assert secret not in shown
