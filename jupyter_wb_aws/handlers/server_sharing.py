"""Whether others may use this server too, and so work in AWS as the user who signs in."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

# Real-time collaboration, by the names of its server extensions: from version 3 on, and before.
COLLABORATION = ("jupyter_server_ydoc", "jupyter_collaboration")


def sharing_notice(serverapp: ServerApp | None) -> dict[str, str] | None:
    """Return what users should know before they sign in; None if the server is theirs alone.

    A link with the server's token shares it too, but nothing shows that.
    """
    others = [
        *(
            ["JupyterHub's administrators and anyone with whom the server is shared"]
            if os.environ.get("JUPYTERHUB_USER")
            else []
        ),
        *(["anyone who works on its notebooks with you"] if _collaborates(serverapp) else []),
    ]
    if not others:
        return None
    return {
        "code": "server_shared",
        "message": f"Everybody who may use this server can then work in AWS as you: {', and '.join(others)}.",
    }


def _collaborates(serverapp: ServerApp | None) -> bool:
    if serverapp is None or serverapp.config.YDocExtension.get("disable_rtc") is True:
        return False
    extensions = serverapp.extension_manager.extensions
    return any(name in extensions and extensions[name].enabled for name in COLLABORATION)
