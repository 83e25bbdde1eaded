"""README.md and docs/ must be correct: their examples are run or parsed, their names looked up."""

from __future__ import annotations

import http.server
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import threading
import time
import types
from datetime import datetime
from pathlib import Path
from typing import get_args

import botocore.session
import pytest
import yaml
from botocore import xform_name
from jupyter_server.serverapp import ServerApp
from jupyter_server_proxy.config import ServerProxy
from jupyterhub.app import JupyterHub
from traitlets.config import PyFileConfigLoader

from jupyter_wb_aws import __version__
from jupyter_wb_aws.app import WbAwsApp
from jupyter_wb_aws.cli import main
from jupyter_wb_aws.cli.errors import EXIT_CODES_HELP, ExitCode
from jupyter_wb_aws.demo.local_aws.trust_policy import TrustRequest, allows
from jupyter_wb_aws.doctor.checks.call import PROVIDERS
from jupyter_wb_aws.doctor.codes import ALL
from jupyter_wb_aws.doctor.codes import CODES as DOCTOR
from jupyter_wb_aws.events import NAMES, schema_id
from jupyter_wb_aws.identity.claim_problems import ClaimCode
from jupyter_wb_aws.identity.command_source import CommandTokenSource
from jupyter_wb_aws.identity.file_source import FileTokenSource
from jupyter_wb_aws.identity.jupyterhub_source import JupyterHubTokenSource
from jupyter_wb_aws.identity.oidc_source import OidcTokenSource
from jupyter_wb_aws.identity.source import TokenRequest, TokenSource
from jupyter_wb_aws.role_sessions.role_session import EndReason, State
from jupyter_wb_aws.roles.catalogue_parser import CLAIM_KEYS, KEYS, parse
from jupyter_wb_aws.wiring import missing_setting
from tests.conftest import NOON, make_jwt
from tests.pages import BLOCK, HUB_PAGES, PAGES, ROOT, blocks, prose

INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
CONTRACT = yaml.safe_load((ROOT / "jupyter_wb_aws/handlers/openapi.yaml").read_text())
CODES = CONTRACT["x-codes"]


OUR_PAGES = [
    page for page in PAGES if page not in HUB_PAGES
]  # tests/test_docs_hub.py has the others
PYTHON = blocks("python", OUR_PAGES)
CONFIGURATIONS = [block for block in PYTHON if re.search(r"^c\.", block.text, re.MULTILINE)]
(SOURCE,) = [block for block in PYTHON if "(TokenSource):" in block.text]
POLICIES = [b for b in blocks("json", OUR_PAGES) if "Statement" in json.loads(b.text)]
TRUST_POLICIES = [block for block in POLICIES if '"Principal"' in block.text]
COMMANDS = (
    [
        pytest.param(line.removeprefix("$ "), id=f"{block}: {line[:80]}")
        for block in blocks("console", OUR_PAGES)
        for line in block.text.splitlines()
        if line.startswith("$ ")
    ]
    + [
        pytest.param(inline, id=f"{page.relative_to(ROOT)}: {inline}")
        for page in PAGES
        for inline in dict.fromkeys(INLINE.findall(prose(page)))
        if inline.startswith(("jupyter ", "make ", "aws ", "pip ", "curl ")) and "…" not in inline
    ]
    + [
        pytest.param(command, id=f"{block}: {command[:80]}")
        for block in blocks("text")
        for command in re.findall(r"jupyter wb-aws [^\n)]+", block.text)
    ]
)


def test_every_code_block_has_a_language_that_is_checked():
    fences = sum(page.read_text().count("\n```") for page in PAGES)
    known = [
        "console",
        "dockerfile",
        "hcl",
        "ini",
        "json",
        "python",
        "r",
        "text",
        "toml",
        "yaml",
    ]  # R is run by tests/clients
    assert fences == 2 * sum(len(blocks(language)) for language in known)


@pytest.mark.parametrize("block", blocks("toml", OUR_PAGES), ids=str)
def test_a_roles_file_is_read(block):
    assert parse(block.text, NOON).entries or parse(block.text, NOON).from_claim


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_yaml_parses(block):
    assert all(yaml.safe_load_all(block.text))


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_python_compiles(block):
    compile(block.text, str(block), "exec")


