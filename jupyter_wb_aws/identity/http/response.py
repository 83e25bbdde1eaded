"""An answer of the identity provider's, and what its failures mean."""

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

LONGEST_WAIT = timedelta(hours=1)
SHOWN = 200


class RefusedByProxy(IdpUnavailable):
    """A proxy on the way refuses, by an HTTP status of its own."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An HTTP answer, read to its end; header names are in small letters."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def is_busy(self) -> bool:
        """Whether the provider can't answer now: 429 and 5xx."""
        return self.status == 429 or self.status >= 500

    def json_object(self) -> dict[str, Any] | None:
        """Read the JSON object in the body, None if it holds anything else."""
        with contextlib.suppress(ValueError, RecursionError):
            found = json.loads(self.body)
            if isinstance(found, dict):
                return found
        return None

    def retry_after(self) -> int | None:
        """Read the header `Retry-After`, seconds or a date (RFC 9110, 10.2.3)."""
        value = self.headers.get("retry-after", "")
        with contextlib.suppress(ValueError, TypeError, OverflowError):
            if value.isascii() and value.isdigit():
                seconds = float(value)
            else:
                seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
            return round(max(0.0, min(seconds, LONGEST_WAIT.total_seconds())))
        return None

    def date(self) -> datetime | None:
        """Read the header `Date`: the provider's clock."""
        with contextlib.suppress(ValueError, TypeError):
            date = parsedate_to_datetime(self.headers.get("date", ""))
            return date if date.tzinfo else date.replace(tzinfo=UTC)
        return None


def refuse_failure(answer: HttpResponse, what: str) -> None:
    """Refuse an answer that is an HTTP error of the provider itself, or of a proxy before it.

    Args:
        what: what was asked, for the message.

    Raises:
        IdpUnavailable: for 429 and 5xx, with the time that `Retry-After` names.
        IdpBadAnswer: for the rest.
    """
    if answer.is_busy:
        raise IdpUnavailable(
            f"{begin(what)} is not available now: HTTP {answer.status}.",
            hint="Wait a moment, then try again." if answer.status == 429 else None,
            retry_after=answer.retry_after(),
        )
    if not 200 <= answer.status < 300:
        raise IdpBadAnswer(
            f"{begin(what)} could not be fetched: HTTP {answer.status}.",
            admin_hint="`issuer` of the token source must be the provider's issuer URL.",
        )


def begin(what: str) -> str:
    """Begin a sentence with it."""
    return what[0].upper() + what[1:]


def shown_url(url: str) -> str:
    """Return as much of a URL as fits into a sentence, without a user name and password."""
    return redact_userinfo(url)[:SHOWN]
