"""A program of Jupyter's that the demo runs, and ends with everything that it started."""

from __future__ import annotations

import http.client
import subprocess
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from jupyter_wb_aws.demo.child_processes import SERVER_TIMEOUT, end_with_all
from jupyter_wb_aws.demo.private_file import write_private

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import IO, ClassVar

_LOG_TAIL_LINES = 15


class JupyterProcess(ABC):
    """A running program.

    Args:
        command: what to run.
        environment: its environment.
        folder: the folder to run it in.
        log: the file for its log; without one, the terminal shows it.
        mark: a variable of the environment whose value no other process of the machine has.
    """

    name: ClassVar[str]
    """The program's name, for messages."""
    end_timeout: ClassVar[float] = SERVER_TIMEOUT
    """Seconds that it gets for its own end, after SIGTERM."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        folder: Path,
        log: Path | None,
        mark: str,
    ) -> None:
        self._log = log
        self._mark = mark, environment[mark]
        if log is None:
            self._process = _spawn(command, environment, folder, None)
            return
        write_private(log, "")
        with log.open("ab") as file:
            self._process = _spawn(command, environment, folder, file)

    @property
    def exit_code(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._process.poll()

    @abstractmethod
    def answers(self) -> bool:
        """Return whether it is ready for the user."""

    @property
    @abstractmethod
    def secret(self) -> str:
        """What lets the user in."""

    def log_tail(self) -> str:
        """Return the last lines of the log, without the secret."""
        if self._log is None:
            return "(shown above)"
        lines = self._log.read_text("utf-8", "replace").splitlines()
        return "\n".join(lines[-_LOG_TAIL_LINES:]).replace(self.secret, "[token]")

    def end(self) -> None:
        """End it with everything that it started."""
        end_with_all(self._process, *self._mark, self.end_timeout)


def answers_ok(port: int, path: str, headers: Mapping[str, str] | None = None) -> bool:
    """Return whether a server of this machine answers 200.

    Args:
        port: its port.
        path: the path to ask for.
        headers: the request's headers.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path, headers=dict(headers or {}))
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _spawn(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, log: IO[bytes] | None
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - an interpreter of our own
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log and subprocess.STDOUT,
        # Keep the terminal's Ctrl-C from it: the demo handles Ctrl-C and ends it in order.
        start_new_session=True,
    )
