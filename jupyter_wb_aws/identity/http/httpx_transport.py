"""The transport under httpx2's client: each request through its own proxy, over our network backend.

httpx2 and its dependencies are imported at the top: only worker threads import this module.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import ssl
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpcore2
import httpx2

from jupyter_wb_aws.identity.http.network_backend import NetworkBackend
from jupyter_wb_aws.identity.http.proxies import Proxy
from jupyter_wb_aws.identity.http.threads import Threads

# The part of a request's time that the name look-up may take: then there is time to report the reason.
LOOKUP_FRACTION = 0.8
# They log headers, and with them cookies, codes and a proxy's password.
LOGGERS = (
    "httpx2",
    *(f"httpcore2.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")),
)

_quiet: ContextVar[bool] = ContextVar("wb_aws_quiet", default=False)


def make_client(
    threads: Threads, context: ssl.SSLContext | None, timeout: float
) -> httpx2.AsyncClient:
    """Make the client for one identity provider; blocks.

    It keeps neither connections nor cookies from one request to the next. The proxy of a request is
    its extension `proxy`.

    Args:
        threads: look up names.
        context: for TLS.
        timeout: seconds that one request may take; the caller enforces it.
    """
    with contextlib.suppress(ImportError):  # else the first request imports it, in the event loop
        importlib.import_module("anyio._backends._asyncio")
    for name in LOGGERS:
        logger = logging.getLogger(name)
        if _is_allowed not in logger.filters:
            logger.addFilter(_is_allowed)
    return httpx2.AsyncClient(
        transport=Transport(NetworkBackend(threads, LOOKUP_FRACTION * timeout), context),
        trust_env=False,
        timeout=None,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        headers={"Accept": "application/json", "Accept-Encoding": "identity"},
    )


@contextlib.contextmanager
def without_logging() -> Iterator[None]:
    """Keep the client's libraries from logging our requests, at any log level."""
    token = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(token)


def _is_allowed(_record: logging.LogRecord) -> bool:
    return not _quiet.get()


class Transport(httpx2.AsyncBaseTransport):
    """Sends each request through its own proxy, over our network backend."""

    def __init__(self, backend: NetworkBackend, context: ssl.SSLContext | None) -> None:
        self._backend = backend
        self._context = context
        self._pools: dict[Proxy | None, httpcore2.AsyncConnectionPool] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request; httpcore2's exceptions pass unchanged."""
        proxy = request.extensions.get("proxy")
        if proxy not in self._pools:
            self._pools[proxy] = self._pool(proxy)
        url = request.url
        assert isinstance(request.stream, httpx2.AsyncByteStream)
        response = await self._pools[proxy].handle_async_request(
            httpcore2.Request(
                request.method,
                httpcore2.URL(
                    scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                ),
                headers=request.headers.raw,
                content=request.stream,
            )
        )
        return httpx2.Response(
            response.status,
            headers=response.headers,
            stream=_Body(response),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            await pool.aclose()

    def _pool(self, proxy: Proxy | None) -> httpcore2.AsyncConnectionPool:
        return httpcore2.AsyncConnectionPool(
            ssl_context=self._context,
            proxy=None if proxy is None else self._httpcore_proxy(proxy),
            network_backend=self._backend,
            # No connection is kept open: a request on one that the other side is closing may fail
            # after it has used up a refresh token.
            max_keepalive_connections=0,
        )

    def _httpcore_proxy(self, proxy: Proxy) -> httpcore2.Proxy:
        name, password = proxy.auth or ("", "")
        return httpcore2.Proxy(
            httpcore2.URL(scheme=proxy.scheme, host=proxy.host, port=proxy.port, target="/"),
            auth=(name.encode(), password.encode()) if proxy.auth else None,
            ssl_context=self._context if proxy.scheme == "https" else None,
        )


class _Body(httpx2.AsyncByteStream):
    def __init__(self, response: httpcore2.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._response.aiter_stream():
            yield chunk

    async def aclose(self) -> None:
        await self._response.aclose()
