"""Connect to a server on this machine: check its user and its certificate, within a deadline."""

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
    """When to give up a request as a whole, even if the server sends a byte now and then.

    Args:
        seconds: how long the request may take, from now on.
        clock: returns the seconds since a fixed moment.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def left(self) -> float:
        """Return the seconds that are left.

        Raises:
            TimeoutError: if the deadline has passed.
        """
        left = self._end - self._clock()
        if left <= 0:
            raise TimeoutError(errno.ETIMEDOUT, "The time is up")
        return left

    def is_over(self, within: float) -> bool:
        """Return whether the deadline has passed, or passes within so many seconds."""
        return self._clock() + within >= self._end


def run_with_deadline(deadline: Deadline, act: Callable[[], T]) -> T:
    """Run a function that can't be interrupted (a name look-up, a library's read); stop waiting in time.

    Raises:
        TimeoutError: if the deadline passes first.
    """
    import threading  # takes a millisecond, and only servers elsewhere need it

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
    """Connect to the Unix socket of this user's server.

    Raises:
        CliError: if another user listens there.
        OSError: if nobody listens there.
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
        host: its name or address.
        port: its port.
        deadline: when to give up.
        named_by_file: whether a runtime file of this user names it. If the user names it, root may listen
            there too (a proxy, a container's port), or nobody (a port that the system forwards).

    Raises:
        CliError: if another user listens there.
        OSError: if nobody listens there.
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
                # Check after connecting: an earlier listener may have gone.
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
    """Start TLS with a server on this machine.

    The certificate is verified as usual. A certificate that is itself in the file SSL_CERT_FILE is also
    trusted with any names and dates: users who make one for their own server need not know what clients
    check.

    Args:
        connect: opens a connection; called again if the certificate has to be compared with the file.
        host: the name that the certificate must have.
        deadline: when to give up.

    Raises:
        ssl.SSLError: if the certificate can't be trusted, or TLS fails.
        OSError: if the connection fails.
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
    """Return the certificates in a PEM file; empty if there are none."""
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
        connection.settimeout(deadline.left())  # for the handshake as a whole
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
        # As bytes if possible: for text, Python imports what names of other alphabets need.
        name = host.encode() if host.isascii() else host
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
        return [(family, address) for family, _, _, _, address in found]

    # Addresses and `localhost` need no name look-up, which could take long; `x.localhost` may.
    at_once = is_loopback_host(host) and not host.endswith(".localhost")
    return resolved() if at_once else run_with_deadline(deadline, resolved)


def _check_that_it_is_here(family: int, address: Address) -> None:
    """Raise OSError for another machine's address: only an address of this machine can be bound."""
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
    """Return the user who listens at a Unix socket (unix(7), SO_PEERCRED), or else its file's owner."""
    if not hasattr(socket, "SO_PEERCRED"):
        return Path(path).stat().st_uid
    _, uid, _ = struct.unpack(
        "iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    )
    return int(uid)
