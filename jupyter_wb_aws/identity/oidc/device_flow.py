"""The device flow: a code that the user enters on a page of the provider's (RFC 8628)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from jupyter_wb_aws.clock import Clock
from jupyter_wb_aws.errors import IdpBadAnswer, SignInFailed, TokenSourceFailed, WbAwsError
from jupyter_wb_aws.identity.oidc.oauth_client import (
    DeviceAuthorizationResponse,
    OAuthClient,
    TokenResponse,
)
from jupyter_wb_aws.identity.oidc.oauth_errors import (
    OF_THE_USER,
    REGISTERED,
    Meaning,
    OAuthError,
    meaning,
)

# RFC 8628, 3.5: by how much `slow_down`, and trouble at the provider, stretch the interval.
SLOW_DOWN, LONGEST_INTERVAL = 5, 60
WAITING = {"authorization_pending": 0, "slow_down": SLOW_DOWN}
TIME_TO_ENTER = timedelta(seconds=60)
EXPIRED = "The code has expired before it was entered."


@dataclass(frozen=True, slots=True)
class DeviceAuthorization:
    """What the user does on a device of theirs (RFC 8628, 3.3)."""

    user_code: str
    verification_uri: str
    verification_uri_complete: str | None
    expires_at: datetime


class Pending(Exception):
    """The user has not finished: ask again `more` seconds later than before; `problem` is in the way."""

    def __init__(self, more: int, problem: WbAwsError | None = None) -> None:
        super().__init__(more)
        self.more = more
        self.problem = problem


class CodeOver(SignInFailed):
    """The code is no longer good."""


class DeviceFlow:
    """The code that is under way, one at a time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begun: DeviceAuthorization | None = None

    async def begin(
        self, oauth: OAuthClient
    ) -> tuple[DeviceAuthorization, DeviceAuthorizationResponse]:
        """Have the provider give a code; return it, and what `wait` wants.

        Raises:
            TokenSourceFailed: if it does not.
        """
        answer = await oauth.begin_device()
        self._begun = DeviceAuthorization(
            answer.user_code,
            answer.verification_uri,
            answer.verification_uri_complete,
            self._clock.now() + timedelta(seconds=answer.expires_in),
        )
        return self._begun, answer

    async def wait(
        self, oauth: OAuthClient, begun: DeviceAuthorization, device: DeviceAuthorizationResponse
    ) -> TokenResponse | None:
        """Ask until the user has finished; None where the code counts no more.

        Raises:
            SignInFailed: if the user, or the provider, says no, or the code has expired.
            TokenSourceFailed: if the provider refuses for another reason, two answers in a row can't
                be read, or one and the code is no longer good then, or it could not be reached until
                the code expired.
        """
        interval = device.interval
        last: WbAwsError | None = None
        while True:
            left = (begun.expires_at - self._clock.now()).total_seconds()
            await self._clock.sleep(max(0.0, min(interval, left)))
            if self._begun is not begun:
                return None
            if self._clock.now() >= begun.expires_at:
                raise last or CodeOver(EXPIRED)
            try:
                return await _ask(oauth, device)
            except Pending as pending:
                # Once may be a gateway's hiccup; and the tokens are lost if they were in it.
                if isinstance(pending.problem, IdpBadAnswer) and isinstance(last, IdpBadAnswer):
                    raise pending.problem from None
                interval, last = min(interval + pending.more, LONGEST_INTERVAL), pending.problem
            except CodeOver:
                if isinstance(last, IdpBadAnswer):  # that answer has used the code up
                    raise last from None
                raise

    def living(self) -> DeviceAuthorization | None:
        """Return the code that is under way, if there is time enough to enter it."""
        begun = self._begun
        return begun if begun and begun.expires_at - self._clock.now() > TIME_TO_ENTER else None

    def is_under_way(self, begun: DeviceAuthorization) -> bool:
        """Tell whether this code is the one that counts."""
        return self._begun is begun

    def pending_until(self) -> datetime | None:
        """Tell until when the code may be entered."""
        return self._begun.expires_at if self._begun else None

    def forget(self) -> None:
        """Let the code lead nowhere any more."""
        self._begun = None


async def _ask(oauth: OAuthClient, device: DeviceAuthorizationResponse) -> TokenResponse:
    """Ask once.

    Raises:
        Pending: if there is no answer yet.
        SignInFailed, TokenSourceFailed: if there will be none.
    """
    try:
        return await oauth.poll_device(device.device_code)
    except OAuthError as refused:
        if refused.error in WAITING:
            raise Pending(WAITING[refused.error]) from None
        if refused.error == "access_denied":
            raise SignInFailed("The sign-in was refused on the identity provider's page.") from None
        if refused.error in OF_THE_USER:  # `invalid_grant` at some providers
            raise CodeOver(EXPIRED) from None
        if refused.error not in REGISTERED and meaning(refused) is Meaning.ENDED:
            # A name of the provider's own, most often for a code that has expired or was used before.
            raise CodeOver(
                f"The identity provider did not accept this sign-in ({refused})."
            ) from None
        if refused.passes:
            more = refused.retry_after or SLOW_DOWN
            raise Pending(more, oauth.bad(refused)) from None
        raise oauth.bad(refused) from None
    except IdpBadAnswer as unreadable:
        raise Pending(0, unreadable) from None
    except TokenSourceFailed as problem:  # the provider may be back before the code expires
        raise Pending(problem.retry_after or SLOW_DOWN, problem) from None
