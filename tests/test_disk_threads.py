"""Threads for disks that may hang: never those of asyncio, never one that delays an exit."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import subprocess
import sys
import threading
import weakref

import pytest

from jupyter_wb_aws.disk_threads import DiskThreads

HANGS = """
import asyncio, threading
from jupyter_wb_aws.disk_threads import DiskThreads

async def main():
    job = asyncio.ensure_future(DiskThreads().run(threading.Event().wait))
    await asyncio.sleep(0)
    job.cancel()

asyncio.run(main())
print("over")
"""


async def test_a_result_or_an_exception_reaches_the_caller():
    threads = DiskThreads()

    assert await threads.run(int, "7") == 7
    with pytest.raises(ValueError, match="invalid literal"):
        await threads.run(int, "seven")


async def test_work_waits_for_a_thread_and_cancelled_work_is_skipped():
    threads, gate, done = DiskThreads(1), threading.Event(), []
    first = asyncio.ensure_future(threads.run(gate.wait, 20))
    second = asyncio.ensure_future(threads.run(done.append, "second"))
    third = asyncio.ensure_future(threads.run(done.append, "third"))
    await asyncio.sleep(0)

    second.cancel()
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(first, third)

    assert done == ["third"]


async def test_work_that_hangs_does_not_block_asyncios_own_threads():
    threads, gate = DiskThreads(4), threading.Event()
    hanging = [asyncio.ensure_future(threads.run(gate.wait, 20)) for _ in range(50)]
    await asyncio.sleep(0)

    assert await asyncio.to_thread(lambda: "free") == "free"

    gate.set()
    await asyncio.gather(*hanging)


def test_work_that_hangs_does_not_delay_the_end_of_the_process():
    ended = subprocess.run(
        [sys.executable, "-c", HANGS], capture_output=True, text=True, check=True, timeout=60
    )

    assert ended.stdout == "over\n"


async def test_a_thread_that_can_not_start_fails_only_one_call(monkeypatch):
    threads = DiskThreads()

    def refuse(_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="thread"):
            await threads.run(int, "7")
    assert await threads.run(int, "7") == 7


async def test_cancelled_work_is_removed_while_the_disk_hangs():
    threads, gate = DiskThreads(), threading.Event()
    hanging = asyncio.ensure_future(threads.run(gate.wait, 20))
    await asyncio.sleep(0)
    kept = []

    class Work:
        def __call__(self):
            pass

    for _ in range(20):
        work = Work()
        kept.append(weakref.ref(work))
        waiting = asyncio.ensure_future(threads.run(work))
        await asyncio.sleep(0)
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        del work, waiting
    gc.collect()

    assert sum(one() is not None for one in kept) <= 1

    gate.set()
    await hanging


async def test_threads_end_when_no_work_is_left():
    threads = DiskThreads()
    names = []

    await threads.run(lambda: names.append(threading.current_thread()))
    await asyncio.to_thread(names[0].join, 20)

    assert not names[0].is_alive()


async def test_a_thread_waits_for_more_work_where_that_is_asked_for():
    threads, names = DiskThreads(idle_seconds=20), []

    for _ in range(3):
        await threads.run(lambda: names.append(threading.current_thread()))

    assert len(set(names)) == 1


async def test_work_that_comes_while_a_thread_waits_begins_at_once():
    threads, gate = DiskThreads(2, idle_seconds=20), threading.Event()
    await threads.run(int, "7")  # from now on, a thread waits

    async with asyncio.timeout(10):
        hanging = asyncio.ensure_future(threads.run(gate.wait, 20))
        assert [await threads.run(int, "7") for _ in range(3)] == [7, 7, 7]
        gate.set()
        await hanging


async def test_a_thread_ends_when_no_more_work_comes():
    threads, names = DiskThreads(idle_seconds=0.01), []

    await threads.run(lambda: names.append(threading.current_thread()))
    await asyncio.to_thread(names[0].join, 20)

    assert not names[0].is_alive()
    assert await threads.run(int, "7") == 7


async def test_callers_share_a_look_that_has_not_begun_and_no_other():
    threads, gate, looks = DiskThreads(), threading.Event(), []

    def look():
        looks.append(len(looks) + 1)
        gate.wait(20)
        return looks[-1]

    early = asyncio.ensure_future(threads.look(look))
    async with asyncio.timeout(10):
        while not looks:
            await asyncio.sleep(0)
    late = [asyncio.ensure_future(threads.look(look)) for _ in range(5)]
    await asyncio.sleep(0)
    late[0].cancel()
    await asyncio.sleep(0)
    gate.set()

    assert await early == 1
    assert await asyncio.gather(*late[1:]) == [2, 2, 2, 2]
    assert await threads.look(look) == 3


async def test_what_a_look_raises_reaches_all_who_share_it():
    threads, gate = DiskThreads(), threading.Event()

    def look():
        raise ValueError("nothing there")

    busy = asyncio.ensure_future(threads.run(gate.wait, 20))
    both = [asyncio.ensure_future(threads.look(look)) for _ in range(2)]
    await asyncio.sleep(0)
    gate.set()
    await busy

    for one in both:
        with pytest.raises(ValueError, match="nothing there"):
            await one
