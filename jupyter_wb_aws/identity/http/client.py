"""HTTP to the identity provider: within a deadline, through the site's proxy, with limits."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from jupyter_wb_aws.errors import IdpBadAnswer, IdpTimeout, IdpUnavailable
from jupyter_wb_aws.identity.http.proxies import Proxy, proxy_for
from jupyter_wb_aws.identity.http.response import HttpResponse, begin, refuse_failure, shown_url
from jupyter_wb_aws.identity.http.threads import Threads

if TYPE_CHECKING:
    import httpx2

# Seconds for imports and the CA bundle, which may lie on a slow disk.
LONGEST_SETUP = 10.0


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """How the identity provider is reached.

    `proxy` may hold a password. Empty: the environment's HTTPS_PROXY and the like.
    `ca_bundle` is a PEM file; empty: the system's. `timeout` is in seconds, for each request as a
    whole: name, connection, redirects, and the answer to its last byte.
    """

    proxy: str = field(default="", repr=False)
    ca_bundle: str = ""
    timeout: float = 5.0


class HttpClient:
    """The client for one identity provider.

    httpx2's client is made at the first request, in a thread. A request is cancelled at its
    deadline, wherever it is.
    """

    def __init__(self, settings: HttpSettings | None = None) -> None:
        self.threads = Threads()
        self._settings = settings or HttpSettings()
        self._made: httpx2.AsyncClient | None = None
        self._proxies: set[Proxy] = set()

    async def get_json(self, url: str) -> dict[str, Any]:
        """Fetch a JSON object; a redirect is followed to the same scheme, or to https.

        Raises:
            IdpUnavailable, IdpTimeout, IdpBadAnswer: if it can't be fetched.
        """
        what = f"the identity provider's document {shown_url(url)}"
        answer = await self._exchange(what, "GET", url, follow=True)
        refuse_failure(answer, what)
        found = answer.json_object()
        if found is None:
            raise IdpBadAnswer(f"{begin(what)} is not a JSON object.")
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
        """Post a form; return the answer, whatever its status.

        Args:
            what: what is asked, for messages: "the token endpoint of …".
            sent: the secrets in the request, which no message may quote.

        Raises:
            IdpUnavailable, IdpTimeout, IdpBadAnswer: if there is no answer that can be read, or a
                proxy refuses the request.
        """
        return await self._exchange(what, "POST", url, sent=sent, data=form, headers=headers)

    def without_proxies(self, text: str) -> str:
        """Return a peer's text without the user names and passwords of the proxies on the way to it."""
        for proxy in self._proxies:
            text = proxy.redact(text)
        return text

    async def close(self) -> None:
        """Close the client."""
        made, self._made = self._made, None
        if made is not None:
            await made.aclose()

    async def _exchange(
        self,
        what: str,
        method: str,
        url: str,
        *,
        sent: Collection[str] = (),
        follow: bool = False,
        **request: Any,
    ) -> HttpResponse:
        if not url.startswith(("https://", "http://")):
            raise IdpBadAnswer(f"{shown_url(url)!r} is not an http(s) URL.")
        client = await self._client(what)
        from jupyter_wb_aws.identity.http.request import CertificateNotTrusted, exchange, explained

        with explained(what, sent):
            built = client.build_request(method, url, **request)
        try:
            async with asyncio.timeout(self._settings.timeout):
                return await exchange(client, built, self._proxy, what, sent, follow=follow)
        except TimeoutError:
            raise IdpTimeout(
                f"{begin(what)} did not answer in time.",
                admin_hint="The server must be able to reach the issuer: look at `proxy` of the token source, and"
                " at the provider.",
            ) from None
        except CertificateNotTrusted:
            self._made = None  # so that a CA bundle that has been mended is read
            raise

    async def _proxy(self, url: str) -> Proxy | None:
        # In a thread: macOS asks its settings, and may look names up for NO_PROXY.
        choose = partial(proxy_for, url, self._settings.proxy)
        proxy = await self.threads.once(("proxy", url), choose)
        if proxy is not None:
            self._proxies.add(proxy)
        return proxy

    async def _client(self, what: str) -> httpx2.AsyncClient:
        if self._made is None:
            try:
                async with asyncio.timeout(LONGEST_SETUP):
                    made = await self.threads.once("client", self._make)
            except TimeoutError:
                raise IdpTimeout(
                    f"{begin(what)} was not asked: reading the CA certificates took this server too long."
                ) from None
            self._made = self._made or made
        return self._made

    def _make(self) -> httpx2.AsyncClient:
        """Make httpx2's client; its import and the CA certificates take 50 to 200 ms."""
        import jupyter_wb_aws.identity.http.request  # noqa: F401 - here, and not in the event loop
        from jupyter_wb_aws.identity.http.transport import make_client

        bundle = self._settings.ca_bundle
        try:
            # The system's store, and not certifi's: a company's own CA is in the former.
            context = ssl.create_default_context(cafile=bundle or None)
        except (OSError, ssl.SSLError) as error:
            raise IdpUnavailable(
                f"The CA bundle {bundle} can't be read ({type(error).__name__}).",
                admin_hint="`ca_bundle` of the token source is a file of certificates in PEM form.",
            ) from None
        return make_client(self.threads, context, self._settings.timeout)
