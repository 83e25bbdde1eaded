"""Which Jupyter server to ask, and with which token.

1. ``JUPYTER_SERVER_URL``: jupyter_server_terminals sets it in every terminal.
2. ``JPY_PARENT_PID``: jupyter_client sets it in every kernel, to the server's process id.
3. Else the only server that runs.

One server started from within another inherits the other's variables: where 1 and 2 disagree,
the server that is the nearer ancestor of this process is ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from jupyter_wb_aws.cli.bad_answer import has_no_token
from jupyter_wb_aws.cli.failure import CliError, ExitCode, local_problem
from jupyter_wb_aws.cli.runtime_files import RunningServer, nearest_ancestor, running_servers
from jupyter_wb_aws.cli.transport import is_this_machine


class Connection(NamedTuple):
    """Where to ask.

    Attributes:
        url: the server's base URL, without a token in it.
        token: the server's API token; empty where the server asks for none.
        socket: the path of its Unix socket, if it listens on one.
    """

    url: str
    token: str
    socket: str = ""

    def __repr__(self) -> str:
        """Show all but the token."""
        return f"Connection({self.url!r})"


def find_own_server(env: Mapping[str, str], runtime_dir: Path) -> Connection | None:
    """Find the server that this process belongs to, if it is certain."""
    url, pid = _without_secrets(env.get("JUPYTER_SERVER_URL", "")), env.get("JPY_PARENT_PID", "")
    server = _server_of_this_process(url, pid, running_servers(runtime_dir)) if url or pid else None
    return _connection(server, env) if server is not None else None


def find_server(env: Mapping[str, str], runtime_dir: Path) -> Connection:
    """Find the server that this process belongs to, else the only one.

    Raises:
        CliError: if there is none, or several, or one that can't be asked.
    """
    servers = running_servers(runtime_dir)
    url = _without_secrets(env.get("JUPYTER_SERVER_URL", ""))
    server = _server_of_this_process(url, env.get("JPY_PARENT_PID", ""), servers)
    if server is not None:
        return _connection(server, env)
    if url and _token_from(env):
        return Connection(url=url, token=_token_from(env))
    if url:
        raise _not_running(url, servers)
    if len(servers) == 1:
        return _connection(servers[0], env)
    raise _several(servers) if servers else _none(runtime_dir)


def _server_of_this_process(
    url: str, pid: str, servers: Sequence[RunningServer]
) -> RunningServer | None:
    by_url = [server for server in servers if url and _place(server.url) == _place(url)]
    by_pid = [server for server in servers if str(server.pid) == pid]
    found = by_url[:1] + by_pid[:1]
    if len({server.pid for server in found}) > 1:
        return nearest_ancestor(found) or found[0]
    return found[0] if found else None


def _without_secrets(url: str) -> str:
    """Drop the token of a URL that was copied from a log, so that no message shows it."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _place(url: str) -> tuple[str, ...]:
    """Reduce a URL to what tells two servers apart: localhost and 127.0.0.1 are one place."""
    parts = urlsplit(url)
    host = "localhost" if is_this_machine(parts.hostname) else str(parts.hostname)
    where = parts.netloc if parts.scheme == "http+unix" else f"{host}:{parts.port}"
    return (parts.scheme, where, parts.path.rstrip("/"))


def _connection(server: RunningServer, env: Mapping[str, str]) -> Connection:
    token = server.token or _token_from(env)
    if not token and server.has_password:
        raise has_no_token(_without_secrets(server.url))
    return Connection(url=server.reachable_url, token=token, socket=server.socket)


def _token_from(env: Mapping[str, str]) -> str:
    """Take the token that the server itself was given by its environment, if we inherited it.

    JupyterHub's older single-user servers keep their API token out of the runtime file. They
    accept it like any token of the hub's that may access them (jupyterhub/services/auth.py,
    `get_token`; jupyterhub/roles.py, the scopes of `server`).
    """
    if env.get("JUPYTER_TOKEN"):
        return env["JUPYTER_TOKEN"]
    if env.get("JUPYTERHUB_SERVICE_PREFIX"):
        return env.get("JUPYTERHUB_API_TOKEN", "")
    return ""


def _urls(servers: Sequence[RunningServer]) -> str:
    return ", ".join(sorted(_without_secrets(server.url) for server in servers))


def _none(runtime_dir: Path) -> CliError:
    return local_problem(
        "no_server",
        "No running Jupyter server was found",
        detail=f"No running Jupyter server of yours was found in {runtime_dir}.",
        hint="Run this in a terminal or notebook of a Jupyter server, or start one: `jupyter lab`.",
        exit_code=ExitCode.CANNOT_ASK,
    )


def _not_running(url: str, others: Sequence[RunningServer]) -> CliError:
    running = f"; these do: {_urls(others)}" if others else ""
    return local_problem(
        "no_server",
        "This terminal's Jupyter server does not run any more",
        detail=f"JUPYTER_SERVER_URL names {url}, where no Jupyter server of yours runs{running}.",
        hint="Run this in a terminal of a running server, or set JUPYTER_SERVER_URL to its URL"
        " (and JUPYTER_TOKEN to its token if it is on another machine).",
        exit_code=ExitCode.CANNOT_ASK,
    )


def _several(servers: Sequence[RunningServer]) -> CliError:
    return local_problem(
        "several_servers",
        "Several Jupyter servers are running",
        detail=f"Several Jupyter servers are running: {_urls(servers)}.",
        hint="Run this in a terminal of the one you mean, or set JUPYTER_SERVER_URL to its URL.",
        exit_code=ExitCode.CANNOT_ASK,
    )
