"""When to look for a token's successor: pure functions of what is known."""

from __future__ import annotations

from datetime import datetime, timedelta

from jupyter_wb_aws.identity.token import WebIdentityToken
from jupyter_wb_aws.identity.token_cache import REFRESH_AT, TokenStatus

JITTER = 0.1
MIN_PAUSE = timedelta(seconds=1)
MAX_BACK_OFF = timedelta(seconds=60)
# A failure may ask for more patience than that, but not for more than this: a token lives for
# minutes to hours, and a number that makes no sense must not stop the renewal for good.
MAX_RETRY_AFTER = 3600
# The wall clock is looked at this often at least: timers stand still while a laptop sleeps.
MAX_SLEEP = timedelta(seconds=30)
# Network time steps clocks by less than this; more means that the clock was set back.
LEAP = timedelta(seconds=5)


def next_look(token_status: TokenStatus, now: datetime) -> datetime:
    """When to ask the token source again.

    1. After a failure: exponential back-off with full jitter, 1 s to 60 s (AWS Architecture Blog,
       "Exponential Backoff and Jitter"), and never before the time that the failure itself names.
    2. Where the source had nothing newer: a tenth of the life that is left later, 1 s to 30 s.
    3. Else when 80 % of the token's life is over, up to 10 % of it earlier: the kubelet's rule for
       projected service-account tokens, with a jitter that keeps a fleet that signed in at nine
       from refreshing together.
    4. At once where the token was received in the future: the clock was set back, and nothing can
       be told of the token's age (the kubelet's rule, too).
    """
    token, attempted_at = token_status.token, token_status.attempted_at
    if attempted_at is None:
        return now
    if attempted_at > now + LEAP:
        return now
    if token_status.problem is not None:
        return attempted_at + back_off(
            token_status.failures, token_status.jitter, token_status.problem.retry_after
        )
    if token is None:
        return attempted_at + MIN_PAUSE
    # Also the least pause after a token that was old already when it came.
    pause = min(max((token.expires_at - attempted_at) / 10, MIN_PAUSE), MAX_SLEEP)
    if token_status.unchanged:
        return attempted_at + pause
    return max(refresh_time(token, token_status.jitter), attempted_at + pause)


def refresh_time(token: WebIdentityToken, jitter: float) -> datetime:
    """When 80 % of the token's life is over, up to 10 % of it earlier by `jitter` (0 to 1)."""
    return token.time_at_fraction(REFRESH_AT - JITTER * jitter)


def back_off(failures: int, jitter: float, retry_after: int | None) -> timedelta:
    """How long to wait after the `failures`th failure in a row."""
    ceiling = min(MAX_BACK_OFF, MIN_PAUSE * (1 << min(failures, 10)))
    asked = timedelta(seconds=max(0, min(retry_after or 0, MAX_RETRY_AFTER)))
    return max(MIN_PAUSE, ceiling * jitter, asked)


def little_is_left(token: WebIdentityToken, now: datetime) -> bool:
    """Tell whether less than a tenth of the token's life is left.

    By then a source that is renewed by others is late: they renew at four fifths, as we do.
    """
    return token.expires_at - now < (token.expires_at - token.issued_at) / 10
