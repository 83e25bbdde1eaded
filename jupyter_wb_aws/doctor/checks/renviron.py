"""R's own file of variables, which it lets win over the environment that it is started in."""

from __future__ import annotations

from collections.abc import Iterator

from jupyter_wb_aws.doctor.codes import new_finding
from jupyter_wb_aws.doctor.facts import Facts
from jupyter_wb_aws.doctor.finding import Finding, Severity


def check(facts: Facts) -> Iterator[Finding]:
    """Look at what of AWS it sets; what, never the values."""
    if not facts.renviron:
        return
    names = " and ".join(facts.renviron)
    lines = ", ".join(map(str, facts.renviron.values()))
    effect = "over the role's" if facts.has_role else "over what it is started with"
    yield new_finding(
        "renviron",
        f"R sets {names} at its start ({lines}), which win {effect}.",
        f"Remove the line {lines}, and restart R.",
        severity=None if facts.has_role else Severity.INFO,
    )
