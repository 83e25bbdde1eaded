"""A person at the provider's pages: fills in its forms, follows its redirects, keeps its cookies."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Self

import httpx


class Browser:
    """A browser for one person; who signed in at a provider stays so, as in a real one.

    `http` is its client, for pages that are not the provider's (a callback, say).
    """

    def __init__(self) -> None:
        self.http = httpx.Client(trust_env=False, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.http.close()

    def sign_in(self, authorization_url: str, user: str) -> str:
        """Sign in and agree; return where the provider sends the browser back to, not yet opened."""
        return self._back_from(self._sign_in(self._open(authorization_url), user))

    def sign_in_at_server(self, jupyter: str, token: str, user: str) -> httpx.Response:
        """Press the button of a Jupyter Server's page, sign in, come back; return its last page."""
        return self._come_back(self.sign_in(self._press(jupyter, token), user))

    def cancel_at_server(self, jupyter: str, token: str) -> httpx.Response:
        """Press the button of a Jupyter Server's page, say no; return its last page."""
        return self._come_back(self.cancel(self._press(jupyter, token)))

    def cancel(self, authorization_url: str) -> str:
        """Follow the sign-in page's "Cancel"; return where the provider sends the browser then."""
        page = _Page(self._open(authorization_url))
        return self._back_from(self._open(page.cancel_link))

    def approve_device(self, verification_uri: str, user: str, user_code: str = "") -> None:
        """Confirm a device as `user`; with its `verification_uri_complete` no code is typed in."""
        confirmation = self._device_confirmation(verification_uri, user_code)
        answer = self._sign_in(self._submit(confirmation), user)
        assert "Sign-in Success" in answer.text, answer.text

    def deny_device(self, verification_uri: str, user_code: str = "") -> None:
        """Abort where the provider asks whether this is the code that the device shows."""
        confirmation = self._device_confirmation(verification_uri, user_code)
        answer = self._submit(confirmation, abort="yes")
        assert "interrupted" in answer.text, answer.text

    def sign_out(self, end_session_url: str) -> httpx.Response:
        """Answer yes to the provider's question; return its last page, or its redirect elsewhere."""
        return self._submit(self._open(end_session_url), logout="yes")

    def _press(self, jupyter: str, token: str) -> str:
        self.http.get(jupyter, params={"token": token})  # the address that it prints at its start
        return self._back_from(self._submit(self._open(f"{jupyter}aws/sign-in/start")))

    def _come_back(self, callback: str) -> httpx.Response:
        return self.http.get(callback, headers={"Accept": "text/html"})

    def _device_confirmation(self, verification_uri: str, user_code: str) -> httpx.Response:
        page = self._open(verification_uri)
        return self._submit(page, **({"user_code": user_code} if user_code else {}))

    def _sign_in(self, answer: httpx.Response, user: str) -> httpx.Response:
        while not answer.is_redirect and (fields := _Page(answer).fields):
            known = {"login": user, "password": "any will do"} if "login" in fields else {}
            answer = self._submit(answer, **known)
        return answer

    def _back_from(self, answer: httpx.Response) -> str:
        assert answer.is_redirect, f"The provider did not send the browser back:\n{answer.text}"
        return str(answer.next_request.url)

    def _open(self, url: str) -> httpx.Response:
        return self._follow(self.http.get(url, headers={"Accept": "text/html"}))

    def _submit(self, answer: httpx.Response, **typed: str) -> httpx.Response:
        """Post a page's form with its own fields and what was typed."""
        page = _Page(answer)
        url = answer.url.join(page.action)
        return self._follow(self.http.post(url, data={**page.fields, **typed}))

    def _follow(self, answer: httpx.Response) -> httpx.Response:
        """Follow redirects, but to no other site."""
        site = answer.url.netloc
        while answer.is_redirect and answer.next_request.url.netloc == site:
            answer = self.http.send(answer.next_request)
        assert not answer.is_error, f"{answer.status_code} at {answer.url}:\n{answer.text}"
        return answer


class _Page(HTMLParser):
    """What a page has to fill in and to follow."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        self.action = ""
        self.cancel_link = ""
        self.fields: dict[str, str] = {}
        self.feed(answer.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = attributes.get("action", "")
        elif tag == "input" and "name" in attributes:
            self.fields[attributes["name"]] = attributes.get("value", "")
        elif tag == "a" and attributes.get("href", "").endswith("/abort"):
            self.cancel_link = attributes["href"]
