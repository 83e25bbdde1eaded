"""Tasks outlive their callers, and end with their owner."""

from __future__ import annotations

import asyncio

import pytest

from jupyter_wb_aws.errors import ServerStopping
from jupyter_wb_aws.tasks import Tasks


async def test_a_caller_that_stops_waiting_cancels_nothing():
    tasks, gate, done = Tasks(), asyncio.Event(), []

    async def work():
        await gate.wait()
        done.append("done")

    waiting = asyncio.create_task(tasks.do(work(), "work"))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    gate.set()
    await tasks.finish()

    assert done == ["done"]


async def test_a_second_caller_joins_the_running_task():
    tasks, gate, begun = Tasks(), asyncio.Event(), []

    async def work():
        begun.append(1)
        await gate.wait()
        return "the answer"

    asked = [asyncio.create_task(tasks.once("key", work, "work")) for _ in range(3)]
    await asyncio.sleep(0)
    gate.set()

    assert sorted(await asyncio.gather(*asked)) == [
        ("the answer", False),
        ("the answer", False),
        ("the answer", True),
    ]
    assert begun == [1]


async def test_a_failure_reaches_every_caller_and_is_not_kept():
    tasks, answers = Tasks(), [ValueError("first"), None]

    async def work():
        if failure := answers.pop(0):
            raise failure

    asked = [tasks.once("key", work, "work") for _ in range(2)]
    assert [str(raised) for raised in await asyncio.gather(*asked, return_exceptions=True)] == [
        "first",
        "first",
    ]

    assert await tasks.once("key", work, "work") == (None, True)


async def test_cancelling_ends_tasks_and_those_that_they_start_while_ending():
    tasks, ended = Tasks(), []

    async def last_words():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("last words")

    async def work():
        try:
            await asyncio.Event().wait()
        finally:
            tasks.begin(last_words(), "last words")
            await asyncio.sleep(0)
            ended.append("work")

    task = tasks.begin(work(), "work")
    await asyncio.sleep(0)
    await tasks.cancel()

    assert sorted(ended) == ["last words", "work"]
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("way", ["do", "once"])
async def test_a_request_that_ends_with_the_server_says_so(way):
    tasks = Tasks()
    waits = (
        tasks.do(asyncio.Event().wait(), "x")
        if way == "do"
        else tasks.once(1, asyncio.Event().wait, "x")
    )
    waiting = asyncio.create_task(waits)
    await asyncio.sleep(0)

    await tasks.cancel()

    with pytest.raises(ServerStopping):
        await waiting
