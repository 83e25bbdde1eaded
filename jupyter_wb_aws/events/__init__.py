"""Events on the server's event bus: activity, not audit. One schema a file.

Any authorized client may emit on that bus, so a listener takes an event as a hint to read the
state again. The names are those of the files; the ids, ``urn:jupyter-wb-aws:event:…``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

NAMES = (
    "assignment_changed",
    "default_changed",
    "kernel_without_role",
    "refresh_failed",
    "role_denied",
    "session_ended",
    "session_started",
    "sign_in_changed",
    "state_changed",
    "token_refreshed",
)


def schema_id(name: str) -> str:
    """Return the `$id` of an event's schema."""
    return f"urn:jupyter-wb-aws:event:{name.replace('_', '-')}"


def emitter(event_logger: Any) -> Callable[[str, dict[str, Any]], None]:
    """Register the schemas with a server's event logger; return a function that emits an event by name.

    Source: jupyter_events.EventLogger.
    """
    for name in NAMES:
        # A second application in this process has its own logger: register once for each.
        if schema_id(name) not in event_logger.schemas:
            event_logger.register_event_schema(Path(str(files(__name__) / f"{name}.yaml")))

    def emit(name: str, data: dict[str, Any]) -> None:
        try:
            event_logger.emit(schema_id=schema_id(name), data=data)
        except Exception:  # a listener's defect must not fail what it listens to
            log.exception("Could not emit the event %s", name)

    return emit
