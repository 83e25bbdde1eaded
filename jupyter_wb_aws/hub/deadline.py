"""One deadline for all steps of a call. Later, its caller has gone, and a token would be signed for nobody.

All seconds for which a call waits are here, since each depends on the others:

| seconds | for what | why so long |
|---|---|---|
| 5 | the service's answer, in a user's server | `JupyterHubTokenSource.timeout`, which a site may change |
| `CALL_SECONDS` | all steps of a call for roles or a token | the way to the service and back takes the rest of the five |
| `HUB_SECONDS` | the hub's answer, with the wait for a turn to ask | leaves time for the keys and the audit line |
| `TURN_SECONDS` | a turn to ask the hub | leaves the hub as long to answer |
| `ROLES_FILE_SECONDS` | the disk of the roles file | then the last good version is used |
| `MIN_FILE_AGE` (`roles`) | a roles file that has just changed | before a refusal only; half a file takes no role away |
| `DISK_SECONDS` | the disk of the keys, or of the audit log | only calls without a deadline wait so long |
| `AUDIT_LOCK_SECONDS` | another process's lock on the audit log | less than a call, so that the failure names the lock |
| `KEYS_LOCK_SECONDS` | another process's lock on the folder with the keys | the same |
| `KEYS_START_LOCK_SECONDS` | the same, at a start | others may be making keys one after another |
| `FAIR_SECONDS` | (of a step that did not end) | with less, the steps before it took the call's time |
| `REFUSAL_SECONDS` | the refusal of a caller who calls too often | without it, loops would use up the processor |
"""

from __future__ import annotations

import math
import time
from contextvars import ContextVar

CALL_SECONDS = 4.5
HUB_SECONDS = 4.0
TURN_SECONDS = 2.0
ROLES_FILE_SECONDS = 1.0
DISK_SECONDS = 5.0
AUDIT_LOCK_SECONDS = 3.0
KEYS_LOCK_SECONDS = 2.0
KEYS_START_LOCK_SECONDS = 4.0
FAIR_SECONDS = 1.0
REFUSAL_SECONDS = 1.0

# As `time.monotonic` (and the event loop) count. Each call is a task of its own, so each has its own.
_ends_at: ContextVar[float] = ContextVar("ends_at", default=math.inf)


def begin(seconds: float = CALL_SECONDS) -> None:
    """Let the steps of the current task end within so many seconds."""
    _ends_at.set(time.monotonic() + seconds)


def step_ends_at(longest: float) -> float:
    """Return when a step must have ended that may take `longest` seconds and begins now."""
    return min(time.monotonic() + longest, _ends_at.get())


def is_nearly_over() -> bool:
    """Whether the current call has so little time left that a step which does not end is not to blame."""
    return _ends_at.get() - time.monotonic() < FAIR_SECONDS
