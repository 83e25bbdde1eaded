"""Find the running Jupyter servers of this user.

A runtime file proves nothing: it may be left over from a server that has ended, and another user may
have its process id and port now. So a server counts as running and ours if

1. its file is a regular file of this user that nobody else can write to,
2. its process belongs to this user and has not ended,
3. the socket that listens at its address belongs to this user, if the system shows that (Linux).

Times are not compared: the clock may have been set, and a home on NFS has its file server's clock.
jupyter_server's own `list_running_servers` checks only 2, for any user's process, and deletes files.
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
    """What is in a runtime folder.

    Attributes:
        servers: the running servers of this user.
        skipped: a sentence for each file that can't be trusted.
    """

    servers: list[ServerInfo]
    skipped: list[str]


def list_running_servers(runtime_dir: Path, net: Path | None = None) -> Found:
    """Find this user's running servers by their files in `runtime_dir`.

    Args:
        runtime_dir: Jupyter's runtime folder.
        net: the folder with the kernel's tables of sockets; tests have their own.
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
            continue  # its server has just ended
        except UnusableServerInfo as why:
            skipped.append(f"{path} is ignored: it {why}.")
        except OSError as error:
            skipped.append(f"{path} can't be read: {error.strerror or error}.")
    return Found(_one_at_each_place(servers, net), skipped)


def _files(runtime_dir: Path, skipped: list[str]) -> Iterator[Path]:
    try:
        owner = runtime_dir.stat().st_uid
        if owner not in {os.geteuid(), 0}:  # another user could replace or remove any file in it
            skipped.append(f"{runtime_dir} is ignored: it belongs to another user.")
            return
        yield from sorted(runtime_dir.glob("jpserver-*.json"))
    except FileNotFoundError:
        return
    except OSError as error:
        skipped.append(f"{runtime_dir} can't be read: {error.strerror or error}.")


def is_own_running_process(pid: int) -> bool:
    """Return whether a process with this id runs and belongs to this user."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except (OSError, OverflowError):
        return False  # with PermissionError, it is another user's
    process = stat_of(pid)
    if process is not None and not process.running:
        return False
    # root may signal any process, so the signal proves nothing.
    users = process_users(pid)
    return users is None or os.geteuid() in users


def process_users(pid: int) -> set[int] | None:
    """Return a process's users: real, effective and saved. Source: proc(5), "/proc/pid/status"."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return None
    line = next((line for line in lines if line.startswith("Uid:")), None)
    return {int(uid) for uid in line.split()[1:4]} if line else None


def _check_listener(server: ServerInfo, net: Path | None) -> None:
    """Check who listens at the server's address, without resolving names or connecting.

    Before anything is sent, `local_connection` checks again, for the address that it has reached.

    Raises:
        UnusableServerInfo: if another user listens there, or nobody.
        OSError: if its Unix socket does not exist.
    """
    if server.socket:
        status = Path(server.socket).stat()
        if not stat.S_ISSOCK(status.st_mode) or status.st_uid != os.geteuid():
            raise UnusableServerInfo("names a Unix socket that belongs to another user")
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
        return at_port  # a name or another address: `local_connection` checks where it leads
    return [found for address in addresses for found in tcp_listeners.reached_by(address, at_port)]


def _one_at_each_place(servers: list[ServerInfo], net: Path | None) -> list[ServerInfo]:
    """Leave out files of a dead server whose process id and port now belong to another of ours.

    That is usual in a container, whose processes have the same few ids after each start.
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
