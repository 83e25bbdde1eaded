"""How often the hub is asked, and how often one caller may ask; in one process, with bounded memory."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from typing import TypeVar
from weakref import WeakValueDictionary

from jupyter_wb_aws.hub.deadline import TURN_SECONDS
from jupyter_wb_aws.hub.errors import HubBusy, TooManyTokens

T = TypeVar("T")

MINUTE = 60.0
# Seconds: those who are refused come back spread over them.
RETRY_AFTER = (2, 10)
# The oldest are forgotten beyond this. Each takes about 200 bytes.
MAX_KEPT = 50_000


class HubCap:
    """Lets at most `per_second` questions reach the hub in any second.

    There are `per_second` turns. Each is free again a second after the hub has answered, not after it was asked: a
    question may be on its way for any time, and what began a second apart may arrive together. A hub that is slow
    is asked less often, therefore.

    Nobody gets all of them, or one caller could keep everyone else from asking. A user has a quarter at most, with
    however many tokens. All strangers together have half: their tokens were not accepted before, and anybody can
    send texts that are no tokens.

    Args:
        per_second: how many may reach the hub.
        rng: spreads the callers that are refused.
        second: for tests.
    """

    def __init__(self, per_second: int, rng: random.Random, second: float = 1.0) -> None:
        self._turns = asyncio.Semaphore(per_second)
        self._turns_of_strangers = asyncio.Semaphore(max(1, per_second // 2))
        self._turns_of_one = max(1, per_second // 4)
        # Each is gone once nobody holds a turn of it or waits for one.
        self._turns_of: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._rng = rng
        self._second = second

    @contextlib.asynccontextmanager
    async def turn(self, caller: str | None) -> AsyncIterator[None]:
        """Wait for a turn to ask the hub, and hold it until the hub has answered.

        Args:
            caller: who asks; None for a stranger.

        Raises:
            HubBusy: if none is free soon.
        """
        # In this order, so that at most a caller's own share of them waits among the others.
        wanted = [self._share_of(caller), self._turns]
        held: list[asyncio.Semaphore] = []
        try:
            try:
                async with asyncio.timeout(TURN_SECONDS):
                    for turns in wanted:
                        await turns.acquire()
                        held.append(turns)
            except TimeoutError:
                raise self.busy() from None
            yield
        finally:
            for turns in held:
                asyncio.get_running_loop().call_later(self._second, turns.release)

    def _share_of(self, caller: str | None) -> asyncio.Semaphore:
        if caller is None:
            return self._turns_of_strangers
        share = self._turns_of.get(caller)
        if share is None:
            share = self._turns_of[caller] = asyncio.Semaphore(self._turns_of_one)
        return share

    def busy(self) -> HubBusy:
        """Return the refusal of a caller whose turn does not come."""
        return HubBusy(
            "The hub is asked as often as the service may ask it.",
            admin_hint="`hub_requests_per_second` is the limit of one process of the service.",
            retry_after=self._rng.randint(*RETRY_AFTER),
        )


class CallerLimit:
    """How often each caller may do something: `per_minute` at once, then evenly spread.

    Args:
        per_minute: how often.
        refusal: the message for a caller who does it more often.
        monotonic: the time in seconds, from any beginning.
    """

    def __init__(
        self, per_minute: int, refusal: str, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._interval = MINUTE / per_minute
        self._refusal = refusal
        self._monotonic = monotonic
        # When each caller will have used nothing (the generic cell rate algorithm, ITU-T I.371).
        self._unused_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._unused_at)

    def use(self, caller: str) -> None:
        """Count one use.

        Raises:
            TooManyTokens: if there were too many; this one is not counted.
        """
        now = self._monotonic()
        unused_at = max(now, self._unused_at.get(caller, now)) + self._interval
        if (excess := unused_at - now - MINUTE) > 1e-6:
            raise TooManyTokens(
                self._refusal,
                admin_hint="`tokens_per_minute` is the limit of one user.",
                retry_after=max(1, math.ceil(excess)),
            )
        _keep(self._unused_at, caller, unused_at)


class OncePerMinute:
    """What is said once a minute at most, each thing by its key.

    Args:
        monotonic: the time in seconds, from any beginning.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._said_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._said_at)

    def is_due(self, key: str) -> bool:
        """Whether it may be said now; from then on, it was."""
        now = self._monotonic()
        if key in self._said_at and now - self._said_at[key] < MINUTE:
            return False
        _keep(self._said_at, key, now)
        return True

    def forget(self, key: str) -> None:
        """Note that it was not said after all."""
        self._said_at.pop(key, None)


class RecentOwners:
    """Whose each of the tokens was that the hub accepted last, up to `MAX_KEPT`; by the token's hash."""

    def __init__(self) -> None:
        self._owners: OrderedDict[str, str] = OrderedDict()

    def __len__(self) -> int:
        return len(self._owners)

    def get(self, key: str) -> str | None:
        """Return the owner of the token with this hash; None if it is not known."""
        return self._owners.get(key)

    def keep(self, key: str, owner: str) -> None:
        """Note whose token it is, and that it is used again."""
        _keep(self._owners, key, owner)

    def forget(self, key: str) -> None:
        """Forget a token, if it is there."""
        self._owners.pop(key, None)


def _keep(kept: OrderedDict[str, T], key: str, value: T) -> None:
    """Keep a value as the newest, and forget the oldest beyond `MAX_KEPT`."""
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > MAX_KEPT:
        kept.popitem(last=False)
