"""One request to the identity provider: sent, redirected, read within limits, its failures explained.

httpx2 is imported at once: only worker threads are the first to import this module.
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
from jupyter_wb_aws.identity.http.proxies import Proxy
from jupyter_wb_aws.identity.http.response import SHOWN, HttpResponse, RefusedByProxy, begin
from jupyter_wb_aws.identity.http.transport import unlogged
from jupyter_wb_aws.identity.redact import redact_secrets, redact_userinfo
from jupyter_wb_aws.identity.redact_values import redact_values

log = logging.getLogger(__name__)

# Of an answer's body in bytes, before and after each of its encodings is undone.
ANSWER_LIMIT = 1024 * 1024
MOST_ENCODINGS = 3
# So many are read before others may use the event loop.
PIECES_AT_ONCE = 16
MOST_REDIRECTS = 3
# What OpenSSL and the C library add to their sentences.
NUMBERS = re.compile(r"\[Errno -?\d+\] |\s*\(_ssl\.c:\d+\)")
# h11 quotes bytes, which may be the peer's echo of what we sent.
QUOTED = re.compile(r"\bbytearray\(.*\)|\bb(?:'.*'|\".*\")")
# httpcore2's sentence for a connection that is closed before an answer begins, or in its headers.
NO_ANSWER = "Server disconnected without sending a response"
PROXY_REFUSES = 407
UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"
REACH = (
    "The server must be able to reach the issuer: look at `proxy` of the token source, DNS and network"
    " policies."
)


class CertificateNotTrusted(IdpUnavailable):
    """The provider's certificate is not one that this machine trusts."""


async def exchange(
    client: httpx2.AsyncClient,
    request: httpx2.Request,
    choose_proxy: Callable[[str], Awaitable[Proxy | None]],
    what: str,
    sent: Collection[str],
    *,
    follow: bool,
) -> HttpResponse:
    """Send a request, and where `follow` says so those that it is redirected to.

    Each may be sent through another proxy.

    Args:
        what: what is asked, for messages.
        sent: the secrets in the request; a peer may quote them.

    Raises:
        IdpUnavailable, IdpTimeout, IdpBadAnswer: if there is no answer that can be read.
    """
    origin, redirects = request.url.scheme, 0
    while True:
        proxy = await choose_proxy(str(request.url))
        request.extensions["proxy"] = proxy
        with explained(what, sent, proxy), unlogged():
            response = await client.send(request, stream=True)
            try:
                body = b"" if response.next_request and follow else await _read_or_refuse(response)
            finally:
                await response.aclose()
        log.debug("%s: HTTP %d", what, response.status_code)
        if response.status_code == PROXY_REFUSES:
            raise _refused_by_proxy(what, proxy, PROXY_REFUSES)
        if response.next_request is None or not follow:
            return HttpResponse(response.status_code, dict(response.headers), body)
        redirects += 1
        if redirects > MOST_REDIRECTS:
            raise IdpBadAnswer(f"{begin(what)} can't be read: it redirects too often.")
        request = response.next_request
        if request.url.scheme not in {origin, "https"}:
            allowed = "https" if origin == "https" else "http and https"
            raise IdpUnavailable(
                f"{begin(what)} can't be reached: it redirects away from {allowed}."
            )
        if request.url.userinfo:
            raise IdpBadAnswer(f"{begin(what)} redirects to a URL with a user name in it.")


