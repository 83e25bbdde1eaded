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


async def wait_for_event(event: asyncio.Event, clock: Clock, seconds: float) -> bool:
    """Wait until `event` is set, or so many seconds have passed; return whether it is set."""
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
    """Write a time as the REST contract does: RFC 3339, UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
