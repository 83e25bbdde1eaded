"""Managers as a server would wire them, on folders of the test's own and a clock that stands still."""

from __future__ import annotations

import contextlib
import random

import pytest

from jupyter_wb_aws.identity.token_cache import TokenCache
from jupyter_wb_aws.role_sessions.manager import RoleSessionManager, ServerHooks
from jupyter_wb_aws.role_sessions.settings import RoleSessionSettings
from jupyter_wb_aws.roles.catalogue_file import CatalogueFile
from tests.role_sessions.support import FakeEndpoint, FakeSts, ScriptedSource, make_token

ROLES = """
[[roles]]
arn = "arn:aws:iam::111122223333:role/analyst"
label = "Analyst"
region = "us-east-2"
allow = "everyone"

[[roles]]
arn = "arn:aws:iam::111122223333:role/auditor"
label = "Auditor"
allow = "everyone"

[[roles]]
arn = "arn:aws:iam::111122223333:role/finance"
request_url = "https://example.com/ask"
allow = [{ users = ["bob"] }]
"""


class Site:
    """One user's machine: its folders stay over restarts of the server, each `server` is a run.

    `events` holds what was emitted, by name and data; `sts` is AWS; `in_use` are the ids of the role
    sessions that living processes use.
    """

    def __init__(self, folder, clock):
        self.clock = clock
        self.sts = FakeSts(clock)
        self.events = []
        self.in_use = set()
        self.endpoint = FakeEndpoint()
        self.token_dir = folder / "run" / "tokens"
        self.state_dir = folder / "store"
        self.home = folder / "home"
        self.roles_file = folder / "roles.toml"
        self.home.mkdir()
        self.roles_file.write_text(ROLES)

    def emitted(self, name):
        return [data for kind, data in self.events if kind == name]

    def fresh(self, **claims):
        """Make a source that has a new token each time it is asked, for an hour from then."""
        return ScriptedSource(lambda: make_token(self.clock.now(), iat=self.clock.now(), **claims))

    def manager(self, source=None, **settings):
        """Wire a manager, not yet opened."""
        seed = random.Random(len(self.sts.requests))
        usual = {"token_dir": self.token_dir, "state_dir": self.state_dir, "root_dir": self.home}
        return RoleSessionManager(
            RoleSessionSettings(**{**usual, **settings}),
            TokenCache(source or self.fresh(), self.clock, seed),
            CatalogueFile(self.roles_file, self.clock),
            clock=self.clock,
            rng=random.Random(),
            emit=lambda name, data: self.events.append((name, data)),
            sts=self.sts,
            hooks=ServerHooks(in_use=lambda: self.in_use, endpoint=self.endpoint),
        )

    @contextlib.asynccontextmanager
    async def server(self, source=None, **settings):
        """Run one server, from its start to its clean stop."""
        manager = self.manager(source, **settings)
        await manager.open()
        try:
            yield manager
        finally:
            self.sts.gate.set()
            await manager.close()

    def files(self):
        """Return the names of all files in the token folder."""
        return sorted(path.name for path in self.token_dir.iterdir())


@pytest.fixture
def site(tmp_path, clock):
    return Site(tmp_path, clock)
