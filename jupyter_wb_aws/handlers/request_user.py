"""Name the Jupyter user who sends a request, for the log: a server may be shared."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from jupyter_wb_aws.handlers.problem import NotOwner

if TYPE_CHECKING:
    from jupyter_server.base.handlers import JupyterHandler

log = logging.getLogger(__name__)

MAX_NAME_LENGTH = 100


def log_by_user(handler: JupyterHandler, did: str) -> None:
    """Log what a request did and who sent it; AWS always sees the server's owner.

    Args:
        did: what happened, as the beginning of a sentence.
    """
    log.info("%s, by the Jupyter user %s", did, request_user(handler))


def require_owner(handler: JupyterHandler, only_user: str | None) -> None:
    """Refuse a change by anyone but the only user who may make one, if there is such a user.

    Raises:
        NotOwner: if somebody else sends the request.
    """
    if only_user is None:
        return
    user = handler.current_user
    # A service of the hub may have a user's name.
    kind = getattr(user, "hub_user", {}).get("kind", "user")
    if kind != "user" or getattr(user, "username", user) != only_user:
        log.warning("Refused a change by the Jupyter user %s", request_user(handler))
        raise NotOwner(
            f"This server belongs to {only_user}, and only {only_user} may change AWS roles here."
        )


def request_user(handler: JupyterHandler) -> str:
    """Return a request's user by user name and display name, in one printable line.

    Under JupyterHub it is the hub's user name, also for somebody with whom the server is shared. With
    the server's token alone, jupyter_server makes one up for each browser.
    """
    user = handler.current_user
    username = _one_line(getattr(user, "username", user))
    name = _one_line(getattr(user, "name", "") or "")
    return f"'{username}' ({name})" if name and name != username else f"'{username}'"


def _one_line(text: object) -> str:
    """Make a name safe for a log: a user may have chosen it."""
    shown = str(text)[: MAX_NAME_LENGTH + 1]
    printable = "".join(c if c.isprintable() and c not in "'()" else "?" for c in shown)
    return printable if len(printable) <= MAX_NAME_LENGTH else f"{printable[:MAX_NAME_LENGTH]}…"
