"""Settings without effect are named, with the most similar known one."""

from __future__ import annotations

import pytest
from traitlets import Unicode
from traitlets.config import Config

from jupyter_wb_aws.app import WbAwsApp
from jupyter_wb_aws.identity.file_source import FileTokenSource
from jupyter_wb_aws.identity.oidc_source import OidcTokenSource
from jupyter_wb_aws.identity.source import TokenSource
from jupyter_wb_aws.named_token_sources import SOURCES
from jupyter_wb_aws.unknown_settings import unknown_settings

NAMES = [path.rpartition(".")[2] for path in SOURCES.values()]


class OurTokenSource(TokenSource):
    """A site's own."""

    region_of_us = Unicode("", config=True)


CLASSES = {
    cls.__name__: cls
    for cls in (WbAwsApp, TokenSource, FileTokenSource, OidcTokenSource, OurTokenSource)
}


def sentences_for(sections):
    return unknown_settings(Config(sections), CLASSES, NAMES)


@pytest.mark.parametrize(
    ("section", "name", "nearest"),
    [
        ("WbAwsApp", "roles_fil", "WbAwsApp.roles_file"), ("WbAwsApp", "most_role_sessions", "WbAwsApp.max_role_sessions"),
        ("WbAwsApp", "RolesFile", "WbAwsApp.roles_file"), ("WbAwsApp", "rolesfile", "WbAwsApp.roles_file"),
        ("WbAwsApp", "idle_ends", None), ("WbAwsApp", "client_id", "OidcTokenSource.client_id"),
        ("OidcTokenSource", "clientid", "OidcTokenSource.client_id"), ("OidcTokenSource", "roles_file", "WbAwsApp.roles_file"),
        ("FileTokenSource", "pth", "FileTokenSource.path"), ("TokenSource", "isuer", "TokenSource.issuer"),
        ("OurTokenSource", "region_of_u", "OurTokenSource.region_of_us"),
    ],
)  # fmt: skip
def test_an_unknown_setting_is_named_with_the_most_similar_one(section, name, nearest):
    (sentence,) = sentences_for({section: {name: "secret-value"}})
    assert sentence.startswith(f"`{section}.{name}` is not a setting of jupyter_wb_aws")
    assert (f"the nearest is `{nearest}`" in sentence) == (nearest is not None), sentence
    assert "secret-value" not in sentence


@pytest.mark.parametrize(
    ("section", "nearest"),
    [
        ("WbAwsAPP", "WbAwsApp"), ("JupyterWbAws", "WbAwsApp"), ("WbAws", "WbAwsApp"), ("WbAwApp", "WbAwsApp"), ("WBAwsApp", "WbAwsApp"),
        ("OidcTokenSorce", "OidcTokenSource"), ("OdicTokenSource", "OidcTokenSource"), ("FilesTokenSource", "FileTokenSource"),
        ("CommandTokenSourc", "CommandTokenSource"), ("Tokensource", "TokenSource"), ("oidcTokenSource", "OidcTokenSource"),
    ],
)  # fmt: skip
def test_a_section_that_resembles_one_of_ours_is_named(section, nearest):
    (sentence,) = sentences_for({section: {"client_id": "x"}})
    assert f"`{section}` is not a class of jupyter_wb_aws" in sentence
    assert "client_id" in sentence
    assert f"the nearest is `{nearest}`" in sentence


@pytest.mark.parametrize(
    "sections",
    [
        {}, {"WbAwsApp": {"roles_file": "x", "log_level": 10, "max_role_sessions": 1}}, {"FileTokenSource": {"path": "x"}},
        {"CommandTokenSource": {"anything": "its class is not loaded"}}, {"TokenSource": {"issuer": "x", "client_id": "y"}},
        {"WbAwsApp": {"OidcTokenSource": {"client_id": "x"}}}, {"MyTokenSource": {"path": "x"}}, {"OktaTokenSource": {"x": 1}},
        {"ServerApp": {"roles_file": "x"}, "LabApp": {"x": 1}, "FileContentsManager": {"x": 1}, "FileIdExtension": {"x": 1}},
        {"OidcTokenSorce": {}}, {"GenericOAuthenticator": {"client_id": "x"}}, {"JupyterApp": {"x": 1}}, {"IdentityProvider": {"token": 1}},
    ],
)  # fmt: skip
def test_known_settings_and_those_of_other_projects_are_not_named(sections):
    assert sentences_for(sections) == []


def test_a_nested_section_is_checked_too():
    assert (
        "WbAwsApp.OidcTokenSorce"
        in sentences_for({"WbAwsApp": {"OidcTokenSorce": {"client_id": "x"}}})[0]
    )
    assert (
        "`OidcTokenSource.clientid`"
        in sentences_for({"WbAwsApp": {"OidcTokenSource": {"clientid": "x"}}})[0]
    )


def test_a_name_that_a_configuration_file_only_reads_is_not_named():
    config = Config()
    _ = config.WbAwsApp.unknown, config.WbAwsApp.Unknown, config.OidcTokenSorce
    assert unknown_settings(config, CLASSES, NAMES) == []
    config.WbAwsApp.extra_enviroment.update({"A": "b"})
    assert "extra_environment" in unknown_settings(config, CLASSES, NAMES)[0]


# --- On a server -----------------------------------------------------------------------------


@pytest.fixture
def jp_server_config(site_config):
    site_config["WbAwsApp"]["most_role_session"] = 3
    site_config["OdicTokenSource"] = {"client_id": "x"}
    return site_config


async def test_health_and_log_name_settings_without_effect(api, caplog, jp_serverapp):
    notices = (await api("GET", "/aws/health")).data["notices"]
    messages = [notice["message"] for notice in notices if notice["code"] == "unknown_setting"]
    assert len(messages) == 2
    assert "the nearest is `OidcTokenSource`" in messages[0]
    assert "the nearest is `WbAwsApp.max_role_sessions`" in messages[1]
