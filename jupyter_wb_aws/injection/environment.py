"""The environment of a process: a pure function of its role session and the site's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from jupyter_wb_aws.role_sessions.assignments import ProcessRole
from jupyter_wb_aws.role_sessions.endpoint_access import EndpointAccess
from jupyter_wb_aws.role_sessions.placeholders import endpoint_placeholders, placeholder_files
from jupyter_wb_aws.role_sessions.role_session import RoleSession
from jupyter_wb_aws.variables import (
    CONFLICTING,
    ENDPOINT_TOKEN_FILE,
    ENDPOINT_URI,
    METADATA_DISABLED,
    NAMES_SET,
    REMOVED_WITHOUT_ROLE,
    ROLE_LABEL,
    STS_ENDPOINTS,
    is_reserved,
    with_role,
    without_role,
)

UserAwsFiles = Literal["hide_if_conflicting", "hide", "keep"]


@dataclass(frozen=True, slots=True)
class InjectionSettings:
    """What the site adds to every role session, and when the user's own AWS files are hidden."""

    extra_environment: Mapping[str, str] = field(default_factory=dict)
    user_aws_files: UserAwsFiles = "hide_if_conflicting"

    def hides_user_files(self, *, has_conflict: bool) -> bool:
        """Return whether `~/.aws` is hidden: AWS's variables name the role session's placeholder files instead."""
        return self.user_aws_files == "hide" or (
            self.user_aws_files == "hide_if_conflicting" and has_conflict
        )


def process_environment(
    base: Mapping[str, str],
    process_role: ProcessRole,
    site: InjectionSettings,
    *,
    has_conflict: bool = False,
    access: EndpointAccess | None = None,
) -> dict[str, str]:
    """Return the environment of a process.

    Args:
        base: the environment without us.
        process_role: its role session, or one of the three kinds of "no role".
        site: the site's settings.
        has_conflict: whether the user's own AWS files would override the role in some SDK.
        access: how it reaches the credential endpoint; by default, as the commands of the role session do.
    """
    if process_role.kind == "untouched":
        return dict(base)
    if process_role.session is None:
        return without_role(base)
    variables = role_session_variables(process_role, site, has_conflict=has_conflict, access=access)
    return with_role(base, variables, by_endpoint=_by_endpoint(process_role))


def environment_with_user_files(
    base: Mapping[str, str],
    process_role: ProcessRole,
    site: InjectionSettings,
    *,
    access: EndpointAccess | None = None,
) -> dict[str, str]:
    """Return the environment of a process in which the user's own `~/.aws` files are not hidden, to check them.

    It lacks what another role session has set in `base`: a server may itself run under a role, whose
    placeholder files do not matter to its kernels.

    Args:
        base: the environment without us.
        process_role: the process's role session, or one of the three kinds of "no role".
        site: the site's settings.
        access: how it reaches the credential endpoint; by default, as the commands of the role session do.
    """
    kept = replace(site, user_aws_files="keep")
    return process_environment(base, process_role, kept, access=access)


def removed_names(process_role: ProcessRole) -> frozenset[str]:
    """Return the names that `process_environment` removes, besides those that begin with `CONFLICTING_PREFIXES`."""
    if process_role.kind == "untouched":
        return frozenset()
    keeps_others = process_role.session is not None and not _by_endpoint(process_role)
    return CONFLICTING if keeps_others else CONFLICTING | REMOVED_WITHOUT_ROLE


def differing_names(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Return the names of the variables that differ between two environments, sorted."""
    names = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    return sorted(names - {NAMES_SET})


def role_session_variables(
    process_role: ProcessRole,
    site: InjectionSettings,
    *,
    has_conflict: bool,
    access: EndpointAccess | None = None,
) -> dict[str, str]:
    """Return the variables of a role session; none of them is secret.

    Both region variables are set, because boto3 reads only one and the SDK for JavaScript only the other.
    `AWS_ENDPOINT_URL_STS` is not set: any value breaks pyarrow.

    Args:
        process_role: the role session; there are no variables without one.
        site: the site's settings.
        has_conflict: whether the user's own AWS files would override the role in some SDK.
        access: how the process reaches the credential endpoint; by default, as the commands of the role session do.
            Without any, the variables have no credentials.
    """
    session = process_role.session
    if session is None:
        return {}
    access = access or session.access
    variables = {
        STS_ENDPOINTS: "regional",
        **_extra(site.extra_environment),
        **_extra(session.role.extra_environment),
        **_credential_variables(session, access),
        ROLE_LABEL: session.role.label,
    }
    if session.delivery == "endpoint":
        # An SDK that is refused must not go on to the machine's own role, which is next in its chain.
        variables[METADATA_DISABLED] = "true"
    if session.region is not None:
        variables |= {"AWS_REGION": session.region, "AWS_DEFAULT_REGION": session.region}
    if site.hides_user_files(has_conflict=has_conflict):
        variables |= _hiding_variables(session, access)
    return variables


def _by_endpoint(process_role: ProcessRole) -> bool:
    return process_role.session is not None and process_role.session.delivery == "endpoint"


def _credential_variables(session: RoleSession, access: EndpointAccess | None) -> dict[str, str]:
    if session.delivery == "endpoint":
        if access is None:
            return {}
        return {ENDPOINT_URI: access.uri, ENDPOINT_TOKEN_FILE: str(access.token_file)}
    return {
        "AWS_ROLE_ARN": str(session.role.arn),
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(session.token_file),
        "AWS_ROLE_SESSION_NAME": session.session_name,
    }


def _hiding_variables(session: RoleSession, access: EndpointAccess | None) -> dict[str, str]:
    """Return the variables that set the user's own AWS files aside."""
    if session.delivery == "endpoint":
        if access is None:
            return {}
        config, credentials, boto = endpoint_placeholders(access.token_file)
        more = {"BOTO_CONFIG": str(boto)}
    else:
        (config, credentials), more = placeholder_files(session.token_file), {}
    return {
        "AWS_CONFIG_FILE": str(config),
        "AWS_SHARED_CREDENTIALS_FILE": str(credentials),
        **more,
    }


def _extra(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that an `extra_environment` may set; the others were refused when it was read."""
    return {name: value for name, value in variables.items() if not is_reserved(name)}