# --- Configuration -------------------------------------------------------------------------


@pytest.fixture
def example_source(monkeypatch):
    """The example's token source, at the import path that its configuration names."""
    module = types.ModuleType("my_site.tokens")
    exec(compile(SOURCE.text, str(SOURCE), "exec"), module.__dict__)
    package = types.ModuleType("my_site")
    package.tokens = module
    monkeypatch.setitem(sys.modules, "my_site", package)
    monkeypatch.setitem(sys.modules, "my_site.tokens", module)
    return module.AgentTokenSource


def configuration(block, folder):
    """Return the example's configuration; the file with the client secret, which must exist, is in `folder`."""
    (secret := folder / "secret").write_text("any")
    text = block.text.replace("/etc/jupyter/google-client-secret", str(secret))
    (folder / "jupyter_server_config.py").write_text(text)
    return PyFileConfigLoader("jupyter_server_config.py", path=str(folder)).load_config()


@pytest.mark.parametrize("block", CONFIGURATIONS, ids=str)
def test_a_configuration_has_settings_that_exist_and_valid_values(block, example_source, tmp_path):
    config = configuration(block, tmp_path)
    known = {
        c.__name__: c
        for c in (
            WbAwsApp, CommandTokenSource, FileTokenSource, JupyterHubTokenSource, OidcTokenSource, ServerApp,
            ServerProxy, JupyterHub, example_source,
        )
    }  # fmt: skip
    assert config
    for name, section in config.items():
        assert set(section) <= set(known[name].class_traits(config=True))
        configured = known[name](config=config)
        if name == "ServerProxy":  # it converts the values to objects
            assert configured.servers.keys() == section["servers"].keys()
        else:
            assert {key: getattr(configured, key) for key in section} == section


@pytest.mark.parametrize("block", CONFIGURATIONS, ids=str)
def test_a_configuration_with_a_token_source_is_complete(
    block, example_source, tmp_path, monkeypatch
):
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "as the hub sets it")
    config = configuration(block, tmp_path)
    app = WbAwsApp(config=config)
    assert missing_setting(app, app.make_source()) is None or not app.token_source


async def test_the_example_of_a_token_source_returns_tokens(example_source):
    token = make_jwt()

    class Agent(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(token.encode() + b"\n")

        def log_message(self, *args):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Agent) as agent:
        threading.Thread(target=agent.serve_forever, daemon=True).start()
        source = example_source(url=f"http://127.0.0.1:{agent.server_port}/token")
        fetched = await source.fetch(TokenRequest())
        agent.shutdown()
    assert fetched.reveal() == token
    assert example_source().missing_setting() == "AgentTokenSource.url"


def test_the_table_of_settings_is_complete():
    page = (ROOT / "docs/administration.md").read_text()
    listed = set(re.findall(r"^\| `(\w+\.\w+)` \|", page, re.MULTILINE))
    own = {
        f"{cls.__name__}.{name}"
        for cls in (
            WbAwsApp,
            CommandTokenSource,
            FileTokenSource,
            JupyterHubTokenSource,
            OidcTokenSource,
        )
        for name, trait in cls.class_own_traits(config=True).items()
        if trait.this_class is cls
    }
    assert listed == own
    of_every_source = page.partition("under its own class name")[2].partition("\n## ")[0]
    shared = set(re.findall(r"^\| `(\w+)` \|", of_every_source, re.MULTILINE))
    assert shared == set(TokenSource.class_own_traits(config=True))


def test_the_table_of_a_roles_keys_is_complete():
    page = (ROOT / "docs/administration.md").read_text()
    table = page.partition("| key of a role |")[2].partition("\n\n")[0]
    rows = [row.split("|")[1] for row in table.splitlines()[2:]]
    assert {name for row in rows for name in INLINE.findall(row)} == KEYS


def test_the_table_of_the_claims_keys_is_complete():
    page = (ROOT / "docs/administration.md").read_text()
    table = page.partition("| key of `roles_from_claim` |")[2].partition("\n\n")[0]
    rows = [row.split("|")[1] for row in table.splitlines()[2:]]
    assert {name for row in rows for name in INLINE.findall(row)} == CLAIM_KEYS


# --- Policies ------------------------------------------------------------------------------


