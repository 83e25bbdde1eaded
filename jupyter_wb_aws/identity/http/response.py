"""A response of the identity provider, and what an HTTP error means."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from jupyter_wb_aws.errors import IdpBadAnswer, IdpUnavailable
from jupyter_wb_aws.identity.redact import redact_userinfo

MAX_RETRY_AFTER = timedelta(hours=1)
# A smaller difference of the clocks does no harm, and the header `Date` has whole seconds only.
MIN_CLOCK_SKEW = timedelta(seconds=5)
# How many characters of other programs' text a message quotes.
MAX_SHOWN = 200


class RefusedByProxy(IdpUnavailable):
    """A proxy on the way refuses the request, with an HTTP status of its own."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A response, read to its end; header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def is_busy(self) -> bool:
        """Whether the provider can't answer now: 429 and 5xx."""
        return self.status == 429 or self.status >= 500

    def json_object(self) -> dict[str, Any] | None:
        """Return the JSON object in the body; None if the body is anything else."""
        with contextlib.suppress(ValueError, RecursionError):
            found = json.loads(self.body)
            if isinstance(found, dict):
                return found
        return None

    def retry_after(self) -> int | None:
        """Return the header `Retry-After`, seconds or a date (RFC 9110, 10.2.3), in seconds."""
        value = self.headers.get("retry-after", "")
        with contextlib.suppress(ValueError, TypeError, OverflowError):
            if value.isascii() and value.isdigit():
                seconds = float(value)
            else:
                seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
            return round(max(0.0, min(seconds, MAX_RETRY_AFTER.total_seconds())))
        return None

    def date(self) -> datetime | None:
        """Return the header `Date`: the time by the provider's clock."""
        with contextlib.suppress(ValueError, TypeError):
            date = parsedate_to_datetime(self.headers.get("date", ""))
            return date if date.tzinfo else date.replace(tzinfo=UTC)
        return None


def clock_ahead(response: HttpResponse, began: datetime) -> timedelta:
    """Return how far the provider's clock is ahead of ours, by the header `Date`; zero if it is close.

    Args:
        response: has just been received.
        began: when its request was sent.
    """
    date = response.date()
    if date is None:
        return timedelta(0)
    now = datetime.now(UTC)
    # Compare with the nearer end of the exchange: a slow response does not mean a wrong clock.
    ahead = date - now if date > now else min(date + timedelta(seconds=1) - began, timedelta(0))
    return ahead if abs(ahead) > MIN_CLOCK_SKEW else timedelta(0)


def raise_for_status(response: HttpResponse, what: str) -> None:
    """Raise if a response is an HTTP error of the provider, or of a proxy in front of it.

    Args:
        response: the response.
        what: what was asked, for the message: "the token endpoint of …".

    Raises:
        IdpUnavailable: for 429 and 5xx, with the time that `Retry-After` names.
        IdpBadAnswer: for anything else but 2xx.
    """
    if response.is_busy:
        raise IdpUnavailable(
            f"{capitalized(what)} is not available now: HTTP {response.status}.",
            hint="Wait a moment, then try again." if response.status == 429 else None,
            retry_after=response.retry_after(),
        )
    if not 200 <= response.status < 300:
        raise IdpBadAnswer(
            f"{capitalized(what)} could not be fetched: HTTP {response.status}.",
            admin_hint="`issuer` of the token source must be the provider's issuer URL.",
        )


def capitalized(text: str) -> str:
    """Return a text that begins with a capital letter, for the beginning of a sentence."""
    return text[0].upper() + text[1:]


def redacted_url(url: str) -> str:
    """Return a URL for a message: shortened, without a user name and password."""
    return redact_userinfo(url)[:MAX_SHOWN]
