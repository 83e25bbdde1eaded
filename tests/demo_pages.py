"""A person at the pages of the demo's identity provider: presses their buttons, keeps cookies."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Self

import httpx


class DemoBrowser:
    """A browser for one person; who signed in at a provider stays so, as in a real one."""

    def __init__(self) -> None:
        self.http = httpx.Client(trust_env=False, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.http.close()

    def sign_in(self, authorization_url: str, user: str) -> str:
        """Sign in, unless one is; return where the provider sends the browser, not yet opened."""
        answer = self.http.get(authorization_url)
        return _back_from(answer if answer.is_redirect else self.press(answer, user))

    def cancel(self, authorization_url: str) -> str:
        """Press "Don't sign in"; return where the provider sends the browser then."""
        return _back_from(self.press(self.http.get(authorization_url), "deny"))

    def approve_device(self, verification_uri: str, user: str, user_code: str = "") -> None:
        """Answer for a device as `user`; with its `verification_uri_complete` no code is typed."""
        answer = self.press(self._device_page(verification_uri, user_code), user)
        assert "You are signed in as" in answer.text, answer.text

    def deny_device(self, verification_uri: str, user_code: str = "") -> None:
        """Answer no."""
        answer = self.press(self._device_page(verification_uri, user_code), "deny")
        assert "You are not signed in" in answer.text, answer.text

    def sign_out(self, end_session_url: str) -> httpx.Response:
        """Answer yes to the provider's question; return its last page."""
        return self.press(self.http.get(end_session_url))

    def press(self, answer: httpx.Response, choice: str | None = None) -> httpx.Response:
        """Post a page's form with its own fields, and the button that was pressed."""
        page = Page(answer.text)
        chosen = {} if choice is None else {"choice": choice}
        assert set(chosen.values()) <= set(page.choices), answer.text
        return self.http.post(answer.url.join(page.action), data=page.fields | chosen)

    def _device_page(self, verification_uri: str, user_code: str) -> httpx.Response:
        typed = {"params": {"user_code": user_code}} if user_code else {}
        return self.http.get(verification_uri, **typed)


def _back_from(answer: httpx.Response) -> str:
    assert answer.is_redirect, f"The provider did not send the browser back:\n{answer.text}"
    return answer.headers["Location"]


class Page(HTMLParser):
    """What a page has to fill in and to press."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self.choices: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = attributes.get("action", "")
        elif tag == "input":
            self.fields[attributes["name"]] = attributes.get("value", "")
        elif tag == "button" and "name" in attributes:
            self.choices.append(attributes["value"])
