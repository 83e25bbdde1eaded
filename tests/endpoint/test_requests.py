"""What the endpoint accepts: the requests of SDKs, and nothing else."""

from __future__ import annotations

import asyncio
import socket
import ssl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_wb_aws.endpoint.answers import Refusal
from jupyter_wb_aws.endpoint.limits import Limits
from jupyter_wb_aws.endpoint.requests import MAX_HEAD_BYTES, read_authorization
from tests.endpoint.asking import TOKEN, Counting, head, parsed, running, send

PORT = 40123
BOTOCORE = (
    b"GET /credentials HTTP/1.1\r\nHost: 127.0.0.1:40123\r\nAccept-Encoding: identity\r\n"
    b"Accept: application/json\r\nAuthorization: token\r\nUser-Agent: Botocore/1.44.8\r\n\r\n"
)
# Java and Go send a connection header; .NET says that there is no body.
OTHER_SDKS = (
    b"GET /credentials HTTP/1.1\r\nhost: LOCALHOST:40123\r\nauthorization: token\r\nConnection: Keep-Alive\r\n"
    b"Content-Length: 0\r\nUser-Agent: aws-sdk-java\r\n\r\n"
)


@pytest.mark.parametrize("sent", [BOTOCORE, OTHER_SDKS], ids=["botocore", "other_sdks"])
def test_the_requests_of_sdks_are_read(sent):
    assert read_authorization(sent, PORT) == "token"


# --- Callers that are refused, whatever they ask for ----------------------------------------------------------

CALLERS = {
    "origin": ("BrowserRefused", ["Origin: https://attacker.example"]),
    "null_origin": ("BrowserRefused", ["origin: null"]),
    "empty_origin": ("BrowserRefused", ["Origin:"]),
    "fetch_site": ("BrowserRefused", ["Sec-Fetch-Site: same-origin"]),
    "fetch_of_tomorrow": ("BrowserRefused", ["SEC-FETCH-Storage-Access: none"]),
    "second_host": ("HostRefused", ["Host: attacker.example"]),
    "second_right_host": ("HostRefused", [f"Host: 127.0.0.1:{PORT}"]),
}


@pytest.mark.parametrize(("code", "lines"), CALLERS.values(), ids=CALLERS)
@pytest.mark.parametrize("method", ["GET", "OPTIONS", "POST"])
def test_a_browser_and_another_host_are_refused_first(code, lines, method):
    with pytest.raises(Refusal) as refused:
        read_authorization(head(PORT, *lines, method=method), PORT)

    assert (refused.value.status, refused.value.code) == (403, code)


@pytest.mark.parametrize(
    "host",
    [
        "attacker.example", f"attacker.example:{PORT}", "127.0.0.1", "localhost", "127.0.0.1:1", f"127.1:{PORT}",
        f"127.0.0.1:{PORT}.attacker.example", f"localhost.:{PORT}", f"[::1]:{PORT}", f"0.0.0.0:{PORT}",
        f"user@127.0.0.1:{PORT}", f"127.0.0.1:0{PORT}", f"http://127.0.0.1:{PORT}", f"127.0.0.1:{PORT},127.0.0.1:{PORT}",
        f"::ffff:127.0.0.1:{PORT}", "\t",
    ],
)  # fmt: skip
def test_a_host_that_is_not_exactly_the_endpoints_is_refused(host):
    with pytest.raises(Refusal) as refused:
        read_authorization(head(PORT, host=host), PORT)

    assert refused.value.code == "HostRefused"


def test_a_request_without_a_host_is_refused():
    with pytest.raises(Refusal) as refused:
        read_authorization(b"GET /credentials HTTP/1.0\r\nAuthorization: token\r\n\r\n", PORT)

    assert refused.value.code == "HostRefused"


# --- Over a connection ------------------------------------------------------------------------------------------

