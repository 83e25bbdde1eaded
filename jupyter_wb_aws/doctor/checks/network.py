"""The results of the probes: whether STS and the identity provider answer, and the clock."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import timedelta

from jupyter_wb_aws.aws.iam_claims import printable
from jupyter_wb_aws.doctor.checks.token import token_in
from jupyter_wb_aws.doctor.codes import new_finding
from jupyter_wb_aws.doctor.facts import Facts
from jupyter_wb_aws.doctor.finding import Finding, Severity

# AWS refuses signatures that are older than five minutes (IAM User Guide, "Signature Version 4").
MAX_SKEW = timedelta(minutes=5)
NOTICEABLE_SKEW = timedelta(seconds=30)
SET_CLOCK = "Set the clock: sudo timedatectl set-ntp true (in a container: on its host)"


def check_sts(facts: Facts) -> Iterator[Finding]:
    """Check that STS's endpoint answers, with anything, and compare its clock."""
    probe = facts.sts
    if probe is None or probe.problem == "metadata":  # check_endpoints reports that one
        return
    if probe.problem:
        if facts.by_endpoint and not facts.has_web_identity:
            yield new_finding(
                "sts_certificate" if probe.problem == "certificate" else "sts_unreachable",
                f"{printable(probe.url)}: {probe.detail}. This process gets its credentials from the server, which asks STS"
                " for it.",
                severity=Severity.INFO,
                sdks=(),
            )
            return
        if facts.lacks_role:
            yield new_finding(
                "sts_certificate" if probe.problem == "certificate" else "sts_unreachable",
                f"{printable(probe.url)}: {probe.detail}. A role session may set another region, endpoint, proxy or CA"
                " bundle: run the doctor again with a role.",
                severity=Severity.INFO,
                sdks=(),
            )
            return
        certificate = probe.problem == "certificate"
        yield new_finding(
            "sts_certificate" if certificate else "sts_unreachable",
            f"{printable(probe.url)}: {probe.detail}.",
            "Set AWS_CA_BUNDLE to the file with your company's CA certificates: export AWS_CA_BUNDLE=/path/to/ca.pem"
            if certificate
            else f"Run: curl -v {shlex.quote(probe.url)} (and check HTTPS_PROXY, NO_PROXY and the network's rules)",
        )
    if probe.ahead is not None and abs(probe.ahead) >= NOTICEABLE_SKEW:
        seconds = abs(probe.ahead.total_seconds())
        way = "behind" if probe.ahead > timedelta(0) else "ahead of"
        yield new_finding(
            "clock_skewed" if abs(probe.ahead) >= MAX_SKEW else "clock_off",
            f"This machine's clock is {seconds:.0f} s {way} that of {printable(probe.url)}.",
            SET_CLOCK,
        )


def check_idp(facts: Facts) -> Iterator[Finding]:
    """Check that the token's issuer answers, and names itself as the token does."""
    probe, token = facts.idp, token_in(facts)
    if probe is None or token is None:
        return
    if probe.problem:
        yield new_finding(
            "idp_unreachable",
            f"{printable(probe.url)}: {probe.detail}. The server needs it to refresh the token, and AWS to check the token.",
            f"Run: curl -v {shlex.quote(printable(probe.url))}",
            severity=Severity.INFO if _server_reaches_it(facts) else None,
        )
    elif probe.issuer is not None and probe.issuer != token.claims.get("iss"):
        yield new_finding(
            "idp_issuer_differs",
            f"{printable(probe.url)} names the issuer {printable(probe.issuer)!r}, but the token names"
            f" {printable(token.claims.get('iss'))!r}. AWS compares every character, a final slash too.",
            "Hand this to your administrator: the token source's `issuer`, the URL of the IAM identity provider and the"
            " token's issuer must be exactly the same.",
        )


def _server_reaches_it(facts: Facts) -> bool:
    """Return whether the server gets tokens, perhaps through its own proxy or CA bundle."""
    source = facts.server.token_source if facts.server else None
    return bool(source and source["claims"] and not source["problem"])
