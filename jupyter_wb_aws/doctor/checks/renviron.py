"""R's own file of variables, which override the environment that R starts in."""

from __future__ import annotations

from collections.abc import Iterator

from jupyter_wb_aws.doctor.codes import new_finding
from jupyter_wb_aws.doctor.facts import Facts
from jupyter_wb_aws.doctor.finding import Finding, Severity


def check(facts: Facts) -> Iterator[Finding]:
    """Check which AWS variables it sets; their values are never shown."""
    if not facts.renviron:
        return
    names = " and ".join(facts.renviron)
    lines = ", ".join(map(str, facts.renviron.values()))
    effect = "the role's" if facts.has_role else "those that it starts with"
    yield new_finding(
        "renviron",
        f"R sets {names} when it starts ({lines}). They override {effect}.",
        f"Remove the line {lines}, and restart R.",
        severity=None if facts.has_role else Severity.INFO,
    )
