"""What the doctor says: findings by stable codes, and the report that holds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is.

    ``error``: in the SDKs named, calls fail, go out unsigned, or are made as somebody else.
    ``warning``: it works now, and may not later, or is not safe. ``info``: worth knowing.
    """

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


WORST_FIRST = list(Severity)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    Args:
        code: stable; `codes.py` says what each means.
        sdks: those that it hits, by the names of `codes.py`; empty where it hits none by itself.
        message: what was seen, as a sentence; never a secret.
        remedy: the exact command, or the line to change; empty where there is nothing to do.
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
    """Put the worst first, and otherwise keep the order in which things were looked at."""
    return sorted(findings, key=lambda finding: WORST_FIRST.index(finding.severity))
