"""The local AWS as a server on 127.0.0.1, in a thread of this process."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server

from jupyter_wb_aws.demo.background_server import BackgroundServer
from jupyter_wb_aws.demo.local_aws import accounts
from jupyter_wb_aws.demo.local_aws.seed import seed
from jupyter_wb_aws.demo.local_aws.strict import StrictAws

if TYPE_CHECKING:
    from collections.abc import Callable

_instance_lock = threading.Lock()
"""Held by the only instance in this process, because moto's state belongs to the process."""


class LocalAws(BackgroundServer):
    """STS and S3 at one URL, with the demo's account, from its creation until `close`.

    There can be only one in a process, because moto's state belongs to the process. The state is
    cleared at start and end.

    Args:
        issuer: the URL of the identity provider that the account trusts.
        credential_lifetime: seconds that override the requested duration.
        reads_roles_claim: False for an AWS, or a store, that does not know the roles claim of tokens.
        contents: fills the account, for that issuer.

    Raises:
        RuntimeError: if another one is open.
    """

    def __init__(
        self,
        issuer: str,
        *,
        credential_lifetime: int | None = None,
        reads_roles_claim: bool = True,
        contents: Callable[[str], None] = seed,
    ) -> None:
        if not _instance_lock.acquire(blocking=False):
            raise RuntimeError(
                "Only one LocalAws can be open at a time. Close the other one first."
            )
        accounts.clear()
        contents(issuer)
        server = make_server(
            "127.0.0.1",
            0,
            StrictAws(credential_lifetime, reads_roles_claim=reads_roles_claim),
            threaded=True,
            request_handler=_SilentHandler,
        )
        accounts.enforce_policies(on=True)
        super().__init__(server)

    def _forget(self) -> None:
        accounts.enforce_policies(on=False)
        accounts.clear()
        _instance_lock.release()


class _SilentHandler(MotoRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """Log nothing: a request line may hold a signature or a token."""
