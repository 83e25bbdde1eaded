"""One request to the identity provider: sent, redirected, read within limits, its failures explained.

httpx2 is imported at the top: only worker threads are the first to import this module.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Awaitable, Callable, Collection, Iterator

import httpcore2
import httpx2

from jupyter_wb_aws.errors import IdpBadAnswer, IdpTimeout, IdpUnavailable, WbAwsError
from jupyter_wb_aws.identity.http.httpx_transport import without_logging
from jupyter_wb_aws.identity.http.proxies import Proxy
from jupyter_wb_aws.identity.http.response import (
    MAX_SHOWN,
    HttpResponse,
    RefusedByProxy,
    capitalized,
)
from jupyter_wb_aws.identity.redact import redact_secrets, redact_userinfo
from jupyter_wb_aws.identity.redact_values import redact_values

log = logging.getLogger(__name__)

# Bytes of a body, before and after each of its encodings is undone.
MAX_BODY_SIZE = 1024 * 1024
MAX_ENCODINGS = 3
# So many chunks are read before other tasks may run.
CHUNKS_AT_ONCE = 16
MAX_REDIRECTS = 3
# What OpenSSL and the C library add to their sentences.
ERROR_NUMBERS = re.compile(r"\[Errno -?\d+\] |\s*\(_ssl\.c:\d+\)")
# h11 quotes bytes, in which the peer may quote what we sent.
QUOTED_BYTES = re.compile(r"\bbytearray\(.*\)|\bb(?:'.*'|\".*\")")
# httpcore2's sentence for a connection that is closed before a response begins, or within its headers.
NO_RESPONSE = "Server disconnected without sending a response"
PROXY_AUTHENTICATION_REQUIRED = 407
UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"
REACH_HINT = (
    "The server must be able to reach the issuer: check `proxy` of the token source, DNS and network"
    " policies."
)


class CertificateNotTrusted(IdpUnavailable):
    """This machine does not trust the provider's certificate."""


async def send(
    client: httpx2.AsyncClient,
    request: httpx2.Request,
    choose_proxy: Callable[[str], Awaitable[Proxy | None]],
    what: str,
    sent: Collection[str],
    *,
    follow_redirects: bool,
) -> HttpResponse:
    """Send a request, and the requests that it is redirected to; each through its own proxy.

    Args:
        client: httpx2's.
        request: the first request.
        choose_proxy: returns the proxy for a URL.
        what: what is asked, for messages: "the token endpoint of …".
        sent: the secrets in the request; a peer may quote them.
        follow_redirects: whether to follow redirects: to the same scheme, or to https.

    Raises:
        IdpUnavailable, IdpTimeout, IdpBadAnswer: if there is no readable response.
    """
    scheme, redirects = request.url.scheme, 0
    while True:
        proxy = await choose_proxy(str(request.url))
        request.extensions["proxy"] = proxy
        with explained_failures(what, sent, proxy), without_logging():
            response = await client.send(request, stream=True)
            try:
                follow = follow_redirects and response.next_request is not None
                body = b"" if follow else await _read_lenient(response)
            finally:
                await response.aclose()
        log.debug("%s: HTTP %d", what, response.status_code)
        if response.status_code == PROXY_AUTHENTICATION_REQUIRED:
            raise _refused_by_proxy(what, proxy, PROXY_AUTHENTICATION_REQUIRED)
        if response.next_request is None or not follow_redirects:
            return HttpResponse(response.status_code, dict(response.headers), body)
        redirects += 1
        if redirects > MAX_REDIRECTS:
            raise IdpBadAnswer(f"{capitalized(what)} can't be read: it redirects too often.")
        request = response.next_request
        _check_redirect(request.url, scheme, what)


def _check_redirect(url: httpx2.URL, scheme: str, what: str) -> None:
    if url.scheme not in {scheme, "https"}:
        allowed = "https" if scheme == "https" else "http and https"
        raise IdpUnavailable(
            f"{capitalized(what)} can't be reached: it redirects away from {allowed}."
        )
    if url.userinfo:
        raise IdpBadAnswer(f"{capitalized(what)} redirects to a URL with a user name in it.")


