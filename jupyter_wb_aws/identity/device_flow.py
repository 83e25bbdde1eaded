"""The device flow: a code that the user enters on a page of the provider's (RFC 8628)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from jupyter_wb_aws.clock import Clock
from jupyter_wb_aws.errors import SignInFailed, TokenSourceFailed

if TYPE_CHECKING:
    from jupyter_wb_aws.identity.oauth import DeviceAnswer, OAuth, TokenAnswer
    from jupyter_wb_aws.identity.threads import Run

# RFC 8628, 3.5: by how much `slow_down`, and trouble at the provider, stretch the interval.
SLOW_DOWN, LONGEST_INTERVAL = 5, 60
TIME_TO_ENTER = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class DeviceBegun:
    """What the user does on a device of theirs (RFC 8628, 3.3)."""

    user_code: str
    verification_uri: str
    verification_uri_complete: str | None
    expires_at: datetime


class DeviceFlow:
    """The code that is under way, one at a time.

    Args:
        run: runs what blocks in a worker thread.
    """

    def __init__(self, clock: Clock, run: Run) -> None:
        self._clock = clock
        self._run = run
        self._begun: DeviceBegun | None = None

    async def begin(self, oauth: OAuth) -> tuple[DeviceBegun, DeviceAnswer]:
        """Have the provider give a code; return it, and what `wait` wants.

        Raises:
            TokenSourceFailed: if it does not.
        """
        answer: DeviceAnswer = await self._run(oauth.begin_device)
        self._begun = DeviceBegun(
            answer.user_code,
            answer.verification_uri,
            answer.verification_uri_complete,
            self._clock.now() + timedelta(seconds=answer.expires_in),
        )
        return self._begun, answer

    async def wait(
        self, oauth: OAuth, begun: DeviceBegun, device: DeviceAnswer
    ) -> TokenAnswer | None:
        """Ask until the user has finished; None where the code counts no more.

        Raises:
            SignInFailed: if the user, or the provider, says no, or the code has expired.
            IdpBadAnswer: if the provider refuses for another reason.
        """
        interval = device.interval
        while True:
            await self._clock.sleep(interval)
            if self._begun is not begun:
                return None
            if self._clock.now() >= begun.expires_at:
                raise SignInFailed("The code has expired before it was entered.")
            answer: TokenAnswer | None
            answer, more = await self._run(_ask, oauth, device)
            if answer is not None:
                return answer
            interval = min(interval + more, LONGEST_INTERVAL)

    def living(self) -> DeviceBegun | None:
        """Return the code that is under way, if there is time enough to enter it."""
        begun = self._begun
        return begun if begun and begun.expires_at - self._clock.now() > TIME_TO_ENTER else None

    def is_under_way(self, begun: DeviceBegun) -> bool:
        """Tell whether this code is the one that counts."""
        return self._begun is begun

    def pending_until(self) -> datetime | None:
        """Tell until when the code may be entered."""
        return self._begun.expires_at if self._begun else None

    def forget(self) -> None:
        """Let the code lead nowhere any more."""
        self._begun = None


def _ask(oauth: OAuth, device: DeviceAnswer) -> tuple[TokenAnswer | None, int]:
    """Ask once; return the answer, or by how many seconds the interval grows; blocking."""
    from jupyter_wb_aws.identity.refusals import Refused

    try:
        return oauth.poll_device(device.device_code), 0
    except Refused as refused:
        if refused.error == "slow_down":
            return None, SLOW_DOWN
        if refused.error == "authorization_pending":
            return None, 0
        if refused.error == "access_denied":
            raise SignInFailed("The sign-in was refused on the identity provider's page.") from None
        if refused.error == "expired_token":
            raise SignInFailed("The code has expired before it was entered.") from None
        raise oauth.bad(refused) from None
    except TokenSourceFailed as problem:  # what ails the provider may pass before the code expires
        return None, problem.retry_after or SLOW_DOWN