GET = b"GET /credentials HTTP/1.1\r\n"
HOST = b"Host: 127.0.0.1:%d\r\n"
SENT = b"Authorization: " + TOKEN.encode() + b"\r\n"
# What is sent, with the port for `%d`, and the status of the answer.
UNUSUAL = {
    "put": (b"PUT /credentials HTTP/1.1\r\n" + HOST + SENT + b"\r\n", 405),
    "head": (b"HEAD /credentials HTTP/1.1\r\n" + HOST + SENT + b"\r\n", 405),
    "options": (b"OPTIONS /credentials HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    "trace": (b"TRACE /credentials HTTP/1.1\r\n" + HOST + SENT + b"\r\n", 405),
    "lower_case_get": (b"get /credentials HTTP/1.1\r\n" + HOST + SENT + b"\r\n", 405),
    "connect": (b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    "another_path": (b"GET / HTTP/1.1\r\n" + HOST + SENT + b"\r\n", 404),
    "query": (b"GET /credentials?a=b HTTP/1.1\r\n" + HOST + SENT + b"\r\n", 404),
    "proxy_form": (b"GET http://127.0.0.1:%d/credentials HTTP/1.1\r\n" + HOST + SENT + b"\r\n", 404),
    "climbing_path": (b"GET /../credentials HTTP/1.1\r\n" + HOST + SENT + b"\r\n", 404),
    "http_0_9": (b"GET /credentials\r\n", 400),
    "http_2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "http_3_version": (b"GET /credentials HTTP/3\r\n" + HOST + b"\r\n", 400),
    "garbage": (b"\x00\xff\x00\xff", 400),
    "garbage_text": (b"hello\r\n", 400),
    "ssh": (b"SSH-2.0-OpenSSH_9.6\r\n", 400),
    "empty_lines_first": (b"\r\n" + GET + HOST + SENT + b"\r\n", 400),
    "body": (GET + HOST + SENT + b"Content-Length: 3\r\n\r\nabc", 400),
    "body_to_come": (GET + HOST + SENT + b"Content-Length: 3\r\n\r\n", 400),
    "chunked": (GET + HOST + SENT + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "two_lengths": (GET + HOST + SENT + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n", 400),
    "strange_length": (GET + HOST + SENT + b"Content-Length: +0\r\n\r\n", 400),
    "both_framings": (GET + HOST + SENT + b"Content-Length: 0\r\nTransfer-Encoding: x\r\n\r\n", 400),
    "pipelined": ((GET + HOST + SENT + b"\r\n") * 2, 400),
    "upgrade": (GET + HOST + SENT + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 400),
    "two_tokens": (GET + HOST + SENT + SENT + b"\r\n", 400),
    "bare_lf": ((GET + HOST + SENT + b"\r\n").replace(b"\r\n", b"\n") + b"\r\n\r\n", 400),
    "bare_cr": (GET + HOST + b"X: a\rOrigin: b\r\n" + SENT + b"\r\n", 400),
    "folded_line": (GET + HOST + b"X: a\r\n Y: b\r\n" + SENT + b"\r\n", 400),
    "blank_before_the_colon": (GET + b"Host : 127.0.0.1:%d\r\n" + HOST + SENT + b"\r\n", 400),
    "no_colon": (GET + HOST + b"X\r\n" + SENT + b"\r\n", 400),
    "null_byte": (GET + HOST + b"Authorization: a\x00b\r\n\r\n", 400),
    "long_line": (b"GET /" + b"a" * 1100 + b" HTTP/1.1\r\n", 414),
    "long_head": (GET + HOST + b"X: " + b"a" * MAX_HEAD_BYTES, 431),
    "many_headers": (GET + HOST + b"X: a\r\n" * MAX_HEAD_BYTES, 431),
}  # fmt: skip


@pytest.mark.parametrize(("sent", "status"), UNUSUAL.values(), ids=UNUSUAL)
async def test_what_no_sdk_sends_is_refused_at_once_in_json(sent, status):
    answer = Counting()
    async with running(answer, Limits(seconds=60)) as server:
        port = str(server.port).encode()
        received = await send(server.port, sent.replace(b"%d", port))

    got, headers, body = parsed(received)
    assert got == status
    assert sorted(body) == ["Code", "Message", "code", "message"]
    assert body["Message"].endswith(".")
    assert '"' not in body["Message"]
    assert headers.get("allow") == ("GET" if status == 405 else None)
    assert sorted(headers.keys() - {"allow"}) == [
        "cache-control", "connection", "content-length", "content-type",
    ]  # fmt: skip
    assert not answer.asked


async def test_a_request_that_comes_byte_by_byte_is_answered():
    async with running() as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as asking:
            asking.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in head(server.port):
                asking.send(bytes([byte]))
            assert parsed(asking.makefile("rb").read())[0] == 200


async def test_a_tls_client_does_not_wait():
    async with running(limits=Limits(seconds=60)) as server:
        plain = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        with pytest.raises(ssl.SSLError), plain:
            ssl.create_default_context().wrap_socket(plain, server_hostname="localhost")


@pytest.mark.parametrize("begun", [b"", b"GET /cred", GET + HOST])
async def test_a_request_that_is_not_completed_in_time_is_refused(begun):
    async with running(limits=Limits(seconds=0.2)) as server:
        received = await send(server.port, begun)

    assert parsed(received)[0] == 408


async def test_a_large_body_does_not_cost_the_client_its_answer():
    async with running() as server:
        lines = ("Content-Length: 50000",)
        received = await send(server.port, head(server.port, *lines, method="POST") + b"x" * 50_000)

    assert parsed(received)[0] == 405


def near_requests():
    """Texts and bytes that look like requests."""
    parts = st.sampled_from(
        [
            b"GET", b" ", b"/credentials", b" HTTP/1.1", b"\r\n", b"\r", b"\n", b"Host: ", b"127.0.0.1:40123", b":",
            b"Authorization: a", b"Content-Length: 5", b"Origin: x", b"Transfer-Encoding: chunked", b"\r\n\r\n", b"\x00", b"\xff",
        ]
    )  # fmt: skip
    return st.lists(st.one_of(parts, st.binary(max_size=20)), max_size=30).map(b"".join)


def status_of(sent):
    try:
        read_authorization(sent, PORT)
    except Refusal as refusal:
        return refusal.status
    return 200


@given(near_requests())
@settings(max_examples=150)
def test_reading_any_bytes_gives_a_token_or_a_refusal(sent):
    status = status_of(sent + b"\r\n\r\n")

    assert 400 <= status < 500 or (status == 200 and sent.startswith(b"GET /credentials HTTP/1."))


@given(st.lists(near_requests(), min_size=20, max_size=20))
@settings(max_examples=5)
def test_any_bytes_get_a_refusal_or_an_end(sent):
    async def answers():
        async with running(limits=Limits(seconds=1)) as server:
            port = str(server.port).encode()
            all_ = (send(server.port, each.replace(b"40123", port), end=True) for each in sent)
            return await asyncio.gather(*all_)

    for received in asyncio.run(answers()):
        assert received == b"" or 400 <= parsed(received)[0] < 500
