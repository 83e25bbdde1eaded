"""The pages about the hub service must be correct: configurations are loaded, policies evaluated, commands parsed."""

from __future__ import annotations

import asyncio
import configparser
import importlib
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import hcl2
import pytest
import yaml
from jupyterhub.app import JupyterHub
from jupyterhub.auth import Authenticator
from jupyterhub.roles import get_default_roles
from jupyterhub.scopes import scope_definitions
from jupyterhub.services.service import Service
from jupyterhub.spawner import Spawner
from jupyterhub.utils import subdomain_hook_idna, subdomain_hook_legacy
from traitlets.config import Config, PyFileConfigLoader

from jupyter_wb_aws.app import WbAwsApp
from jupyter_wb_aws.demo.local_aws.trust_policy import TrustRequest, allows
from jupyter_wb_aws.hub.app import HubServiceApp
from jupyter_wb_aws.hub.caller import KEYS_SCOPE
from jupyter_wb_aws.hub.catalogue import check_tokens
from jupyter_wb_aws.hub.claims import ClaimSettings
from jupyter_wb_aws.hub.connections import MAX_CONNECTIONS, OTHER_FILES
from jupyter_wb_aws.hub.terraform import as_terraform
from jupyter_wb_aws.hub.trust_policy import trust
from jupyter_wb_aws.identity.jupyterhub_source import JupyterHubTokenSource
from jupyter_wb_aws.role_sessions.role_session import EndReason, State
from jupyter_wb_aws.roles.catalogue_parser import parse
from tests.conftest import NOON
from tests.pages import HUB_PAGES, ROOT, blocks, prose

INLINE = re.compile(r"`([^`\n]+)`")
ISSUER = "https://hub.example.com/services/aws"
HOST = ISSUER.removeprefix("https://")
ACCOUNT = "111122223333"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{HOST}"
SETTINGS = ClaimSettings(ISSUER)
# The classes of the hub, of the service, and of the users' servers.
CLASSES = {
    cls.__name__: cls
    for cls in (JupyterHub, Authenticator, Spawner, HubServiceApp, WbAwsApp, JupyterHubTokenSource)
}
CONFIGURATIONS = blocks("python", HUB_PAGES)
MANIFESTS = [
    (block, document)
    for block in blocks("yaml", HUB_PAGES)
    for document in yaml.safe_load_all(block.text)
]
KINDS = {document["kind"]: document for _, document in MANIFESTS if "kind" in document}
(VALUES,) = [document for _, document in MANIFESTS if "kind" not in document]
POLICIES = [block for block in blocks("json", HUB_PAGES) if "Statement" in json.loads(block.text)]
TRUST_POLICIES = [block for block in POLICIES if '"Principal"' in block.text]
ROLES_FILES = blocks("toml", HUB_PAGES)
COMMANDS = [
    pytest.param(line.removeprefix("$ "), id=f"{block}: {line[:80]}")
    for block in blocks("console", HUB_PAGES)
    for line in block.text.splitlines()
    if line.startswith("$ ")
]


def load(text, folder):
    (folder / "config.py").write_text(text)
    return PyFileConfigLoader("config.py", path=str(folder)).load_config()


def roles_of(text):
    return parse(text, NOON, None, lambda role: check_tokens(SETTINGS, role)).roles()


# --- Configuration -------------------------------------------------------------------------


@pytest.mark.parametrize("block", CONFIGURATIONS, ids=str)
def test_a_configuration_has_settings_that_exist_and_valid_values(block, tmp_path):
    config = load(block.text, tmp_path)

    assert config
    for name, section in config.items():
        configured = CLASSES[name](config=config)
        assert set(section) <= set(CLASSES[name].class_traits(config=True))
        for key, value in section.items():
            if key != "authenticator_class":  # it becomes the class
                assert getattr(configured, key) == value


@pytest.mark.parametrize("block", CONFIGURATIONS, ids=str)
def test_services_and_roles_have_fields_and_scopes_that_the_hub_knows(block, tmp_path):
    hub = load(block.text, tmp_path).get("JupyterHub", {})

    for service in hub.get("services", []):
        assert service.keys() <= set(Service.class_trait_names(input=True))
    for role in hub.get("load_roles", []):
        known_scopes(role["scopes"], hub.get("custom_scopes", {}))


