"""The HTTP client for one identity provider: within a deadline, through the site's proxy, with limits."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from jupyter_wb_aws.errors import IdpBadAnswer, IdpTimeout, IdpUnavailable
from jupyter_wb_aws.identity.http.proxies import Proxy, proxy_for
from jupyter_wb_aws.identity.http.response import (
    HttpResponse,
    capitalized,
    raise_for_status,
    redacted_url,
)
from jupyter_wb_aws.identity.http.threads import Threads

if TYPE_CHECKING:
    import httpx2

# Seconds for imports and the CA bundle, which may be on a slow disk.
SETUP_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """How the identity provider is reached.

    `proxy` may hold a password; empty: the environment's HTTPS_PROXY and similar variables.
    `plain_is_direct`: an http:// URL is never asked through a proxy, which could read the request.
    `ca_bundle` is a PEM file; empty: the system's. `timeout` is in seconds, for each request as a
    whole: name, connection, redirects, and the response to its last byte.
    """

    proxy: str = field(default="", repr=False)
    ca_bundle: str = ""
    timeout: float = 5.0
    plain_is_direct: bool = False


class HttpClient:
    """The client for one identity provider.

    httpx2's client is made at the first request, in a thread. A request is cancelled at its
    deadline, in any phase.
    """

    def __init__(self, settings: HttpSettings | None = None) -> None:
        self.threads = Threads()
        self._settings = settings or HttpSettings()
        self._httpx_client: httpx2.AsyncClient | None = None
        self._proxies: set[Proxy] = set()

    async def get_json(self, url: str) -> dict[str, Any]:
        """Fetch a JSON object; redirects are followed to the same scheme, or to https.

        Raises:
            IdpUnavailable, IdpTimeout, IdpBadAnswer: if it can't be fetched.
        """
        what = f"the identity provider's document {redacted_url(url)}"
        response = await self._request(what, "GET", url, follow_redirects=True)
        raise_for_status(response, what)
        found = response.json_object()
        if found is None:
            raise IdpBadAnswer(f"{capitalized(what)} is not a JSON object.")
        return found

    async def post(
        self,
        what: str,
        url: str,
        form: Mapping[str, str],
        headers: Mapping[str, str],
        *,
        sent: Collection[str],
    ) -> HttpResponse:
        """Post a form; return the response, with any status.

        Args:
            what: what is asked, for messages: "the token endpoint of …".
            url: where to.
            form: the members of the form.
            headers: added to the usual ones.
            sent: the secrets in the request, which no message may quote.

        Raises:
            IdpUnavailable, IdpTimeout, IdpBadAnswer: if there is no readable response, or a proxy
                refuses the request.
        """
        return await self._request(what, "POST", url, sent=sent, data=form, headers=headers)

    async def send(
        self,
        what: str,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: object = None,
        *,
        sent: Collection[str] = (),
    ) -> HttpResponse:
        """Send a request to this URL alone; return the response, with any status, a redirect too.

        Args:
            what: what is asked, for messages: "the hub service at …".
            method: as HTTP names it.
            url: where to.
            headers: added to the usual ones.
            body: sent as JSON; None for no body.
            sent: the secrets in the request, which no message may quote.

        Raises:
            IdpUnavailable, IdpTimeout, IdpBadAnswer: if there is no readable response, or a proxy
                refuses the request.
        """
        content: dict[str, Any] = {} if body is None else {"json": body}
        return await self._request(what, method, url, sent=sent, headers=headers, **content)

    def redact_proxies(self, text: str) -> str:
        """Return a peer's text without the user names and passwords of the proxies on the way to it."""
        for proxy in self._proxies:
            text = proxy.redact(text)
        return text

    async def close(self) -> None:
        """Close the client."""
        client, self._httpx_client = self._httpx_client, None
        if client is not None:
            await client.aclose()

    async def _request(
        self,
        what: str,
        method: str,
        url: str,
        *,
        sent: Collection[str] = (),
        follow_redirects: bool = False,
        **content: Any,
    ) -> HttpResponse:
        if not url.startswith(("https://", "http://")):
            raise IdpBadAnswer(f"{redacted_url(url)!r} is not an http(s) URL.")
        client = await self._client(what)
        from jupyter_wb_aws.identity.http.request import (
            CertificateNotTrusted,
            explained_failures,
            send,
        )

        with explained_failures(what, sent):
            request = client.build_request(method, url, **content)
        try:
            async with asyncio.timeout(self._settings.timeout):
                return await send(
                    client, request, self._proxy, what, sent, follow_redirects=follow_redirects
                )
        except TimeoutError:
            raise IdpTimeout(
                f"{capitalized(what)} did not answer in time.",
                admin_hint="The server must be able to reach the issuer: check `proxy` of the token source, and"
                " the provider.",
            ) from None
        except CertificateNotTrusted:
            self._httpx_client = None  # so that a corrected CA bundle is read
            raise

    async def _proxy(self, url: str) -> Proxy | None:
        if self._settings.plain_is_direct and url.startswith("http://"):
            return None
        # In a thread: macOS asks its settings, and may look up names for NO_PROXY.
        choose = partial(proxy_for, url, self._settings.proxy)
        proxy = await self.threads.once(("proxy", url), choose)
        if proxy is not None:
            self._proxies.add(proxy)
        return proxy

    async def _client(self, what: str) -> httpx2.AsyncClient:
        if self._httpx_client is None:
            try:
                async with asyncio.timeout(SETUP_TIMEOUT):
                    client = await self.threads.once("client", self._make)
            except TimeoutError:
                raise IdpTimeout(
                    f"{capitalized(what)} was not asked: reading the CA certificates took this server too long."
                ) from None
            self._httpx_client = self._httpx_client or client
        return self._httpx_client

    def _make(self) -> httpx2.AsyncClient:
        """Make httpx2's client; its import and the CA certificates take 50 to 200 ms."""
        import jupyter_wb_aws.identity.http.request  # noqa: F401 - here, and not in the event loop
        from jupyter_wb_aws.identity.http.httpx_transport import make_client

        bundle = self._settings.ca_bundle
        try:
            # The system's store, not certifi's: only the former has a company's own CA.
            context = ssl.create_default_context(cafile=bundle or None)
        except (OSError, ssl.SSLError) as error:
            raise IdpUnavailable(
                f"The CA bundle {bundle} can't be read ({type(error).__name__}).",
                admin_hint="`ca_bundle` of the token source must be a file with certificates in PEM form.",
            ) from None
        return make_client(self.threads, context, self._settings.timeout)
