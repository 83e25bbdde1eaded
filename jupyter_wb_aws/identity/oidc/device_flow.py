"""The device flow: the user enters a code on a page of the provider (RFC 8628)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from jupyter_wb_aws.clock import Clock
from jupyter_wb_aws.errors import IdpBadAnswer, SignInFailed, TokenSourceFailed, WbAwsError
from jupyter_wb_aws.identity.oidc.oauth_client import OAuthClient
from jupyter_wb_aws.identity.oidc.oauth_errors import (
    REGISTERED_CODES,
    USER_CODES,
    ErrorKind,
    OAuthError,
    classify,
)
from jupyter_wb_aws.identity.oidc.oauth_responses import TokenResponse

# Seconds. RFC 8628, 3.5: how much `slow_down`, or trouble at the provider, adds to the polling interval.
SLOW_DOWN, MAX_INTERVAL = 5, 60
EXTRA_DELAYS = {"authorization_pending": 0, "slow_down": SLOW_DOWN}
# A code that is about to expire is not offered to the user again.
MIN_TIME_TO_ENTER = timedelta(seconds=60)
EXPIRED = "The code expired before it was entered."


@dataclass(frozen=True, slots=True, eq=False)
class DeviceAuthorization:
    """A code under way: what the user does on another device (RFC 8628, 3.3), and how to poll for it.

    `interval` is in seconds.
    """

    user_code: str
    verification_uri: str
    verification_uri_complete: str | None
    expires_at: datetime
    device_code: str = field(repr=False)
    interval: int


class _StillPending(Exception):
    """There are no tokens yet: poll again, `extra_delay` seconds later than before.

    `problem` is what failed, if anything did.
    """

    def __init__(self, extra_delay: int, problem: WbAwsError | None = None) -> None:
        super().__init__(extra_delay)
        self.extra_delay = extra_delay
        self.problem = problem


class _CodeExpired(SignInFailed):
    """The code no longer works."""


class DeviceFlow:
    """The code that is under way, one at a time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._current: DeviceAuthorization | None = None

    async def begin(self, oauth: OAuthClient) -> DeviceAuthorization:
        """Get a code from the provider; it replaces the last one.

        Raises:
            TokenSourceFailed: if the provider does not give one.
        """
        response = await oauth.authorize_device()
        self._current = DeviceAuthorization(
            response.user_code,
            response.verification_uri,
            response.verification_uri_complete,
            self._clock.now() + timedelta(seconds=response.expires_in),
            response.device_code,
            response.interval,
        )
        return self._current

    async def poll(self, oauth: OAuthClient, device: DeviceAuthorization) -> TokenResponse | None:
        """Wait until the user has entered the code; None if another code has replaced it.

        Raises:
            SignInFailed: if the user or the provider refuses, or the code has expired.
            TokenSourceFailed: if the provider refuses for another reason; if two responses in a row, or the one
                that used the code up, can't be read; or if it can't be reached until the code has expired.
        """
        interval = device.interval
        last: WbAwsError | None = None
        while True:
            left = (device.expires_at - self._clock.now()).total_seconds()
            await self._clock.sleep(max(0.0, min(interval, left)))
            if self._current is not device:
                return None
            if self._clock.now() >= device.expires_at:
                raise last or _CodeExpired(EXPIRED)
            try:
                return await _poll_once(oauth, device)
            except _StillPending as pending:
                # One may be a gateway's hiccup. After a second one: the tokens may have been in it, and are lost.
                if isinstance(pending.problem, IdpBadAnswer) and isinstance(last, IdpBadAnswer):
                    raise pending.problem from None
                interval = min(interval + pending.extra_delay, MAX_INTERVAL)
                last = pending.problem
            except _CodeExpired:
                if isinstance(last, IdpBadAnswer):  # that response has used the code up
                    raise last from None
                raise

    def current(self) -> DeviceAuthorization | None:
        """Return the code that is under way, if there is enough time left to enter it."""
        device = self._current
        if device and device.expires_at - self._clock.now() > MIN_TIME_TO_ENTER:
            return device
        return None

    def is_current(self, device: DeviceAuthorization) -> bool:
        """Whether no other code has replaced this one."""
        return self._current is device

    def pending_until(self) -> datetime | None:
        """When the code expires; None if there is none."""
        return self._current.expires_at if self._current else None

    def cancel(self) -> None:
        """Drop the code that is under way."""
        self._current = None


async def _poll_once(oauth: OAuthClient, device: DeviceAuthorization) -> TokenResponse:
    """Ask once.

    Raises:
        _StillPending: if there are no tokens yet.
        SignInFailed, TokenSourceFailed: if there will be none.
    """
    try:
        return await oauth.poll_device(device.device_code)
    except OAuthError as error:
        if error.code in EXTRA_DELAYS:
            raise _StillPending(EXTRA_DELAYS[error.code]) from None
        if error.code == "access_denied":
            raise SignInFailed("The sign-in was refused on the identity provider's page.") from None
        if error.code in USER_CODES:  # `invalid_grant` at some providers
            raise _CodeExpired(EXPIRED) from None
        if error.code not in REGISTERED_CODES and classify(error) is ErrorKind.ENDED:
            # The provider's own name, most often for a code that has expired or was used before.
            raise _CodeExpired(
                f"The identity provider did not accept this sign-in ({error})."
            ) from None
        if error.is_temporary:
            raise _StillPending(error.retry_after or SLOW_DOWN, oauth.explain(error)) from None
        raise oauth.explain(error) from None
    except IdpBadAnswer as unreadable:
        raise _StillPending(0, unreadable) from None
    except TokenSourceFailed as problem:  # the provider may be back before the code expires
        raise _StillPending(problem.retry_after or SLOW_DOWN, problem) from None