def known_scopes(scopes, custom=()):
    known = {*scope_definitions, *custom, "self"}
    assert {scope.partition("!")[0] for scope in scopes} <= known


@pytest.mark.parametrize("block", CONFIGURATIONS, ids=str)
def test_the_role_of_servers_keeps_what_the_hub_gives_it(block, tmp_path):
    own = {role["name"]: set(role["scopes"]) for role in get_default_roles()}
    roles = load(block.text, tmp_path).get("JupyterHub", {}).get("load_roles", [])
    for role in roles:
        if role["name"] == "server":
            assert set(role["scopes"]) == own["server"] | {"access:services!service=aws"}
        if role["name"] == "user":
            assert own["user"] <= set(role["scopes"])


def test_a_hub_does_not_start_with_groups_of_its_own_and_of_the_authenticator(tmp_path):
    (block,) = [block for block in CONFIGURATIONS if "manage_groups" in block.text]
    hub = JupyterHub(load_groups={"analysts": {"users": ["alice"]}})
    hub.db, hub.authenticator = None, Authenticator(config=load(block.text, tmp_path))

    with pytest.raises(ValueError, match="offloaded to the authenticator"):
        asyncio.run(hub.init_groups())


def test_the_issuer_of_a_hub_with_a_base_url_is_where_the_service_answers(tmp_path):
    (block,) = [block for block in CONFIGURATIONS if "HubServiceApp.prefix" in block.text]
    service = HubServiceApp(config=load(block.text, tmp_path))
    base_url = service.prefix.removesuffix(f"services/{service.service_name}/")

    assert base_url.startswith("/")
    assert base_url.endswith("/")
    assert service.issuer == f"https://hub.example.com{service.prefix}".rstrip("/")
    assert service.hub_api_url.endswith(f"{base_url}hub/api")
    assert any(
        command.values[0].endswith(f":{service.port}{service.prefix}health") for command in COMMANDS
    )


