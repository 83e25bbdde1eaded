"""What JupyterHub tells a single-user server, by its environment.

Source: JupyterHub, `Spawner.get_env`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True, slots=True)
class SingleUserServer:
    """A server that a hub has started for a user.

    Args:
        user: its owner's name on the hub.
        name: which of the owner's servers it is; empty for the default one.
        public_url: where browsers reach it; empty if the hub does not know (see `JupyterHub.public_url`).
    """

    user: str
    name: str
    public_url: str

    @property
    def public_port(self) -> int | None:
        """The port that browsers see; None if it is not known."""
        return port_of(self.public_url) if self.public_url else None


def single_user_server(
    base_url: str, environment: Mapping[str, str] = os.environ
) -> SingleUserServer | None:
    """Return this server as a hub's, or None if no hub has started it.

    A server that a user starts in a terminal of theirs inherits the environment, but has another base URL.

    Args:
        base_url: of this server.
        environment: of this server.
    """
    prefix = environment.get("JUPYTERHUB_SERVICE_PREFIX", "")
    user = environment.get("JUPYTERHUB_USER", "")
    if not (user and prefix) or unquote(prefix).strip("/") != unquote(base_url).strip("/"):
        return None
    return SingleUserServer(
        user,
        environment.get("JUPYTERHUB_SERVER_NAME", ""),
        environment.get("JUPYTERHUB_PUBLIC_URL", ""),
    )


def port_of(url: str) -> int:
    """Return the port of an http or https URL."""
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)
