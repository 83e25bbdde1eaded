"""The log-in of the demo's hub: a name alone, in the browser that opened the printed link.

Every user of the machine reaches the hub's port, and a user who logs in runs programs as the system
user who started the demo. So the link lets the browser in, as Jupyter's own links do.
"""

from __future__ import annotations

import hmac
from typing import Any

from jupyterhub.auth import DummyAuthenticator
from jupyterhub.handlers import BaseHandler
from tornado.web import HTTPError
from traitlets import Unicode

from jupyter_wb_aws.demo.hub.site import LINK_PATH

_COOKIE = "jupyter-wb-aws-demo"
_REFUSED = (
    "Open the link that the demo printed in its terminal: this browser has not been let in yet."
)


class LinkAuthenticator(DummyAuthenticator):  # type: ignore[misc]
    """JupyterHub's `dummy`, which takes any password, for browsers that were let in."""

    link_token = Unicode(config=True, help="What the printed link has in it.")

    def get_handlers(self, app: Any) -> list[Any]:
        """Add the page that the link leads to."""
        return [*super().get_handlers(app), (LINK_PATH, LinkHandler)]

    async def authenticate(self, handler: Any, data: dict[str, str]) -> str:
        """Return the name that was typed.

        Raises:
            HTTPError: if the browser has not opened the link.
        """
        if not self.lets_in(handler.get_cookie(_COOKIE, "")):
            raise HTTPError(403, _REFUSED)
        return data["username"]

    def lets_in(self, presented: str) -> bool:
        """Return whether this is the link's token; in constant time, so that delays reveal nothing."""
        return hmac.compare_digest(presented.encode(), self.link_token.encode())


class LinkHandler(BaseHandler):  # type: ignore[misc]
    """Let the browser in, and send it to the log-in or, if somebody is logged in, to their server."""

    def get(self) -> None:
        """Answer the printed link.

        Raises:
            HTTPError: if the token in it is not this run's.
        """
        token = self.get_argument("token", "")
        if not self.authenticator.lets_in(token):
            raise HTTPError(403, _REFUSED)
        self.set_cookie(_COOKIE, token, path=self.hub.base_url, httponly=True, samesite="Lax")
        self.set_header("Referrer-Policy", "no-referrer")
        self.redirect(self.hub.base_url)
