"""The current tokens: each is fetched once, however many role sessions share it."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from jupyter_wb_aws.clock import Clock
from jupyter_wb_aws.errors import (
    RoleNotAllowed,
    SignInRequired,
    TokenInvalid,
    TokenSourceFailed,
    WbAwsError,
)
from jupyter_wb_aws.identity.source import FETCH_TIMEOUT, TokenRequest, TokenSource
from jupyter_wb_aws.identity.token import Identity, WebIdentityToken

# The kubelet's rule for projected service-account tokens: refresh at this part of the token's life.
REFRESH_AT = 0.8
# The current token does not outlive these answers: the user is no longer meant to use it.
DEFINITE = (SignInRequired, RoleNotAllowed)


@dataclass(slots=True)
class TokenStatus:
    """One token, and how its refresh goes.

    `jitter` is a number from 0 to 1, drawn again with each token and each failure. `attempted_at` is the time
    of the last fetch; `unchanged` says that it brought the same token again. `spread` says that many servers may
    have fetched theirs at the same moment, so that the next refreshes should be spread over a token's life.
    """

    token: WebIdentityToken | None = None
    problem: WbAwsError | None = None
    failures: int = 0
    jitter: float = 0.0
    attempted_at: datetime | None = None
    unchanged: bool = False
    spread: bool = False

    def record_token(
        self, token: WebIdentityToken, now: datetime, jitter: float, *, always_new: bool = False
    ) -> None:
        """Note what a fetch brought.

        A source that still has the same token has not failed, unless that token has expired.

        Args:
            token: the token.
            now: the time of the fetch.
            jitter: a number from 0 to 1.
            always_new: whether the source signs a token at each fetch. Then the first one, and the first
                after a failure, may be one of thousands: everybody came at nine, or waited for the service.
        """
        self.unchanged = token.same_text(self.token)
        self.attempted_at = now
        if token.expires_at <= now:
            self.record_failure(
                TokenSourceFailed(
                    "The token source still gives a token that has expired.",
                    admin_hint="The program that refreshes the token has stopped, or the clocks differ.",
                ),
                now,
                jitter,
            )
            return
        if not self.unchanged:
            self.spread = always_new and (self.token is None or self.failures > 0)
            self.token, self.jitter = token, jitter
        self.problem, self.failures = None, 0

    def record_failure(self, problem: WbAwsError, now: datetime, jitter: float) -> None:
        """Note that a fetch failed; the current token stays.

        Args:
            problem: why.
            now: the time of the fetch.
            jitter: a number from 0 to 1.
        """
        self.problem, self.failures = problem, self.failures + 1
        self.attempted_at, self.jitter, self.unchanged = now, jitter, False


class TokenCache:
    """Fetches tokens from a source, verifies them, and keeps the newest of each.

    Args:
        source: where tokens come from.
        clock: dates the fetches.
        rng: draws the jitter.
        audience: the `aud` to ask the source for; empty for the source's own.
    """

    def __init__(
        self, source: TokenSource, clock: Clock, rng: random.Random, audience: str = ""
    ) -> None:
        self.source = source
        self._clock = clock
        self._rng = rng
        self._audience = audience
        self._statuses: dict[str | None, TokenStatus] = {}
        self._fetching: dict[str | None, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def status(self, role_arn: str | None) -> TokenStatus:
        """Return the status of the token for a role (most sources have one token for all roles)."""
        return self._statuses.setdefault(self._key(role_arn), TokenStatus())

    async def current(self, role_arn: str | None = None) -> WebIdentityToken:
        """Return the current token, or fetch one if a fifth of its life or less is left.

        Raises:
            SignInRequired: if the user has to sign in, even if the current token has not expired.
            RoleNotAllowed: if the source gives the user no token for this role any more; likewise.
            WbAwsError: what `TokenSource.fetch` raises, if the current token has expired.
        """
        token_status = self.status(role_arn)
        now = self._clock.now()
        refused = isinstance(token_status.problem, DEFINITE)
        token = token_status.token
        is_good = token and not refused and not self.source.is_withdrawn(token)
        if token and is_good and now < token.time_at_fraction(REFRESH_AT):
            return token
        try:
            return await self.refresh(role_arn)
        except DEFINITE:
            raise
        except WbAwsError:
            if (token := token_status.token) and now < token.expires_at:
                return token
            raise

    async def refresh(self, role_arn: str | None = None) -> WebIdentityToken:
        """Fetch now. Concurrent callers share one fetch, and none of them cancels it.

        Raises:
            WbAwsError: what `TokenSource.fetch` raises.
        """
        key, token_status = self._key(role_arn), self.status(role_arn)
        task = self._fetching.get(key)
        if task is None:
            task = asyncio.create_task(self._fetch(key, token_status), name="wb-aws token fetch")
            self._fetching[key] = task
            self._tasks.add(task)
            task.add_done_callback(partial(self._fetched, key))
        await asyncio.shield(task)
        if token_status.problem is not None:
            raise token_status.problem
        assert token_status.token is not None
        return token_status.token

    async def refresh_all(self) -> None:
        """Fetch every token that was asked for again; if none was, fetch the one for all roles.

        The fetches begin when those that run now have ended. One that fails does not stop the others.

        Raises:
            WbAwsError: the first failure, once all fetches have ended; see `TokenSource.fetch`.
        """
        await asyncio.gather(*self._fetching.values(), return_exceptions=True)
        keys = [*self._statuses] or [None]
        results = await asyncio.gather(*map(self.refresh, keys), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    def is_withdrawn(self, role_arn: str | None) -> bool:
        """Whether the current token is one that AWS refuses, and no fetch has failed since it came."""
        known = self.status(role_arn)
        return (
            known.token is not None and not known.problem and self.source.is_withdrawn(known.token)
        )

    def check_sign_in(self) -> None:
        """Note that the user must sign in again, if a rule of the site says so before the next fetch."""
        sign_in = self.source.sign_in
        if sign_in is not None and (required := sign_in.end_if_expired()) is not None:
            for token_status in self._statuses.values():
                token_status.record_failure(required, self._clock.now(), self._rng.random())

    def identity_of(self, token: WebIdentityToken) -> Identity:
        """Return the user whom a token names, by the source's settings."""
        return self.source.identity_of(token)

    async def close(self) -> None:
        """Close the source, and cancel the running fetches."""
        await self.source.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def clear(self) -> None:
        """Drop every token, and those that are being fetched: the user has signed out."""
        self._statuses.clear()
        self._fetching.clear()

    def _fetched(self, key: str | None, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._fetching.get(key) is task:
            del self._fetching[key]

    def _key(self, role_arn: str | None) -> str | None:
        return role_arn if self.source.binds_role else None

    async def _fetch(self, key: str | None, token_status: TokenStatus) -> None:
        problem: WbAwsError
        request = TokenRequest(self._audience, key)
        try:
            async with asyncio.timeout(FETCH_TIMEOUT) as limit:
                fetched = await self.source.fetch(request)
                token = await self._checked(fetched, token_status.token, request)
        except WbAwsError as error:
            problem = error
        except asyncio.CancelledError as error:
            if _is_our_cancellation():
                raise
            problem = self._unexpected(error)
        # A third party's source may raise anything; one that calls a program's main() even exits.
        except (Exception, SystemExit) as error:  # noqa: BLE001
            problem = (
                TokenSourceFailed(f"The token source did not answer within {FETCH_TIMEOUT:g} s.")
                if limit.expired()
                else self._unexpected(error)
            )
        else:
            token_status.record_token(
                token, self._clock.now(), self._rng.random(), always_new=self.source.binds_role
            )
            return
        token_status.record_failure(problem, self._clock.now(), self._rng.random())

    async def _checked(
        self, fetched: object, previous: WebIdentityToken | None, request: TokenRequest
    ) -> WebIdentityToken:
        """Check what a source returned.

        It is parsed again from its text, so that its claims and times are those that were signed, however
        a third party's source built it.
        """
        if not isinstance(fetched, WebIdentityToken):
            raise TokenInvalid(
                "The token source returned something that is not a WebIdentityToken."
            )
        token = WebIdentityToken.parse(fetched.reveal(), self._clock.now(), fetched.clock_ahead)
        if not token.same_text(previous):
            await self.source.verify(token, request)
        return token

    def _unexpected(self, error: BaseException) -> TokenSourceFailed:
        # The error's text may hold a secret: only its type is shown.
        return TokenSourceFailed(
            f"The token source failed with {type(error).__name__}.",
            admin_hint=f"{type(self.source).__name__} must raise TokenSourceFailed with a message.",
        )


def _is_our_cancellation() -> bool:
    """Whether this task is being cancelled; a source may also raise CancelledError by itself."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
