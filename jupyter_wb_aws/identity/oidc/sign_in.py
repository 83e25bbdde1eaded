"""Signing in with OpenID Connect: how a sign-in begins, is completed and ends; one at a time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Literal

from jupyter_wb_aws.errors import FlowNotAvailable, SignInFailed, SignInRequired, WbAwsError
from jupyter_wb_aws.identity.oidc.code_flow import (
    AuthorizationRequest,
    CodeFlow,
    PendingRequest,
    exchange_code,
)
from jupyter_wb_aws.identity.oidc.current_grant import CurrentGrant
from jupyter_wb_aws.identity.oidc.device_flow import DeviceAuthorization, DeviceFlow
from jupyter_wb_aws.identity.oidc.flow_choice import Flow, available_flows, choose_flow
from jupyter_wb_aws.identity.oidc.grant import Grant, Grants
from jupyter_wb_aws.identity.oidc.oauth_client import OAuthClient
from jupyter_wb_aws.identity.oidc.oauth_responses import TokenResponse
from jupyter_wb_aws.identity.oidc.revocation import PendingRevocations, SignOutResult
from jupyter_wb_aws.identity.token import Identity, WebIdentityToken
from jupyter_wb_aws.tasks import Tasks

log = logging.getLogger(__name__)

SignInState = Literal["signed_out", "pending", "signed_in"]


async def _do_nothing() -> None:
    """Stand in until a callback is set."""


class SignIn:
    """The sign-in of one server at one provider.

    `on_signed_in` is awaited when a user has signed in, before the user hears of it. `on_state_change` is
    called with each new state.

    Args:
        oauth: the client at the provider.
        grants: makes grants from the provider's responses.
        redirect_uri: gives the registered redirect URI, None if there is none.
        flows: the flows that the site wants, in its order.
    """

    def __init__(
        self,
        oauth: OAuthClient,
        grants: Grants,
        redirect_uri: Callable[[], str | None],
        flows: Sequence[Flow],
    ) -> None:
        self.issuer = oauth.provider.issuer
        self.on_signed_in: Callable[[], Awaitable[None]] = _do_nothing
        self.on_state_change: Callable[[SignInState], None] = lambda _: None
        self._oauth = oauth
        self._grants = grants
        self._redirect_uri = redirect_uri
        self._wanted_flows = flows
        self._clock = grants.clock
        self._code = CodeFlow(self._clock)
        self._device = DeviceFlow(self._clock)
        self._tasks = Tasks()
        self._revocations = PendingRevocations(oauth)
        self._current = CurrentGrant(grants, oauth, self._revocations, self._tasks, self._notify)
        self._accepting = asyncio.Lock()
        # Counts sign-ins and sign-outs: what was begun before one of them must not be completed.
        self._epoch = 0
        self._prompt_login = False
        self._reported: SignInState = "signed_out"

    # --- State -------------------------------------------------------------------------------

    @property
    def state(self) -> SignInState:
        """Whether a user is signed in, or is about to be."""
        if self._current.active is not None:
            return "signed_in"
        return "pending" if self._pending_until() else "signed_out"

    @property
    def user(self) -> Identity | None:
        """The user who is signed in."""
        return self._current.active.identity if self._current.active else None

    @property
    def problem(self) -> WbAwsError | None:
        """Why the last sign-in failed or ended."""
        return self._current.problem

    @property
    def expires_at(self) -> datetime | None:
        """When the sign-in, or the flow that is under way, ends, if that is known."""
        active = self._current.active
        return active.expires_at if active else self._pending_until()

    def _pending_until(self) -> datetime | None:
        now = self._clock.now()
        ends = (self._code.pending_until(), self._device.pending_until())
        return max((end for end in ends if end and end > now), default=None)

    def _notify(self, *, force: bool = False) -> None:
        if self.state != self._reported or force:
            self._reported = self.state
            self.on_state_change(self._reported)

    # --- Beginning ---------------------------------------------------------------------------

    async def available_flows(self) -> list[Flow]:
        """Return the flows that work here, in the site's order.

        Raises:
            WbAwsError: if the provider's metadata can't be fetched.
        """
        provider = self._oauth.provider
        metadata, _ = await self._tasks.once("metadata", provider.metadata, "metadata")
        return available_flows(self._wanted_flows, metadata, self._redirect_uri())

    async def choose_flow(self, flow: str | None) -> Flow:
        """Return the flow to begin: the one asked for, else the first that works.

        Raises:
            FlowNotAvailable: if it does not work here; the message says why.
            WbAwsError: if the provider's metadata can't be fetched.
        """
        return choose_flow(await self.available_flows(), flow)

    async def begin_code(self) -> AuthorizationRequest:
        """Begin the authorization code flow, for one browser.

        Raises:
            FlowNotAvailable: if there is no redirect URI.
            WbAwsError: if the provider's metadata can't be fetched.
        """
        redirect_uri = self._redirect_uri()
        if redirect_uri is None:
            raise FlowNotAvailable("No redirect URI is set up for this server.")
        with self._recording_failure():
            begin = self._code.begin(self._oauth, redirect_uri, self._request_parameters())
            request = await self._tasks.do(begin, "authorization")
        self._current.problem = None
        self._notify()
        return request

    def _request_parameters(self) -> dict[str, str]:
        """Return the parameters that say how the provider should ask the user."""
        prompts = []
        if self._prompt_login:  # after signing out, so that another user can sign in
            prompts.append("login")
        if "offline_access" in self._oauth.client.scopes:  # OIDC Core 11: no refresh token without
            prompts.append("consent")
        parameters = {"prompt": " ".join(prompts)}
        if self._grants.rules.max_age:
            parameters["max_age"] = str(int(self._grants.rules.max_age.total_seconds()))
        return parameters

    async def begin_device(self) -> DeviceAuthorization:
        """Begin the device flow, or return the code that is already under way.

        Raises:
            WbAwsError: if the provider does not give a code.
        """
        if (current := self._device.current()) is not None:
            return current  # the code that the user may be typing stays valid
        device, _ = await self._tasks.once("device", self._begin_device, "device authorization")
        return device

    async def _begin_device(self) -> DeviceAuthorization:
        epoch = self._epoch
        with self._recording_failure():
            device = await self._device.begin(self._oauth)
        self._current.problem = None
        self._tasks.begin(self._finish_device(device, epoch), "device flow")
        self._notify()
        return device

    # --- Completing --------------------------------------------------------------------------

    async def finish_code(self, query: Mapping[str, str], cookies: Mapping[str, str]) -> None:
        """Complete the code flow with what the browser brings back.

        Args:
            query: the callback's parameters; each `state` works once.
            cookies: the browser's.

        Raises:
            SignInFailed: if this answers no request of this server, or the provider refuses.
            WbAwsError: if the provider does not give tokens, or they can't be used.
        """
        pending, epoch = self._code.take(query, cookies), self._epoch
        with self._recording_failure():
            # A task: a browser that hangs up must not lose the provider's response.
            await self._tasks.do(self._exchange(query, pending, epoch), "code flow")

    async def _exchange(
        self, query: Mapping[str, str], pending: PendingRequest, epoch: int
    ) -> None:
        response = await exchange_code(self._oauth, query, pending)
        await self._accept(response, pending.nonce, epoch)

    async def _finish_device(self, device: DeviceAuthorization, epoch: int) -> None:
        try:
            response = await self._device.poll(self._oauth, device)
            if response is not None:
                await self._accept(response, None, epoch)
        except WbAwsError as problem:
            self._device_failed(device, problem)
        # A defect of ours. Nobody awaits this task, but a user waits for its result.
        except Exception:
            log.exception("The device flow failed")
            self._device_failed(device, SignInFailed("Something went wrong on this server."))

    def _device_failed(self, device: DeviceAuthorization, problem: WbAwsError) -> None:
        if self._device.is_current(device):
            self._device.cancel()
            self._failed(problem)

    @contextlib.contextmanager
    def _recording_failure(self) -> Iterator[None]:
        """Keep the reason why a sign-in failed, so that it can be shown later."""
        try:
            yield
        except WbAwsError as problem:
            self._failed(problem)
            raise

    def _failed(self, problem: WbAwsError) -> None:
        if self._current.problem is problem:
            return
        log.warning("A sign-in failed: %s", problem.detail)
        if self._current.active is None:
            self._current.problem = problem
        self._notify()

    async def _accept(self, response: TokenResponse, nonce: str | None, epoch: int) -> None:
        """Make the provider's response the current sign-in."""
        async with self._accepting:
            self._check_epoch(epoch, response)
            try:
                grant = await self._grants.create(response, nonce)
            except WbAwsError:
                self._discard(response.refresh_token)
                raise
            self._check_epoch(epoch, response)
            previous, self._current.grant = self._current.grant, grant
            self._cancel_flows()
            self._current.problem, self._prompt_login = None, False
            log.info("Signed in: subject %r of %r", grant.identity.subject, grant.identity.issuer)
            try:
                await self.on_signed_in()
            except WbAwsError as problem:
                self._take_back(grant, previous)
                self._failed(problem)
                raise
            self._discard(previous.refresh_token if previous else None)
            self._notify(force=True)

    def _take_back(self, grant: Grant, previous: Grant | None) -> None:
        """Return to the previous sign-in, if it was the same user's.

        Another user's role sessions have ended by now, and don't come back.
        """
        same_user = previous is not None and previous.identity.same_user(grant.identity)
        self._current.grant, self._current.problem = previous if same_user else None, None
        self._discard(grant.refresh_token)
        self._discard(previous.refresh_token if previous and not same_user else None)

    def _check_epoch(self, epoch: int, response: TokenResponse) -> None:
        """Refuse a flow that began before the last sign-in or sign-out.

        Raises:
            SignInFailed: if it did.
        """
        if epoch != self._epoch:
            self._discard(response.refresh_token)
            raise SignInFailed("You have signed in or out in another way in the meantime.")

    def _discard(self, refresh_token: str | None) -> None:
        """Have an unused refresh token revoked: at once, or with the current sign-in if there is one.

        Some providers then end everything of the same browser session, or of the same user.
        """
        self._revocations.add(refresh_token)
        if self._current.grant is None and self._revocations.pending:
            self._tasks.begin(self._revocations.revoke(), "revoke")

    def _cancel_flows(self) -> None:
        self._code.cancel()
        self._device.cancel()
        self._epoch += 1

    # --- Tokens ------------------------------------------------------------------------------

    async def newest_token(self) -> WebIdentityToken:
        """Return the token of a sign-in that was just completed, else a refreshed one.

        Raises:
            SignInRequired: if nobody is signed in, or the sign-in has ended.
            WbAwsError: if the provider does not give a token now.
        """
        return await self._current.newest_token()

    def end_if_expired(self) -> SignInRequired | None:
        """End or suspend the sign-in if its time is over, and return why; None if there is nothing to end."""
        return self._current.end_if_expired()

    # --- Ending ------------------------------------------------------------------------------

    async def sign_out(self) -> Grant | None:
        """Forget the sign-in on this server; return its grant, for `end_at_provider`."""
        self._cancel_flows()
        async with self._accepting:
            self._cancel_flows()
            grant, self._current.grant = self._current.grant, None
            self._current.problem, self._prompt_login = None, True
            self._notify()
            if grant is not None:
                log.info("Signed out: subject %r", grant.identity.subject)
            return grant

    async def end_at_provider(self, grant: Grant | None) -> SignOutResult:
        """Ask the provider to end a sign-in; failures are logged, and part of the result."""
        if grant is not None and grant.refreshing is not None:
            # It may still bring the refresh token that must be revoked.
            await asyncio.gather(grant.refreshing, return_exceptions=True)
        return await self._revocations.end_sign_in(grant)

    async def close(self) -> None:
        """End what runs in the background."""
        await self._tasks.cancel()
