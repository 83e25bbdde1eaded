"""Who sends a request to this Jupyter Server: for the log, since a server may be shared."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_server.base.handlers import JupyterHandler

log = logging.getLogger(__name__)

LONGEST_NAME = 100


def log_by_user(handler: JupyterHandler, did: str) -> None:
    """Log what a request did, and whose it was; never the identity that AWS sees, which is the owner's.

    Args:
        did: what happened, as the beginning of a sentence.
    """
    log.info("%s, by the Jupyter user %s", did, request_user(handler))


def request_user(handler: JupyterHandler) -> str:
    """Return a request's user, by user name and display name, in one printable line.

    Under JupyterHub the user name is the hub's, also of somebody with whom the server is shared. With
    the server's token alone it is made up, once for each browser, by jupyter_server.
    """
    user = handler.current_user
    username = _one_line(getattr(user, "username", user))
    name = _one_line(getattr(user, "name", "") or "")
    return f"'{username}' ({name})" if name and name != username else f"'{username}'"


def _one_line(text: object) -> str:
    """Make a name fit for a log: a user may have chosen it."""
    shown = str(text)[: LONGEST_NAME + 1]
    printable = "".join(c if c.isprintable() and c not in "'()" else "?" for c in shown)
    return printable if len(printable) <= LONGEST_NAME else f"{printable[:LONGEST_NAME]}…"
