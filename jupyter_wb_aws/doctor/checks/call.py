"""The result of the real call: as whom boto3's own chain works, and by which of its providers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from jupyter_wb_aws.doctor.checks.remedies import get_role
from jupyter_wb_aws.doctor.checks.server import own_session
from jupyter_wb_aws.doctor.codes import new_finding
from jupyter_wb_aws.doctor.facts import CallResult, Facts
from jupyter_wb_aws.doctor.finding import Finding, Severity
from jupyter_wb_aws.errors import InvalidRoleArn
from jupyter_wb_aws.roles.role import RoleArn
from jupyter_wb_aws.variables import ROLE_LABEL

WEB_IDENTITY, CONTAINER = "assume-role-with-web-identity", "container-role"
ABOVE = "Fix the findings above first."
ALONE = "Nothing else was found. Correct what the message names, or show it to your administrator."
# What botocore calls its providers (botocore.credentials, METHOD), in words.
PROVIDERS = {
    "env": "the keys in the environment",
    "assume-role": "a profile's role_arn",
    WEB_IDENTITY: "the role and the token file",
    "sso": "a profile's IAM Identity Center sign-in",
    "shared-credentials-file": "the credentials file",
    "login": "a sign-in of `aws login`",
    "custom-process": "a profile's credential_process",
    "config-file": "the config file",
    "ec2-credentials-file": "the file in AWS_CREDENTIAL_FILE",
    "boto-config": "a file of boto 2",
    CONTAINER: "the credential endpoint, or the container's own credentials",
    "iam-role": "the machine's own role",
}
# botocore refreshes 15 minutes before the end; twice that leaves some calls in between.
SHORT = timedelta(minutes=30)


def check(facts: Facts) -> Iterator[Finding]:
    """Check who the caller was, or why the call failed."""
    call = facts.call
    if call is None:
        return
    if call.outcome == "ok":
        yield from _who(facts, call)
        return
    yield _failed(facts, call)


def provider_words(provider: str | None, *, by_endpoint: bool = False) -> str:
    """Return a provider's name in words; `by_endpoint`: whether the process has the server's credential endpoint."""
    if provider == CONTAINER and by_endpoint:
        return "the credential endpoint"
    return PROVIDERS.get(provider or "", provider or "none")


def _failed(facts: Facts, call: CallResult) -> Finding:
    if call.outcome == "slow":
        return new_finding(
            "call_slow", call.detail, "Check the network, and a profile's credential_process."
        )
    if call.outcome == "not_made":
        return new_finding("call_not_made", call.detail, call.hint)
    if call.error == "NoCredentials":
        here = (
            ""
            if facts.get("AWS_EC2_METADATA_DISABLED")
            else " Other programs then use the machine's own role, which the doctor never asks for."
        )
        # Without a role this is expected, and `no_role` says what to do.
        return new_finding(
            "no_credentials",
            f"boto3's chain of providers found no credentials.{here}",
            "" if facts.lacks_role else get_role(facts),
            severity=Severity.INFO if facts.lacks_role else None,
            sdks=() if facts.lacks_role else None,
        )
    by = (
        f" (credentials from {provider_words(call.provider, by_endpoint=facts.by_endpoint)})"
        if call.provider
        else ""
    )
    return new_finding(
        "call_failed",
        f"GetCallerIdentity with boto3's own chain failed{by}: {call.error}: {call.detail}",
        call.hint or ABOVE,
        admin_hint=call.admin_hint,
    )


def _who(facts: Facts, call: CallResult) -> Iterator[Finding]:
    arn = call.identity.arn if call.identity else "an unknown caller"
    if call.identity is None:
        yield new_finding(
            "caller_unknown",
            "The STS that boto3 asks does not have GetCallerIdentity, like that of some stores. boto3 has credentials from"
            f" {provider_words(call.provider, by_endpoint=facts.by_endpoint)}, but no call was made with them.",
        )
    expected, role = WEB_IDENTITY, facts.get("AWS_ROLE_ARN")
    if facts.by_endpoint and not facts.has_web_identity:
        session = own_session(facts)
        expected, role = CONTAINER, str(session["role_arn"]) if session else ""
    of_role = call.identity is None or (expected == CONTAINER and not role) or _is_of(role, arn)
    if facts.has_role and (call.provider != expected or not of_role):
        yield new_finding(
            "signs_as_other",
            f"boto3 works as {arn}, with {provider_words(call.provider, by_endpoint=facts.by_endpoint)} ({call.provider}), and not as the role"
            f" {role or facts.get(ROLE_LABEL)}.",
            "The findings above name what overrides the role. Fix them first.",
        )
    if call.provider == WEB_IDENTITY and call.lifetime is not None and call.lifetime < SHORT:
        minutes = call.lifetime.total_seconds() / 60
        yield new_finding(
            "short_credentials",
            f"Credentials live for {minutes:.0f} min. boto3 refreshes them 15 min before they expire, so with less left at"
            " every call, and below 10 min a call fails if the refresh fails.",
            "Ask your administrator to let the role's credentials live for an hour or longer: aws iam update-role"
            " --role-name NAME --max-session-duration 3600",
        )


def _is_of(role: str, arn: str) -> bool:
    """Return whether a caller's ARN belongs to that role; a store's may lack the account."""
    try:
        wanted = RoleArn.parse(role)
    except InvalidRoleArn:
        return False
    parts = arn.split(":")
    account = parts[4] if len(parts) > 5 else ""
    return parts[-1].startswith(f"assumed-role/{wanted.name}/") and account in {
        "",
        wanted.account_id,
    }
