"""The variables of a role session: whether all are set, and plausible."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jupyter_wb_aws.aws.iam_claims import printable
from jupyter_wb_aws.doctor.checks import server
from jupyter_wb_aws.doctor.checks.remedies import get_role, restart, unset
from jupyter_wb_aws.doctor.codes import new_finding
from jupyter_wb_aws.doctor.facts import Facts
from jupyter_wb_aws.doctor.finding import Finding, Severity
from jupyter_wb_aws.errors import InvalidRoleArn
from jupyter_wb_aws.roles.role import RoleArn

# AssumeRoleWithWebIdentity, RoleSessionName (botocore, sts service model).
SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
ROLE, TOKEN, NAME = "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_SESSION_NAME"


def check(facts: Facts) -> Iterator[Finding]:
    """Check the three variables of a web identity."""
    role, token = facts.get(ROLE), facts.get(TOKEN)
    yield from server.cause_first(facts)
    if facts.by_endpoint and not (role and token):
        return
    if not role and not token:
        if facts.not_set_up and facts.lacks_role and facts.server and facts.server.problem:
            yield server.not_set_up(facts.server.problem, Severity.ERROR)
        yield _no_role(facts)
        return
    if not token:
        yield new_finding(
            "role_without_token",
            f"{ROLE} is set but {TOKEN} is not. No SDK uses this role; each uses the next credentials that it finds.",
            f"{restart(facts)} Or: {unset(facts, ROLE, TOKEN, NAME)}",
        )
    elif not role:
        yield new_finding(
            "token_without_role",
            f"{TOKEN} is set but {ROLE} is not. boto3, JavaScript and rclone fail, pyarrow sends unsigned requests, and"
            " deltalake asks for the machine's role.",
            f"{restart(facts)} Or: {unset(facts, ROLE, TOKEN, NAME)}",
        )
    if role:
        yield from _forms(facts, role)


def _no_role(facts: Facts) -> Finding:
    if facts.no_role_chosen:
        return new_finding(
            "no_role",
            'No role: "no AWS role" was chosen for this process.',
            get_role(facts),
            severity=Severity.INFO,
            sdks=(),
        )
    if facts.not_set_up:
        return new_finding(
            "no_role",
            "This process has no AWS role, because the Jupyter server offers none.",
            severity=Severity.INFO,
            sdks=(),
        )
    default = f". The default role is {facts.default_role}" if facts.default_role else ""
    others = None if facts.lacks_role else Severity.WARNING
    if facts.profile is not None and facts.profile.wb_aws_role and others:
        return new_finding(
            "no_role",
            f"This process has no role session, but the profile {printable(facts.profile.name)!r} gives it a role.",
            severity=Severity.INFO,
            sdks=(),
        )
    return new_finding(
        "no_role",
        "This process has no AWS role: AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE are not set"
        f" here{default}.",
        get_role(facts),
        severity=others,
        sdks=() if others else None,
    )


def _forms(facts: Facts, role: str) -> Iterator[Finding]:
    try:
        RoleArn.parse(role)
    except InvalidRoleArn:
        yield new_finding(
            "role_arn_malformed",
            f"{ROLE} is not the ARN of an IAM role: {printable(role)!r}.",
            restart(facts),
        )
    if NAME not in facts.environment:
        yield new_finding(
            "session_name_missing",
            f"{NAME} is not set. Version 2 of the aws command caches credentials by role and name alone, so users who share"
            " a home folder get each other's.",
            f"{restart(facts)} Or: export {NAME}=$USER-$$",
        )
    elif not SESSION_NAME.fullmatch(name := facts.get(NAME)):
        yield new_finding(
            "session_name_unfit",
            f"STS does not accept {NAME} {printable(name)!r}; it takes 2 to 64 letters, digits and +=,.@_-",
            restart(facts),
        )