@contextlib.contextmanager
def explained_failures(
    what: str, sent: Collection[str], proxy: Proxy | None = None
) -> Iterator[None]:
    """Turn the exceptions of httpx2 and httpcore2 into errors that users understand.

    Args:
        what: what is asked, for messages.
        sent: the secrets in the request, which no message may quote.
        proxy: the one that the request goes through.

    Raises:
        IdpUnavailable, IdpTimeout, IdpBadAnswer: for any of these exceptions.
    """
    via = f" through the proxy of {proxy.named_by}" if proxy else ""
    try:
        yield
    except WbAwsError:
        raise
    # `from None`: the exceptions hold the request, and with it the refresh token.
    except httpcore2.ProxyError as error:
        status = re.match(r"\d{3}\b", str(error))
        raise _refused_by_proxy(what, proxy, int(status[0]) if status else None) from None
    except httpcore2.TimeoutException:
        raise IdpTimeout(
            f"{capitalized(what)} did not answer in time{via}.", admin_hint=REACH_HINT
        ) from None
    except (httpx2.DecodingError, httpcore2.RemoteProtocolError) as error:
        # As after a reset connection: most often a load balancer that restarts.
        if NO_RESPONSE in str(error):
            raise IdpUnavailable(
                f"{capitalized(what)} can't be reached{via}: the connection was closed before the answer.",
                admin_hint=REACH_HINT,
            ) from None
        raise IdpBadAnswer(
            f"{capitalized(what)} can't be read: {_reason(error, sent, proxy)}."
        ) from None
    except (httpcore2.NetworkError, OSError) as error:
        kind = CertificateNotTrusted if UNTRUSTED in str(error) else IdpUnavailable
        raise kind(
            f"{capitalized(what)} can't be reached{via}: {_reason(error, sent, proxy)}.",
            admin_hint=_hint(error, proxy),
        ) from None
    # Not quoted: h11 refuses a header by quoting it, and a header may hold a secret.
    except (
        httpx2.HTTPError,
        httpx2.InvalidURL,
        httpcore2.ProtocolError,
        ValueError,
        TypeError,
    ) as error:
        raise IdpBadAnswer(
            f"{capitalized(what)} can't be asked ({type(error).__name__})."
        ) from None


def _refused_by_proxy(what: str, proxy: Proxy | None, status: int | None) -> RefusedByProxy:
    named = f"the proxy of {proxy.named_by}" if proxy else "a proxy"
    shown_status = f" (HTTP {status})" if status else ""
    hint = (
        f"{capitalized(named)} wants another user name or password."
        if status == PROXY_AUTHENTICATION_REQUIRED
        else f"Ask its administrators whether {named} may reach the identity provider."
    )
    return RefusedByProxy(
        f"{capitalized(what)} can't be reached: {named} refuses{shown_status}.", admin_hint=hint
    )


async def _read_lenient(response: httpx2.Response) -> bytes:
    """Read the body; empty for an error response that can't be read: its status says enough."""
    try:
        return await read_body(response)
    except (httpx2.DecodingError, httpcore2.RemoteProtocolError, httpcore2.ReadError):
        if response.is_success:
            raise
        return b""


async def read_body(response: httpx2.Response) -> bytes:
    """Read a body to its end, and undo its encodings.

    Raises:
        httpx2.DecodingError: if it is too long, or has an encoding that can't be undone.
    """
    body, chunks = bytearray(), 0
    async for chunk in response.aiter_raw():
        _extend(body, chunk)
        chunks += 1
        if chunks % CHUNKS_AT_ONCE == 0:  # chunks that have arrived come without a pause
            await asyncio.sleep(0)
    codings = response.headers.get_list("content-encoding", split_commas=True)
    codings = [
        name for coding in codings if (name := coding.strip().lower()) not in ("", "identity")
    ]
    if len(codings) > MAX_ENCODINGS:
        raise httpx2.DecodingError("it is encoded too many times")
    for coding in reversed(codings):
        body = _decode(coding.removeprefix("x-"), body)
    return bytes(body)


def _decode(coding: str, encoded: bytearray) -> bytearray:
    """Undo one content coding (RFC 9110, 8.4); piece by piece, so that a decompression bomb is cut off."""
    body = bytearray()
    response = httpx2.Response(
        200, headers={"Content-Encoding": coding}, content=iter([bytes(encoded)])
    )
    for chunk in response.iter_bytes():
        _extend(body, chunk)
    if body == encoded and encoded:
        raise httpx2.DecodingError(
            f"it is encoded as {redact_secrets(coding, 20)!r}, which this server can't read"
        )
    return body


def _extend(body: bytearray, chunk: bytes) -> None:
    if len(body) + len(chunk) > MAX_BODY_SIZE:
        raise httpx2.DecodingError(f"it is longer than {MAX_BODY_SIZE} bytes")
    body += chunk


def _reason(error: Exception, sent: Collection[str], proxy: Proxy | None) -> str:
    text = redact_values(QUOTED_BYTES.sub("", ERROR_NUMBERS.sub("", str(error))), sent)
    text = proxy.redact(text) if proxy else text
    text = redact_userinfo(redact_secrets(text, MAX_SHOWN)).strip(" .:")
    return text or "the connection was closed"


def _hint(error: Exception, proxy: Proxy | None) -> str:
    if UNTRUSTED in str(error):
        return (
            "This machine does not trust the certificate: set `ca_bundle` of the token source to your"
            " company's CA certificates."
        )
    if "SSL" in str(error):
        return "The answer is not TLS: is it really https at that port, and no proxy in between?"
    if proxy is not None:
        return f"Check {proxy.named_by}, and whether that proxy is running."
    return REACH_HINT
