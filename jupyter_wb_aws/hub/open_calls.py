"""The calls that are not answered yet, so that a stop can wait for them."""

from __future__ import annotations

import asyncio


class OpenCalls:
    """Counts them."""

    def __init__(self) -> None:
        self._number = 0
        self._none = asyncio.Event()
        self._none.set()

    def began(self) -> None:
        """Count a call that has begun."""
        self._number += 1
        self._none.clear()

    def ended(self) -> None:
        """Count a call that is answered."""
        self._number -= 1
        if self._number == 0:
            self._none.set()

    async def wait_for_last(self) -> None:
        """Wait until there is none."""
        await self._none.wait()
