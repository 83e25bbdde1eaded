"""`/aws/endpoint/clients`: who may ask the credential endpoint."""

from __future__ import annotations

from jupyter_wb_aws.errors import EndpointClientNotFound
from jupyter_wb_aws.handlers.base import WbAwsHandler, endpoint


class EndpointClientsHandler(WbAwsHandler):
    """The clients that hold an endpoint token."""

    @endpoint
    async def get(self) -> None:
        """List them, without those that were ended."""
        self.server_state.require_manager()
        self.answer({"clients": []})


class EndpointClientHandler(WbAwsHandler):
    """One client, by its id."""

    @endpoint
    async def delete(self, client_id: str) -> None:
        """Refuse credentials to it from now on.

        Raises:
            EndpointClientNotFound: if there is none with this id.
        """
        self.server_state.require_manager()
        raise EndpointClientNotFound(
            f"No client of the credential endpoint has the id {client_id[:40]!r}."
        )
