from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_wb_aws.demo.environment import lab_environment

STATE = Path("/state")
AWS = "http://127.0.0.1:4566"


def environment(**ambient):
    return lab_environment(ambient, STATE, Path("/venv/bin"), AWS)


@pytest.mark.parametrize(
    "name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ROLE_ARN", "LANG"]
)
def test_credentials_in_the_environment_are_left_for_the_extension_to_remove(name):
    assert environment(**{name: "decoy"})[name] == "decoy"


@pytest.mark.parametrize(
    "name",
    [
        "AWS_ENDPOINT_URL_S3",
        "AWS_CA_BUNDLE",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_USE_FIPS_ENDPOINT",
        "AWS_USE_DUALSTACK_ENDPOINT",
        "JUPYTER_CONFIG_PATH",
        "JUPYTER_PATH",
        "JUPYTER_TOKEN",
        "JUPYTERLAB_DIR",
        "XDG_CONFIG_DIRS",
        "MPLBACKEND",
        "PROMPT_COMMAND",
    ],
)
def test_settings_that_lead_elsewhere_are_dropped(name):
    assert name not in environment(**{name: "x"})


def test_without_a_role_calls_go_to_the_local_aws():
    elsewhere = environment(
        AWS_ENDPOINT_URL="https://sts.amazonaws.com",
        AWS_REGION="eu-west-1",
        AWS_DEFAULT_REGION="eu-west-1",
        AWS_EC2_METADATA_DISABLED="false",
    )
    for env in (environment(), elsewhere):
        assert env["AWS_ENDPOINT_URL"] == AWS
        assert env["AWS_REGION"] == env["AWS_DEFAULT_REGION"] == "us-east-2"
        assert env["AWS_EC2_METADATA_DISABLED"] == "true"


def test_the_users_own_folders_are_replaced_by_those_of_the_state_folder():
    env = environment(HOME="/home/me", JUPYTER_CONFIG_DIR="/home/me/.jupyter", XDG_RUNTIME_DIR="/r")
    for name in ("HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "XDG_RUNTIME_DIR"):
        assert env[name].startswith("/state/")


def test_the_environments_own_programs_come_first():
    assert environment(PATH="/usr/bin")["PATH"] == "/venv/bin:/usr/bin"


@given(st.lists(st.sampled_from(["a.example", "localhost", "127.0.0.1", " b.example", ""])))
def test_loopback_never_goes_through_a_proxy_and_other_exceptions_stay(hosts):
    for name in ("NO_PROXY", "no_proxy"):
        named = environment(**{name: ",".join(hosts)})[name].split(",")
        assert {"127.0.0.1", "localhost"} <= set(named)
        assert {host.strip() for host in hosts} - {""} <= set(named)
