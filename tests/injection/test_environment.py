"""The environment of a process, with a role session and for each kind of "no role"."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_wb_aws.injection.environment import (
    InjectionSettings,
    process_environment,
    role_session_variables,
)
from jupyter_wb_aws.role_sessions.assignments import NO_AWS_ROLE, UNTOUCHED, ProcessRole
from jupyter_wb_aws.role_sessions.endpoint_access import EndpointAccess
from jupyter_wb_aws.role_sessions.placeholders import placeholder_files
from jupyter_wb_aws.role_sessions.session_files import placeholder_contents
from jupyter_wb_aws.variables import NAMES_SET, RESERVED, is_conflicting, is_credential
from tests.role_sessions.support import ANALYST, make_role, make_session

STATIC = {
    "AWS_ACCESS_KEY_ID": "AKIADECOY",
    "AWS_SECRET_ACCESS_KEY": "decoy",
    "AWS_SESSION_TOKEN": "decoy",
    "AWS_SECURITY_TOKEN": "decoy",
    "AWS_PROFILE": "decoy",
    "AWS_DEFAULT_PROFILE": "decoy",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.2/decoy",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/decoy",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN": "decoy",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/decoy",
}
POD = {
    "AWS_ROLE_ARN": "arn:aws:iam::999999999999:role/pod",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/secrets/eks.amazonaws.com/token",
    "AWS_ROLE_SESSION_NAME": "pod",
}
PLAIN = {"PATH": "/bin", "HOME": "/home/alice", "AWS_PAGER": "", "AWS_REGION": "eu-west-1"}
INHERITED = {**PLAIN, **STATIC, **POD}
TOKEN_FILE = "/run/wb/slot_0123456789abcdef.token"

names = st.one_of(
    st.sampled_from(sorted({*INHERITED, *RESERVED, "AWS_ENDPOINT_URL_S3", "HTTPS_PROXY"})),
    st.from_regex(r"[A-Z_][A-Z0-9_]{0,20}", fullmatch=True),
)
environments = st.dictionaries(names, st.text(st.characters(exclude_characters="\0"), max_size=20))
policies = st.sampled_from(["hide_if_conflicting", "hide", "keep"])
givens = st.sampled_from(
    [UNTOUCHED, NO_AWS_ROLE, ProcessRole("role", make_session()), ProcessRole("role", make_session(region=None))]
)  # fmt: skip


ACCESS = EndpointAccess("http://127.0.0.1:40123/credentials", Path("/run/wb/slot_ab.endpoint"))
OF_THE_ENDPOINT = {
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:40123/credentials",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/run/wb/slot_ab.endpoint",
}


def role(**fields):
    return ProcessRole("role", make_session(**fields))


def by_endpoint(**fields):
    return role(delivery="endpoint", **fields)


# --- The three kinds of no role --------------------------------------------------------------


def test_without_any_choice_the_environment_is_unchanged():
    assert (
        process_environment(INHERITED, UNTOUCHED, InjectionSettings({"FOO": "bar"}, "hide"))
        == INHERITED
    )


def test_no_role_removes_credentials_an_inherited_role_and_the_machines_role():
    assert process_environment(INHERITED, NO_AWS_ROLE, InjectionSettings({"FOO": "bar"})) == {
        **PLAIN,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def test_a_role_session_is_what_every_sdk_finds_first():
    environment = process_environment(INHERITED, role(), InjectionSettings())

    assert environment == {
        "PATH": "/bin",
        "HOME": "/home/alice",
        "AWS_PAGER": "",
        "AWS_ROLE_ARN": ANALYST,
        "AWS_WEB_IDENTITY_TOKEN_FILE": TOKEN_FILE,
        "AWS_ROLE_SESSION_NAME": "alice-0123456789abcdef",
        "AWS_REGION": "us-east-2",
        "AWS_DEFAULT_REGION": "us-east-2",
        "AWS_STS_REGIONAL_ENDPOINTS": "regional",
        "JUPYTER_WB_AWS_ROLE": "Analyst",
        "JUPYTER_WB_AWS_VARIABLES": "AWS_DEFAULT_REGION AWS_REGION AWS_ROLE_ARN AWS_ROLE_SESSION_NAME"
        " AWS_STS_REGIONAL_ENDPOINTS AWS_WEB_IDENTITY_TOKEN_FILE JUPYTER_WB_AWS_ROLE",
    }


def test_a_role_removes_the_variables_of_another_role():
    store = make_role(extra_environment={"AWS_ENDPOINT_URL": "https://store.example"})
    base = process_environment(INHERITED, role(role=store), InjectionSettings(), has_conflict=True)

    environment = process_environment(base, role(region=None), InjectionSettings())

    assert environment == process_environment(
        {n: v for n, v in INHERITED.items() if n != "AWS_REGION"},
        role(region=None),
        InjectionSettings(),
    )


def test_no_role_removes_the_variables_of_a_role():
    store = make_role(extra_environment={"AWS_ENDPOINT_URL": "https://store.example"})
    base = process_environment(PLAIN, role(role=store), InjectionSettings(), has_conflict=True)
    assert {"AWS_ENDPOINT_URL", "AWS_CONFIG_FILE"} <= base.keys()

    environment = process_environment(base, NO_AWS_ROLE, InjectionSettings())

    assert environment == {
        "PATH": "/bin", "HOME": "/home/alice", "AWS_PAGER": "", "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip


def test_an_inherited_role_label_does_not_outlive_the_role():
    assert "JUPYTER_WB_AWS_ROLE" not in process_environment(
        {"JUPYTER_WB_AWS_ROLE": "Auditor"}, NO_AWS_ROLE, InjectionSettings()
    )


def test_a_role_without_a_region_keeps_the_region_variables():
    environment = process_environment(
        {"AWS_REGION": "eu-west-1"}, role(region=None), InjectionSettings()
    )

    assert environment["AWS_REGION"] == "eu-west-1"
    assert "AWS_DEFAULT_REGION" not in environment


def test_no_sts_endpoint_is_set_by_default():
    assert "AWS_ENDPOINT_URL_STS" not in process_environment({}, role(), InjectionSettings())


@pytest.mark.parametrize("kind", [UNTOUCHED, NO_AWS_ROLE])
def test_without_a_role_session_there_are_no_role_variables(kind):
    assert role_session_variables(kind, InjectionSettings({"FOO": "bar"}), has_conflict=True) == {}


# --- extra_environment -----------------------------------------------------------------------


def test_the_sites_variables_reach_the_role_session_and_the_roles_own_win():
    chosen = make_role(extra_environment={"AWS_ENDPOINT_URL_S3": "https://role.example"})
    site = InjectionSettings(
        {"AWS_ENDPOINT_URL_S3": "https://site.example", "HTTPS_PROXY": "http://proxy"}
    )

    environment = process_environment({"HTTPS_PROXY": "http://old"}, role(role=chosen), site)

    assert environment["AWS_ENDPOINT_URL_S3"] == "https://role.example"
    assert environment["HTTPS_PROXY"] == "http://proxy"


def test_a_site_may_choose_how_sts_is_found():
    site = InjectionSettings({"AWS_STS_REGIONAL_ENDPOINTS": "legacy"})

    assert process_environment({}, role(), site)["AWS_STS_REGIONAL_ENDPOINTS"] == "legacy"


# --- Stand-ins for ~/.aws --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "has_conflict", "hidden"),
    [
        ("hide_if_conflicting", True, True),
        ("hide_if_conflicting", False, False),
        ("hide", True, True),
        ("hide", False, True),
        ("keep", True, False),
        ("keep", False, False),
    ],
)
def test_the_users_own_files_are_hidden_as_the_site_decides(policy, has_conflict, hidden):
    environment = process_environment(
        {}, role(), InjectionSettings(user_aws_files=policy), has_conflict=has_conflict
    )

    assert ("AWS_CONFIG_FILE" in environment) is hidden
    assert ("AWS_SHARED_CREDENTIALS_FILE" in environment) is hidden


def test_the_placeholders_are_the_files_that_the_role_session_writes():
    session = make_session()

    named = {path.name for path in placeholder_files(session.token_file)}

    assert named == set(placeholder_contents(session))
    assert all(path.parent == Path("/run/wb") for path in placeholder_files(session.token_file))


# --- The credential endpoint -----------------------------------------------------------------


def test_with_the_endpoint_nothing_else_that_gives_credentials_is_left():
    base = {**INHERITED, "BOTO_CONFIG": "/b", "AWS_CREDENTIAL_FILE": "/c"}

    environment = process_environment(base, by_endpoint(), InjectionSettings(), access=ACCESS)

    assert environment == {
        "PATH": "/bin",
        "HOME": "/home/alice",
        "AWS_PAGER": "",
        **OF_THE_ENDPOINT,
        # A refused SDK must not go on to the machine's own role.
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_REGION": "us-east-2",
        "AWS_DEFAULT_REGION": "us-east-2",
        "AWS_STS_REGIONAL_ENDPOINTS": "regional",
        "JUPYTER_WB_AWS_ROLE": "Analyst",
        "JUPYTER_WB_AWS_VARIABLES": "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE AWS_CONTAINER_CREDENTIALS_FULL_URI"
        " AWS_DEFAULT_REGION AWS_EC2_METADATA_DISABLED AWS_REGION AWS_STS_REGIONAL_ENDPOINTS JUPYTER_WB_AWS_ROLE",
    }


def test_with_the_endpoint_the_users_files_are_set_aside_by_the_servers_placeholders():
    environment = process_environment(
        {}, by_endpoint(), InjectionSettings(), has_conflict=True, access=ACCESS
    )

    assert environment["AWS_CONFIG_FILE"] == "/run/wb/slot_files.config"
    assert environment["AWS_SHARED_CREDENTIALS_FILE"] == "/run/wb/slot_files.credentials"
    assert environment["BOTO_CONFIG"] == "/run/wb/slot_files.boto"


def test_without_an_access_of_its_own_a_process_has_that_of_the_role_sessions_commands():
    own = by_endpoint(access=ACCESS)

    assert process_environment({}, own, InjectionSettings()).items() >= OF_THE_ENDPOINT.items()
    assert not OF_THE_ENDPOINT.keys() & process_environment({}, by_endpoint(), InjectionSettings())


BASES = {
    "plain": PLAIN,
    "inherited keys": INHERITED,
    "web identity": process_environment(INHERITED, role(), InjectionSettings(), has_conflict=True),
    "endpoint": process_environment(
        {**INHERITED, "HTTP_PROXY": "http://p"}, by_endpoint(), InjectionSettings(), has_conflict=True, access=ACCESS
    ),
}  # fmt: skip
OTHER_ACCESS = EndpointAccess(
    "http://127.0.0.1:50000/credentials", Path("/run/wb/other_cd.endpoint")
)
# How a process reaches AWS, and by what the user's own files are set aside.
REACHING = {
    "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_SESSION_NAME", *OF_THE_ENDPOINT, "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE", "BOTO_CONFIG", "JUPYTER_WB_AWS_ROLE",
}  # fmt: skip


@pytest.mark.parametrize("base", BASES.values(), ids=BASES.keys())
@pytest.mark.parametrize(
    ("process_role", "access"),
    [(role(), None), (by_endpoint(), OTHER_ACCESS), (NO_AWS_ROLE, None)],
    ids=["web identity", "endpoint", "no role"],
)
def test_a_server_that_itself_runs_with_a_role_gives_its_processes_nothing_of_it(
    base, process_role, access
):
    """A user may start a server in a terminal or kernel; then its base has a role session's variables."""
    site = InjectionSettings()

    environment = process_environment(base, process_role, site, access=access)

    fresh = process_environment({}, process_role, site, access=access)
    assert {n: v for n, v in environment.items() if n in REACHING} == {
        n: v for n, v in fresh.items() if n in REACHING
    }


