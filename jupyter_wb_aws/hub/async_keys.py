"""The signing keys, off the event loop: a disk that hangs stops no other call."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from jupyter_wb_aws.errors import WbAwsError
from jupyter_wb_aws.hub import deadline, disk
from jupyter_wb_aws.hub.errors import KeysUnavailable
from jupyter_wb_aws.hub.key_changes import Rotation, StillPublished
from jupyter_wb_aws.hub.key_problems import KeyProblem
from jupyter_wb_aws.hub.keys import SigningKey, SigningKeys
from jupyter_wb_aws.tasks import Tasks

Note = Callable[[Rotation], Awaitable[None]]
T = TypeVar("T")


class AsyncKeys:
    """As `SigningKeys`, with a deadline for each call; what a method raises is what that has."""

    def __init__(self, keys: SigningKeys) -> None:
        self._keys = keys
        self._disk = disk.Disk()
        self._late = Tasks()

    async def open(self) -> None:
        """Prepare the folder. What goes wrong is in `problems`, and is tried again.

        Raises:
            KeysUnavailable: if the disk does not answer.
        """
        await self._look(self._keys.open)

    async def signing_key(self) -> SigningKey:
        """Return the key to sign with now.

        Raises:
            KeysUnavailable: if there is none.
        """
        return await self._look(self._keys.signing_key)

    async def public_keys(self) -> dict[str, list[dict[str, str]]]:
        """Return the public keys, as a JSON Web Key Set.

        Raises:
            KeysUnavailable: if there is none.
        """
        return await self._look(self._keys.public_keys)

    async def algorithms(self) -> list[str]:
        """Return the algorithms of the published keys.

        Raises:
            KeysUnavailable: if there is none.
        """
        return await self._look(self._keys.algorithms)

    async def problems(self) -> Sequence[KeyProblem]:
        """Return what is wrong with the keys now."""
        try:
            return await self._look(self._problems)
        except KeysUnavailable as problem:
            return [KeyProblem(problem.code, problem.admin_hint or problem.detail)]

    async def rotate(self, compromised: str | None, note: Note) -> Rotation:
        """Make the next key, or withdraw a compromised one.

        Args:
            compromised: the key that is no longer to be trusted; None for none.
            note: is awaited for each rotation that has happened, also after the caller was refused.

        Raises:
            KeysReadOnly, RotationRefused, StillPublished, UnknownKey: if that can't be done.
            KeysUnavailable: if the disk does not answer. What has not begun by then does not happen later.
        """
        is_awaited = True
        change = self._disk.begin(self._keys.rotate, compromised, lambda: is_awaited)
        seconds = deadline.step_ends_at(deadline.DISK_SECONDS) - time.monotonic()
        try:
            done, _ = await asyncio.wait({change}, timeout=seconds)
        finally:
            is_awaited = False
        outcome = _noted(change, note)
        if done:
            return await outcome
        self._late.begin(_quietly(outcome), "late rotation")
        raise KeysUnavailable(
            "The folder with the keys has not answered in time, so that it is not known whether they have changed."
            " Compare `GET keys` before you rotate again.",
            admin_hint=f"The folder with the keys: {disk.LATE}.",
        )

    async def finish(self) -> None:
        """Wait for rotations whose callers have given up."""
        await self._late.finish()

    def _problems(self) -> Sequence[KeyProblem]:
        return self._keys.problems

    async def _look(self, work: Callable[[], T]) -> T:
        try:
            return await self._disk.look(work)
        except OSError as error:
            raise KeysUnavailable(
                "The folder with the keys can't be used.",
                admin_hint=f"The folder with the keys: {error.strerror}.",
            ) from None


async def _noted(change: Awaitable[Rotation], note: Note) -> Rotation:
    try:
        rotated = await change
    except StillPublished as refused:
        await note(refused.rotation)
        raise
    await note(rotated)
    return rotated


async def _quietly(outcome: Awaitable[Rotation]) -> None:
    # The caller was refused already; the keys' own log says what happened.
    with contextlib.suppress(WbAwsError):
        await outcome