def request(sub, aud="jupyter", **tags):
    host = "idp.example.com"
    context = {
        f"{host}:aud": (aud,),
        f"{host}:sub": (sub,),
        "sts:sourceidentity": (sub,),
        **{f"aws:requesttag/{key.lower()}": (value,) for key, value in tags.items()},
    }
    return TrustRequest(f"arn:aws:iam::111122223333:oidc-provider/{host}", context)


def lets_in(policy, asked):
    actions = ("AssumeRoleWithWebIdentity", "TagSession", "SetSourceIdentity")
    return all(allows(policy, f"sts:{action}", asked) for action in actions)


@pytest.mark.parametrize("block", TRUST_POLICIES, ids=str)
def test_a_trust_policy_lets_in_only_the_users_that_it_names(block):
    bob = request("bob", Team="analytics")
    assert lets_in(block.text, bob)
    assert not lets_in(block.text, request("mallory", Team="other"))
    assert not lets_in(block.text, request("bob", aud="another-app", Team="analytics"))
    other = TrustRequest(bob.principal.replace("idp.", "evil."), bob.context)
    assert not lets_in(block.text, other)


def test_the_statement_that_shuts_a_user_out_works():
    (policy,) = [block.text for block in TRUST_POLICIES if "AliceIsOut" in block.text]
    assert not lets_in(policy, request("alice"))
    (team,) = [block.text for block in TRUST_POLICIES if "RequestTag" in block.text]
    assert lets_in(team, request("alice", Team="analytics"))


