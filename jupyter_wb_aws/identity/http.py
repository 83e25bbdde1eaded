"""HTTP to the identity provider: bounded, through the site's proxy, its failures told.

Blocking, and httpx is imported at once: only worker threads import this module.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import ssl
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from jupyter_wb_aws.errors import IdpBadAnswer, IdpTimeout, IdpUnavailable, WbAwsError
from jupyter_wb_aws.identity.redact import harmless
from jupyter_wb_aws.identity.redact_sent import without
from jupyter_wb_aws.loopback import is_loopback

ANSWER_LIMIT = 1024 * 1024
LONGEST_WAIT = timedelta(hours=1)
MOST_REDIRECTS = 3
SHOWN = 200
# What OpenSSL and the C library add to their sentences.
NUMBERS = re.compile(r"\[Errno -?\d+\] |\s*\(_ssl\.c:\d+\)")


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """How the identity provider is reached.

    `proxy` may hold a password. Empty: the environment's HTTPS_PROXY and the like.
    `ca_bundle` is a PEM file; empty: the system's. `timeout` is in seconds, for each request.
    """

    proxy: str = field(default="", repr=False)
    ca_bundle: str = ""
    timeout: float = 5.0


def client_for(url: str, settings: HttpSettings) -> httpx.Client:
    """Make a client for one URL's host; a loopback address is never reached through a proxy.

    Raises:
        IdpUnavailable: if the CA bundle can't be read.
    """
    _hush()
    direct = is_loopback(url)
    context: ssl.SSLContext | bool = True
    if url.startswith("https://"):
        try:
            # The system's store, and not certifi's: a company's own CA is in the former.
            context = ssl.create_default_context(cafile=settings.ca_bundle or None)
        except (OSError, ssl.SSLError) as error:
            raise IdpUnavailable(
                f"The CA bundle {settings.ca_bundle} can't be read ({type(error).__name__}).",
                admin_hint="`ca_bundle` of the token source is a file of certificates in PEM form.",
            ) from None
    deadline = time.monotonic() + 2 * settings.timeout
    origin = httpx.URL(url).scheme

    def refuse_downgrade(request: httpx.Request) -> None:
        if request.url.scheme not in {origin, "https"}:
            raise httpx.UnsupportedProtocol("it redirects away from https")

    def bound(response: httpx.Response) -> None:
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise httpx.DecodingError("it is compressed, though nobody asked for that")
        response.stream = _Bounded(response.stream, deadline)

    return httpx.Client(
        verify=context,
        proxy=None if direct else settings.proxy or None,
        trust_env=not direct,
        timeout=settings.timeout,
        max_redirects=MOST_REDIRECTS,
        headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        event_hooks={"request": [refuse_downgrade], "response": [bound]},
    )


def _hush() -> None:
    """Keep the libraries from logging what a peer sends: cookies, and a reason that may quote us."""
    for name, level in (("httpcore", logging.INFO), ("httpx", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, level))


class _Bounded(httpx.SyncByteStream):
    """An answer's body, cut off where it is too long or comes too slowly."""

    def __init__(self, stream: Any, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for chunk in self._stream:
            size += len(chunk)
            if size > ANSWER_LIMIT:
                raise httpx.DecodingError(f"it is longer than {ANSWER_LIMIT} bytes")
            if time.monotonic() > self._deadline:
                raise httpx.ReadTimeout("it comes too slowly")
            yield chunk

    def close(self) -> None:
        self._stream.close()


def get_json(url: str, settings: HttpSettings) -> dict[str, Any]:
    """Fetch a JSON object; a redirect is followed to the same scheme, or to https.

    Raises:
        IdpUnavailable, IdpTimeout, IdpBadAnswer: if it can't be had.
    """
    what = f"the identity provider's document {url[:SHOWN]}"
    if not url.startswith(("https://", "http://")):
        raise IdpBadAnswer(f"{url[:SHOWN]!r} is no http(s) URL.")
    with failures_told(what), client_for(url, settings) as client:
        answer = client.get(url, follow_redirects=True)
        refuse_failure(answer, what)
        document = json.loads(answer.content)
    if not isinstance(document, dict):
        raise IdpBadAnswer(f"{begin(what)} is no JSON object.")
    return document


@contextlib.contextmanager
def failures_told(what: str, sent: Collection[str] = ()) -> Iterator[None]:
    """Turn what httpx raises into a failure that is shown to the user.

    Args:
        what: what was asked.
        sent: secrets in the request; an exception may quote a peer that quotes them.
    """
    try:
        yield
    except WbAwsError:
        raise
    # `from None`: httpx's exceptions carry the request, and with it the refresh token.
    except httpx.TimeoutException:
        raise IdpTimeout(
            f"{begin(what)} did not answer in time.",
            admin_hint="The server must be able to reach the issuer: look at `proxy` of the token source, and at the provider.",
        ) from None
    except (httpx.DecodingError, httpx.RemoteProtocolError, httpx.TooManyRedirects) as error:
        raise IdpBadAnswer(f"{begin(what)} can't be read: {_said(error, sent)}.") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise IdpUnavailable(
            f"{begin(what)} can't be reached: {_said(error, sent)}.", admin_hint=_why(error)
        ) from None
    except (ValueError, TypeError, OverflowError, RecursionError) as error:  # no JSON that we know
        raise IdpBadAnswer(f"{begin(what)} can't be read ({type(error).__name__}).") from None


def refuse_failure(answer: httpx.Response, what: str) -> None:
    """Refuse an answer that is an HTTP error of the provider itself, or of a proxy before it.

    Raises:
        IdpUnavailable: for 429 and 5xx, with the time that `Retry-After` names.
        IdpBadAnswer: for the rest.
    """
    busy = answer.status_code == httpx.codes.TOO_MANY_REQUESTS
    if busy or answer.is_server_error:
        raise IdpUnavailable(
            f"{begin(what)} can't be had now: HTTP {answer.status_code}.",
            hint="Wait a moment, then try again." if busy else None,
            retry_after=retry_after(answer),
        )
    if not answer.is_success:
        raise IdpBadAnswer(
            f"{begin(what)} can't be had: HTTP {answer.status_code}.",
            admin_hint="`issuer` of the token source must be the provider's issuer URL.",
        )


def retry_after(answer: httpx.Response) -> int | None:
    """Read the header `Retry-After`, seconds or a date (RFC 9110, 10.2.3)."""
    value = answer.headers.get("Retry-After", "")
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        if value.isascii() and value.isdigit():
            seconds = float(value)
        else:
            seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
        return round(max(0.0, min(seconds, LONGEST_WAIT.total_seconds())))
    return None


def date_of(answer: httpx.Response) -> datetime | None:
    """Read the header `Date`: the provider's clock."""
    with contextlib.suppress(ValueError, TypeError):
        date = parsedate_to_datetime(answer.headers.get("Date", ""))
        return date if date.tzinfo else date.replace(tzinfo=UTC)
    return None


def begin(what: str) -> str:
    """Begin a sentence with it."""
    return what[0].upper() + what[1:]


def _said(error: Exception, sent: Collection[str]) -> str:
    said = NUMBERS.sub("", harmless(without(str(error), sent), SHOWN)).strip().rstrip(".")
    return said or type(error).__name__


def _why(error: Exception) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return (
            "The certificate is not one that this machine trusts: set `ca_bundle` of the token source to your"
            " company's CA certificates."
        )
    if "SSL" in str(error):
        return "The answer is no TLS: is it really https at that port, and no proxy in between?"
    return (
        "The server must be able to reach the issuer: look at `proxy` of the token source, DNS and network"
        " policies."
    )
