"""Which of the servers that have a runtime file are running, and this user's.

A file proves nothing. It may be left over from a server that is gone, and its process id and its port
may be another user's now. So a server counts as running and ours if

1. its file is a regular file of this user's that nobody else can write to,
2. its process is this user's, and has not ended,
3. the socket that listens at its address is this user's, where the system tells (Linux).

No times are compared: somebody may have set the clock, and a home on NFS has the clock of its server.
jupyter_server's own `list_running_servers` looks at 2 only, at any user's process, and deletes files.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from jupyter_wb_aws.cli import tcp_listeners
from jupyter_wb_aws.cli.server_info import ServerInfo, UnusableServerInfo, read
from jupyter_wb_aws.loopback import is_loopback_host
from jupyter_wb_aws.proc_stat import stat_of


class Found(NamedTuple):
    """What there is in a runtime folder.

    Attributes:
        servers: those that run and are this user's.
        skipped: a sentence for each file that should not be there as it is.
    """

    servers: list[ServerInfo]
    skipped: list[str]


def list_running_servers(runtime_dir: Path, net: Path | None = None) -> Found:
    """Find this user's running servers by their files in `runtime_dir`.

    Args:
        net: the folder of the kernel's tables of sockets; tests have their own.
    """
    servers: list[ServerInfo] = []
    skipped: list[str] = []
    for path in _files(runtime_dir, skipped):
        try:
            server = read(path)
            if is_own_running_process(server.pid):
                _check_listener(server, net)
                servers.append(server)
        except FileNotFoundError:
            continue  # its server has ended this moment
        except UnusableServerInfo as why:
            skipped.append(f"{path} is passed over: it {why}.")
        except OSError as error:
            skipped.append(f"{path} can't be read: {error.strerror or error}.")
    return Found(_one_at_each_place(servers, net), skipped)


def _files(runtime_dir: Path, skipped: list[str]) -> Iterator[Path]:
    try:
        owner = runtime_dir.stat().st_uid
        if owner not in {os.geteuid(), 0}:  # they could put any file of ours there, or take it away
            skipped.append(f"{runtime_dir} is passed over: it belongs to another user.")
            return
        yield from sorted(runtime_dir.glob("jpserver-*.json"))
    except FileNotFoundError:
        return
    except OSError as error:
        skipped.append(f"{runtime_dir} can't be read: {error.strerror or error}.")


def is_own_running_process(pid: int) -> bool:
    """Tell whether a process with this id runs, and is this user's."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except (OSError, OverflowError):
        return False  # PermissionError, too: it is another user's
    told = stat_of(pid)
    if told is not None and not told.running:
        return False
    # root may signal everybody, so that nothing follows from that.
    users = process_users(pid)
    return users is None or os.geteuid() in users


def process_users(pid: int) -> set[int] | None:
    """Read a process's users: real, effective, saved. Source: proc(5), "/proc/pid/status"."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return None
    told = next((line for line in lines if line.startswith("Uid:")), None)
    return {int(uid) for uid in told.split()[1:4]} if told else None


def _check_listener(server: ServerInfo, net: Path | None) -> None:
    """Look who listens at the server's address; nothing is resolved, and nothing connected to.

    Before anything is sent, `sockets` looks again, at the very address that it has reached.

    Raises:
        UnusableServerInfo: if it is another user, or nobody.
        OSError: if its Unix socket is not there.
    """
    if server.socket:
        status = Path(server.socket).stat()
        if not stat.S_ISSOCK(status.st_mode) or status.st_uid != os.geteuid():
            raise UnusableServerInfo("names a Unix socket that is not this user's")
        return
    at_port = tcp_listeners.listeners(server.port, net)
    if at_port is None:
        return
    reached = _reached(urlsplit(server.reachable_url).hostname or "", at_port)
    if not any(listener.uid == os.geteuid() for listener in reached):
        who = "which now belongs to another user" if reached else "where nothing listens"
        raise UnusableServerInfo(f"names port {server.port}, {who}")


def _reached(host: str, at_port: list[tcp_listeners.Listener]) -> list[tcp_listeners.Listener]:
    if host == "localhost":
        addresses = ["127.0.0.1", "::1"]
    elif is_loopback_host(host):
        addresses = [host]
    else:
        return at_port  # by its name or another address: `sockets` looks at what that is
    return [found for address in addresses for found in tcp_listeners.reached_by(address, at_port)]


def _one_at_each_place(servers: list[ServerInfo], net: Path | None) -> list[ServerInfo]:
    """Leave out what a dead server has left behind whose process id and port are both ours again.

    That is usual in a container: its processes have the same few ids after each start.
    """
    by_port: dict[int, list[ServerInfo]] = {}
    for server in servers:
        if not server.socket:
            by_port.setdefault(server.port, []).append(server)
    left_over: set[int] = set()
    for port, rivals in by_port.items():
        at_port = tcp_listeners.listeners(port, net) if len(rivals) > 1 else None
        inodes = {listener.inode for listener in at_port or []}
        holders = {server.pid for server in rivals if tcp_listeners.holds(server.pid, inodes)}
        left_over |= {server.pid for server in rivals} - holders if holders else set()
    return [server for server in servers if server.pid not in left_over]
