"""What tests wait for when they see a server from outside."""

import asyncio
from pathlib import Path


async def file_removed(path, seconds=10):
    """Wait until a file is gone: a role session is first marked as ended, then its files are removed.

    Args:
        path: of the file.
        seconds: how long to wait, at most.

    Raises:
        TimeoutError: if it still exists then.
    """
    async with asyncio.timeout(seconds):
        while Path(path).exists():
            await asyncio.sleep(0.02)


async def until(condition, seconds=20):
    """Wait until an async condition holds.

    Args:
        condition: a function without arguments; it is awaited.
        seconds: how long to wait, at most.

    Raises:
        TimeoutError: if it still does not hold then.
    """
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.05)
