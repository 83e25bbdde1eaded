from __future__ import annotations

import json
import tomllib
from importlib.resources import files

import nbformat
import pytest

from jupyter_wb_aws.demo.hub.site import ROLES_FILE as HUB_ROLES_FILE
from jupyter_wb_aws.demo.names import CLIENT_ID, REGION, redirect_uri, role_arn
from jupyter_wb_aws.demo.site import NOTEBOOKS, roles_file, server_config
from jupyter_wb_aws.demo.users import ALICE, BOB


def roles():
    return {
        role["arn"]: role
        for role in tomllib.loads(roles_file("http://127.0.0.1:1/request"))["roles"]
    }


def notebook(name):
    text = (files("jupyter_wb_aws.demo") / "notebooks" / name).read_text("utf-8")
    return nbformat.reads(text, as_version=4)


def test_the_catalogue_holds_every_role_of_the_account():
    names = ("analyst", "auditor", "engineer", "misconfigured", "finance-admin")
    assert set(roles()) == {role_arn(name) for name in names}


def test_finance_admin_is_for_a_group_that_alice_is_not_in():
    role = roles()[role_arn("finance-admin")]
    (rule,) = role["allow"]
    assert not set(rule["groups"]) & set(ALICE.groups)
    assert role["request_url"] == "http://127.0.0.1:1/request?team=finance"


def test_the_other_roles_are_for_alice_and_none_is_the_default():
    for role in roles().values():
        assert not role.get("default")
        assert role["region"] == REGION
    assert roles()[role_arn("analyst")]["allow"] == [{"groups": ["analysts"]}]
    assert "analysts" in ALICE.groups


def test_the_settings_name_the_issuer_and_the_local_aws_and_hold_no_secret():
    config = server_config(
        roles_path="/r.toml", token_command=["x"], issuer="http://i", aws_url="http://a"
    )
    assert config["CommandTokenSource"]["issuer"] == "http://i"
    assert config["WbAwsApp"]["extra_environment"] == {"AWS_ENDPOINT_URL": "http://a"}
    assert "secret" not in json.dumps(config)


def test_with_a_sign_in_the_settings_name_the_client_and_the_redirect_uri():
    config = server_config(
        roles_path="/r.toml", issuer="http://i", aws_url="http://a", redirect_uri=redirect_uri(8890)
    )
    assert config["WbAwsApp"]["token_source"] == "oidc"
    assert config["OidcTokenSource"] == {
        "issuer": "http://i",
        "audience": CLIENT_ID,
        "client_id": CLIENT_ID,
        "redirect_uri": "http://127.0.0.1:8890/aws/sign-in/callback",
    }
    assert "CommandTokenSource" not in config


@pytest.mark.parametrize(
    ("user", "names"),
    [
        (ALICE, {"analyst", "auditor", "engineer", "misconfigured"}),
        (BOB, {"auditor", "finance-admin", "misconfigured"}),
    ],
    ids=["alice", "bob"],
)
def test_alice_and_bob_are_offered_different_roles(user, names):
    offered = {
        arn
        for arn, role in roles().items()
        if role["allow"] == "everyone"
        or any(set(rule["groups"]) & set(user.groups) for rule in role["allow"])
    }
    assert offered == {role_arn(name) for name in names}


@pytest.mark.parametrize(
    "site_roles", [roles_file("http://127.0.0.1:1/request"), HUB_ROLES_FILE], ids=["lab", "hub"]
)
def test_two_roles_come_from_the_credential_endpoint(site_roles):
    deliveries = {role["arn"]: role.get("delivery") for role in tomllib.loads(site_roles)["roles"]}
    for name in ("auditor", "engineer"):
        assert deliveries.pop(role_arn(name)) == "endpoint"
    assert set(deliveries.values()) == {None}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_sample_notebook_is_valid_and_has_no_outputs(name):
    content = notebook(name)
    nbformat.validate(content)
    code = [cell for cell in content.cells if cell.cell_type == "code"]
    assert code
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
