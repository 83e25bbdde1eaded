"""Token source `file`: follow a token file that another program refreshes."""

from __future__ import annotations

import os
import stat
from codecs import BOM_UTF8
from pathlib import Path
from typing import Any, ClassVar

from traitlets import Unicode

from jupyter_wb_aws.disk_threads import DiskThreads
from jupyter_wb_aws.errors import TokenSourceFailed
from jupyter_wb_aws.identity.source import TokenRequest, TokenSource
from jupyter_wb_aws.identity.token import MAX_TOKEN_READ, WebIdentityToken


class FileTokenSource(TokenSource):
    """A token file that another program refreshes: a Kubernetes projected volume (IRSA), Posit Workbench."""

    short_name: ClassVar[str] = "file"

    path = Unicode(
        "",
        config=True,
        help="""The token file to follow. Empty: the one in `AWS_WEB_IDENTITY_TOKEN_FILE` when the
        server started.""",
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # Read now: code in the server may change its environment later.
        self._inherited_path = os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE", "")
        self._threads = DiskThreads()

    def missing_setting(self) -> str | None:
        """Require a path in the configuration or in the server's environment."""
        return None if self._path() else "FileTokenSource.path"

    async def fetch(self, request: TokenRequest) -> WebIdentityToken:  # noqa: ARG002
        """Read the file as it is now.

        Raises:
            TokenSourceFailed: if it is missing, unreadable, not a regular file, or empty.
            TokenInvalid: if it does not hold a token.
        """
        return await self._threads.run(self._read)

    def _path(self) -> str:
        return self.path or self._inherited_path

    def _read(self) -> WebIdentityToken:
        try:
            content = _content(Path(self._path()).expanduser())
        except (OSError, ValueError, RuntimeError) as error:  # the last: without a home folder
            reason = (error.strerror if isinstance(error, OSError) else None) or error
            raise TokenSourceFailed(
                f"The token file {self._path()!r} can't be read: {str(reason).rstrip('.')}.",
                admin_hint="FileTokenSource.path must name a file that the server's user can read.",
            ) from None
        text = content.removeprefix(BOM_UTF8).decode("ascii", errors="replace").strip()
        if not text:
            raise TokenSourceFailed(f"The token file {self._path()!r} is empty.")
        return WebIdentityToken.parse(text, self.clock.now())


def _content(path: Path) -> bytes:
    # O_NONBLOCK: a FIFO in place of the token must not block a worker thread for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    # Not `with open(descriptor)`: for a folder, it raises and leaves the descriptor open.
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise TokenSourceFailed(f"The token file {str(path)!r} is not a regular file.")
        return os.read(descriptor, MAX_TOKEN_READ)
    finally:
        os.close(descriptor)