@pytest.mark.parametrize("block", POLICIES, ids=str)
def test_a_policy_has_the_shape_that_iam_accepts(block):
    policy = json.loads(block.text)
    assert policy.keys() == {"Version", "Statement"}
    assert policy["Version"] == "2012-10-17"
    for statement in policy["Statement"]:
        assert statement.keys() <= {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
        assert statement["Effect"] in {"Allow", "Deny"}
        assert ("Principal" in statement) != ("Resource" in statement)
        dates = statement.get("Condition", {}).get("DateLessThan", {})
        assert all(datetime.fromisoformat(date).tzinfo for date in dates.values())


# --- Commands ------------------------------------------------------------------------------


# In tests/test_docs_run.py.
RUN_ELSEWHERE = (
    "jupyter server extension list",
    "jupyter labextension list",
    "jupyter --paths",
    "curl -H",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_exists_and_takes_its_arguments(command, capsys):
    match shlex.split(command):
        case ["make", target, *_]:
            assert re.search(rf"^{target}:.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
        case ["jupyter", "wb-aws", *words]:
            if not words:
                return  # the command by its name
            if words[-1] not in {"--help", "-h"}:
                main.parse(words)
            else:
                assert main.main(words) == 0
                assert "usage:" in capsys.readouterr().out
        case ["aws", "login" | "--profile", *_]:
            pass  # of the command itself, not of a service
        case ["aws", service, operation, *_]:
            loaded = botocore.session.Session().get_service_model(service)
            assert operation in {xform_name(name, "-") for name in loaded.operation_names}
        case [program, *_] if program.startswith((".venv/bin/", "(cd")):
            pass  # for contributors: tests/test_contributing.py
        case words:
            assert words[:2] in (
                ["pip", "install"],
                ["pip", "wheel"],
                ["pip", "check"],
                ["pip", "uninstall"],
                ["jupyter", "lab"],
                *([*shlex.split(ran)[:2]] for ran in RUN_ELSEWHERE),
            )


@pytest.fixture
def iam(tmp_path):
    """A function that runs a command against a local IAM that accepts any credentials."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_DEFAULT_REGION": "us-east-2",
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
    }
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", str(port)],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 30
        while not answers(port) and time.monotonic() < deadline:
            time.sleep(0.1)
        yield lambda command: subprocess.run(
            shlex.split(command), cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
    finally:
        server.terminate()
        server.wait()


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_steps_in_aws_work_in_their_order(iam, tmp_path):
    ran = []
    for page in ("administration.md", "security.md", "identity-providers.md"):
        text = (ROOT / "docs" / page).read_text()
        for found in BLOCK.finditer(text):
            named = re.findall(r"`(\w+\.json)`", text[: found.start()])
            if found[1] == "json" and named:
                (tmp_path / named[-1]).write_text(found[2])
            for command in re.findall(r"^\$ (aws .*)$", found[2], re.MULTILINE):
                done = iam(command)
                assert done.returncode == 0, done.stderr
                ran.append(command.split()[2])
    assert ran == [
        "create-open-id-connect-provider",
        "create-role",
        "put-role-policy",
        "update-assume-role-policy",
        "put-role-policy",
        *["create-open-id-connect-provider"] * 4,
    ]


# --- Names, tables, links ------------------------------------------------------------------


def test_the_table_of_error_codes_is_up_to_date():
    rows = [f"| `{code}` | {x['status']} | {x['meaning']} |" for code, x in CODES.items()]
    table = "\n".join(["| code | status | meaning |", "|---|---|---|", *rows])
    assert f"\n\n{table}\n\n" in (ROOT / "docs/administration.md").read_text()


def test_the_tables_of_the_doctor_are_up_to_date():
    page = (ROOT / "docs/doctor.md").read_text()
    named = {ALL: "all", (): "-"}
    rows = [
        f"| `{code}` | {x.severity} | {named.get(x.sdks) or ', '.join(x.sdks)} | {x.meaning} |"
        for code, x in DOCTOR.items()
    ]
    table = "\n".join(["| code | severity | SDKs | meaning |", "|---|---|---|---|", *rows])
    assert f"\n\n{table}\n\n" in page
    rows = [f"| `{provider}` | {words} |" for provider, words in PROVIDERS.items()]
    assert "\n".join(["| provider | credentials from |", "|---|---|", *rows]) in page


OTHER_NAMES = {
    *CODES,
    *DOCTOR,
    *KEYS,
    *CLAIM_KEYS,
    *(str(state) for state in State),
    *(name for cls in (WbAwsApp, CommandTokenSource, JupyterHubTokenSource, OidcTokenSource) for name in cls.class_own_traits(config=True)),
    *TokenSource.class_own_traits(config=True),
    "file", "command", "audience", "fetch", "users", "claims", "status", "message", "code", "hint", "admin_hint",
    "binds_role", "knows_roles", "identity_and_roles", "roles_file_exposed", "unknown_setting", "roles_from_claim", "end_reason", "clients_stop_by", *get_args(EndReason), *get_args(ClaimCode), "hide_if_conflicting", "not_configured",
    # OAuth's, Jupyter's, AWS's and the stores' own
    "login_session", "endpoint_url", "use_fips_endpoint", "use_dualstack_endpoint", "session_id", "kernel_id", "id_token", "id_token_hint", "auth_time", "access_token", "offline_access", "client_secret_basic", "client_secret_post", "invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_grant", "invalid_request",
    "invalid_scope", "interaction_required", "bad_refresh_token", "server_error",
    "kernel_manager_factory", "kernel_manager_class", "_async_launch_kernel", "start_kernel", "_proc_args", "_proc_kwargs", "get_cmd", "get_env", "update_env",
    "make_term_env", "new_terminal", "preferred_username", "extra_env", "current_user", "credential_process", "role_arn", "source_profile",
    "jupyter_wb_aws", "app_id", "rgw_s3_auth_use_sts", "rgw_sts_key", "principal_tags", "access_type", "select_account",
    # named for contributors, with their file
    "role_sessions", "next_refresh", "session_json",
    # conda-forge's names
    "jupyter_client", "jupyter_events", "jupyter_server",
    "finalize_s3", "env_auth", "to_parquet", "storage_options", "root_dir",
    # notices and problems of health
    *CONTRACT["components"]["schemas"]["HealthCode"]["enum"],
    "store_failed", "token_dir_fallback", "token_dir_exposed", "store_fallback", "store_dir_exposed",
}  # fmt: skip


@pytest.mark.parametrize("page", OUR_PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_names_in_the_text_are_names_of_something(page):
    words = {
        word for word in INLINE.findall(prose(page)) if re.fullmatch(r"_?[a-z]+_[a-z_]+", word)
    }
    assert words <= OTHER_NAMES


def test_the_table_of_exit_codes_is_that_of_the_help():
    listed = re.findall(r"^  (\d+) +(.*)$", EXIT_CODES_HELP, re.MULTILINE)
    rows = [f"| {code} | {meaning} |" for code, meaning in listed]
    table = "\n".join(["| code | meaning |", "|---|---|", *rows])
    assert [int(code) for code, _ in listed] == list(ExitCode)
    assert f"\n\n{table}\n\n" in (ROOT / "docs/commands.md").read_text()


def test_every_command_is_shown():
    shown = (ROOT / "docs/commands.md").read_text()
    assert [c for c in main.COMMANDS if c != "demo" and f"jupyter wb-aws {c}" not in shown] == []


def test_all_reasons_of_an_end_are_listed():
    page = (ROOT / "docs/administration.md").read_text()
    table = page.partition("| reason | it ended because |")[2].partition("\n\n")[0]
    shown = CONTRACT["components"]["schemas"]["RoleSession"]["properties"]["end_reason"]["enum"]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(get_args(EndReason))
    assert shown == [*get_args(EndReason), None]


def test_all_events_are_listed():
    text = (ROOT / "docs/administration.md").read_text()
    listed = text.partition("**Events**")[2].partition("\n\n")[0]
    prefix = "urn:jupyter-wb-aws:event:"
    assert {f"{prefix}{word}" for word in INLINE.findall(listed)} >= {schema_id(n) for n in NAMES}


# Files that a page asks the reader to create.
READERS_FILES = {
    "/etc/jupyterhub/jupyter_wb_aws_hub_config.py",
    "/etc/jupyter/aws-roles.toml", "/etc/jupyter/jupyter_server_config.py", "jupyter_server_config.py",
    "jupyter_server_config.json", "jupyterhub_config.py", "values.yaml", "trust.json", "permissions.json", "revoke.json", "iam.json", "s3_browser.py",
}  # fmt: skip
FILE = re.compile(r"[\w./-]+\.(?:js|json|mjs|py|svg|toml|tsx?|ya?ml)")


@pytest.fixture(scope="module")
def files():
    """The files of the repository, each with a slash in front."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return [f"/{path}" for path in listed.split()]


@pytest.mark.parametrize("page", OUR_PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_in_the_text_are_files_of_the_repository(page, files):
    named = {word for word in INLINE.findall(prose(page)) if FILE.fullmatch(word)} - READERS_FILES
    assert [name for name in named if not any(path.endswith(f"/{name}") for path in files)] == []


def anchors(page):
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page):
    for link in LINK.findall(page.read_text()):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("lab", ["oldest", "newest"])
def test_the_pages_name_the_versions_of_jupyterlab_that_are_tested(lab):
    pins = (ROOT / f"requirements/lab-{lab}.txt").read_text("utf-8")
    of = dict(re.findall(r"^(jupyterlab|notebook)==(\S+)", pins, re.MULTILINE))

    for page, words in (
        ("README.md", "{jupyterlab} with {notebook}"),
        ("docs/administration.md", "JupyterLab {jupyterlab} with Notebook {notebook}"),
    ):
        text = " ".join((ROOT / page).read_text("utf-8").replace("Notebook ", "").split())
        assert words.format(**of).replace("Notebook ", "") in text


# --- The changelog -------------------------------------------------------------------------


MAX_CHANGELOG_ENTRIES = 15
READERS = [
    "data scientists",
    "administrators",
    "security reviewers",
    "contributors and authors of extensions",
]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
VERSIONS = re.findall(r"^## (.*)\n(?s:(.*?))(?=^## |\Z)", CHANGELOG, re.MULTILINE)


def test_the_changelog_begins_with_the_version_of_the_package():
    assert re.fullmatch(
        rf"\[{re.escape(__version__)}\] - (Unreleased|\d{{4}}-\d\d-\d\d)", VERSIONS[0][0]
    )


@pytest.mark.parametrize(("heading", "text"), VERSIONS, ids=[heading for heading, _ in VERSIONS])
def test_a_version_of_the_changelog_is_short_and_grouped_by_reader(heading, text):
    groups = re.findall(r"^### For (.*)$", text, re.MULTILINE)
    assert 1 <= len(re.findall(r"^- ", text, re.MULTILINE)) <= MAX_CHANGELOG_ENTRIES
    assert groups == [reader for reader in READERS if reader in groups]
    assert len(groups) == text.count("\n### ")
