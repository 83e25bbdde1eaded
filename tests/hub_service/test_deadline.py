"""One deadline for a whole call: no token is signed for a caller who has gone."""

from __future__ import annotations

import asyncio
import fcntl
import random
import socket
import threading
import time
from pathlib import Path

import httpx
import jwt
import psutil
import pytest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from jupyter_wb_aws.hub import deadline
from jupyter_wb_aws.hub.async_keys import AsyncKeys
from jupyter_wb_aws.hub.audit import AuditLog
from jupyter_wb_aws.hub.caller import Caller
from jupyter_wb_aws.hub.catalogue import open_catalogue
from jupyter_wb_aws.hub.claims import ClaimSettings
from jupyter_wb_aws.hub.disk import Disk
from jupyter_wb_aws.hub.errors import CallOutOfTime, HubUnavailable
from jupyter_wb_aws.hub.handlers import Shared, make_application
from jupyter_wb_aws.hub.hub_client import HubClient
from jupyter_wb_aws.hub.keys import SigningKeys
from jupyter_wb_aws.hub.metrics import Metrics
from jupyter_wb_aws.hub.rate_limits import CallerLimit, HubCap
from jupyter_wb_aws.identity.jupyterhub_source import JupyterHubTokenSource
from tests.hub_service import fake_hub
from tests.hub_service.fake_hub import user
from tests.hub_service.running_service import ANALYST, ROLES, until


def test_a_call_ends_before_the_extension_gives_up():
    assert deadline.HUB_SECONDS < deadline.CALL_SECONDS
    assert JupyterHubTokenSource.timeout.default_value > deadline.CALL_SECONDS


async def test_the_disks_share_what_is_left_of_a_call():
    may_end, began = threading.Event(), time.monotonic()
    deadline.begin(0.2)
    for one in (Disk(), Disk(), Disk()):
        with pytest.raises(CallOutOfTime):
            await one.run(may_end.wait, 30)
    may_end.set()
    assert time.monotonic() - began < 4


async def test_a_disk_that_had_time_enough_is_named(monkeypatch):
    monkeypatch.setattr(deadline, "DISK_SECONDS", 0.1)
    may_end = threading.Event()
    with pytest.raises(OSError, match="has not answered in time"):
        await Disk().run(may_end.wait, 30)
    may_end.set()


async def test_the_hub_is_asked_for_no_longer_than_the_call_may_take(hub):
    hub.misbehave = fake_hub.is_silent
    rng, began = random.Random(1), time.monotonic()
    client = HubClient(
        hub.api_url, HubCap(10, rng), CallerLimit(10, ""), rng, observe=lambda *_: None
    )
    deadline.begin(0.4)
    with pytest.raises(HubUnavailable):
        await client.caller("alice-token")
    client.close()
    hub.released.set()
    assert time.monotonic() - began < 2.5


@pytest.mark.parametrize(("method", "path"), [("GET", "roles"), ("POST", "tokens")])
async def test_a_call_has_one_deadline(method, path):
    async def seconds_left(*_):
        return {"seconds": deadline.step_ends_at(1000) - time.monotonic()}

    class Service:
        issue = roles_of = staticmethod(seconds_left)

    class Hub:
        async def caller(self, token):
            return None

    shared = Shared(Service(), Hub(), None, Metrics(), public_max_age=60)
    server = HTTPServer(make_application("/", shared))
    (listening,) = bind_sockets(0, "127.0.0.1")
    server.add_sockets([listening])
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/{path}"
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            body = {"role_arn": ANALYST} if method == "POST" else None
            headers = {"Authorization": "token alice-token"}
            answer = await client.request(method, url, headers=headers, json=body)
    finally:
        server.stop()
    assert answer.json()["seconds"] <= deadline.CALL_SECONDS


def jtis(service):
    return {line["jti"] for line in service.audit if line["event"] == "token"}


def test_a_line_that_comes_too_late_is_not_written(service):
    service.token()
    before = jtis(service)
    with service.audit_log.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert service.token().json()["code"] == "audit_unavailable"
    token = until(lambda: service.token().json().get("token"), "there is no token")

    later = jwt.decode(token, options={"verify_signature": False})["jti"]
    assert jtis(service) == before | {later}


