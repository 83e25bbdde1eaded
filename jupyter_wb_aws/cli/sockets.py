"""Connections to a server on this machine: whose it is, its certificate, and a deadline for it all."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from jupyter_wb_aws.cli import server_errors, tcp_listeners
from jupyter_wb_aws.loopback import is_loopback_host

if TYPE_CHECKING:
    import ssl

T = TypeVar("T")
Address = tuple[Any, ...]  # of a socket: host, port, and two more for IPv6
ROOT = 0
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class Deadline:
    """When to give up the whole of it: a server that says a byte a second would else never be.

    Args:
        seconds: from now on.
        clock: tells the seconds since any fixed moment.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def left(self) -> float:
        """Return the seconds that are left.

        Raises:
            TimeoutError: if there are none.
        """
        left = self._end - self._clock()
        if left <= 0:
            raise TimeoutError(errno.ETIMEDOUT, "The time is up")
        return left


def run_with_deadline(deadline: Deadline, act: Callable[[], T]) -> T:
    """Do what can't be stopped (names are looked up, a library reads), and stop waiting in time."""
    import threading  # a millisecond, for what is not on this machine only

    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(act())
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(deadline.left())
    if failed:
        raise failed[0]
    if not done:
        raise TimeoutError(errno.ETIMEDOUT, "The time is up")
    return done[0]


def connect_unix(path: str, deadline: Deadline) -> socket.socket:
    """Connect to the Unix socket of a server of this user's.

    Raises:
        CliError: if another user listens there.
        OSError: if nobody does.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with _closed_on_error(connection):
        connection.settimeout(deadline.left())
        connection.connect(path)
        if _listener_of(connection, path) not in {os.geteuid(), None}:
            raise server_errors.another_users_program(f"the Unix socket {path}")
    return connection


def connect_tcp(host: str, port: int, deadline: Deadline, *, named_by_file: bool) -> socket.socket:
    """Connect to a server on this machine.

    Args:
        host: its name, or an address.
        named_by_file: whether a runtime file of this user's names it; else the user does. Then root
            may listen there, too, as a proxy or a container's port does; and so may nobody, where
            the system forwards the port.

    Raises:
        CliError: if another user listens there.
        OSError: if nobody does.
    """
    error: OSError = ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
    strangers = False
    for family, address in _addresses(host, port, deadline):
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            with _closed_on_error(connection):
                if named_by_file:
                    _check_that_it_is_here(family, address)
                connection.settimeout(deadline.left())
                connection.connect(address)
                # After connecting: who listened before may have gone meanwhile.
                if _may_listen(connection.getpeername()[0], port, named_by_file=named_by_file):
                    return connection
                strangers = True
                connection.close()
        except OSError as failed:
            error = failed
    if strangers:
        raise server_errors.another_users_program(f"port {port} of this machine")
    raise error


def connect_tls(
    connect: Callable[[], socket.socket], host: str, deadline: Deadline
) -> ssl.SSLSocket:
    """Speak TLS to a server on this machine.

    Its certificate is verified as everywhere. Besides, one that the file in SSL_CERT_FILE holds is
    trusted as it is, whatever names and dates are in it: who made such a certificate for a server of
    their own need not know what a client wants to see there.

    Args:
        connect: connects; called again where the certificate is looked at a second time.
    """
    import ssl

    context = ssl.create_default_context()
    try:
        return _handshake(context, connect(), host, deadline)
    except ssl.SSLCertVerificationError:
        pinned = pinned_certificates(os.environ.get("SSL_CERT_FILE", ""))
        if not pinned:
            raise
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = _handshake(context, connect(), host, deadline)
        if connection.getpeercert(binary_form=True) in pinned:
            return connection
        connection.close()
        raise


def pinned_certificates(path: str) -> set[bytes]:
    """Read the certificates of a PEM file; empty if there are none."""
    import ssl

    try:
        text = Path(path).read_text("ascii", errors="replace")
        return {ssl.PEM_cert_to_DER_cert(one) for one in _CERTIFICATE.findall(text)}
    except (OSError, ValueError):
        return set()


def _handshake(
    context: ssl.SSLContext, connection: socket.socket, host: str, deadline: Deadline
) -> ssl.SSLSocket:
    with _closed_on_error(connection):
        connection.settimeout(deadline.left())  # of the handshake as a whole
        return context.wrap_socket(connection, server_hostname=host)


@contextlib.contextmanager
def _closed_on_error(connection: socket.socket) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise


def _addresses(host: str, port: int, deadline: Deadline) -> list[tuple[int, Address]]:
    def resolved() -> list[tuple[int, Address]]:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return [(family, address) for family, _, _, _, address in found]

    # Numbers and `localhost` need no look-up of names, which could take long; `x.localhost` may.
    at_once = is_loopback_host(host) and not host.endswith(".localhost")
    return resolved() if at_once else run_with_deadline(deadline, resolved)


def _check_that_it_is_here(family: int, address: Address) -> None:
    """Raise OSError for another machine's address: only one of this machine's can be bound."""
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((address[0], 0, *address[2:]))


def _may_listen(address: str, port: int, *, named_by_file: bool) -> bool:
    at_port = tcp_listeners.listeners(port)
    if at_port is None:
        return True
    users = {listener.uid for listener in tcp_listeners.reached_by(address, at_port)}
    if named_by_file:
        return users == {os.geteuid()}
    return users <= {os.geteuid(), ROOT}


def _listener_of(connection: socket.socket, path: str) -> int | None:
    """Return who listens at a Unix socket. Source: unix(7), SO_PEERCRED; its file's owner elsewhere."""
    if not hasattr(socket, "SO_PEERCRED"):
        return Path(path).stat().st_uid
    _, uid, _ = struct.unpack(
        "iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    )
    return int(uid)
