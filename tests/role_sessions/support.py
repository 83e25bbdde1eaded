"""What the tests of role sessions share: values of the domain, and a fake of AWS STS."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from datetime import timedelta
from pathlib import Path

from jupyter_wb_aws.aws.sts import AssumedRole, CallerIdentity, Credentials
from jupyter_wb_aws.identity.token import Identity
from jupyter_wb_aws.identity.token_cache import TokenStatus
from jupyter_wb_aws.role_sessions.endpoint_access import EndpointAccess
from jupyter_wb_aws.role_sessions.role_session import RoleSession
from jupyter_wb_aws.roles.role import Role, RoleArn
from tests.conftest import KEY, NOON, FakeClock, ScriptedSource, make_jwt, make_token

__all__ = [
    "ANALYST", "AUDITOR", "CALLER", "KEY", "NOON", "FakeClock", "FakeEndpoint", "FakeSts", "ScriptedSource",
    "asleep", "eventually", "full_disk", "identity", "make_jwt", "make_role", "make_session", "make_token", "quiet",
]  # fmt: skip

ANALYST = "arn:aws:iam::111122223333:role/analyst"
AUDITOR = "arn:aws:iam::111122223333:role/auditor"
CALLER = CallerIdentity("AROA:alice", "111122223333", "arn:aws:sts::111122223333:assumed-role/a/b")


def identity(subject="alice", issuer="https://idp.example.com", name=None):
    return Identity(issuer, subject, name or subject, (), {})


def make_role(arn=ANALYST, **fields):
    parsed = RoleArn.parse(arn)
    return Role(parsed, fields.pop("label", parsed.name.title()), **fields)


def make_session(**fields):
    """Build a role session of alice's as analyst, started at noon."""
    usual = {
        "id": "0123456789abcdef",
        "role": make_role(),
        "region": "us-east-2",
        "session_name": "alice-0123456789abcdef",
        "owner": identity(),
        "caller": CALLER,
        "token_file": Path("/run/wb/slot_0123456789abcdef.token"),
        "started_at": NOON,
        "credential_lifetime": timedelta(hours=1),
    }
    return RoleSession(**{**usual, **fields})


def quiet(token=None, **fields):
    """Build a token status whose last fetch went well, at the time the token came."""
    attempted_at = fields.pop("attempted_at", token.received_at if token else NOON)
    return TokenStatus(token=token, attempted_at=attempted_at, **fields)


class FakeEndpoint:
    """Stands in for the credential endpoint: `opened` has each role session with its credentials.

    `failure` is raised instead of opening or refreshing.
    """

    def __init__(self):
        self.opened = {}
        self.refreshed = []
        self.looks = 0
        self.failure = None

    async def open(self, session, credentials):
        if self.failure is not None:
            raise self.failure
        self.opened[session] = credentials
        if credentials is not None:
            session.credentials_expire_at = credentials.expiration
        session.access = EndpointAccess("http://127.0.0.1:9/credentials", Path("/run/wb/endpoint"))

    def abandon(self, session):
        del self.opened[session]

    async def refresh(self, session):
        if self.failure is not None:
            raise self.failure
        self.refreshed.append(session)

    def credentials(self, session):
        session.require_living()
        return self.opened[session]

    def look(self):
        self.looks += 1


class FakeSts:
    """Stands in for AWS STS: answers at once, or as slowly and badly as a test says.

    `failure` is raised instead of an answer; while `gate` is clear, calls wait for it. It says that
    everybody is CALLER, or, as AWS does, names the role session.
    """

    def __init__(self, clock):
        self.clock = clock
        self.requests = []
        self.failure = None
        self.answers_with_the_name = False
        self.gate = threading.Event()
        self.gate.set()
        self.called = threading.Event()

    async def assume(self, request):
        self.requests.append(request)
        self.called.set()
        await eventually(self.gate.is_set, 30)
        if self.failure is not None:
            raise self.failure
        until = self.clock.now() + timedelta(seconds=request.options.duration or 3600)
        credentials = Credentials(f"ASIA{len(self.requests)}", "secret", "token", until)
        wanted = credentials if request.wants_credentials else None
        return AssumedRole(self._caller(request), until, wanted)

    def _caller(self, request):
        if not self.answers_with_the_name:
            return CALLER
        name, role = request.session_name, request.role
        arn = f"arn:aws:sts::{role.account_id}:assumed-role/{role.name}/{name}"
        return CallerIdentity(f"AROA:{name}", role.account_id, arn)

    async def verify(self, request):
        return (await self.assume(request)).caller


async def asleep(clock):
    """Let the event loop turn until what runs in the background waits for the clock."""
    for _ in range(5):
        await asyncio.sleep(0)
    await eventually(lambda: clock.has_sleepers)


async def eventually(condition, seconds=10.0):
    """Let the event loop turn until the condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0)


def full_disk(*_):
    """Fail as the system does when the disk is full."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
