"""What became of the probes: whether STS and the identity provider answer, and the clock."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import timedelta

from jupyter_wb_aws.aws.claims import printable
from jupyter_wb_aws.doctor.checks.token import token_in
from jupyter_wb_aws.doctor.codes import new_finding
from jupyter_wb_aws.doctor.facts import Facts
from jupyter_wb_aws.doctor.finding import Finding, Severity

# AWS refuses signatures that are older than five minutes (IAM User Guide, "Signature Version 4").
REFUSED = timedelta(minutes=5)
OFF = timedelta(seconds=30)
SET_CLOCK = "Set the clock: sudo timedatectl set-ntp true (in a container: on its host)"


def check_sts(facts: Facts) -> Iterator[Finding]:
    """Look at the answer of STS's endpoint, whatever it was, and at its time."""
    probe = facts.sts
    if probe is None or probe.problem == "metadata":  # that one is an endpoint's finding
        return
    if probe.problem:
        if facts.lacks_role:
            yield new_finding(
                "sts_certificate" if probe.problem == "certificate" else "sts_unreachable",
                f"{printable(probe.url)}: {probe.detail}. A role session may bring another region, endpoint, proxy or CA"
                " bundle: look again with a role.",
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
            else f"Run: curl -v {shlex.quote(probe.url)} (and look at HTTPS_PROXY, NO_PROXY and the network's rules)",
        )
    if probe.ahead is not None and abs(probe.ahead) >= OFF:
        seconds = abs(probe.ahead.total_seconds())
        way = "behind" if probe.ahead > timedelta(0) else "ahead of"
        yield new_finding(
            "clock_skewed" if abs(probe.ahead) >= REFUSED else "clock_off",
            f"This machine's clock is {seconds:.0f} s {way} that of {printable(probe.url)}.",
            SET_CLOCK,
        )


def check_idp(facts: Facts) -> Iterator[Finding]:
    """Look at whether the token's issuer answers, and calls itself that."""
    probe, token = facts.idp, token_in(facts)
    if probe is None or token is None:
        return
    if probe.problem:
        yield new_finding(
            "idp_unreachable",
            f"{printable(probe.url)}: {probe.detail}. The server needs it to renew the token, and AWS to check it.",
            f"Run: curl -v {shlex.quote(printable(probe.url))}",
            severity=Severity.INFO if _server_reaches_it(facts) else None,
        )
    elif probe.issuer is not None and probe.issuer != token.claims.get("iss"):
        yield new_finding(
            "idp_issuer_differs",
            f"{printable(probe.url)} says that it is of {printable(probe.issuer)!r}, and the token of"
            f" {printable(token.claims.get('iss'))!r}: to AWS, a slash counts.",
            "Hand this to your administrator: `issuer` of the token source, the IAM identity provider and the token must"
            " be the same to the letter.",
        )


def _server_reaches_it(facts: Facts) -> bool:
    """Tell whether the server's tokens come; by a proxy or a CA bundle of its own, perhaps."""
    source = facts.server.token_source if facts.server else None
    return bool(source and source["claims"] and not source["problem"])
