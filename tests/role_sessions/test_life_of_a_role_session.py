"""Properties of a role session's whole life: after any events, in any order."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_wb_aws.errors import SignInRequired, TokenSourceFailed, WbAwsError
from jupyter_wb_aws.identity.token import WebIdentityToken
from jupyter_wb_aws.role_sessions.role_session import State
from tests.conftest import FakeClock
from tests.role_sessions.conftest import Site
from tests.role_sessions.support import ANALYST, ScriptedSource, make_token

happenings = st.one_of(
    st.tuples(st.just("time passes"), st.integers(1, 4000)),
    st.tuples(st.just("time goes back"), st.integers(1, 4000)),
    st.tuples(
        st.just("the source"), st.sampled_from(["works", "fails", "is signed out", "stalls"])
    ),
    st.tuples(st.just("a look"), st.none()),
    st.tuples(st.just("a forced refresh"), st.none()),
    st.tuples(st.just("a start"), st.none()),
    st.tuples(st.just("a restart"), st.none()),
)


class Life:
    """One user's role session, and the source that its tokens come from."""

    def __init__(self, folder):
        self.clock = FakeClock()
        self.site = Site(folder, self.clock)
        self.mood = "works"
        self.last = None
        self.manager = None

    def token(self):
        if self.mood == "fails":
            return TokenSourceFailed()
        if self.mood == "is signed out":
            return SignInRequired()
        if self.mood == "works" or self.last is None:
            self.last = make_token(self.clock.now(), iat=self.clock.now())
        return self.last

    async def open(self):
        self.manager = self.site.manager(ScriptedSource(self.token))
        await self.manager.open()

    async def happens(self, what, how):
        if what == "time passes":
            self.clock.advance(how)
        elif what == "time goes back":
            self.clock.set(self.clock.now() - timedelta(seconds=how))
        elif what == "the source":
            self.mood = how
        elif what == "a restart":
            await self.manager.close()
            await self.open()
        await self.manager.refresher.step()
        with contextlib.suppress(WbAwsError):
            if what == "a forced refresh":
                await self.manager.refresher.refresh(self.manager.sessions.living()[0].id)
            elif what == "a start":
                await self.manager.starter.start(ANALYST)

    def what_is_in(self, session):
        return WebIdentityToken.parse(session.token_file.read_text(), self.clock.now())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(happenings, max_size=12))
def test_a_role_session_is_what_its_file_is_good_for_and_ends_only_when_it_is_ended(story):
    async def live(folder):
        life = Life(folder)
        await life.open()
        first, _ = await life.manager.starter.start(ANALYST)
        for what, how in story:
            await life.happens(what, how)

            [session] = life.manager.sessions.living()
            state = life.manager.sessions.state_of(session)
            assert (session.id, session.session_name) == (first.id, first.session_name)
            assert life.manager.sessions.is_default(session)
            if state in (State.ACTIVE, State.DEGRADED):
                assert life.what_is_in(session).expires_at > life.clock.now()
            if session.file_fingerprint:  # a living one never loses its file, in any state
                assert life.what_is_in(session).fingerprint == session.file_fingerprint

        life.mood = "works"
        life.clock.advance(61)  # the longest back-off
        await life.manager.refresher.step()
        assert life.manager.sessions.state_of(life.manager.sessions.living()[0]) is State.ACTIVE
        await life.manager.ending.end_by_user(first.id)
        assert life.site.files() == []
        await life.manager.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(live(Path(folder)))
