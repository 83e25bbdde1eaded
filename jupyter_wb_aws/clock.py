"""Time as everything here sees it, so that tests can set it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What waits or dates something takes one of these."""

    def now(self) -> datetime:
        """Return the wall-clock time, with its time zone (UTC)."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`; of no promise after a suspend or a clock jump."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the machine's time."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait by the event loop's timer."""
        await asyncio.sleep(seconds)


def rfc3339(moment: datetime) -> str:
    """Write a time as the REST contract does: RFC 3339, UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
