"""Short-lived AWS credentials for the kernels and terminals of a Jupyter Server."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from boto3.session import Session
    from IPython.core.interactiveshell import InteractiveShell
    from jupyter_server.serverapp import ServerApp

__all__ = ["__version__", "boto3_session"]
__version__ = "0.1.0"


def boto3_session(serverapp: ServerApp, consumer: str, session_id: str | None = None) -> Session:
    """Return a `boto3.Session` for a role session, for code that runs inside the server.

    The session fetches credentials when it first needs them and refreshes them before they expire, from the
    role session's token file. It ignores the server's own `AWS_*` variables and `~/.aws`: region, endpoints,
    proxy and CA bundle are those of the role session's kernels. Once the role session has ended, requests
    raise `RoleSessionEnded` before they are sent.

    A second call is only a look-up, so call this each time instead of keeping the session: then your code
    follows the user to another default role. Any thread may call it. It does not wait for the network, but the
    first call in a server imports boto3. boto3's own calls block: use a worker thread.

    Args:
        serverapp: the Jupyter Server (`self.serverapp` of a handler, `self.parent` of a contents manager).
        consumer: the name of your extension, 1 to 24 characters. It is at the end of AWS's RoleSessionName,
            and so in CloudTrail.
        session_id: the role session; None means the default one.

    Raises:
        NotConfigured: if the extension is not loaded or not set up.
        NoDefaultRoleSession: if there is no default role session.
        RoleSessionNotFound, RoleSessionEnded, RoleSessionNotShared: if the named one can't be used.
        ValueError: if `consumer` can't be part of a session name.
    """
    from jupyter_wb_aws.errors import NotConfigured

    app = serverapp.web_app.settings.get("jupyter_wb_aws")
    state = app.server_state if app is not None else None
    if state is None:
        raise NotConfigured("The extension jupyter_wb_aws is not loaded in this server.")
    state.require_manager()
    session: Session = state.boto3_sessions.boto3_session(consumer, session_id)
    return session


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """Add `%aws_role` to a notebook, which runs `%load_ext jupyter_wb_aws`.

    IPython calls this function by name (IPython, "IPython extensions").
    """
    from jupyter_wb_aws.cli.magic import load

    load(ipython)


def _jupyter_server_extension_points() -> list[dict[str, object]]:
    """Return the extension that Jupyter Server loads.

    Jupyter Server calls this function by name (jupyter_server, "Server Extensions").
    """
    # Imported here so that the command line, which needs no server, starts quickly.
    from jupyter_wb_aws.app import WbAwsApp

    return [{"module": "jupyter_wb_aws.app", "app": WbAwsApp}]
