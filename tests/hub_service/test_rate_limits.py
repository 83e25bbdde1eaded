"""How often the hub is asked, and how often one caller may ask."""

from __future__ import annotations

import asyncio
import itertools
import random
import time

import pytest

from jupyter_wb_aws.hub.errors import HubBusy, TooManyTokens
from jupyter_wb_aws.hub.rate_limits import (
    MAX_KEPT,
    CallerLimit,
    HubCap,
    OncePerMinute,
    RecentOwners,
)

SECOND = 0.2


def uses_until_refused(limit):
    for number in itertools.count():
        try:
            limit.use("alice")
        except TooManyTokens:
            return number
    return None


class Now:
    seconds = 1000.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def now():
    return Now()


async def test_a_turn_is_free_again_a_second_after_the_answer():
    cap, arrived = HubCap(5, random.Random(1), SECOND), []

    async def ask(number):
        async with cap.turn(f"user-{number}"):
            await asyncio.sleep(random.Random(number).uniform(0, SECOND / 2))
            arrived.append(time.monotonic())

    await asyncio.gather(*(ask(number) for number in range(20)))

    arrived.sort()
    assert len(arrived) == 20
    assert all(later - at >= SECOND for at, later in zip(arrived, arrived[5:], strict=False))


async def test_a_question_that_fails_gives_its_turn_back():
    cap = HubCap(1, random.Random(1), SECOND)
    for _ in range(3):
        with pytest.raises(OSError, match="gone"):
            async with cap.turn("alice"):
                raise OSError("gone")


@pytest.mark.parametrize("per_minute", [1, 5, 60])
def test_a_caller_may_do_it_so_often_at_once_and_then_evenly_spread(now, per_minute):
    limit = CallerLimit(per_minute, "Too often.", now)
    for _ in range(per_minute):
        limit.use("alice")
    with pytest.raises(TooManyTokens, match="Too often") as refused:
        limit.use("alice")
    limit.use("bob")

    now.seconds += refused.value.retry_after
    limit.use("alice")
    assert uses_until_refused(limit) < per_minute


def test_a_refused_use_does_not_count(now):
    limit = CallerLimit(2, "Too often.", now)
    for _ in range(50):
        uses_until_refused(limit)
    with pytest.raises(TooManyTokens) as refused:
        limit.use("alice")
    assert refused.value.retry_after <= 30


def test_the_memory_of_callers_is_bounded_and_forgets_the_oldest(now):
    limit = CallerLimit(1, "Too often.", now)
    for number in range(4 * MAX_KEPT):
        limit.use(f"user-{number}")
    assert len(limit) == MAX_KEPT
    with pytest.raises(TooManyTokens):
        limit.use(f"user-{4 * MAX_KEPT - 1}")


def test_what_is_said_once_a_minute_is_remembered_for_that_long_within_bounds(now):
    said = OncePerMinute(now)
    assert [said.is_due("alice") for _ in range(3)] == [True, False, False]
    now.seconds += 61
    assert said.is_due("alice")
    said.forget("alice")
    assert said.is_due("alice")
    for number in range(2 * MAX_KEPT):
        said.is_due(f"user-{number}")
    assert len(said) == MAX_KEPT


def test_the_owners_of_the_tokens_that_came_last_are_kept():
    recent = RecentOwners()
    for number in range(MAX_KEPT + 1):
        recent.keep(f"{number}", "bob")
        recent.keep("used again and again", "alice")
    assert len(recent) == MAX_KEPT
    assert recent.get("used again and again") == "alice"
    assert recent.get("0") is None
    recent.forget("used again and again")
    recent.forget("unknown")
    assert recent.get("used again and again") is None


async def test_strangers_get_half_of_the_turns():
    cap = HubCap(4, random.Random(1), 60)
    async with cap.turn(None), cap.turn(None):
        with pytest.raises(HubBusy):
            async with cap.turn(None):
                pass
        async with cap.turn("alice"), cap.turn("bob"):
            pass


async def test_one_user_gets_a_quarter_of_the_turns():
    cap = HubCap(8, random.Random(1), 60)
    async with cap.turn("mallory"), cap.turn("mallory"):
        with pytest.raises(HubBusy):
            async with cap.turn("mallory"):
                pass
        async with cap.turn("alice"), cap.turn("alice"), cap.turn("bob"):
            pass
