"""Read the runtime files in which running Jupyter servers describe themselves.

Source: jupyter_server/serverapp.py, `server_info`. That module takes half a second to import.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

from jupyter_wb_aws.proc_stat import stat_of

# For these, jupyter_server puts the machine's name into the URL; the server listens on loopback too.
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - read, not bound
_DEFAULT_PORTS = {"http": 80, "https": 443}

T = TypeVar("T", int, str)

MAX_FILE_BYTES = 64 * 1024
"""Jupyter's files have about 400 bytes."""


class ServerInfo(NamedTuple):
    """One running server, as its runtime file describes it."""

    pid: int
    url: str
    token: str
    has_password: bool = False
    socket: str = ""
    host: str = ""

    def __repr__(self) -> str:
        """Leave out the token."""
        return f"ServerInfo({self.pid}, {self.url!r})"

    @property
    def reachable_url(self) -> str:
        """The URL to call: by loopback if the server listens on every address of this machine."""
        parts = urlsplit(self.url)
        if parts.scheme == "http" and self.host in _WILDCARDS:
            return parts._replace(netloc=f"{_WILDCARDS[self.host]}:{parts.port or 80}").geturl()
        return self.url

    @property
    def port(self) -> int:
        """The port of its URL."""
        parts = urlsplit(self.url)
        return parts.port or _DEFAULT_PORTS[parts.scheme]


class UnusableServerInfo(Exception):
    """A file that is not used; the text is the end of a sentence that begins with its path."""


def default_runtime_dir(env: Mapping[str, str]) -> Path:
    """Return where the runtime files are by default.

    Source: jupyter_core/paths.py, `jupyter_runtime_dir` and `jupyter_data_dir`, without the platform's
    own folders (JUPYTER_PLATFORM_DIRS) and without relative paths.
    """
    if env.get("JUPYTER_RUNTIME_DIR"):
        return Path(env["JUPYTER_RUNTIME_DIR"])
    home = env.get("HOME", "")
    usual = f"{home}/Library" if sys.platform == "darwin" else env.get("XDG_DATA_HOME", "")
    data = env.get("JUPYTER_DATA_DIR") or f"{usual or f'{home}/.local/share'}/jupyter"
    return Path(data) / "runtime"


def read(path: Path) -> ServerInfo:
    """Read a server's file.

    Raises:
        UnusableServerInfo: if the file is not Jupyter's, or not this user's.
        OSError: if it can't be read.
    """
    try:
        info = json.loads(_content(path))
        server = ServerInfo(
            pid=_typed(int, info["pid"]),
            url=_typed(str, info["url"]),
            token=_typed(str, info.get("token") or ""),
            has_password=bool(info.get("password")),
            socket=_typed(str, info.get("sock") or ""),
            host=_typed(str, info.get("hostname") or ""),
        )
        if not server.socket and not (server.port and urlsplit(server.url).hostname):
            raise ValueError(server)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UnusableServerInfo("does not describe a Jupyter server") from None
    return server


def _typed(kind: type[T], value: object) -> T:
    if type(value) is not kind:  # a bool is an int to `isinstance`
        raise TypeError
    return value


def _content(path: Path) -> bytes:
    # A FIFO would wait for a writer, and a link could lead to one or to a file in another folder.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise UnusableServerInfo("is a symbolic link") from None
        raise
    try:
        if why := _not_trusted(os.fstat(descriptor)):
            raise UnusableServerInfo(why)
        content = os.read(descriptor, MAX_FILE_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(content) > MAX_FILE_BYTES:
        raise UnusableServerInfo(f"is larger than {MAX_FILE_BYTES} bytes")
    return content


def _not_trusted(status: os.stat_result) -> str | None:
    if not stat.S_ISREG(status.st_mode):
        return "is not a regular file"
    if status.st_uid != os.geteuid():
        return "belongs to another user"
    # Jupyter makes it private, unless this variable says that the file system has no modes
    # (jupyter_core/paths.py, `secure_write`).
    modes_count = os.environ.get("JUPYTER_ALLOW_INSECURE_WRITES", "").lower() not in {"true", "1"}
    if modes_count and status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "can be written by other users"
    return None


def nearest_ancestor(servers: Sequence[ServerInfo]) -> ServerInfo | None:
    """Return the server that is the closest ancestor of this process; Linux only."""
    by_pid = {server.pid: server for server in servers}
    pid = os.getppid()
    while pid > 1:
        if pid in by_pid:
            return by_pid[pid]
        process = stat_of(pid)
        pid = process.parent if process else 0
    return None
