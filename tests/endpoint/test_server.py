"""The endpoint's thread, port and end."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
import sys
import threading
import time

import psutil
import pytest

from jupyter_wb_aws.endpoint.answers import Answer
from jupyter_wb_aws.endpoint.limits import Limits
from jupyter_wb_aws.endpoint.server import EndpointServer
from jupyter_wb_aws.errors import ServerStopping
from tests.endpoint.asking import CREDENTIALS, TOKEN, Counting, ask, head, parsed, running, send


def endpoint_threads():
    return [thread for thread in threading.enumerate() if thread.name == "wb-aws endpoint"]


INHERITED = "import psutil; print(psutil.Process().net_connections('tcp'))"


def descriptors_of_a_child():
    command = [sys.executable, "-c", INHERITED]
    ended = subprocess.run(command, close_fds=False, capture_output=True, check=True)
    return ended.stdout.strip()


def listening_descriptors(port):
    return [
        found.fd
        for found in psutil.Process().net_connections("tcp")
        if found.status == psutil.CONN_LISTEN and found.laddr.port == port
    ]


async def thread_ended(server):
    async with asyncio.timeout(20):
        while server.running:
            await asyncio.sleep(0.01)


async def test_the_server_answers_with_what_its_callback_returns():
    async with running() as server:
        status, headers, body = await ask(server.port)

    assert (status, body) == (200, CREDENTIALS)
    assert headers == {
        "content-type": "application/json",
        "content-length": headers["content-length"],
        "cache-control": "no-store",
        "connection": "close",
    }


async def test_the_header_reaches_the_callback_as_it_was_sent():
    answer = Counting()
    async with running(answer) as server:
        await ask(server.port, token='Bearer  a b"c\xe9')

    assert dict(answer.asked) == {'Bearer  a b"c\xe9': 1}


async def test_a_refusal_has_its_code_and_sentence_in_both_spellings():
    async with running() as server:
        status, _, body = await ask(server.port, token="another")

    sentence = "The endpoint token is not known."
    assert status == 403
    assert body == {
        "Code": "EndpointTokenUnknown",
        "Message": sentence,
        "code": "EndpointTokenUnknown",
        "message": sentence,
    }


async def test_a_bug_in_the_callback_becomes_a_503_and_shows_nothing_of_it(caplog):
    async def answer(authorization):
        raise ValueError(f"secret {authorization}")

    async with running(answer) as server:
        for _ in range(3):
            status, _, body = await ask(server.port)

    assert (status, body["Code"]) == (503, "EndpointFailed")
    assert "secret" not in str(body)
    logged = [record.getMessage() for record in caplog.records if record.name.startswith("jupyter")]
    assert len(logged) == 1
    assert "ValueError in answer, line" in logged[0]
    assert TOKEN not in caplog.text


async def test_an_answer_that_never_comes_becomes_a_503():
    async def answer(authorization):
        await asyncio.Event().wait()

    async with running(answer, Limits(seconds=0.2)) as server:
        status, _, body = await ask(server.port)

    assert (status, body["Code"]) == (503, "EndpointFailed")


async def test_a_client_that_says_it_sends_no_more_gets_its_answer():
    async def answer(authorization):
        await asyncio.sleep(0.05)
        return Answer(200, {})

    async with running(answer) as server:
        received = await send(server.port, head(server.port), end=True)

    assert parsed(received)[0] == 200


async def test_an_answer_that_nobody_waits_for_any_more_has_its_deadline():
    ended = threading.Event()

    async def answer(authorization):
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with running(answer, Limits(seconds=0.2)) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(head(server.port))
        await writer.drain()
        writer.transport.abort()

        assert await asyncio.to_thread(ended.wait, 20)


async def test_it_answers_while_the_callers_loop_is_blocked():
    async with running() as server:
        request, answers = head(server.port), []

        def ask_from_another_thread():
            with socket.create_connection(("127.0.0.1", server.port), timeout=20) as asking:
                asking.sendall(request)
                answers.append(parsed(asking.makefile("rb").read())[0])

        thread = threading.Thread(target=ask_from_another_thread)
        thread.start()
        thread.join(20)  # this thread's loop runs nothing meanwhile

    assert answers == [200]


async def test_a_dead_thread_is_started_again_on_the_same_port(caplog):
    async def answer(authorization):
        if authorization == "die":
            raise SystemExit
        return Answer(200, {})

    async with running(answer) as server:
        port = server.port
        assert await send(port, head(port, token="die")) == b""
        await thread_ended(server)
        waiting = asyncio.create_task(ask(port))  # the port is still ours: nobody else can answer

        assert server.ensure_running()

        assert server.port == port
        assert (await waiting)[0] == 200
        assert len(endpoint_threads()) == 1
    assert "The thread of the credential endpoint ended: SystemExit." in caplog.text


async def test_a_port_that_was_lost_and_taken_is_a_problem_until_it_is_free():
    async def answer(authorization):
        raise SystemExit

    async with running(answer) as server:
        port = server.port
        assert await send(port, head(port)) == b""
        await thread_ended(server)
        os.close(listening_descriptors(port)[0])  # as a library does that closes all files
        with (
            socket.socket(),
            socket.socket() as other,
        ):  # the first gets the number of the closed one
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", port))
            other.listen()

            assert not server.ensure_running()

            code, sentence = server.problem
            assert code == "endpoint_port_taken"
            assert str(port) in sentence
            assert server.uri == f"http://127.0.0.1:{port}/credentials"

        assert server.ensure_running()
        assert server.port == port
        assert server.problem is None


async def test_a_stop_leaves_no_thread_task_or_descriptor():
    process = psutil.Process()
    async with running() as server:  # the loop's first use of its executor and of epoll
        await ask(server.port)
    before = process.num_fds()

    async with running() as server:
        port = server.port
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
        await ask(port)
    for _, writer in idle:
        writer.close()
        await writer.wait_closed()

    assert endpoint_threads() == []
    assert process.num_fds() == before
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    with pytest.raises(ServerStopping):
        server.ensure_running()


async def test_a_stop_does_not_wait_for_an_answer_that_is_being_made():
    asked = threading.Event()

    async def answer(authorization):
        asked.set()
        await asyncio.Event().wait()

    server = EndpointServer(answer)
    server.ensure_running()
    waiting = asyncio.create_task(send(server.port, head(server.port)))
    await asyncio.to_thread(asked.wait, 20)
    began = time.perf_counter()

    await server.close()

    assert time.perf_counter() - began < 2
    await waiting
    assert endpoint_threads() == []


async def test_its_sockets_are_closed_in_programs_that_the_server_starts():
    async with running() as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        found = await asyncio.to_thread(descriptors_of_a_child)
        writer.close()

    assert found == b"[]"


async def test_work_can_be_given_to_the_servers_loop():
    async def thread_name():
        return threading.current_thread().name

    async with running() as server:
        assert await asyncio.wrap_future(server.submit(thread_name())) == "wb-aws endpoint"

    with pytest.raises(ServerStopping):
        server.submit(thread_name())


async def test_requests_leave_nothing_in_the_log_and_a_refusal_one_line(caplog):
    caplog.set_level(logging.INFO)
    async with running() as server:
        for _ in range(3):
            await ask(server.port)
            await ask(server.port, method="POST")
            await send(server.port, b"\x16\x03\x01 garbage\r\n\r\n")

    logged = [record.getMessage() for record in caplog.records if record.name != "asyncio"]
    assert logged == [
        f"The credential endpoint refused a request: {sentence}."
        for sentence in (
            "The credential endpoint answers GET requests only",
            "The request is not HTTP/1.1 as AWS SDKs send it: it has bytes that are not text",
        )
    ]