def test_a_proxy_does_not_see_endpoint_tokens_also_where_the_site_sets_it():
    site = InjectionSettings({"HTTPS_PROXY": "http://proxy", "NO_PROXY": "aws.internal"})

    environment = process_environment({"no_proxy": "x"}, by_endpoint(), site, access=ACCESS)

    assert environment["NO_PROXY"] == "aws.internal,127.0.0.1"
    assert environment["no_proxy"] == "x,127.0.0.1"
    assert "no_proxy" not in environment[NAMES_SET].split()
    assert "NO_PROXY" not in process_environment({}, role(), InjectionSettings({"HTTP_PROXY": "p"}))


# --- Properties ------------------------------------------------------------------------------


@given(
    base=environments, kind=givens, extra=environments, policy=policies, has_conflict=st.booleans()
)
def test_the_original_environment_is_never_modified(base, kind, extra, policy, has_conflict):
    before = dict(base)

    after = process_environment(
        base, kind, InjectionSettings(extra, policy), has_conflict=has_conflict
    )

    assert base == before
    assert after is not base


@given(base=environments, extra=environments, has_conflict=st.booleans())
def test_nothing_that_overrides_the_role_is_left(base, extra, has_conflict):
    environment = process_environment(
        base, role(), InjectionSettings(extra), has_conflict=has_conflict
    )

    assert not [name for name in environment if is_conflicting(name)]


