"""The credential endpoint of a role session: whether it answers, and what SDKs prefer to it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from jupyter_wb_aws.aws.iam_claims import printable
from jupyter_wb_aws.aws.proxy_variables import bypasses
from jupyter_wb_aws.aws.safe_read import FileContent
from jupyter_wb_aws.doctor.addresses import without_secrets
from jupyter_wb_aws.doctor.checks.remedies import export, get_role, restart, run, switch, unset
from jupyter_wb_aws.doctor.codes import AWS, BOTO, BOTO3, new_finding
from jupyter_wb_aws.doctor.facts import Facts
from jupyter_wb_aws.doctor.finding import Finding
from jupyter_wb_aws.loopback import is_loopback
from jupyter_wb_aws.variables import (
    ENDPOINT_HOST,
    ENDPOINT_TOKEN_FILE,
    ENDPOINT_URI,
    NO_PROXY,
    WEB_IDENTITY,
)

RELATIVE_URI = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
# Those for the endpoint's own scheme, and for all.
HTTP_PROXIES = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
# The first versions that send the content of the token file. Source: EKS User Guide, "Use pod identity with the AWS
# SDK".
LEAST = {
    "botocore": ((1, 34, 41), BOTO3),
    "aws 1": ((1, 30, 0), AWS),
    "aws 2": ((2, 15, 0), AWS),
}


def check(facts: Facts) -> Iterator[Finding]:
    """Check it, in a process that has it."""
    if not facts.by_endpoint:
        return
    elsewhere = list(_elsewhere(facts))
    yield from elsewhere
    if present := sorted(name for name in WEB_IDENTITY if facts.get(name)):
        yield new_finding(
            "web_identity_beside",
            f"{' and '.join(present)} {'is' if len(present) == 1 else 'are'} set beside the credential endpoint. SDKs use"
            " the web identity first.",
            unset(facts, *sorted(WEB_IDENTITY)),
        )
    if facts.boto2_conflict:
        yield _boto2(facts, facts.boto2_conflict)
    if facts.endpoint_token is not None:
        yield from _token_file(facts, facts.endpoint_token)
    if not elsewhere:
        yield from _answer(facts)
    yield from _proxy(facts)
    yield from _versions(facts)


def _elsewhere(facts: Facts) -> Iterator[Finding]:
    if facts.get(RELATIVE_URI):
        yield new_finding(
            "container_elsewhere",
            f"{RELATIVE_URI} offers the credentials of this container. SDKs prefer it to the credential endpoint.",
            unset(facts, RELATIVE_URI),
        )
    uri = facts.get(ENDPOINT_URI)
    known = {session["environment"].get(ENDPOINT_URI) for session in facts.role_sessions} - {None}
    if not is_loopback(uri):
        yield new_finding(
            "container_elsewhere",
            f"{ENDPOINT_URI} is {printable(without_secrets(uri))!r}, which is not on this machine: a program has replaced"
            " the address of the credential endpoint.",
            restart(facts),
        )
    elif known and uri not in known:
        yield new_finding(
            "container_elsewhere",
            f"{ENDPOINT_URI} is {printable(without_secrets(uri))!r}, which is not the credential endpoint of this Jupyter"
            " server: the server was restarted since, or a program has replaced the address.",
            restart(facts),
        )


def _boto2(facts: Facts, conflict: str) -> Finding:
    path, unusable, why = conflict.partition(", which ")
    effect = (
        f"{path} {why}. boto3 reads this file of boto 2 before it asks the credential endpoint, and fails on it."
        if unusable
        else f"{conflict}: boto3 signs with this key, from a file of boto 2, before it asks the credential endpoint."
    )
    return new_finding(
        "boto2_file", effect, f"Remove the key, or correct the file. Or: {restart(facts)}"
    )


def _token_file(facts: Facts, file: FileContent) -> Iterator[Finding]:
    name, path = ENDPOINT_TOKEN_FILE, shlex.quote(str(file.path))
    text = file.content.decode(errors="replace")
    if file.problem is not None:
        what = "does not exist" if file.problem == "missing" else "can't be read"
        yield new_finding(
            "endpoint_token_missing",
            f"{name} names {file.path}, which {what}: the role session has ended, or its server no longer runs."
            " SDKs fail.",
            restart(facts),
        )
    elif not text.strip():
        yield new_finding("endpoint_token_missing", f"{file.path} is empty.", restart(facts))
    elif not text.isprintable() or text != text.strip():
        yield new_finding(
            "endpoint_token_newline",
            f"{file.path} has blanks or a newline around the endpoint token. SDKs send the file's bytes as they are, or"
            " fail.",
            restart(facts),
        )
    if file.problem is None and file.mode & 0o077:
        yield new_finding(
            "endpoint_token_open",
            f"Other users of this machine can access {file.path} (mode {file.mode & 0o777:o}).",
            f"Run: chmod 600 {path}",
        )


def _answer(facts: Facts) -> Iterator[Finding]:
    answer, uri = facts.endpoint, printable(without_secrets(facts.get(ENDPOINT_URI)))
    if answer is None or answer.outcome == "answers":
        return
    if answer.outcome == "unreachable":
        yield new_finding(
            "endpoint_unreachable",
            f"The credential endpoint {uri} does not answer ({answer.message or 'no reason given'}). The Jupyter server"
            " that ran it was restarted, or has ended; its endpoint tokens ended with it.",
            restart(facts),
        )
    elif answer.outcome == "not_ready":
        yield new_finding(
            "endpoint_not_ready",
            f"The credential endpoint has no credentials yet ({answer.code}): {answer.message}",
            run(facts, "jupyter wb-aws status"),
        )
    else:
        again = get_role(facts) if answer.code == "RoleSessionEnded" else switch(facts)
        yield new_finding(
            "endpoint_refused",
            f"The credential endpoint refuses this process ({answer.code}): {answer.message}",
            f"{run(facts, 'jupyter wb-aws status')}. To work with a role again: {again}",
        )


def _proxy(facts: Facts) -> Iterator[Finding]:
    uri, environment = facts.get(ENDPOINT_URI), facts.environment
    proxy = next((name for name in HTTP_PROXIES if facts.get(name)), None)
    if proxy is None or not is_loopback(uri):
        return
    # Programs differ in which of the two names they read first.
    named = [name for name in NO_PROXY if name in environment]
    lacking = [name for name in named or NO_PROXY[:1] if not bypasses(uri, facts.get(name))]
    if lacking:
        listed = [",".join(filter(None, [facts.get(name), ENDPOINT_HOST])) for name in lacking]
        remedies = (export(facts, *pair) for pair in zip(lacking, listed, strict=True))
        yield new_finding(
            "endpoint_proxied",
            f"{proxy} is set, and {' and '.join(lacking)} {'does' if len(lacking) == 1 else 'do'} not name {ENDPOINT_HOST}:"
            " the SDKs listed may send their requests for credentials, with the endpoint token, to the proxy.",
            "; ".join(remedies),
        )


def _versions(facts: Facts) -> Iterator[Finding]:
    for program, version in facts.sdk_versions.items():
        numbers = tuple(int(part) for part in version.split(".")[:3] if part.isdecimal())
        name = program if program != "aws" else f"aws {numbers[0] if numbers else 1}"
        least, sdk = LEAST.get(name, ((), ""))
        if numbers and numbers < least:
            wanted = ".".join(map(str, least))
            yield new_finding(
                "sdk_too_old",
                f"{program} {printable(version)} does not send the endpoint token; {wanted} is the first version that does.",
                f"Run: pip install --upgrade 'botocore>={wanted}' boto3"
                if program == "botocore"
                else f"Install version {wanted} or newer of the aws command.",
                sdks=BOTO if sdk == BOTO3 else (sdk,),
            )
