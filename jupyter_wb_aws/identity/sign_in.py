"""Signing in with OpenID Connect: what is under way, who is signed in, and how that goes on.

One sign-in at a time. Its refresh token is in memory only, and a new one takes the old one's place
before anything else is done with the answer that brought it. Two refreshes never run at once: a
provider that sees a refresh token twice takes it for stolen, and ends the sign-in.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from jupyter_wb_aws.clock import Clock
from jupyter_wb_aws.errors import (
    FlowNotAvailable,
    SignInFailed,
    SignInRequired,
    TokenInvalid,
    TokenSourceFailed,
    WbAwsError,
)
from jupyter_wb_aws.identity.token import LEEWAY, Identity, WebIdentityToken
from jupyter_wb_aws.tasks import Tasks

if TYPE_CHECKING:
    from jupyter_wb_aws.identity.oauth import DeviceAnswer, OAuth, Refused, TokenAnswer
    from jupyter_wb_aws.identity.verify import Verifier

log = logging.getLogger(__name__)

Flow = Literal["code", "device"]
State = Literal["not_needed", "signed_out", "pending", "signed_in"]

# OAuth 2.0 Security BCP (RFC 9700): short, and long enough for a second factor.
ATTEMPT_LIFE = timedelta(minutes=10)
# Each opened page is an attempt; nobody has that many.
MOST_ATTEMPTS = 16
# RFC 8628, 3.5: what `slow_down` adds, and how far a time-out stretches the interval.
SLOW_DOWN, LONGEST_INTERVAL = 5, 60
HOW = "Sign in with `jupyter wb-aws sign-in`, then repeat what you did."
# What the authorization endpoint may say (RFC 6749, 4.1.2.1; OIDC Core 3.1.2.6), for people.
SAID = {
    "access_denied": "you, or the identity provider, said no",
    "login_required": "the identity provider wants you to sign in there first",
    "interaction_required": "the identity provider wants to ask you something first",
    "consent_required": "the identity provider wants your consent first",
    "invalid_scope": "the identity provider does not give what this server asks for (scope)",
    "unauthorized_client": "this server is not registered for that at the identity provider",
    "invalid_request": "the identity provider can't read the request",
    "server_error": "the identity provider has a problem of its own",
    "temporarily_unavailable": "the identity provider is busy",
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What a site decides about sign-ins.

    `web_identity` is which token AWS gets. `longest` is the age at which a sign-in is over; zero: as
    long as the provider lets it. `name_claim` and `groups_claim` read who a token speaks of.
    """

    web_identity: Literal["id_token", "access_token"] = "id_token"
    longest: timedelta = timedelta(0)
    name_claim: str = "preferred_username"
    groups_claim: str = "groups"


