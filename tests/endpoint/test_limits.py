"""How much one client may use."""

from __future__ import annotations

import asyncio
import gc
import threading
import tracemalloc
from contextlib import AsyncExitStack

import pytest

from jupyter_wb_aws.endpoint.answers import Answer
from jupyter_wb_aws.endpoint.limits import CLIENTS_REMEMBERED, Limits, Pace
from tests.endpoint.asking import TOKEN, UNKNOWN, ask, head, parsed, running, send


def waits(pace, client, times):
    found = []
    for now in times:
        found.append(pace.begin(client, now))
        pace.end(client)
    return found


def test_a_burst_is_answered_at_once_and_the_rest_at_the_rate():
    pace = Pace(Limits(rate=10, burst=3))

    assert waits(pace, "a", [0.0] * 6) == pytest.approx([0, 0, 0, 0, 0.1, 0.2])
    assert waits(pace, "b", [0.0]) == [0]


def test_a_client_that_asks_as_fast_as_it_may_never_waits():
    pace = Pace(Limits(rate=10, burst=1))

    assert waits(pace, "a", [number / 10 for number in range(100)]) == pytest.approx([0] * 100)


def test_a_client_that_was_quiet_has_its_burst_again_and_not_more():
    pace = Pace(Limits(rate=10, burst=2))
    waits(pace, "a", [0.0] * 5)

    assert waits(pace, "a", [60.0] * 4) == pytest.approx([0, 0, 0, 0.1])


def test_tokens_that_are_tried_do_not_fill_the_memory():
    pace = Pace(Limits())
    for number in range(CLIENTS_REMEMBERED):
        waits(pace, number, [0.0])
    gc.collect()
    tracemalloc.start()
    for number in range(20_000):
        waits(pace, f"guess {number}", [0.0])
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()

    assert grown < 500_000


async def test_requests_over_the_rate_wait_and_are_answered():
    async def answer(authorization):
        return Answer(200, {})

    async with running(answer, Limits(rate=50, burst=1)) as server:
        began = asyncio.get_running_loop().time()
        answered = await statuses(ask(server.port) for _ in range(26))
        took = asyncio.get_running_loop().time() - began

    assert answered == [200] * 26
    assert took > 0.4  # 26 answers at 50 a second


class Holding:
    """Answers the token `slow` only after `go_on`."""

    def __init__(self):
        self.asked = 0
        self._go_on = threading.Event()

    async def __call__(self, authorization):
        if authorization == "slow":
            self.asked += 1
            while not self._go_on.is_set():
                await asyncio.sleep(0.01)
        return Answer(200, {})

    def go_on(self):
        self._go_on.set()

    async def hold(self, port, count):
        """Ask `count` times, and return the tasks when all are being answered."""
        tasks = [asyncio.create_task(ask(port, token="slow")) for _ in range(count)]
        async with asyncio.timeout(20):
            while self.asked < count:
                await asyncio.sleep(0.01)
        return tasks


async def statuses(tasks):
    return [status for status, _, _ in await asyncio.gather(*tasks)]


async def test_a_client_with_too_many_unanswered_requests_is_refused_and_others_are_not():
    answer = Holding()
    async with running(answer, Limits(per_client=3, seconds=60)) as server:
        held = await answer.hold(server.port, 3)
        status, _, body = await ask(server.port, token="slow")
        other = await ask(server.port)
        answer.go_on()

        assert await statuses(held) == [200] * 3
        assert (await ask(server.port, token="slow"))[0] == 200
    assert (status, body["Code"]) == (429, "TooManyRequests")
    assert other[0] == 200


async def test_connections_that_are_left_open_push_out_the_oldest_of_them():
    async with running(limits=Limits(connections=10)) as server, AsyncExitStack() as stack:
        left = []
        for _ in range(30):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            stack.callback(writer.close)
            left.append(reader)
        for _ in range(3):
            assert (await ask(server.port))[0] == 200

        async with asyncio.timeout(3):  # sooner than the time limit for a request
            ended = await asyncio.gather(
                *(reader.read() for reader in left[:20]), return_exceptions=True
            )
        still_open = [reader for reader in left if not reader.at_eof() and not reader.exception()]

    assert all(found == b"" or isinstance(found, ConnectionError) for found in ended)
    assert len(still_open) in range(5, 11)


async def test_an_answer_that_is_being_made_is_not_pushed_out():
    answer = Holding()
    async with running(answer, Limits(connections=5, seconds=60)) as server:
        held = await answer.hold(server.port, 2)
        async with AsyncExitStack() as stack:
            for _ in range(30):
                _, writer = await asyncio.open_connection("127.0.0.1", server.port)
                stack.callback(writer.close)
            await ask(server.port)
        answer.go_on()

        assert await statuses(held) == [200] * 2


async def test_refusals_keep_no_memory():
    """A refusal that is raised again and again would collect the frames of every connection."""

    async def answer(authorization):
        raise UNKNOWN

    async def many(port, count):
        for _ in range(count):
            await asyncio.gather(*(send(port, head(port)) for _ in range(10)))
            await send(port, b"GET / HTTP/1.1\r\nX: " + b"a" * 5000)

    async with running(answer, Limits(rate=1e6)) as server:
        await many(server.port, 10)
        gc.collect()
        tracemalloc.start()
        await many(server.port, 50)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()

    assert grown < 200_000


async def test_a_client_that_does_not_close_its_side_is_closed():
    async with running(limits=Limits(seconds=1)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(head(server.port, method="POST", token=TOKEN))
        assert parsed(await reader.read())[0] == 405
        async with asyncio.timeout(20):
            with pytest.raises(ConnectionError):  # noqa: PT012 - until the other side has gone
                while True:
                    writer.write(b"more")
                    await writer.drain()
                    await asyncio.sleep(0.05)
        writer.close()
