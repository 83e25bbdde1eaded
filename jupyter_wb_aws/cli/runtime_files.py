"""The files in which running Jupyter servers say where they are.

Source: jupyter_server/serverapp.py, `server_info` and `list_running_servers`. That module takes
half a second to import, and deletes files; we do neither.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

# jupyter_server names such a server by the machine's name in its URL; it listens on loopback too.
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - read, not bound


class RunningServer(NamedTuple):
    """One running server, as its runtime file describes it."""

    pid: int
    url: str
    token: str
    has_password: bool = False
    socket: str = ""
    host: str = ""

    def __repr__(self) -> str:
        """Show all but the token."""
        return f"RunningServer({self.pid}, {self.url!r})"

    @property
    def reachable_url(self) -> str:
        """The URL to ask: by loopback where the server listens on every address of this machine."""
        parts = urlsplit(self.url)
        if parts.scheme == "http" and self.host in _WILDCARDS:
            return parts._replace(netloc=f"{_WILDCARDS[self.host]}:{parts.port or 80}").geturl()
        return self.url


def usual_runtime_dir(env: Mapping[str, str]) -> Path:
    """Return where the runtime files are, unless this site has its own idea.

    Source: jupyter_core/paths.py, `jupyter_runtime_dir` and `jupyter_data_dir`, without the platform's
    own folders (JUPYTER_PLATFORM_DIRS) and without those that are no absolute paths.
    """
    if env.get("JUPYTER_RUNTIME_DIR"):
        return Path(env["JUPYTER_RUNTIME_DIR"])
    home = env.get("HOME", "")
    usual = f"{home}/Library" if sys.platform == "darwin" else env.get("XDG_DATA_HOME", "")
    data = env.get("JUPYTER_DATA_DIR") or f"{usual or f'{home}/.local/share'}/jupyter"
    return Path(data) / "runtime"


def running_servers(runtime_dir: Path) -> list[RunningServer]:
    """List the servers whose process lives, by their files in `runtime_dir`."""
    return [server for server in _described(runtime_dir) if is_alive(server.pid)]


def _described(runtime_dir: Path) -> Iterator[RunningServer]:
    try:
        paths = sorted(runtime_dir.glob("jpserver-*.json"))
    except OSError:
        return
    for path in paths:
        try:
            yield _read(path)
        except (OSError, ValueError, KeyError, TypeError):
            continue  # being written this moment, another user's, or not a server's file at all


def _read(path: Path) -> RunningServer:
    info = json.loads(path.read_text("utf-8"))
    return RunningServer(
        pid=int(info["pid"]),
        url=str(info["url"]),
        token=str(info.get("token") or ""),
        has_password=bool(info.get("password")),
        socket=str(info.get("sock") or ""),
        host=str(info.get("hostname") or ""),
    )


def is_alive(pid: int) -> bool:
    """Tell whether a process has this id."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True  # it is there, and another user's
    except (OSError, OverflowError):
        return False
    return True


def nearest_ancestor(servers: Sequence[RunningServer]) -> RunningServer | None:
    """Pick the server that is the closest ancestor of this process; Linux only."""
    by_pid = {server.pid: server for server in servers}
    pid = os.getppid()
    while pid > 1:
        if pid in by_pid:
            return by_pid[pid]
        pid = _parent(pid)
    return None


def _parent(pid: int) -> int:
    """Read a process's parent; 0 if it can't be known. Source: proc(5), "/proc/pid/stat"."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
    except OSError:
        return 0
    # The command's name is in parentheses and may hold anything, parentheses and blanks too.
    return int(stat.rpartition(")")[2].split()[1])
