"""Why the status of `GET /aws/health` is not `ok`: a stable code for each reason, with sentences for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jupyter_wb_aws.errors import (
    CatalogueUnavailable,
    NotConfigured,
    WbAwsError,
)
from jupyter_wb_aws.role_sessions.role_session import State
from jupyter_wb_aws.roles.catalogue_parser import describe

if TYPE_CHECKING:
    from jupyter_wb_aws.endpoint.endpoint import CredentialEndpoint
    from jupyter_wb_aws.role_sessions.manager import RoleSessionManager
    from jupyter_wb_aws.roles.catalogue import BadEntry
    from jupyter_wb_aws.roles.role_catalogue import RoleCatalogue

# So many bad entries of the roles file are described to an administrator; the notices have all of them.
MAX_ENTRIES = 3


@dataclass(frozen=True, slots=True)
class HealthProblem:
    """One reason, as the schema `HealthProblem` of openapi.yaml has it."""

    code: str
    detail: str
    hint: str = ""
    admin_hint: str | None = None


def not_configured(missing: str) -> HealthProblem:
    """Name the setting without which the extension does nothing."""
    return HealthProblem(
        NotConfigured.code,
        f"AWS roles are not set up on this server: set {missing} (see `jupyter wb-aws settings`).",
        NotConfigured.hint,
    )


def of_error(error: WbAwsError) -> HealthProblem:
    """Take over a failure's code and sentences."""
    return HealthProblem(error.code, error.detail, error.hint, error.admin_hint)


def of_endpoint(endpoint: CredentialEndpoint | None) -> list[HealthProblem]:
    """Say why the credential endpoint does not run, if so."""
    if endpoint is None or endpoint.problem is None:
        return []
    code, sentence = endpoint.problem
    hint = "Kernels and terminals get no new AWS credentials until it runs; it is started again by itself."
    return [HealthProblem(code, sentence, hint)]


def problems_of(
    manager: RoleSessionManager, source_problem: WbAwsError | None
) -> list[HealthProblem]:
    """List what is wrong on a server that is set up.

    Args:
        manager: the server's role sessions.
        source_problem: the last failure of the token source, if it has not recovered.
    """
    refused, another = manager.files.problem, manager.rights.another_user(refused=True)
    return [
        *([of_error(refused)] if refused else []),
        *([of_error(another)] if another else []),
        *_of_catalogue(manager.catalogue),
        *_of_source(source_problem, manager.catalogue.failure),
        *_of_role_sessions(manager),
    ]


def _of_source(
    source_problem: WbAwsError | None, failure: WbAwsError | None
) -> Iterator[HealthProblem]:
    """Name why there is no new token, and why the user's roles are not known; often that is one reason."""
    named = {problem.code: of_error(problem) for problem in (failure, source_problem) if problem}
    yield from named.values()


def _of_catalogue(catalogue: RoleCatalogue) -> Iterator[HealthProblem]:
    broken, good, what = catalogue.problem, catalogue.last_good, catalogue.what
    if broken is not None:
        code, effect = CatalogueUnavailable.code, "no role can be offered"
        if good is not None:
            code, effect = "roles_file_broken", "its last good version stays in force"
        yield HealthProblem(
            code,
            f"The {what} is broken; {effect}.",
            CatalogueUnavailable.hint,
            f"{catalogue.where}, {describe(broken)}",
        )
    elif good is not None and (count := len(good.problems)):
        entries = "an entry" if count == 1 else f"{count} entries"
        yield HealthProblem(
            "roles_file_entries_unusable",
            f"The {what} has {entries} that can't be used.",
            f"Ask your administrator to correct the {what}.",
            f"{catalogue.where}: {_describe_first(good.problems)}",
        )


def _describe_first(entries: Sequence[BadEntry]) -> str:
    described = [describe(bad) for bad in entries[:MAX_ENTRIES]]
    if len(entries) > MAX_ENTRIES:
        described.append(f"and {len(entries) - MAX_ENTRIES} more")
    return "; ".join(described)


def _of_role_sessions(manager: RoleSessionManager) -> Iterator[HealthProblem]:
    well = {State.ACTIVE, State.STARTING}
    count = sum(
        manager.sessions.state_of(session) not in well for session in manager.sessions.living()
    )
    if count:
        yield HealthProblem(
            "role_session_needs_attention",
            "A role session needs attention."
            if count == 1
            else f"{count} role sessions need attention.",
            "`jupyter wb-aws status` shows the state of each role session, and what is wrong.",
        )