@contextlib.contextmanager
def explained(what: str, sent: Collection[str], proxy: Proxy | None = None) -> Iterator[None]:
    """Turn what httpx2 and httpcore2 raise into failures that are explained to users."""
    via = f" through the proxy of {proxy.named_by}" if proxy else ""
    try:
        yield
    except WbAwsError:
        raise
    # `from None`: the exceptions carry the request, and with it the refresh token.
    except httpcore2.ProxyError as error:
        status = re.match(r"\d{3}\b", str(error))
        raise _refused_by_proxy(what, proxy, int(status[0]) if status else None) from None
    except httpcore2.TimeoutException:
        raise IdpTimeout(f"{begin(what)} did not answer in time{via}.", admin_hint=REACH) from None
    except (httpx2.DecodingError, httpcore2.RemoteProtocolError) as error:
        if NO_ANSWER in str(
            error
        ):  # as after a reset connection: a load balancer that restarts, mostly
            raise IdpUnavailable(
                f"{begin(what)} can't be reached{via}: the connection was closed before the answer.",
                admin_hint=REACH,
            ) from None
        raise IdpBadAnswer(f"{begin(what)} can't be read: {_said(error, sent, proxy)}.") from None
    except (httpcore2.NetworkError, OSError) as error:
        kind = CertificateNotTrusted if UNTRUSTED in str(error) else IdpUnavailable
        raise kind(
            f"{begin(what)} can't be reached{via}: {_said(error, sent, proxy)}.",
            admin_hint=_why(error, proxy),
        ) from None
    # Not quoted: h11 refuses a header by quoting it, and a header may hold a secret.
    except (
        httpx2.HTTPError,
        httpx2.InvalidURL,
        httpcore2.ProtocolError,
        ValueError,
        TypeError,
    ) as error:
        raise IdpBadAnswer(f"{begin(what)} can't be asked ({type(error).__name__}).") from None


def _refused_by_proxy(what: str, proxy: Proxy | None, status: int | None) -> RefusedByProxy:
    named = f"the proxy of {proxy.named_by}" if proxy else "a proxy"
    said = f" (HTTP {status})" if status else ""
    hint = (
        f"{begin(named)} wants another user name or password."
        if status == PROXY_REFUSES
        else f"Ask those who run it whether {named} may reach the identity provider."
    )
    return RefusedByProxy(
        f"{begin(what)} can't be reached: {named} refuses{said}.", admin_hint=hint
    )


async def _read_or_refuse(response: httpx2.Response) -> bytes:
    """Read the body; of a refusal that can't be read, the status alone says enough."""
    try:
        return await read_body(response)
    except (httpx2.DecodingError, httpcore2.RemoteProtocolError, httpcore2.ReadError):
        if response.is_success:
            raise
        return b""


async def read_body(response: httpx2.Response) -> bytes:
    """Read a body to its end, and undo its encodings.

    Raises:
        httpx2.DecodingError: if it is too long, or encoded in a way that can't be undone.
    """
    body, pieces = bytearray(), 0
    async for piece in response.aiter_raw():
        _extend(body, piece)
        pieces += 1
        if pieces % PIECES_AT_ONCE == 0:  # of what has arrived, all are given without a pause
            await asyncio.sleep(0)
    codings = response.headers.get_list("content-encoding", split_commas=True)
    codings = [
        name for coding in codings if (name := coding.strip().lower()) not in ("", "identity")
    ]
    if len(codings) > MOST_ENCODINGS:
        raise httpx2.DecodingError("it is encoded too many times")
    for coding in reversed(codings):
        body = _undo(coding.removeprefix("x-"), body)
    return bytes(body)


def _undo(coding: str, encoded: bytearray) -> bytearray:
    """Undo one content coding (RFC 9110, 8.4); httpx2 does it piece by piece, so a bomb does not go off."""
    body = bytearray()
    answer = httpx2.Response(
        200, headers={"Content-Encoding": coding}, content=iter([bytes(encoded)])
    )
    for piece in answer.iter_bytes():
        _extend(body, piece)
    if body == encoded and encoded:
        raise httpx2.DecodingError(
            f"it is encoded as {redact_secrets(coding, 20)!r}, which this server can't read"
        )
    return body


def _extend(body: bytearray, piece: bytes) -> None:
    if len(body) + len(piece) > ANSWER_LIMIT:
        raise httpx2.DecodingError(f"it is longer than {ANSWER_LIMIT} bytes")
    body += piece


def _said(error: Exception, sent: Collection[str], proxy: Proxy | None) -> str:
    said = redact_values(QUOTED.sub("", NUMBERS.sub("", str(error))), sent)
    said = proxy.redact(said) if proxy else said
    said = redact_userinfo(redact_secrets(said, SHOWN)).strip(" .:")
    return said or "the connection was closed"


def _why(error: Exception, proxy: Proxy | None) -> str:
    if UNTRUSTED in str(error):
        return (
            "The certificate is not one that this machine trusts: set `ca_bundle` of the token source to your"
            " company's CA certificates."
        )
    if "SSL" in str(error):
        return "The answer is not TLS: is it really https at that port, and no proxy in between?"
    if proxy is not None:
        return f"Look at {proxy.named_by}, and at whether that proxy is running."
    return REACH