@given(base=environments)
def test_no_role_leaves_no_credential_and_keeps_the_rest(base):
    environment = process_environment(base, NO_AWS_ROLE, InjectionSettings())

    assert environment.pop("AWS_EC2_METADATA_DISABLED") == "true"
    base.pop("AWS_EC2_METADATA_DISABLED", None)
    of_role = {NAMES_SET, *base.get(NAMES_SET, "").split()}
    assert environment == {
        k: v for k, v in base.items() if not is_credential(k) and k not in of_role
    }


@given(base=environments, kind=givens, policy=policies, has_conflict=st.booleans())
def test_a_variable_is_removed_and_never_blanked(base, kind, policy, has_conflict):
    environment = process_environment(
        base, kind, InjectionSettings(user_aws_files=policy), has_conflict=has_conflict
    )

    blank = {name for name, value in environment.items() if value == ""}
    assert blank <= {name for name, value in base.items() if value == ""}


@given(extra=environments, of_role=environments, policy=policies, region=st.none() | st.just("r"))
def test_no_extra_variable_replaces_a_role_sessions_own(extra, of_role, policy, region):
    plain = role(region=region)
    with_extra = role(region=region, role=make_role(extra_environment=of_role))

    own = process_environment({}, plain, InjectionSettings(user_aws_files=policy))
    environment = process_environment({}, with_extra, InjectionSettings(extra, policy))

    of_session = RESERVED - {NAMES_SET}  # which names the others
    reserved = {name: value for name, value in environment.items() if name in of_session}
    assert reserved == {name: value for name, value in own.items() if name in of_session}


@given(base=environments, kind=givens, policy=policies, has_conflict=st.booleans())
def test_a_second_restart_from_the_same_base_gets_the_same_environment(
    base, kind, policy, has_conflict
):
    site = InjectionSettings(user_aws_files=policy)

    first = process_environment(base, kind, site, has_conflict=has_conflict)

    assert process_environment(base, kind, site, has_conflict=has_conflict) == first
