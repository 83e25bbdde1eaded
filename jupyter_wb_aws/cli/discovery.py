"""Find the Jupyter server to call, and its token.

1. ``JUPYTER_SERVER_URL``: jupyter_server_terminals sets it in every terminal.
2. ``JPY_PARENT_PID``: jupyter_client sets it in every kernel, to the server's process id.
3. Otherwise, the only running server.

A server that was started within another inherits the other's variables. If 1 and 2 disagree, ours is
the server that is the nearer ancestor of this process.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from jupyter_wb_aws.cli import tcp_listeners
from jupyter_wb_aws.cli.errors import CliError, ExitCode, local_problem
from jupyter_wb_aws.cli.running_servers import list_running_servers
from jupyter_wb_aws.cli.server_errors import no_token
from jupyter_wb_aws.cli.server_info import ServerInfo, nearest_ancestor
from jupyter_wb_aws.cli.transport import is_local_host
from jupyter_wb_aws.cli.urls import base_url, redacted_url, without_token

MAX_REASONS = 5
DEFAULT_PORTS = {"http": 80, "https": 443}


class Connection(NamedTuple):
    """A server to call.

    Attributes:
        url: the server's base URL, without a token in it.
        token: the server's API token; empty if the server needs none.
        socket: the path of its Unix socket, if it listens on one.
        named_by_file: whether a runtime file of this user names it, and not only the environment.
    """

    url: str
    token: str
    socket: str = ""
    named_by_file: bool = True

    def __repr__(self) -> str:
        """Leave out the token."""
        return f"Connection({self.display_url!r})"

    @property
    def display_url(self) -> str:
        """The URL for messages. One that Jupyter wrote has no password in it."""
        return self.url if self.named_by_file else redacted_url(self.url)


def find_own_server(
    env: Mapping[str, str], runtime_dir: Path, net: Path | None = None
) -> Connection | None:
    """Find the server that this process belongs to; None if it is not certain.

    Args:
        env: the environment of this process.
        runtime_dir: Jupyter's runtime folder.
        net: the folder with the kernel's tables of sockets; tests have their own.

    Raises:
        CliError: if JUPYTER_SERVER_URL is not a URL, or the server can't be called.
    """
    url, pid = _named(env), env.get("JPY_PARENT_PID", "")
    if not url and not pid:
        return None
    servers = list_running_servers(runtime_dir, net).servers
    server = _server_of_this_process(url, pid, servers)
    return _connection(server, env, named=True) if server is not None else None


def find_server(env: Mapping[str, str], runtime_dir: Path, net: Path | None = None) -> Connection:
    """Find the server that this process belongs to, or else the only one.

    Args:
        env: the environment of this process.
        runtime_dir: Jupyter's runtime folder.
        net: the folder with the kernel's tables of sockets; tests have their own.

    Raises:
        CliError: if there is none, there are several, or the one can't be called.
    """
    url = _named(env)
    servers, skipped = list_running_servers(runtime_dir, net)
    server = _server_of_this_process(url, env.get("JPY_PARENT_PID", ""), servers)
    if server is not None:
        return _connection(server, env, named=True)
    if url.startswith("http") and not url.startswith("http+unix") and _token_from(env):
        return Connection(url=url, token=_token_from(env), named_by_file=False)
    if url:
        raise (
            _has_no_file(url, runtime_dir, servers, skipped)
            if _is_listened_at(url, net)
            else _not_running(url, servers, skipped)
        )
    if len(servers) == 1:
        return _connection(servers[0], env, named=_is_of_this_hub(servers[0], env))
    raise _several(servers) if servers else _none(runtime_dir, skipped)


def _named(env: Mapping[str, str]) -> str:
    """Return JUPYTER_SERVER_URL without a user and a token; empty if it is not set.

    Raises:
        CliError: if it is not a URL.
    """
    given = env.get("JUPYTER_SERVER_URL", "")
    url = base_url(given)
    if url is None:
        raise _not_a_url()
    return url


def _server_of_this_process(url: str, pid: str, servers: Sequence[ServerInfo]) -> ServerInfo | None:
    by_url = [server for server in servers if url and _place(server.url) == _place(url)]
    by_pid = [server for server in servers if str(server.pid) == pid]
    found = by_url[:1] + by_pid[:1]
    if len({server.pid for server in found}) > 1:
        return nearest_ancestor(found) or found[0]
    return found[0] if found else None


def _place(url: str) -> tuple[str, ...]:
    """Reduce a URL to what distinguishes two servers: localhost and 127.0.0.1 are the same."""
    parts = urlsplit(url)
    host = "localhost" if is_local_host(parts.hostname) else str(parts.hostname)
    where = parts.netloc if parts.scheme == "http+unix" else f"{host}:{parts.port}"
    return (parts.scheme, where, parts.path.rstrip("/"))


def _connection(server: ServerInfo, env: Mapping[str, str], *, named: bool) -> Connection:
    """Use the server's own token; the environment's token is for the server that it names."""
    token = server.token or (_token_from(env) if named else "")
    if not token and server.has_password:
        raise no_token(without_token(server.url))
    return Connection(url=without_token(server.reachable_url), token=token, socket=server.socket)


def _is_of_this_hub(server: ServerInfo, env: Mapping[str, str]) -> bool:
    """Return whether this process's JupyterHub variables name the server, by its path."""
    prefix = env.get("JUPYTERHUB_SERVICE_PREFIX", "")
    return bool(prefix) and urlsplit(server.url).path.rstrip("/") == prefix.rstrip("/")


