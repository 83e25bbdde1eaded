"""Signing in with OpenID Connect: who is signed in, how that begins, goes on and ends.

One sign-in at a time. Two refreshes of it never run at once: a provider that sees a refresh token
twice takes it for stolen, and ends the sign-in.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Literal

from jupyter_wb_aws.errors import FlowNotAvailable, SignInFailed, SignInRequired, WbAwsError
from jupyter_wb_aws.identity.oidc.code_flow import Attempt, AuthorizationRequest, CodeFlow, exchange
from jupyter_wb_aws.identity.oidc.device_flow import DeviceAuthorization, DeviceFlow
from jupyter_wb_aws.identity.oidc.flow_choice import Flow, Flows
from jupyter_wb_aws.identity.oidc.grant import HOW, Grant, Grants, for_the_user
from jupyter_wb_aws.identity.oidc.oauth_client import (
    DeviceAuthorizationResponse,
    OAuthClient,
    TokenResponse,
)
from jupyter_wb_aws.identity.oidc.revocation import Revocation, SignOutResult
from jupyter_wb_aws.identity.token import Identity, WebIdentityToken
from jupyter_wb_aws.tasks import Tasks

log = logging.getLogger(__name__)

State = Literal["signed_out", "pending", "signed_in"]


async def _nobody() -> None:
    """Stand in for whoever wants to know of a sign-in."""


class SignIn:
    """One server's sign-in at one provider.

    `on_signed_in` is awaited when somebody has signed in, before they are told so. `on_state_change` is called
    with each new state. `problem` is why the last sign-in failed, or ended.

    Args:
        oauth: the client at the provider.
        grants: makes grants of the provider's answers.
        redirect_uri: gives the registered redirect URI, None where there is none.
        flows: the flows that the site wants, in its order.
    """

    def __init__(
        self,
        oauth: OAuthClient,
        grants: Grants,
        redirect_uri: Callable[[], str | None],
        flows: Sequence[Flow],
    ) -> None:
        self.issuer = grants.verifier.provider.issuer
        self.problem: WbAwsError | None = None
        self.on_signed_in: Callable[[], Awaitable[None]] = _nobody
        self.on_state_change: Callable[[State], None] = lambda _: None
        self._oauth = oauth
        self._redirect_uri = redirect_uri
        self._grants = grants
        self._clock = grants.clock
        self._code = CodeFlow(self._clock)
        self._device = DeviceFlow(self._clock)
        self._grant: Grant | None = None
        self._tasks = Tasks()
        self._flows = Flows(oauth.provider, flows, redirect_uri, self._tasks)
        self._accepting = asyncio.Lock()
        # Counts sign-ins and sign-outs: what was begun before one ends in nothing.
        self._epoch = 0
        self._revocation = Revocation(oauth)
        self._ask_again = False
        self._told: State = "signed_out"

    # --- How it is ---------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """Tell whether somebody is signed in, or is about to be."""
        if self._living is not None:
            return "signed_in"
        return "pending" if self._pending_until() else "signed_out"

    @property
    def user(self) -> Identity | None:
        """Who is signed in."""
        return self._living.identity if self._living else None

    @property
    def expires_at(self) -> datetime | None:
        """When the sign-in, or what is under way, is over, as far as that is known."""
        return self._living.expires_at if self._living else self._pending_until()

    @property
    def _living(self) -> Grant | None:
        """The grant, unless it waits for a refresh that works or for the user to sign in again."""
        return self._grant if self._grant is not None and self._grant.refused is None else None

    async def available_flows(self) -> list[Flow]:
        """Return the flows that work here, in the site's order.

        Raises:
            WbAwsError: if the provider can't be asked what it has.
        """
        return await self._flows.that_work()

    def _pending_until(self) -> datetime | None:
        now = self._clock.now()
        ends = (self._code.pending_until(), self._device.pending_until())
        return max((end for end in ends if end and end > now), default=None)

    def _tell(self, *, anyway: bool = False) -> None:
        if self.state != self._told or anyway:
            self._told = self.state
            self.on_state_change(self._told)

    # --- Beginning ---------------------------------------------------------------------------

    async def choose_flow(self, flow: str | None) -> Flow:
        """Return the flow to begin: the one asked for, else the first that works.

        Raises:
            FlowNotAvailable: if it does not work here; says why.
        """
        return await self._flows.choose(flow)

    async def begin_code(self) -> AuthorizationRequest:
        """Begin the authorization code flow, for one browser.

        Raises:
            FlowNotAvailable: if there is no redirect URI.
            WbAwsError: if the provider can't be asked where its pages are.
        """
        redirect_uri = self._redirect_uri()
        if redirect_uri is None:
            raise FlowNotAvailable("No redirect URI is set up for this server.")
        with self._failure_kept():
            begin = self._code.begin(self._oauth, redirect_uri, self._wishes())
            begun = await self._tasks.do(begin, "authorization")
        self.problem = None
        self._tell()
        return begun

    def _wishes(self) -> dict[str, str]:
        """Return how the provider shall ask the user."""
        prompts = []
        if self._ask_again:  # after signing out, so that somebody else can sign in
            prompts.append("login")
        if "offline_access" in self._oauth.client.scopes:  # OIDC Core 11: no refresh token without
            prompts.append("consent")
        wishes = {"prompt": " ".join(prompts)}
        if self._grants.rules.longest:
            wishes["max_age"] = str(int(self._grants.rules.longest.total_seconds()))
        return wishes

    async def begin_device(self) -> DeviceAuthorization:
        """Begin the device flow, or return the code that is under way.

        Raises:
            WbAwsError: if the provider does not give a code.
        """
        if (living := self._device.living()) is not None:
            return living  # asked twice: the code that the user may be typing stays good
        begun, _ = await self._tasks.once("device", self._begin_device, "device authorization")
        return begun

    async def _begin_device(self) -> DeviceAuthorization:
        epoch = self._epoch
        with self._failure_kept():
            begun, device = await self._device.begin(self._oauth)
        self.problem = None
        self._tasks.begin(self._finish_device(begun, device, epoch), "device flow")
        self._tell()
        return begun

    # --- Finishing ---------------------------------------------------------------------------

    async def finish_code(self, query: Mapping[str, str], cookies: Mapping[str, str]) -> None:
        """Finish the code flow by what the browser brings back.

        Args:
            query: the callback's parameters; each attempt's `state` is good once.
            cookies: those of the browser.

        Raises:
            SignInFailed: if this is no answer to what was begun here, or the provider says no.
            WbAwsError: if the provider does not give tokens, or gives some that can't be used.
        """
        attempt, epoch = self._code.come_back(query, cookies), self._epoch
        with self._failure_kept():
            # A task: a browser that hangs up does not lose what the provider gives.
            await self._tasks.do(self._exchange(query, attempt, epoch), "code flow")

    async def _exchange(self, query: Mapping[str, str], attempt: Attempt, epoch: int) -> None:
        answer = await exchange(self._oauth, query, attempt)
        await self._accept(answer, attempt.nonce, epoch)

    async def _finish_device(
        self, begun: DeviceAuthorization, device: DeviceAuthorizationResponse, epoch: int
    ) -> None:
        try:
            answer = await self._device.wait(self._oauth, begun, device)
            if answer is not None:
                await self._accept(answer, None, epoch)
        except WbAwsError as problem:
            self._device_failed(begun, problem)
        except Exception:  # a defect of ours: nobody awaits this, and somebody waits for it
            log.exception("The device flow failed")
            self._device_failed(begun, SignInFailed("Something went wrong on this server."))

    def _device_failed(self, begun: DeviceAuthorization, problem: WbAwsError) -> None:
        if self._device.is_under_way(begun):
            self._device.forget()
            self._failed(problem)

    @contextlib.contextmanager
    def _failure_kept(self) -> Iterator[None]:
        """Keep in mind why a sign-in failed, for whoever asks how it is."""
        try:
            yield
        except WbAwsError as problem:
            self._failed(problem)
            raise

    def _failed(self, problem: WbAwsError) -> None:
        if self.problem is problem:
            return
        log.warning("A sign-in failed: %s", problem.detail)
        if self._living is None:
            self.problem = problem
        self._tell()

    async def _accept(self, answer: TokenResponse, nonce: str | None, epoch: int) -> None:
        """Take over what the provider gave."""
        async with self._accepting:
            self._still(epoch, answer)
            try:
                grant = await self._grants.first(answer, nonce)
            except WbAwsError:
                self._drop(answer.refresh_token)
                raise
            self._still(epoch, answer)
            former, self._grant = self._grant, grant
            self._forget_attempts()
            self.problem, self._ask_again = None, False
            log.info("Signed in: subject %r of %r", grant.identity.subject, grant.identity.issuer)
            try:
                await self.on_signed_in()
            except WbAwsError as problem:
                # Another user's role sessions have ended by now: they do not come back.
                same = former is not None and former.identity.same_user(grant.identity)
                self._grant, self.problem = former if same else None, None
                self._drop(grant.refresh_token)
                self._drop(former.refresh_token if former and not same else None)
                self._failed(problem)
                raise
            self._drop(former.refresh_token if former else None)
            self._tell(anyway=True)

    def _still(self, epoch: int, answer: TokenResponse) -> None:
        """Refuse what was begun before a sign-in or sign-out that came in between.

        Raises:
            SignInFailed: if there was one.
        """
        if epoch != self._epoch:
            self._drop(answer.refresh_token)
            raise SignInFailed("You have signed in or out in another way meanwhile.")

    def _drop(self, refresh_token: str | None) -> None:
        """Have a refresh token revoked that nobody uses: with the sign-in, if there is one.

        Some providers end everything that one browser's session, or one user, has with it.
        """
        self._revocation.add(refresh_token)
        if self._grant is None and self._revocation.waits:
            self._tasks.begin(self._revocation.revoke(), "revoke")

    def _forget_attempts(self) -> None:
        self._code.forget()
        self._device.forget()
        self._epoch += 1

    # --- Keeping -----------------------------------------------------------------------------

    async def newest_token(self) -> WebIdentityToken:
        """Return the token for AWS: the one of a sign-in just now, else a new one.

        Raises:
            SignInRequired: if nobody is signed in (any more).
            WbAwsError: if the provider does not give one now.
        """
        if (over := self._over_by_rules()) is not None:
            raise over
        grant = self._grant
        if grant is None:
            raise self._required()
        if not grant.taken:
            grant.taken = True
            return grant.token
        if not grant.renewable(self._clock.now()):
            return grant.token
        if grant.refreshing is None or grant.refreshing.done():
            grant.refreshing = self._tasks.begin(self._refresh(grant), "token refresh")
        try:
            # Who stops waiting must not lose the answer: the refresh token in it replaces ours.
            return await asyncio.shield(grant.refreshing)
        except WbAwsError:
            if self._grant is None or self._grant is grant:
                raise
        return await self.newest_token()  # of whoever has signed in meanwhile

    async def _refresh(self, grant: Grant) -> WebIdentityToken:
        waited = grant.refused
        try:
            token = await self._grants.refresh(grant, self._oauth)
        except SignInRequired as over:
            if self._grant is grant and over is not grant.refused:
                self._lose(over)
            elif self._grant is grant and waited is None:
                self._wait(over)
            raise self._required() from None
        except WbAwsError:
            if self._grant is grant and waited is not None:
                raise self._required() from None  # what the user has to do is the same
            raise
        if self._grant is not grant:  # signed out, or in as somebody else, meanwhile
            raise self._required()
        if waited is not None:
            log.info("The sign-in works again: subject %r", grant.identity.subject)
            self.problem = None
            self._tell()
        return token

    def _wait(self, refused: SignInRequired) -> None:
        """Keep the sign-in, which may still come back, and say that the user has to sign in."""
        log.warning("The sign-in waits: %s", refused.detail)
        self.problem = for_the_user(refused)
        self._tell()

    def check_expiry(self) -> SignInRequired | None:
        """Say that the sign-in is over by the site's rules, or starts to wait, as soon as it does."""
        if (over := self._over_by_rules()) is not None:
            return over
        grant = self._living
        if grant is None or grant.doubt is None or self._clock.now() < grant.token.expires_at:
            return None
        grant.refused = grant.doubt
        self._wait(grant.refused)
        return self._required()

    def _over_by_rules(self) -> SignInRequired | None:
        over = self._grants.over(self._grant) if self._grant else None
        if over is None:
            return None
        self._lose(over)
        return self._required()

    def _lose(self, over: SignInRequired) -> None:
        """Forget the sign-in, and keep in mind why."""
        log.warning("The sign-in is over: %s", over.detail)
        if self._grant is not None:
            # Revoked when the user signs out: the provider ended it, or a site's rule did.
            self._revocation.add(self._grant.refresh_token)
        self._grant = None
        self.problem = for_the_user(over)
        self._tell()

    def _required(self) -> SignInRequired:
        over = self._grant.refused if self._grant else self.problem
        if isinstance(over, SignInRequired):
            return for_the_user(over)
        return SignInRequired("You are not signed in.", hint=HOW)

    # --- Ending ------------------------------------------------------------------------------

    async def sign_out(self) -> Grant | None:
        """Let nobody be signed in; return the grant of whoever was, for `end_at_provider`."""
        self._forget_attempts()
        async with self._accepting:
            self._forget_attempts()
            grant, self._grant = self._grant, None
            self.problem, self._ask_again = None, True
            self._tell()
            if grant is not None:
                log.info("Signed out: subject %r", grant.identity.subject)
            return grant

    async def end_at_provider(self, grant: Grant | None) -> SignOutResult:
        """Have the provider end a sign-in, as far as it listens."""
        if grant is not None and grant.refreshing is not None:
            # It may still bring the token that is to be revoked.
            await asyncio.gather(grant.refreshing, return_exceptions=True)
        return await self._revocation.end(grant)

    async def close(self) -> None:
        """End what runs in the background."""
        await self._tasks.cancel()