def leaves(value):
    """Yield the texts in a configuration's value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from leaves(inner)


@pytest.mark.parametrize("block", CONFIGURATIONS, ids=str)
def test_each_setting_with_the_services_name_is_in_the_list_for_another_name(block, tmp_path):
    page = (ROOT / "docs/hub-service.md").read_text()
    listed = page.partition("**The service has another name**")[2].partition("\n\n**")[0]
    named = {
        f"{section}.{key}"
        for section, settings in load(block.text, tmp_path).items()
        for key, value in settings.items()
        if any(re.search(r"/services/(aws|cloud)|service=aws|^(aws|cloud)$", text) for text in leaves(value))
    }  # fmt: skip
    of_prefix = {"HubServiceApp.prefix"}  # its own paragraph, with the base URL
    assert [name for name in sorted(named - of_prefix) if name not in listed] == []


@pytest.mark.parametrize("hook", [subdomain_hook_idna, subdomain_hook_legacy])
def test_the_host_of_the_service_on_a_hub_with_subdomains_is_that_of_the_hub(hook):
    page = (ROOT / "docs/hub-service.md").read_text()
    assert hook("aws", "hub.example.com", "service") in page


@pytest.mark.parametrize("block", ROLES_FILES, ids=str)
def test_a_roles_file_is_read_by_the_service(block):
    assert roles_of(block.text)


def test_the_systemd_unit_is_accepted(tmp_path):
    (block,) = blocks("ini", HUB_PAGES)
    parser = configparser.ConfigParser(strict=True)
    parser.optionxform = str
    parser.read_string(block.text)
    assert parser["Service"]["ExecStart"].split()[0].endswith("/jupyter-wb-aws-hub")
    assert int(parser["Service"]["LimitNOFILE"]) >= MAX_CONNECTIONS + OTHER_FILES
    # The folders of the settings are those that systemd makes.
    text = (ROOT / "docs/hub-service-deploy.md").read_text()
    assert f"/var/lib/{parser['Service']['StateDirectory']}/keys" in text
    assert f"/var/log/{parser['Service']['LogsDirectory']}/audit.jsonl" in text
    if analyze := shutil.which("systemd-analyze"):
        unit = tmp_path / "jupyter-wb-aws-hub.service"
        program = parser["Service"]["ExecStart"].split()[0]
        unit.write_text(block.text.replace(program, shutil.which("true")))
        done = subprocess.run(
            [analyze, "verify", "--man=no", unit], capture_output=True, text=True, check=False
        )
        assert str(unit.name) not in done.stderr


def test_the_table_of_settings_has_all_of_them_and_their_defaults():
    text = (ROOT / "docs/hub-service.md").read_text()
    table = text.partition("| setting of `HubServiceApp` |")[2].partition("\n\n")[0]
    rows = [row.split("|")[1:3] for row in table.splitlines()[2:]]
    shown = {name: default for names, default in rows for name in INLINE.findall(names)}
    own = {
        name: trait
        for name, trait in HubServiceApp.class_own_traits(config=True).items()
        if trait.this_class is HubServiceApp
    }

    assert shown.keys() == own.keys()
    for name, trait in own.items():
        if trait.default_value:  # the others come from the hub, or are required
            assert INLINE.findall(shown[name]) == [str(trait.default_value)], name


# --- Kubernetes ----------------------------------------------------------------------------


def pod():
    return KINDS["Deployment"]["spec"]["template"]


def container():
    (one,) = pod()["spec"]["containers"]
    return one


def test_the_deployment_mounts_what_its_settings_name(tmp_path):
    files = KINDS["ConfigMap"]["data"]
    settings = HubServiceApp(config=load(files["jupyter_wb_aws_hub_config.py"], tmp_path))
    mounts = {mount["name"]: mount["mountPath"] for mount in container()["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod()["spec"]["volumes"]}

    assert volumes.keys() == mounts.keys()
    assert settings.keys_dir == mounts["keys"]
    assert str(Path(settings.audit_log).parent) == mounts["audit"]
    assert str(Path(settings.roles_file).parent) == mounts["settings"]
    assert Path(settings.roles_file).name in files
    assert container()["command"][1] == f"--config={mounts['settings']}/{next(iter(files))}"
    assert settings.issuer == ISSUER
    assert roles_of(files["aws-roles.toml"])


def test_the_keys_can_be_read_by_the_services_group_alone():
    (keys,) = [v["secret"] for v in pod()["spec"]["volumes"] if v["name"] == "keys"]
    security = pod()["spec"]["securityContext"]

    assert keys["defaultMode"] == 0o440
    assert security["fsGroup"] == security["runAsGroup"]
    assert security["runAsNonRoot"]
    assert f"generic {keys['secretName']} " in (ROOT / "docs/hub-service-deploy.md").read_text()


def test_a_restart_of_the_pod_leaves_the_audit_log_closed_to_others():
    # By default, the kubelet adds 0660 to every file of a volume each time that it mounts it (`fsGroup`).
    assert pod()["spec"]["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch"


def test_the_probes_ask_what_the_service_answers_while_the_hub_is_away():
    paths = yaml.safe_load((ROOT / "jupyter_wb_aws/hub/openapi.yaml").read_text())["paths"]
    probes = [container()[f"{name}Probe"]["httpGet"] for name in ("readiness", "liveness")]
    for probe in probes:
        call = paths[probe["path"].removeprefix("/services/aws")]["get"]
        assert call["security"] == []
        assert probe["path"] != "/services/aws/health"
        assert probe["port"] == container()["ports"][0]["name"]


def test_labels_and_ports_of_the_manifests_belong_together():
    labels = pod()["metadata"]["labels"]
    (port,) = container()["ports"]
    (service_port,) = KINDS["Service"]["spec"]["ports"]

    for selector in (
        KINDS["Deployment"]["spec"]["selector"]["matchLabels"],
        KINDS["Service"]["spec"]["selector"],
        KINDS["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
    assert service_port["targetPort"] == port["name"]
    name = KINDS["Service"]["metadata"]["name"]
    url = f"http://{name}:{service_port['port']}"
    assert VALUES["hub"]["services"]["aws"]["url"] == url
    assert VALUES["singleuser"]["extraEnv"]["JUPYTER_WB_AWS_SERVICE_URL"] == f"{url}/services/aws/"
    assert port["containerPort"] == HubServiceApp().port


def test_the_charts_values_have_roles_that_the_hub_knows():
    assert VALUES["hub"]["services"].keys() == {"aws"}
    for role in VALUES["hub"]["loadRoles"].values():
        known_scopes(role["scopes"])


def test_the_charts_values_have_settings_that_exist():
    for name in VALUES["hub"]["config"]["JupyterHub"]:
        assert JupyterHub.class_traits(config=True)[name]
    settings = VALUES["singleuser"]["extraFiles"]["aws-settings"]["data"]
    for name, section in settings.items():
        configured = CLASSES[name](config=Config(settings))
        assert {key: getattr(configured, key) for key in section} == section
    storage = VALUES["singleuser"]["storage"]
    (volume,), (mount,) = storage["extraVolumes"], storage["extraVolumeMounts"]
    assert volume["name"] == mount["name"]
    assert volume["emptyDir"]["medium"] == "Memory"
    assert mount["mountPath"] == settings["WbAwsApp"]["token_dir"]


def test_the_groups_that_the_manifests_name_have_users():
    groups = VALUES["hub"]["config"]["JupyterHub"]["load_groups"]
    named = {g for role in VALUES["hub"]["loadRoles"].values() for g in role.get("groups", [])}
    named |= set(re.findall(r'groups = \["(.*?)"\]', KINDS["ConfigMap"]["data"]["aws-roles.toml"]))
    assert named == groups.keys()
    assert all(group["users"] for group in groups.values())


def test_the_image_is_built_by_a_valid_dockerfile():
    (block,) = blocks("dockerfile", HUB_PAGES)
    subprocess.run(
        [Path(sys.executable).with_name("hadolint"), "--no-color", "-"],
        input=block.text,
        text=True,
        check=True,
    )
    assert f"--tag {container()['image']} " in (ROOT / "docs/hub-service-deploy.md").read_text()


# --- Policies ------------------------------------------------------------------------------


def request(user="alice", *, claim="true", aud="sts.amazonaws.com", **more):
    context = {
        f"{HOST}:aud": (aud,),
        f"{HOST}:sub": (f"user:{user}",),
        "sts:roleauthorizedbyidp": (claim,),
        "sts:sourceidentity": (user,),
        "aws:requesttag/hubuser": (user,),
        **more,
    }
    return TrustRequest(PROVIDER, context)


def lets_in(policy, asked):
    return allows(policy, "sts:AssumeRoleWithWebIdentity", asked)


@pytest.mark.parametrize("block", TRUST_POLICIES, ids=str)
def test_a_trust_policy_lets_in_tokens_that_the_service_has_signed_for_this_role(block):
    assert lets_in(block.text, request("bob"))
    assert not lets_in(block.text, request("bob", claim="false"))
    assert not lets_in(block.text, request("bob", aud="another-app"))
    other = TrustRequest(PROVIDER.replace("hub.", "evil."), request("bob").context)
    assert not lets_in(block.text, other)


def test_the_statement_that_shuts_a_user_out_works():
    (policy,) = [block.text for block in TRUST_POLICIES if "AliceIsOut" in block.text]
    assert lets_in(policy, request("bob"))
    assert not lets_in(policy, request("alice"))


def test_the_policies_of_the_page_are_those_that_the_command_prints():
    shown = [json.loads(block.text) for block in TRUST_POLICIES if "AliceIsOut" not in block.text]
    printed = []
    for file in (ROLES_FILES[-1], ROLES_FILES[0]):
        printed += [trust(role, SETTINGS).policy() for role in roles_of(file.text)]
    assert all(policy in printed for policy in shown)
    assert len(shown) == 2
    assert shown[0] != shown[1]


@pytest.mark.parametrize("block", POLICIES, ids=str)
def test_a_policy_has_the_shape_that_iam_accepts(block):
    policy = json.loads(block.text)
    assert policy.keys() == {"Version", "Statement"}
    for statement in policy["Statement"]:
        assert statement.keys() <= {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
        assert ("Principal" in statement) != ("Resource" in statement)


def test_terraform_of_the_page_is_a_part_of_what_the_command_prints():
    (block,) = blocks("hcl", HUB_PAGES)
    first = next(file for file in ROLES_FILES if file.page == "hub-service.md")
    trusts = [trust(role, SETTINGS) for role in roles_of(first.text)]
    printed = as_terraform(trusts, SETTINGS)

    assert hcl2.loads(block.text)
    assert hcl2.loads(printed)
    assert all(resource in printed for resource in block.text.split("\n\n"))


# --- Commands ------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_exists_and_takes_its_arguments(command, tmp_path):
    match shlex.split(command):
        case ["jupyter-wb-aws-hub", *words]:
            check_own_command(words)
        case ["sudo", "-u", "jupyter-wb-aws-hub", program, *words]:
            assert program.endswith("/bin/jupyter-wb-aws-hub")
            check_own_command(words)
        case ["kubectl", *words]:
            assert {"create", "apply", "patch", "describe"} & set(words)
        case [program, *_]:
            assert program in {
                "aws", "chown", "curl", "docker", "helm", "install", "jupyter", "npm", "pip", "python3", "rm", "systemctl", "useradd",
                "/opt/jupyter-wb-aws-hub/bin/pip",
            }  # fmt: skip


def check_own_command(words):
    app, options = HubServiceApp, words
    if words[0] in HubServiceApp.subcommands:
        where, _ = HubServiceApp.subcommands[words[0]]
        if isinstance(where, str):
            module, _, name = where.rpartition(".")
            where = getattr(importlib.import_module(module), name)
        app, options = where, words[1:]
    known = set(app.aliases) | set(app.flags) | {"version"}
    for option in options:
        if option.startswith("--"):
            assert option.removeprefix("--").partition("=")[0] in known, option


def test_the_scope_that_lets_a_service_rotate_the_keys_is_that_of_the_service():
    assert KEYS_SCOPE in (ROOT / "docs/hub-service-aws.md").read_text()


def test_all_subcommands_are_shown():
    shown = "\n".join(page.read_text() for page in HUB_PAGES)
    assert [c for c in HubServiceApp.subcommands if f"jupyter-wb-aws-hub {c}" not in shown] == []


# --- Names ---------------------------------------------------------------------------------


CODES = yaml.safe_load((ROOT / "jupyter_wb_aws/hub/openapi.yaml").read_text())["x-codes"]
HUB_NAMES = {
    *CODES,
    *(name for cls in CLASSES.values() for name in cls.class_traits(config=True)),
    # Keys of the roles file, and a claim.
    *("tags", "source_identity", "transitive_tags", "roles_from_claim", "request_url", "preferred_username"),
    "credential_lifetime",
    # Of the audit log and of answers.
    *("hub_token_id", "keys_rotated", "was_made", "still_published", "audit_available", "role_arn", "problems"),
    *get_args(EndReason),
    *(str(state) for state in State),
    # Of JupyterHub and of Zero to JupyterHub.
    *("load_roles", "refresh_user"),
}  # fmt: skip
# Files that a page asks the reader to create.
READERS_FILES = {
    "/etc/jupyterhub/jupyter_wb_aws_hub_config.py", "jupyterhub_config.py", "/etc/jupyterhub/aws-roles.toml",
    "/etc/jupyter/jupyter_server_config.py", "aws-hub-service.yaml", "values.yaml", "trust.json", "revoke.json",
    "permissions.json", "revoke-all.json", "jupyter_wb_aws_hub_config.py",
}  # fmt: skip


@pytest.mark.parametrize("page", HUB_PAGES, ids=lambda page: page.name)
def test_names_in_the_text_are_names_of_something(page):
    words = {word for word in INLINE.findall(prose(page)) if re.fullmatch(r"[a-z]+_[a-z_]+", word)}
    assert {word for word in words if not word.startswith("test_")} - HUB_NAMES == set()


@pytest.mark.parametrize("page", HUB_PAGES, ids=lambda page: page.name)
def test_files_in_the_text_are_the_readers_or_the_projects(page):
    named = re.findall(r"`([\w./-]+\.(?:json|py|toml|ya?ml))`", prose(page))
    assert [
        name for name in named if name not in READERS_FILES and not (ROOT / name).exists()
    ] == []


# --- Promises ------------------------------------------------------------------------------


def test_the_tests_that_are_said_to_hold_a_promise_exist():
    page = (ROOT / "docs/hub-service-security.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)`: `(test_\w+)`", page)
    missing = [
        f"{path}: {name}"
        for path, name in named
        if not (ROOT / path).exists() or f"def {name}(" not in (ROOT / path).read_text()
    ]
    assert named
    assert missing == []