def _token_from(env: Mapping[str, str]) -> str:
    """Return the token that the server got from its own environment, if we inherited it.

    Older single-user servers of JupyterHub keep their API token out of the runtime file, but accept it
    like any token of the hub that may access them (jupyterhub/services/auth.py, `get_token`;
    jupyterhub/roles.py, the scopes of `server`).
    """
    if env.get("JUPYTER_TOKEN"):
        return env["JUPYTER_TOKEN"]
    if env.get("JUPYTERHUB_SERVICE_PREFIX"):
        return env.get("JUPYTERHUB_API_TOKEN", "")
    return ""


def _urls(servers: Sequence[ServerInfo]) -> str:
    return ", ".join(sorted(without_token(server.url) for server in servers))


def _none(runtime_dir: Path, skipped: Sequence[str]) -> CliError:
    return local_problem(
        "no_server",
        "No running Jupyter server was found",
        detail=_with(f"No running Jupyter server of yours was found in {runtime_dir}.", skipped),
        hint="Run this in a terminal or notebook of a Jupyter server, or start one: `jupyter lab`.",
        exit_code=ExitCode.CANNOT_ASK,
    )


def _not_running(url: str, others: Sequence[ServerInfo], skipped: Sequence[str]) -> CliError:
    running = f"; running are: {_urls(others)}" if others else ""
    where = f"JUPYTER_SERVER_URL is {redacted_url(url)}, but no Jupyter server of yours runs there{running}."
    return local_problem(
        "no_server",
        "This terminal's Jupyter server is no longer running",
        detail=_with(where, skipped),
        hint="Run this in a terminal of a running server, or set JUPYTER_SERVER_URL to its URL (and"
        " JUPYTER_TOKEN to its token if it runs on another machine).",
        exit_code=ExitCode.CANNOT_ASK,
    )


def _is_listened_at(url: str, net: Path | None) -> bool:
    """Return whether a process of this user listens at a URL of this machine."""
    parts = urlsplit(url)
    if parts.scheme not in DEFAULT_PORTS or not is_local_host(parts.hostname):
        return False
    at_port = tcp_listeners.listeners(parts.port or DEFAULT_PORTS[parts.scheme], net)
    return any(listener.uid == os.geteuid() for listener in at_port or ())


def _has_no_file(
    url: str, runtime_dir: Path, others: Sequence[ServerInfo], skipped: Sequence[str]
) -> CliError:
    known = f" These servers of yours have one there: {_urls(others)}." if others else ""
    where = (
        f"A process of yours listens at {redacted_url(url)}, which JUPYTER_SERVER_URL names, but no file in {runtime_dir} has"
        f" its token. The server may have another runtime folder, as in `jupyter wb-aws demo`.{known}"
    )
    return local_problem(
        "no_token",
        "This server's token is not known here",
        detail=_with(where, skipped),
        hint="Run this in one of that server's terminals, or set JUPYTER_TOKEN to its token.",
        exit_code=ExitCode.CANNOT_ASK,
    )


def _with(sentence: str, skipped: Sequence[str]) -> str:
    """Add why files were skipped: the right one may be among them."""
    more = [*skipped[:MAX_REASONS], *(["…"] if len(skipped) > MAX_REASONS else [])]
    return " ".join([sentence, *more])


def _not_a_url() -> CliError:
    """Explain it without the URL, which may contain a password."""
    return local_problem(
        "no_server",
        "Not the URL of a Jupyter server",
        detail="JUPYTER_SERVER_URL is not the URL of a Jupyter server.",
        hint="Set it to the server's URL, such as http://127.0.0.1:8888/, without a user, a password"
        " or a query; JUPYTER_TOKEN has the token.",
        exit_code=ExitCode.CANNOT_ASK,
    )


def _several(servers: Sequence[ServerInfo]) -> CliError:
    return local_problem(
        "several_servers",
        "Several Jupyter servers are running",
        detail=f"Several Jupyter servers are running: {_urls(servers)}.",
        hint="Run this in a terminal of the right one, or set JUPYTER_SERVER_URL to its URL.",
        exit_code=ExitCode.CANNOT_ASK,
    )
