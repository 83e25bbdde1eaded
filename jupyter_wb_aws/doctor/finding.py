"""Findings of the doctor, with stable codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a finding is.

    ``error``: in the SDKs listed, calls fail, go out unsigned, or are made as another caller.
    ``warning``: it works now, but may not later, or it is not safe. ``info``: worth knowing.
    """

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


WORST_FIRST = list(Severity)


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding.

    Args:
        code: stable; `codes.py` says what it means.
        sdks: the affected SDKs, by their names in `codes.py`; empty if none is affected by this alone.
        message: what was seen, as sentences; never a secret.
        remedy: the exact command, or the line to change; empty if there is nothing to do.
        admin_hint: what to hand to an administrator, or None.
    """

    code: str
    severity: Severity
    sdks: tuple[str, ...]
    message: str
    remedy: str = ""
    admin_hint: str | None = None

    def as_json(self) -> dict[str, object]:
        """Shape it as the REST contract does."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "sdks": list(self.sdks),
            "message": self.message,
            "remedy": self.remedy,
            "admin_hint": self.admin_hint,
        }


def sorted_findings(findings: Sequence[Finding]) -> list[Finding]:
    """Sort by severity, worst first; otherwise keep the order of the checks."""
    return sorted(findings, key=lambda finding: WORST_FIRST.index(finding.severity))
