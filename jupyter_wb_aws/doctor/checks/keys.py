"""Keys and other credentials in the environment, which override the role."""

from __future__ import annotations

from collections.abc import Iterator

from jupyter_wb_aws.doctor.checks.remedies import unset
from jupyter_wb_aws.doctor.codes import BOTO, new_finding
from jupyter_wb_aws.doctor.facts import Facts
from jupyter_wb_aws.doctor.finding import Finding, Severity
from jupyter_wb_aws.variables import LAST_RESORT, NAMES_SET

PAIR = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
SESSION_TOKENS = ("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")


def check(facts: Facts) -> Iterator[Finding]:
    """Check every credential that a variable holds or names."""
    yield from _pair(facts)
    yield from _others(facts)
    if facts.get("AWS_EC2_METADATA_DISABLED").lower() == "true" and not facts.has_role:
        yield new_finding(
            "metadata_not_disabled",
            "AWS_EC2_METADATA_DISABLED keeps most SDKs from using the machine's own role, but polars and deltalake"
            " ignore it.",
            "Start a role, or pass credentials (or skip_signature) in the storage options of polars and deltalake.",
        )


def _pair(facts: Facts) -> Iterator[Finding]:
    names = (*PAIR, *SESSION_TOKENS)
    filled = [name for name in PAIR if facts.get(name)]
    empty = [name for name in names if name in facts.environment and not facts.get(name)]
    if len(filled) == 2:
        who = "instead of the role" if facts.has_role else "this process has no role"
        yield new_finding(
            "static_keys",
            f"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are set. Every SDK signs with them ({who}).",
            unset(facts, *names),
            severity=None if facts.has_role else Severity.WARNING,
        )
    elif filled:
        missing = next(name for name in PAIR if name not in filled)
        harmless = missing == PAIR[0]
        effect = "no SDK uses it alone" if harmless else "boto3 and the aws command fail"
        yield new_finding(
            "static_keys_half",
            f"{filled[0]} is set and {missing} is not: {effect}.",
            unset(facts, *names),
            sdks=() if harmless else None,
            severity=Severity.WARNING if harmless else None,
        )
    elif any(facts.get(name) for name in SESSION_TOKENS):
        yield new_finding(
            "session_token_alone",
            "A session token is set without its access key. Were the keys copied only in part?",
            unset(facts, *names),
        )
    if empty:
        yield new_finding(
            "static_keys_empty",
            f"{' and '.join(empty)} {'is' if len(empty) == 1 else 'are'} empty: deltalake takes that for a key, and does"
            " not use the role.",
            unset(facts, *empty),
            severity=None if facts.has_role else Severity.INFO,
        )


def _others(facts: Facts) -> Iterator[Finding]:
    container = [
        name
        for name in ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
        if facts.get(name)
    ]
    if container and not facts.by_endpoint:  # otherwise the check of the endpoint reports it
        all_names = sorted(n for n in facts.environment if n.startswith("AWS_CONTAINER_"))
        yield new_finding(
            "container_credentials",
            f"{container[0]} offers the container's own credentials. duckdb prefers them to the role; the other"
            " SDKs use them if there is no role.",
            unset(facts, *all_names),
            severity=None if facts.has_role else Severity.INFO,
        )
    bearers = sorted(name for name in facts.environment if name.startswith("AWS_BEARER_TOKEN_"))
    if bearers:
        yield new_finding(
            "bearer_token",
            f"{' and '.join(bearers)} is set: calls of that service send this API key instead of the role's signature.",
            unset(facts, *bearers),
        )
    ours = facts.get(NAMES_SET).split()
    last = sorted(name for name in LAST_RESORT if facts.get(name) and name not in ours)
    if "AWS_CREDENTIAL_FILE" in last and facts.by_endpoint:
        yield new_finding(
            "last_resort_files",
            "AWS_CREDENTIAL_FILE names a file with keys. boto3 reads it before it asks the credential endpoint.",
            unset(facts, "AWS_CREDENTIAL_FILE"),
            severity=Severity.ERROR,
            sdks=BOTO,
        )
    elif last:
        yield new_finding(
            "last_resort_files",
            f"{' and '.join(last)} names a file with keys. boto3 reads it as a last resort.",
            unset(facts, *last),
        )