@dataclass(frozen=True, slots=True)
class CodeBegun:
    """Where the browser goes, and the cookie that it brings back."""

    authorization_url: str = field(repr=False)
    cookie_name: str
    cookie: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class DeviceBegun:
    """What the user does on a device of theirs (RFC 8628, 3.3)."""

    user_code: str
    verification_uri: str
    verification_uri_complete: str | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SignedOut:
    """What became of a sign-in at the provider.

    `revoked` is False where the provider could not be told; `end_session_url` ends the browser's own
    session there.
    """

    revoked: bool
    end_session_url: str | None


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A code flow under way, by its `state`."""

    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    cookie_digest: bytes = field(repr=False)
    redirect_uri: str
    expires_at: datetime


@dataclass(slots=True)
class _Grant:
    """Who is signed in, and by what."""

    identity: Identity
    token: WebIdentityToken
    id_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    scope: str | None
    since: datetime
    ends_at: datetime | None
    taken: bool = False
    renewable: bool = True


async def _nobody() -> None:
    """Stand in for whoever wants to know of a sign-in."""


class SignIn:
    """One server's sign-in at one provider.

    `completed` is awaited when somebody has signed in, before they are told so. `changed` is called
    with each new state.

    Args:
        oauth: makes the client; called in a worker thread, since that imports authlib.
        verifier: checks id tokens.
        redirect_uri: gives the registered redirect URI, None where there is none.
        flows: the flows that the site wants, in its order.
    """

    def __init__(
        self,
        oauth: Callable[[], OAuth],
        verifier: Verifier,
        redirect_uri: Callable[[], str | None],
        flows: Sequence[Flow],
        rules: Rules,
        clock: Clock,
    ) -> None:
        self._make_oauth = oauth
        self._oauth: OAuth | None = None
        self._verifier = verifier
        self._redirect_uri = redirect_uri
        self._flows = flows
        self._rules = rules
        self._clock = clock
        self._grant: _Grant | None = None
        self._attempts: dict[str, _Attempt] = {}
        self._device: DeviceBegun | None = None
        self._refreshing: asyncio.Task[WebIdentityToken] | None = None
        self._accepting = asyncio.Lock()
        self._epoch = 0
        self._tasks = Tasks()
        self._told: State = "signed_out"
        self._ask_again = False
        self.problem: WbAwsError | None = None
        self.completed: Callable[[], Awaitable[None]] = _nobody
        self.changed: Callable[[State], None] = lambda _: None

    # --- How it is ---------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """Tell whether somebody is signed in, or is about to be."""
        if self._grant is not None:
            return "signed_in"
        return "pending" if self._pending_until() else "signed_out"

    @property
    def issuer(self) -> str:
        """Where one signs in."""
        return self._verifier.provider.issuer

    @property
    def user(self) -> Identity | None:
        """Who is signed in."""
        return self._grant.identity if self._grant else None

    @property
    def expires_at(self) -> datetime | None:
        """When the sign-in, or what is under way, is over, as far as that is known."""
        if self._grant is None:
            return self._pending_until()
        if self._grant.refresh_token is None or not self._grant.renewable:
            ends = [self._grant.token.expires_at, self._grant.ends_at]
            return min(end for end in ends if end)
        return self._grant.ends_at

    async def flows(self) -> list[Flow]:
        """Return the flows that work here, in the site's order.

        Raises:
            WbAwsError: if the provider can't be asked what it has.
        """
        metadata = (await self._client()).provider.metadata
        known = await asyncio.to_thread(metadata)
        works = {
            "code": bool(known.get("authorization_endpoint") and self._redirect_uri()),
            "device": bool(known.get("device_authorization_endpoint")),
        }
        return [flow for flow in self._flows if works[flow]]

    def _pending_until(self) -> datetime | None:
        now = self._clock.now()
        ends = [attempt.expires_at for attempt in self._attempts.values()]
        if self._device is not None:
            ends.append(self._device.expires_at)
        return max((end for end in ends if end > now), default=None)

    def _tell(self, *, anyway: bool = False) -> None:
        if self.state != self._told or anyway:
            self._told = self.state
            self.changed(self._told)

    # --- Beginning ---------------------------------------------------------------------------

    async def choose(self, flow: str | None) -> Flow:
        """Return the flow to begin: the one asked for, else the first that works.

        Raises:
            FlowNotAvailable: if it does not work here; says why.
        """
        flows = await self.flows()
        if flow is None and flows:
            return flows[0]
        for one in flows:
            if one == flow:
                return one
        raise FlowNotAvailable(
            self._why_not(flow, flows),
            admin_hint="The code flow needs `redirect_uri` (registered at the provider, with the port that this"
            " server has), or a public URL of the server; the device flow needs a provider that has it. `flows`"
            " of the token source names those that you want.",
        )

    def _why_not(self, flow: str | None, flows: Sequence[Flow]) -> str:
        if flow is None or not flows:
            return "There is no way to sign in here: neither flow works with the identity provider."
        return f"The flow {flow[:20]!r} does not work here; what works: {', '.join(flows)}."

    async def begin_code(self) -> CodeBegun:
        """Begin the authorization code flow, for one browser.

        Raises:
            FlowNotAvailable: if there is no redirect URI.
            WbAwsError: if the provider can't be asked where its pages are.
        """
        from jupyter_wb_aws.identity.oauth import new_secret

        redirect_uri = self._redirect_uri()
        if redirect_uri is None:
            raise FlowNotAvailable("No redirect URI is set up for this server.")
        oauth = await self._client()
        state, nonce, verifier, cookie = (new_secret() for _ in range(4))
        url = await asyncio.to_thread(
            oauth.authorization_url,
            state=state,
            nonce=nonce,
            verifier=verifier,
            redirect_uri=redirect_uri,
            **self._wishes(oauth),
        )
        now = self._clock.now()
        self._attempts = {s: a for s, a in self._attempts.items() if a.expires_at > now}
        while len(self._attempts) >= MOST_ATTEMPTS:
            del self._attempts[next(iter(self._attempts))]
        self._attempts[state] = _Attempt(
            nonce, verifier, _digest(cookie), redirect_uri, now + ATTEMPT_LIFE
        )
        self._tell()
        return CodeBegun(url, cookie_name(state), cookie)

    def _wishes(self, oauth: OAuth) -> dict[str, str]:
        """Return how the provider shall ask the user."""
        prompts = []
        if self._ask_again:  # after signing out, so that somebody else can sign in
            prompts.append("login")
        if "offline_access" in oauth.client.scopes:  # OIDC Core 11: no refresh token without
            prompts.append("consent")
        wishes = {"prompt": " ".join(prompts)}
        if self._rules.longest:
            wishes["max_age"] = str(int(self._rules.longest.total_seconds()))
        return wishes

    async def begin_device(self) -> DeviceBegun:
        """Begin the device flow; one that is under way is forgotten.

        Raises:
            WbAwsError: if the provider does not give a code.
        """
        oauth = await self._client()
        answer = await asyncio.to_thread(oauth.begin_device)
        expires_at = self._clock.now() + timedelta(seconds=answer.expires_in)
        self._device = begun = DeviceBegun(
            answer.user_code, answer.verification_uri, answer.verification_uri_complete, expires_at
        )
        self.problem = None
        self._tasks.begin(self._poll(oauth, answer, begun), "device flow")
        self._tell()
        return begun

    # --- Coming back -------------------------------------------------------------------------

    async def finish_code(self, query: Mapping[str, str], cookies: Mapping[str, str]) -> None:
        """Finish the code flow by what the browser brings back.

        Args:
            query: the callback's parameters; each attempt's `state` is good once.
            cookies: those of the browser.

        Raises:
            SignInFailed: if this is no answer to what was begun here, or the provider says no.
            WbAwsError: if the provider does not give tokens, or gives some that can't be used.
        """
        state = query.get("state", "")
        attempt = self._attempts.pop(state, None)
        try:
            if attempt is None or attempt.expires_at <= self._clock.now():
                raise SignInFailed(
                    "This sign-in is not known here: it is older than ten minutes, was finished before, or was"
                    " begun before the server was restarted."
                )
            if not hmac.compare_digest(
                _digest(cookies.get(cookie_name(state), "")), attempt.cookie_digest
            ):
                raise SignInFailed(
                    "This sign-in was begun in another browser, or under another address of this server.",
                    hint="Open Jupyter under the address that your administrator gave you, and sign in again there.",
                )
            await self._tasks.do(self._exchange(query, attempt), "code flow")
        except WbAwsError as problem:
            self._failed(problem)
            raise

    async def _exchange(self, query: Mapping[str, str], attempt: _Attempt) -> None:
        oauth, epoch = await self._client(), self._epoch
        # RFC 9207: whoever answers must be whom we asked.
        named = query.get("iss")
        promised = oauth.provider.metadata().get("authorization_response_iss_parameter_supported")
        if (named is not None or promised is True) and named != oauth.provider.issuer:
            raise SignInFailed(
                "The answer is not from the identity provider that was asked.",
                admin_hint="The parameter `iss` of the callback is another than `issuer` (RFC 9207).",
            )
        if "error" in query:
            raise SignInFailed(
                f"The identity provider did not sign you in: {SAID.get(query['error'], 'it does not say why')}."
            )
        if not query.get("code"):
            raise SignInFailed("The identity provider's answer holds no authorization code.")
        try:
            answer = await asyncio.to_thread(
                oauth.exchange,
                query["code"],
                verifier=attempt.verifier,
                redirect_uri=attempt.redirect_uri,
            )
        except _refused() as refused:
            raise oauth.bad(refused) from None
        await self._accept(answer, attempt.nonce, epoch)

    async def _poll(self, oauth: OAuth, device: DeviceAnswer, begun: DeviceBegun) -> None:
        """Ask until the user has finished (RFC 8628, 3.5)."""
        epoch, interval = self._epoch, device.interval
        try:
            while True:
                await self._clock.sleep(interval)
                if self._device is not begun:  # another took its place
                    return
                if self._clock.now() >= begun.expires_at:
                    raise SignInFailed("The code has expired before it was entered.")
                answer, more = await self._polled(oauth, device)
                interval = min(interval + more, LONGEST_INTERVAL)
                if answer is not None and self._device is begun:
                    await self._accept(answer, None, epoch)
                    return
        except WbAwsError as problem:
            if self._device is begun:
                self._device = None
                self._failed(problem)

    async def _polled(self, oauth: OAuth, device: DeviceAnswer) -> tuple[TokenAnswer | None, int]:
        """Ask once; return the answer, or by how many seconds the interval grows."""
        try:
            return await asyncio.to_thread(oauth.poll_device, device.device_code), 0
        except _refused() as refused:
            if refused.error == "slow_down":
                return None, SLOW_DOWN
            if refused.error == "authorization_pending":
                return None, 0
            if refused.error == "access_denied":
                raise SignInFailed(f"The sign-in was refused: {SAID['access_denied']}.") from None
            if refused.error == "expired_token":
                raise SignInFailed("The code has expired before it was entered.") from None
            raise oauth.bad(refused) from None
        except (
            TokenSourceFailed
        ) as problem:  # the provider's trouble may pass before the code expires
            return None, problem.retry_after or SLOW_DOWN

    def _failed(self, problem: WbAwsError) -> None:
        log.warning("A sign-in failed: %s", problem.detail)
        if self._grant is None:
            self.problem = problem
        self._tell()

    async def _accept(self, answer: TokenAnswer, nonce: str | None, epoch: int) -> None:
        """Take over what the provider gave, once it is known whose it is."""
        async with self._accepting:
            if epoch != self._epoch:
                raise SignInFailed("You have signed in or out in another way meanwhile.")
            if answer.id_token is None:
                raise TokenInvalid(
                    "The identity provider gave no id token.",
                    admin_hint="`scopes` of the token source must hold `openid`.",
                )
            now = self._clock.now()
            id_token = await asyncio.to_thread(
                WebIdentityToken.parse, answer.id_token, now, answer.clock_ahead
            )
            await asyncio.to_thread(self._verifier.verify, id_token)
            self._check(id_token, nonce)
            token = await asyncio.to_thread(self._web_identity, answer, id_token)
            if token is None:
                raise TokenInvalid("The identity provider gave no access token.")
            since = self._since(id_token, now)
            identity = token.identity(self._rules.name_claim, self._rules.groups_claim)
            # The former's is not revoked: some providers would end this one with it, since both are
            # of one browser's session.
            self._grant = _Grant(
                identity, token, answer.id_token, answer.refresh_token, answer.scope, since,
                self._ends_at(answer, since, now),
            )  # fmt: skip
            self._forget_attempts()
            self.problem, self._ask_again = None, False
            log.info("Signed in: subject %r of %r", identity.subject, identity.issuer)
            try:
                await self.completed()
            except WbAwsError:
                self._grant = None
                raise
            self._tell(anyway=True)

    def _check(self, id_token: WebIdentityToken, nonce: str | None) -> None:
        """Check what is about this sign-in alone (OIDC Core 3.1.3.7)."""
        claims, client_id = id_token.claims, self._verifier.audience
        if nonce is not None and not hmac.compare_digest(
            str(claims.get("nonce", "")).encode(), nonce.encode()
        ):
            raise TokenInvalid(
                "The id token is not the answer to this sign-in: its `nonce` is another's.",
                hint="Sign in again; if it happens again, tell your administrator.",
            )
        if claims.get("azp", client_id) != client_id:
            raise TokenInvalid(
                f"The id token was issued to another client (`azp`), and this server is {client_id!r}."
            )

    def _since(self, id_token: WebIdentityToken, now: datetime) -> datetime:
        """Return when the user signed in: at the provider, where it says so (`auth_time`)."""
        at = id_token.claims.get("auth_time")
        if not self._rules.longest or isinstance(at, bool) or not isinstance(at, int | float):
            return now
        age = timedelta(seconds=min(max(0.0, (now + id_token.clock_ahead).timestamp() - at), 10**9))
        if age > self._rules.longest + LEEWAY:
            raise SignInFailed(
                "The identity provider took a sign-in of yours that is older than this server allows.",
                hint="Sign out at the identity provider, then sign in again.",
                admin_hint="It paid no heed to `max_age`; compare `longest_sign_in` with its own session.",
            )
        return now - age

    def _ends_at(self, answer: TokenAnswer, since: datetime, now: datetime) -> datetime | None:
        ends = []
        if self._rules.longest:
            ends.append(since + self._rules.longest)
        if answer.refresh_expires_in:
            ends.append(now + timedelta(seconds=answer.refresh_expires_in))
        return min(ends, default=None)

    def _web_identity(
        self, answer: TokenAnswer, id_token: WebIdentityToken | None
    ) -> WebIdentityToken | None:
        """Return the token for AWS, None where the answer has none; blocking."""
        if self._rules.web_identity == "id_token":
            return id_token
        if answer.access_token is None:
            return None
        return WebIdentityToken.parse(answer.access_token, self._clock.now(), answer.clock_ahead)

    # --- Keeping -----------------------------------------------------------------------------

    async def newest_token(self) -> WebIdentityToken:
        """Return the token for AWS: the one of a sign-in just now, else a new one.

        Raises:
            SignInRequired: if nobody is signed in (any more).
            WbAwsError: if the provider does not give one now.
        """
        grant = self._living()
        if not grant.taken:
            grant.taken = True
            return grant.token
        if grant.refresh_token is None or not grant.renewable:
            return grant.token
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = self._tasks.begin(self._refresh(grant), "token refresh")
        # Who stops waiting must not lose the answer: the refresh token in it replaces ours.
        return await asyncio.shield(self._refreshing)

    def _living(self) -> _Grant:
        grant = self._grant
        if grant is None:
            raise self._required()
        now = self._clock.now()
        if self._rules.longest and now >= grant.since + self._rules.longest:
            self._lose("Your sign-in has reached the greatest age that your administrator allows.")
            raise self._required()
        dead = grant.refresh_token is None or not grant.renewable
        if dead and grant.taken and grant.token.expires_at <= now:
            self._lose(
                "Your sign-in is over: the identity provider does not renew it.",
                "The provider gave no refresh token, or no new id token for it: see `scopes`"
                " (`offline_access`) of the token source.",
            )
            raise self._required()
        return grant

    def overdue(self) -> SignInRequired | None:
        """Tell that the sign-in is over by the site's rules, as soon as it is."""
        try:
            if self._grant is not None:
                self._living()
        except SignInRequired as required:
            return required
        return None

    async def _refresh(self, grant: _Grant) -> WebIdentityToken:
        assert grant.refresh_token is not None
        oauth = await self._client()
        try:
            answer = await asyncio.to_thread(oauth.refresh, grant.refresh_token, grant.scope)
        except SignInRequired as over:
            if self._grant is grant:
                self._lose(over.detail)
            raise self._required() from None
        # First of all: the former may be good no more.
        grant.refresh_token = answer.refresh_token or grant.refresh_token
        token = await asyncio.to_thread(self._renewed, answer)
        if token is None:
            log.warning("The identity provider renews the sign-in, but gives no new token for AWS")
            grant.renewable = False
            return grant.token
        if not token.identity(self._rules.name_claim, self._rules.groups_claim).same_user(
            grant.identity
        ):
            if self._grant is grant:
                self._lose("The identity provider renewed your sign-in for somebody else.")
            raise self._required()
        if self._grant is not grant:
            raise self._required()
        grant.token = token
        grant.id_token = answer.id_token or grant.id_token
        grant.identity = token.identity(self._rules.name_claim, self._rules.groups_claim)
        if answer.refresh_expires_in:
            grant.ends_at = self._ends_at(answer, grant.since, self._clock.now())
        return token

    def _renewed(self, answer: TokenAnswer) -> WebIdentityToken | None:
        """Return the new token for AWS, if there is one; blocking."""
        id_token = None
        if answer.id_token is not None:
            id_token = WebIdentityToken.parse(
                answer.id_token, self._clock.now(), answer.clock_ahead
            )
            self._verifier.verify(id_token)
        return self._web_identity(answer, id_token)

    def _lose(self, detail: str, admin_hint: str | None = None) -> None:
        """Forget the sign-in, and why."""
        log.warning("The sign-in is over: %s", detail)
        self._grant = None
        self.problem = SignInRequired(detail, hint=HOW, admin_hint=admin_hint)
        self._tell()

    def _required(self) -> SignInRequired:
        over = self.problem
        if isinstance(over, SignInRequired):
            return SignInRequired(over.detail, hint=HOW, admin_hint=over.admin_hint)
        return SignInRequired("You are not signed in.", hint=HOW)

    # --- Ending ------------------------------------------------------------------------------

    async def sign_out(self) -> SignedOut:
        """Sign out: forget everything, and tell the provider, as far as it listens."""
        self._forget_attempts()
        async with self._accepting:
            grant, self._grant = self._grant, None
            self.problem, self._ask_again = None, True
            if grant is None:
                self._tell()
                return SignedOut(revoked=True, end_session_url=None)
            if self._refreshing is not None:  # it may still bring the token that is to be revoked
                await asyncio.gather(self._refreshing, return_exceptions=True)
            self._tell()
            log.info("Signed out: subject %r", grant.identity.subject)
            return await self._tell_provider(grant)

    async def _tell_provider(self, grant: _Grant) -> SignedOut:
        oauth = await self._client()
        revoked = True
        try:
            if grant.refresh_token is not None:
                revoked = await asyncio.to_thread(oauth.revoke, grant.refresh_token)
        except WbAwsError as problem:
            log.warning("The refresh token could not be revoked: %s", problem.detail)
            revoked = False
        url = None
        with contextlib.suppress(WbAwsError):
            url = await asyncio.to_thread(oauth.provider.endpoint, "end_session_endpoint")
            if url is not None:
                await asyncio.to_thread(oauth.end_session, grant.id_token)
        return SignedOut(revoked, url)

    async def close(self) -> None:
        """End what runs in the background."""
        await self._tasks.cancel()

    def _forget_attempts(self) -> None:
        """Nothing that was begun before can end in a sign-in any more."""
        self._attempts.clear()
        self._device = None
        self._epoch += 1

    async def _client(self) -> OAuth:
        if self._oauth is None:
            self._oauth = await asyncio.to_thread(self._make_oauth)
        return self._oauth


def cookie_name(state: str) -> str:
    """Return the name of an attempt's cookie: servers on one host share the browser's cookies."""
    return f"wb-aws-sign-in-{hashlib.sha256(state.encode()).hexdigest()[:16]}"


def _digest(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode()).digest()


def _refused() -> type[Refused]:
    from jupyter_wb_aws.identity.oauth import Refused

    return Refused
