"""`/aws/endpoint/clients`: who may ask the credential endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_wb_aws.clock import rfc3339
from jupyter_wb_aws.errors import EndpointClientNotFound
from jupyter_wb_aws.handlers.base import WbAwsHandler, endpoint
from jupyter_wb_aws.handlers.request_user import log_by_user

if TYPE_CHECKING:
    from jupyter_wb_aws.endpoint.clients import EndpointClient
    from jupyter_wb_aws.endpoint.processes import Programs

# How many of a client's programs are named.
MAX_COMMANDS = 3


class EndpointClientsHandler(WbAwsHandler):
    """The clients that hold an endpoint token."""

    @endpoint
    async def get(self) -> None:
        """List them, without those that were ended and those that nobody has used."""
        server = self.server_state
        server.require_manager()
        if server.endpoint is None:
            self.answer({"clients": []})
            return
        programs = await server.endpoint.clients.processes.look()
        clients = server.endpoint_clients()
        used = [client for client in clients if _is_used(client, programs)]
        self.answer({"clients": [client_json(client, programs) for client in used]})


class EndpointClientHandler(WbAwsHandler):
    """One client, by its id."""

    @endpoint
    async def delete(self, client_id: str) -> None:
        """Refuse credentials to it from now on.

        Raises:
            EndpointClientNotFound: if there is none with this id.
        """
        self.server_state.require_manager()
        if self.server_state.endpoint is None:
            raise EndpointClientNotFound("The credential endpoint has no clients.")
        client = self.server_state.endpoint.clients.end(client_id)
        self.server_state.endpoint.look()  # new commands of a role session get another token
        log_by_user(self, f"Access of {client.kind} {client.name} to the credential endpoint ended")
        self.set_status(204)
        self.finish()


def _is_used(client: EndpointClient, programs: Programs | None) -> bool:
    """Return whether anything may ask: a role session has the variables for commands even if nobody takes them."""
    if client.kind != "environment" or client.last_request_at is not None:
        return True
    return bool((programs or {}).get(str(client.access.token_file)))


def client_json(client: EndpointClient, programs: Programs | None) -> dict[str, object]:
    """Shape a client as the REST contract does, without its endpoint token.

    Args:
        client: the client.
        programs: which processes have each token, by the path of its file; None if that is not known.
    """
    session, last = client.session, client.last_request_at
    its_own = (programs or {}).get(str(client.access.token_file), ())
    return {
        "id": client.id,
        "kind": client.kind,
        "name": client.name,
        "state": client.state,
        "session_id": session.id if session else None,
        "role_arn": str(session.role.arn) if session else None,
        "label": session.role.label if session else None,
        "started_at": rfc3339(client.started_at),
        "last_request_at": rfc3339(last) if last else None,
        "processes": None if programs is None else len(its_own),
        "commands": [{"pid": one.pid, "name": one.name} for one in its_own[:MAX_COMMANDS]],
    }
