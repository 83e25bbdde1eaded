"""When to look for a token's successor: pure functions of what is known."""

from __future__ import annotations

from datetime import datetime, timedelta

from jupyter_wb_aws.identity.token import WebIdentityToken
from jupyter_wb_aws.identity.token_cache import REFRESH_AT, TokenStatus

MAX_JITTER = 0.1
MIN_PAUSE = timedelta(seconds=1)
MAX_BACK_OFF = timedelta(seconds=60)
# A failure may ask for a longer pause than the back-off, but not for a longer one than this.
MAX_RETRY_AFTER = timedelta(hours=1)
# The wall clock is looked at at least this often: timers stand still while a laptop sleeps.
MAX_SLEEP = timedelta(seconds=30)
# Network time steps clocks by less than this; more means that the clock was set back.
MAX_CLOCK_STEP = timedelta(seconds=5)


def next_refresh(token_status: TokenStatus, now: datetime) -> datetime:
    """Return when to ask the token source again.

    1. After a failure: exponential back-off with full jitter, 1 s to 60 s (AWS Architecture Blog,
       "Exponential Backoff and Jitter"), and not before the time that the failure itself names. But half of
       what is left of the token is the longest pause: a maintenance page often names an hour, and is gone after
       a minute. Without a living token, it is a minute.
    2. If the source had nothing newer: after a tenth of the token's remaining life, 1 s to 30 s.
    3. Otherwise at 80 % of the token's life, up to 10 % of it earlier: the kubelet's rule for
       projected service-account tokens, with a jitter that keeps a fleet that signed in at nine
       from refreshing together.
    4. The first token that the hub service signs, and the first after a failure: at any time before
       70 % of its life. A tenth is too little for 10,000 users who come at nine, or who all wait for the
       service: their wave would last until the evening (benchmarks/hub_simulation.py).
    5. At once if the token was received in the future: the clock was set back, and the token's age is
       unknown (the kubelet's rule, too).
    """
    token, attempted_at = token_status.token, token_status.attempted_at
    if attempted_at is None:
        return now
    if attempted_at > now + MAX_CLOCK_STEP:
        return now
    if token_status.problem is not None:
        left = token.expires_at - attempted_at if token else timedelta(0)
        return attempted_at + back_off(
            token_status.failures, token_status.jitter, token_status.problem.retry_after, left
        )
    if token is None:
        return attempted_at + MIN_PAUSE
    # It is also the shortest pause after a token that was already old when it came.
    pause = min(max((token.expires_at - attempted_at) / 10, MIN_PAUSE), MAX_SLEEP)
    if token_status.unchanged:
        return attempted_at + pause
    look = refresh_time(token, token_status.jitter, spread=token_status.spread)
    return max(look, attempted_at + pause)


def refresh_time(token: WebIdentityToken, jitter: float, *, spread: bool = False) -> datetime:
    """Return 80 % of the token's life, up to 10 % of it earlier by `jitter` (0 to 1).

    Args:
        token: the current token.
        jitter: 0 to 1.
        spread: return a time between its issue and 70 % of its life instead.
    """
    if spread:
        return token.time_at_fraction((REFRESH_AT - MAX_JITTER) * (1 - jitter))
    return token.time_at_fraction(REFRESH_AT - MAX_JITTER * jitter)


def back_off(
    failures: int, jitter: float, retry_after: int | None, left: timedelta = timedelta(0)
) -> timedelta:
    """Return how long to wait after a failure.

    Args:
        failures: how many there were in a row.
        jitter: 0 to 1.
        retry_after: the seconds that the failure itself names.
        left: how long the current token is still valid; zero if there is none.
    """
    ceiling = min(MAX_BACK_OFF, MIN_PAUSE * (1 << min(failures, 10)))
    longest = max(MAX_BACK_OFF, min(left / 2, MAX_RETRY_AFTER))
    asked = timedelta(seconds=max(0, min(retry_after or 0, longest.total_seconds())))
    return max(MIN_PAUSE, ceiling * jitter, asked)


def nearly_expired(token: WebIdentityToken, now: datetime) -> bool:
    """Return whether less than a tenth of the token's life is left.

    By then another program that refreshes the source is late: such programs do so at four fifths of the
    life, as we do.
    """
    return token.expires_at - now < (token.expires_at - token.issued_at) / 10
