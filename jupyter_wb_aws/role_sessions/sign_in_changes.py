"""What happens to role sessions when somebody signs in or out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from jupyter_wb_aws.errors import SignInNotNeeded
from jupyter_wb_aws.identity.token_cache import TokenCache
from jupyter_wb_aws.role_sessions.context import Context
from jupyter_wb_aws.role_sessions.default_role import DefaultRole
from jupyter_wb_aws.role_sessions.ending import Ending
from jupyter_wb_aws.role_sessions.refresher import Refresher
from jupyter_wb_aws.role_sessions.registry import Registry
from jupyter_wb_aws.role_sessions.rights import Rights
from jupyter_wb_aws.role_sessions.role_session import RoleSession

if TYPE_CHECKING:
    from jupyter_wb_aws.identity.oidc.revocation import SignOutResult
    from jupyter_wb_aws.identity.oidc.sign_in import SignIn


class SignInChanges:
    """Follows the sign-in of the token source, if it has one.

    `signed_out_early` is set by a sign-out before the last run's role sessions are back: they are not
    brought back then.

    Args:
        context: what all parts share.
        sessions: the role sessions.
        token_cache: has the tokens, and the token source.
        rights: decides whose role sessions they are.
        ending: ends role sessions.
        refresher: brings those of the user who signs in back to life.
        default_role: is started for the user who signs in.
    """

    def __init__(
        self,
        context: Context,
        sessions: Registry,
        token_cache: TokenCache,
        rights: Rights,
        ending: Ending,
        refresher: Refresher,
        default_role: DefaultRole,
    ) -> None:
        self.signed_out_early = False
        self._context = context
        self._sessions = sessions
        self._token_cache = token_cache
        self._rights = rights
        self._ending = ending
        self._refresher = refresher
        self._default_role = default_role
        if (sign_in := token_cache.source.sign_in) is not None:
            sign_in.on_signed_in = self._signed_in
            sign_in.on_state_change = lambda state: context.emit(
                "sign_in_changed", {"state": state}
            )

    async def _signed_in(self) -> None:
        """End another user's role sessions, and bring those of this one back to life."""
        # First of all: nothing that starts from here on is the former user's.
        self._ending.mark(self._rights.of_other_users(), "identity_changed")
        await self._sessions.wait_until_ready()
        await self._refresher.refresh_all()
        self._default_role.begin()

    async def sign_out(self) -> tuple[SignOutResult, datetime | None, datetime | None]:
        """Sign out: end every role session, and notify the identity provider.

        Returns:
            what became of the sign-in there; until when credentials that were issued before may live, None if
            there are none; until when clients of the credential endpoint use theirs, None if there are none.

        Raises:
            SignInNotNeeded: if the token source does not ask the user.
        """
        sign_in = self._token_cache.source.sign_in
        if sign_in is None:
            raise SignInNotNeeded(
                "This server needs no sign-in, so there is none to end.",
                hint="To end your role sessions: `jupyter wb-aws end --all`.",
            )
        # A disk that hangs keeps nobody signed in: the last run's role sessions end once they are known.
        self.signed_out_early = not await self._sessions.wait_until_ready()
        return await self._context.tasks.do(self._sign_out(sign_in), "sign out")

    async def _sign_out(
        self, sign_in: SignIn
    ) -> tuple[SignOutResult, datetime | None, datetime | None]:
        # At once: a sign-in that is being finished may hold up what follows, and so may the provider.
        marked = self._mark_all()
        grant = await sign_in.sign_out()
        marked += self._mark_all()  # before anybody else can sign in
        self._token_cache.clear()
        notifying = self._context.tasks.begin(sign_in.end_at_provider(grant), "notify the provider")
        await self._ending.end_in_time(marked, "signed_out")
        signed_out = await notifying
        ends = [session.ended for session in self._sessions.all() if session.ended]
        until = self._last(end.credentials_expire_at for end in ends)
        return signed_out, until, self._last(end.clients_stop_by for end in ends)

    def _last(self, times: Iterable[datetime | None]) -> datetime | None:
        """Return the last of the times that are still to come."""
        now = self._context.clock.now()
        return max((time for time in times if time and time > now), default=None)

    def _mark_all(self) -> list[RoleSession]:
        living = self._sessions.living()
        self._ending.mark(living, "signed_out")
        return living
