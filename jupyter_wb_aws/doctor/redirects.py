"""Requests of the doctor that follow no redirect."""

from __future__ import annotations

import urllib.request
from typing import Any


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Returns a redirect as the answer."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow no redirect."""
