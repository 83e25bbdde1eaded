"""docs/jupyterhub.md: its configuration of Zero to JupyterHub; tests/hub runs the rest on a real hub."""

from __future__ import annotations

import pytest
import yaml
from jupyterhub.app import JupyterHub
from traitlets.config import Config

from jupyter_wb_aws.app import WbAwsApp
from jupyter_wb_aws.identity.oidc_source import OidcTokenSource
from jupyter_wb_aws.roles.catalogue_parser import parse
from tests.conftest import NOON
from tests.pages import blocks

(VALUES,) = [
    yaml.safe_load(block.text) for block in blocks("yaml") if block.page == "jupyterhub.md"
]
FILES = VALUES["singleuser"]["extraFiles"]
SETTINGS = FILES["aws-settings"]["data"]


@pytest.mark.parametrize("kind", [WbAwsApp, OidcTokenSource], ids=lambda kind: kind.__name__)
def test_the_servers_settings_exist_and_have_valid_values(kind):
    section = SETTINGS[kind.__name__]
    made = kind(config=Config(SETTINGS))
    assert {name: getattr(made, name) for name in section} == section


def test_the_hubs_settings_exist():
    for name in VALUES["hub"]["config"]["JupyterHub"]:
        assert name in JupyterHub.class_trait_names(config=True)


def test_the_roles_file_is_where_the_settings_look_for_it():
    roles = FILES["aws-roles"]
    assert parse(roles["stringData"], NOON).entries
    assert roles["mountPath"] == SETTINGS["WbAwsApp"]["roles_file"]


def test_token_files_are_in_the_volume_in_memory():
    storage = VALUES["singleuser"]["storage"]
    (volume,), (mount,) = storage["extraVolumes"], storage["extraVolumeMounts"]
    assert volume["name"] == mount["name"]
    assert volume["emptyDir"]["medium"] == "Memory"
    assert mount["mountPath"] == SETTINGS["WbAwsApp"]["token_dir"]
