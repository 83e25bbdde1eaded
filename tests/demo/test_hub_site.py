"""The configuration of the demo's hub, without a hub."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_wb_aws.demo.hub import site
from jupyter_wb_aws.demo.local_aws import LocalAws, accounts
from jupyter_wb_aws.demo.local_aws.seed import seed_for_hub
from jupyter_wb_aws.demo.names import role_arn

PORT = 8888


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """Return what the service's own command prints for the demo's configuration."""
    folder = tmp_path_factory.mktemp("service")
    (folder / "roles.toml").write_text(site.ROLES_FILE)
    config = folder / "service_config.json"
    config.write_text(json.dumps(site.service_config(folder, PORT, 900)))
    command = [
        Path(sys.executable).with_name("jupyter-wb-aws-hub"),
        "trust-policy",
        "--format=json",
        f"--config={config}",
    ]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


@pytest.fixture(scope="module")
def hub_aws():
    with LocalAws(site.issuer(PORT), contents=seed_for_hub) as aws:
        yield aws


@pytest.mark.parametrize("name", ["analyst", "auditor"])
def test_a_role_of_the_local_aws_trusts_the_service_as_its_command_prints_it(
    hub_aws, printed, name
):
    policies = {role["arn"]: role["trust_policy"] for role in printed["roles"]}
    role = accounts.find_role(role_arn(name))
    assert json.loads(role.assume_role_policy_document) == policies[role_arn(name)]


def test_the_local_aws_has_the_identity_provider_that_the_command_prints(hub_aws, printed):
    registered = accounts.providers().values()
    assert [(each.arn, list(each.client_ids)) for each in registered] == [
        (each["arn"], each["client_ids"]) for each in printed["providers"]
    ]


def test_a_users_server_gets_no_more_rights_on_the_hub_than_it_needs(tmp_path):
    config = site.hub_config(
        tmp_path, ports=(1, 2, 3, 4), link_token="t", python="python", environments={}
    )
    (server,) = [r for r in config["JupyterHub"]["load_roles"] if r["name"] == "server"]
    assert server["scopes"] == [
        "users:activity!user",
        "access:servers!server",
        "access:services!service=aws",
    ]
    assert [role for role in config["JupyterHub"]["load_roles"] if "admin" in str(role)] == []
