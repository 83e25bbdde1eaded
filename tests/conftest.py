"""What the tests share: a clock that stands still, and tokens signed by a key of the test's own."""

from __future__ import annotations

import asyncio
import json
import signal
from datetime import UTC, datetime, timedelta

import hypothesis
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from jupyter_wb_aws.identity.source import TokenRequest, TokenSource
from jupyter_wb_aws.identity.token import WebIdentityToken
from tests.parameter_ids import readable_id

pytest_plugins = [
    "pytest_jupyter.jupyter_server",
    "tests.site",
    "tests.running_demo",
    "tests.peers.openid_provider",
]

# No test measures time: in a fresh clone, hypothesis's first text takes seconds (its Unicode tables).
hypothesis.settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("untimed")


IDS = pytest.StashKey[
    dict
]()  # the parameters of each test by its id, whether it is selected or not


def pytest_make_parametrize_id(config, val, argname):
    return readable_id(val, argname)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    config.stash[IDS] = {
        item.nodeid: list(item.callspec.params) if hasattr(item, "callspec") else []
        for item in items
    }


NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
NULL = object()  # where None leaves a member out, this one is null
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(autouse=True)
def own_metadata_switch(monkeypatch):
    """Take back what the doctor and STS's child set in this process, where a test runs them in it."""
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED", raising=False)


class FakeClock:
    """A clock that a test moves; sleepers wake when their time has come."""

    def __init__(self, now: datetime = NOON) -> None:
        self._now = now
        self._sleepers: list[tuple[datetime, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._now

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._now + timedelta(seconds=seconds), future))
        await future

    def set(self, now: datetime) -> None:
        self._now = now
        for due, future in self._sleepers:
            if due <= now and not future.done():
                future.set_result(None)

    def advance(self, seconds: float) -> None:
        self.set(self._now + timedelta(seconds=seconds))

    @property
    def has_sleepers(self) -> bool:
        """Whether any task waits for this clock."""
        return any(not future.done() for _, future in self._sleepers)

    def wakes_within(self, seconds: float) -> bool:
        """Return whether any task waits for a time that is at most so many seconds away."""
        latest = self._now + timedelta(seconds=seconds)
        return any(due <= latest and not future.done() for due, future in self._sleepers)


def pytest_configure():
    """Take back what nohup, or a shell for a job in the background, ignores: programs that tests start would, too."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def clock():
    return FakeClock()


def make_jwt(*, key=KEY, kid="k1", algorithm="RS256", **claims):
    """Sign a token; without more said, alice's, issued at noon for an hour."""
    issued = claims.pop("iat", NOON)
    whole = {
        "iss": "https://idp.example.com",
        "aud": "wb",
        "sub": "alice",
        "preferred_username": "alice",
        "groups": ["analysts"],
        "iat": issued,
        "exp": issued + timedelta(hours=1)
        if isinstance(issued, datetime)
        else NOON + timedelta(hours=1),
        **claims,
    }
    return jwt.encode(
        {k: None if v is NULL else v for k, v in whole.items() if v is not None},
        key,
        algorithm,
        {"kid": kid} if kid else {},
    )


def make_token(received_at=NOON, **claims):
    return WebIdentityToken.parse(make_jwt(**claims), received_at)


def public_jwk(key=KEY, kid="k1"):
    document = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    return {**document, "kid": kid, "use": "sig", "alg": "RS256"}


class ScriptedSource(TokenSource):
    """A source that answers by a script: tokens, or failures; the last answer repeats."""

    def __init__(self, *answers, **kwargs):
        super().__init__(**kwargs)
        self.answers = list(answers)
        self.requests: list[TokenRequest] = []

    async def fetch(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            answer = answer()
        if isinstance(answer, Exception):
            raise answer
        return answer
