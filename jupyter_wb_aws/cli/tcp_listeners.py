"""Find which user listens at a TCP port of this machine, so that no other user gets the server's token.

Source: proc(5), "/proc/net/tcp"; Linux's net/ipv4/inet_hashtables.c, `compute_score`, for which of
several listening sockets gets a connection.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import NamedTuple

# /proc/self/net instead of /proc/net: systemd's ProcSubset=pid hides the latter.
NET = Path("/proc/self/net")
_LISTEN = "0A"
_MAPPED = bytes(10) + b"\xff\xff"  # RFC 4291, 2.5.5.2: an IPv4 address in IPv6's form
_ANY_IPV4, _ANY_IPV6 = bytes(4), bytes(16)


class Listener(NamedTuple):
    """A listening socket.

    Attributes:
        address: where it is bound: 4 bytes for IPv4, 16 for IPv6.
        uid: the user who opened it.
        inode: its name in /proc/PID/fd.
    """

    address: bytes
    uid: int
    inode: int


def listeners(port: int, net: Path | None = None) -> list[Listener] | None:
    """List the sockets that listen at `port`, in this process's network namespace.

    Returns:
        None if the system does not show them: on macOS, and on a Linux that hides /proc/self/net.
    """
    found: list[Listener] = []
    known = [_add_those_of(net or NET, name, port, found) for name in ("tcp", "tcp6")]
    return found if any(known) else None


def reached_by(address: str, at_port: list[Listener]) -> list[Listener]:
    """Return the listeners that a connection to `address` can reach: those with the most exact address."""
    wanted = packed(address)
    if len(wanted) == len(_ANY_IPV4):
        ranks = [{wanted, _MAPPED + wanted}, {_ANY_IPV4, _MAPPED + _ANY_IPV4}, {_ANY_IPV6}]
    else:
        ranks = [{wanted}, {_ANY_IPV6}]
    for rank in ranks:
        if found := [listener for listener in at_port if listener.address in rank]:
            return found
    return []


def packed(address: str) -> bytes:
    """Return an address in binary form; an IPv4-mapped address becomes an IPv4 address.

    Raises:
        OSError: if it is not an address.
    """
    address = address.partition("%")[0]  # a zone, as in fe80::1%eth0
    if ":" not in address:
        return socket.inet_aton(address)  # as `connect` reads it, which accepts 127.1 too
    binary = socket.inet_pton(socket.AF_INET6, address)
    return binary.removeprefix(_MAPPED)


def holds(pid: int, inodes: set[int]) -> bool:
    """Return whether a process of this user has one of these sockets open; Linux only."""
    names = {f"socket:[{inode}]" for inode in inodes}
    try:
        with os.scandir(f"/proc/{pid}/fd") as entries:
            return any(_target(entry) in names for entry in entries)
    except OSError:
        return False


def _target(entry: os.DirEntry[str]) -> str:
    try:
        return os.readlink(entry)  # noqa: PTH115 - pathlib is slow where there are many
    except OSError:
        return ""  # it has just been closed


def _add_those_of(net: Path, name: str, port: int, found: list[Listener]) -> bool:
    """Add a table's listeners to `found`; return whether the table can be read.

    On a busy machine it has thousands of connections, after all listeners (net/ipv4/tcp_ipv4.c,
    `tcp_get_idx`). The kernel writes them only as far as they are read, so stop there. If no listener
    was found before them, another kernel may have another order.
    """
    mark = f":{port:04X} "
    try:
        with (net / name).open(encoding="ascii", errors="replace", buffering=4096) as lines:
            next(lines, None)  # the names of the columns
            for line in lines:
                if mark in line and (listener := _listener(line, port)) is not None:
                    found.append(listener)
                elif found and f" {_LISTEN} " not in line:
                    break
    except OSError:
        return False
    return True


def _listener(line: str, port: int) -> Listener | None:
    """Parse one line: the columns local_address, st, uid and inode."""
    fields = line.split()
    try:
        host, _, local_port = fields[1].rpartition(":")
        if fields[3] != _LISTEN or int(local_port, 16) != port:
            return None
        return Listener(_address(host), int(fields[7]), int(fields[9]))
    except (IndexError, ValueError):
        return None


def _address(text: str) -> bytes:
    """Parse an address: words of 32 bits, each in the byte order of this machine."""
    words = [int(text[at : at + 8], 16) for at in range(0, len(text), 8)]
    return b"".join(word.to_bytes(4, sys.byteorder) for word in words)
