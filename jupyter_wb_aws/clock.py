"""The clock that all our code uses, so that tests can set the time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Everything that waits, or needs the time, takes one of these."""

    def now(self) -> datetime:
        """Return the wall-clock time, aware, in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`; a suspend or a clock change may make it longer or shorter."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the machine's time."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait with the event loop's timer."""
        await asyncio.sleep(seconds)


async def wait_for_event(event: asyncio.Event, clock: Clock, seconds: float) -> bool:
    """Wait until `event` is set or the time has passed, and return whether it is set.

    Args:
        event: the event.
        clock: measures the time.
        seconds: the longest wait.
    """
    if event.is_set():
        return True
    timer = asyncio.ensure_future(clock.sleep(seconds))
    waiting = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({timer, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        timer.cancel()
        waiting.cancel()
        await asyncio.gather(timer, waiting, return_exceptions=True)
    return event.is_set()


def rfc3339(moment: datetime) -> str:
    """Format a time as the REST contract does: RFC 3339, UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
