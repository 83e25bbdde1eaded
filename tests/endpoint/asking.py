"""Asks an endpoint server byte by byte, and one that is real but gives no AWS credentials."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import asynccontextmanager

from jupyter_wb_aws.endpoint.answers import Answer, Refusal
from jupyter_wb_aws.endpoint.server import EndpointServer

TOKEN = "an-endpoint-token"
CREDENTIALS = {"AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": "secret", "Token": "t" * 800}
UNKNOWN = Refusal(403, "EndpointTokenUnknown", "The endpoint token is not known.")


class Counting:
    """Answers `TOKEN` with `CREDENTIALS`, and counts what it was asked with."""

    def __init__(self):
        self.asked = Counter()

    async def __call__(self, authorization):
        self.asked[authorization] += 1
        if authorization != TOKEN:
            raise UNKNOWN
        return Answer(200, CREDENTIALS)


@asynccontextmanager
async def running(answer=None, limits=None):
    """Start a server, and stop it."""
    server = EndpointServer(answer or Counting(), limits)
    assert server.ensure_running()
    try:
        yield server
    finally:
        await server.close()


def head(port, *lines, method="GET", path="/credentials", host=None, token=TOKEN):
    """Return a request as botocore sends it, with more header lines."""
    authorization = [f"Authorization: {token}"] if token is not None else []
    return "\r\n".join(
        [
            f"{method} {path} HTTP/1.1",
            f"Host: {host or f'127.0.0.1:{port}'}",
            "Accept-Encoding: identity",
            "Accept: application/json",
            *authorization,
            *lines,
            "",
            "",
        ]
    ).encode("latin-1")


async def send(port, sent, *, end=False, seconds=20):
    """Send bytes on a connection of their own, and return everything that comes back until it is closed.

    Args:
        port: of the server.
        sent: the bytes.
        end: whether to say that no more will come.
        seconds: how long to wait, at most.
    """
    async with asyncio.timeout(seconds):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(sent)
            if end:
                writer.write_eof()
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()


def parsed(answer):
    """Return the status, the headers (by their lower-case names) and the JSON of an answer."""
    top, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = top.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    assert int(headers["content-length"]) == len(body)
    return int(first.split()[1]), headers, json.loads(body)


async def ask(port, *lines, **head_arguments):
    """Send one request, and return its parsed answer."""
    return parsed(await send(port, head(port, *lines, **head_arguments)))
