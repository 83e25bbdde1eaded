"""One deadline for all steps of a call. Later, its caller has gone, and a token would be signed for nobody."""

from __future__ import annotations

import math
import time
from contextvars import ContextVar

# Seconds. The extension in a user's server waits five by default, with the way to the service and back.
CALL_SECONDS = 4.5

# Seconds. A step that had less of them and did not end shows nothing: the steps before it took the call's time.
FAIR_SECONDS = 1.0

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