def test_no_token_is_signed_for_a_caller_who_has_hung_up(hub, service):
    def slow(handler):
        handler.server.hub.released.wait(20)
        handler.answer(200, user())

    service.token()
    before, hub.misbehave = jtis(service), slow
    hub.asked.clear()
    with socket.create_connection(("127.0.0.1", service.port)) as connection:
        body = f'{{"role_arn": "{ANALYST}"}}'.encode()
        connection.sendall(
            b"POST /services/aws/tokens HTTP/1.1\r\nHost: x\r\nAuthorization: token alice-token\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        until(lambda: hub.asked, "the hub is not asked")
        port = connection.getsockname()[1]
    process = psutil.Process(service.process.pid)
    until(
        lambda: port not in {one.raddr.port for one in process.net_connections() if one.raddr},
        "the connection is still open",
    )
    hub.released.set()

    until(lambda: 'code="caller_gone"' in service.ask("GET", "metrics").text, "it is not counted")
    assert jtis(service) == before


async def test_a_roles_file_whose_disk_hangs_takes_little_of_a_call(tmp_path, clock, monkeypatch):
    path, gate, real = tmp_path / "roles.toml", threading.Event(), Path.stat
    path.write_text(ROLES)
    file = open_catalogue(path, clock, ClaimSettings("https://hub.example.org"))
    good = await file.current()

    def hang(one, **kwargs):
        if one == path:
            gate.wait(60)
        return real(one, **kwargs)

    monkeypatch.setattr(Path, "stat", hang)
    began = time.monotonic()
    assert await file.current() is good
    gate.set()
    assert time.monotonic() - began < 4


async def used_up_by_the_hub(step):
    """Do the last step of a call whose time the steps before it took."""
    deadline.begin(0.01)
    await asyncio.sleep(0.02)
    with pytest.raises(CallOutOfTime) as refused:
        await step()
    return refused.value


@pytest.fixture
def audit(tmp_path, clock):
    log = AuditLog(tmp_path / "audit.jsonl", clock)
    log.open()
    yield log
    log.close()


CALLER = Caller("user", "alice", (), frozenset(), "a7", "")


async def test_a_call_without_time_left_does_not_blame_the_audit_log(audit, tmp_path, caplog):
    claims = {"sub": "user:alice", "aud": "sts.amazonaws.com", "jti": "1", "exp": 1}

    refused = await asyncio.create_task(
        used_up_by_the_hub(lambda: audit.token_issued(CALLER, ANALYST, claims, "kid"))
    )

    assert (refused.status, refused.code) == (503, "hub_busy")
    assert await audit.check() is None
    assert not caplog.records
    assert (tmp_path / "audit.jsonl").read_text() == ""


async def test_a_call_without_time_left_does_not_blame_the_keys(tmp_path, clock, caplog):
    keys = AsyncKeys(SigningKeys(tmp_path / "keys", "ES256", 3600, 900, clock))
    await keys.open()
    caplog.clear()

    refused = await asyncio.create_task(used_up_by_the_hub(keys.signing_key))

    assert (refused.status, refused.code) == (503, "hub_busy")
    assert await keys.problems() == []
    assert not caplog.records


async def test_a_short_wait_for_another_process_blames_no_lock(audit, tmp_path):
    async def call():
        deadline.begin(0.1)
        await audit.token_issued(
            CALLER, ANALYST, dict.fromkeys(("sub", "aud", "jti", "exp")), "kid"
        )

    with (tmp_path / "audit.jsonl").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(CallOutOfTime):
            await asyncio.create_task(call())
    assert await audit.check() is None


async def test_a_refusal_without_time_left_is_the_same_refusal(audit, tmp_path):
    async def call():
        deadline.begin(0)
        await audit.refused(CALLER, "role_not_allowed", ANALYST)

    await asyncio.create_task(call())
    await audit.refused(CALLER, "role_not_allowed", ANALYST)
    assert len((tmp_path / "audit.jsonl").read_text().splitlines()) == 1
