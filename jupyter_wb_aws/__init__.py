"""Short-lived AWS credentials for the kernels and terminals of a Jupyter Server."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from boto3.session import Session
    from jupyter_server.serverapp import ServerApp

__all__ = ["__version__", "boto3_session"]
__version__ = "0.1.0"


def boto3_session(serverapp: ServerApp, consumer: str, session_id: str | None = None) -> Session:
    """Return a `boto3.Session` for a role session, for code that runs inside the server.

    Its credentials are fetched when they are first needed and renewed before they expire, from the
    role session's token file. It takes nothing from the server's own `AWS_*` variables and `~/.aws`:
    region, endpoints, proxy and CA bundle are those that the role session's kernels have. Once the
    role session has ended, requests raise `RoleSessionEnded` before they are sent.

    Asking again is a look-up, so ask each time rather than keep what was returned: that follows the
    user to another default role session. It may be called in any thread; it waits for no network, but
    the first call in a server imports boto3. What boto3 does blocks: use a worker thread.

    Args:
        serverapp: the Jupyter Server (`self.serverapp` of a handler, `self.parent` of a contents manager).
        consumer: who asks, 1 to 24 characters: it stands at the end of AWS's RoleSessionName, and so
            in CloudTrail.
        session_id: the role session; None is the default one.

    Raises:
        NotConfigured: if the extension is not loaded or not set up.
        NoRoleSession: if there is no default role session.
        RoleSessionNotFound, RoleSessionEnded, RoleSessionNotShared: if the one that is named can't be
            used.
        ValueError: if `consumer` can't stand in a session name.
    """
    from jupyter_wb_aws.errors import NotConfigured

    app = serverapp.web_app.settings.get("jupyter_wb_aws")
    state = app.server_state if app is not None else None
    if state is None:
        raise NotConfigured("The extension jupyter_wb_aws is not loaded in this server.")
    state.require_manager()
    session: Session = state.boto3_sessions.boto3_session(consumer, session_id)
    return session


def _jupyter_server_extension_points() -> list[dict[str, object]]:
    """Tell Jupyter Server what to load.

    Source: jupyter_server, "Server Extensions", which calls this function by name.
    """
    # Imported here so that the command line, which needs no server, stays quick to start.
    from jupyter_wb_aws.app import WbAwsApp

    return [{"module": "jupyter_wb_aws.app", "app": WbAwsApp}]
