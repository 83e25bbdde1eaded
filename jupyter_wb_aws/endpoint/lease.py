"""When credentials are refreshed, and until when a client may use an answer: pure functions of times."""

from __future__ import annotations

from datetime import datetime, timedelta

# boto3 asks again when less than 15 minutes are left, and a call fails if it then gets nothing and less than
# 10 minutes are left. Source: botocore.credentials.RefreshableCredentials.
ALWAYS_LEFT = timedelta(minutes=10)
REFRESH_AT = 0.8
# Credentials may be this young when they are replaced: 900 s ones, the shortest of AWS STS, after 300 s. A store
# may give shorter ones, which then never have 600 s left.
EARLIEST_REFRESH_AT = 1 / 3


def refresh_at(issued: datetime, expiration: datetime) -> datetime:
    """Return when credentials are to be replaced: at 80 % of their life, but while 600 s are left.

    Args:
        issued: when they were fetched.
        expiration: when they expire.
    """
    life = expiration - issued
    age = max(life * EARLIEST_REFRESH_AT, min(life * REFRESH_AT, life - ALWAYS_LEFT))
    return issued + age


def lease_end(expiration: datetime, lease: timedelta, now: datetime) -> datetime:
    """Return the `Expiration` of an answer: that of the credentials, but at most a lease from now.

    So a client asks again soon, and hears of an end or another role.

    Args:
        expiration: when the credentials expire.
        lease: how long a client may go without asking.
        now: the time.
    """
    return min(expiration, now + lease)
