"""`/aws/apps`: what jupyter-server-proxy launches."""

from __future__ import annotations

from jupyter_wb_aws.errors import AppNotFound
from jupyter_wb_aws.handlers.base import WbAwsHandler, endpoint
from jupyter_wb_aws.handlers.request_user import log_by_user


class RelaunchHandler(WbAwsHandler):
    """Stopping a proxied app."""

    @endpoint
    async def post(self, app_id: str) -> None:
        """Stop the app; its next request launches it.

        Raises:
            AppNotFound: if this server has no such app.
        """
        self.server_state.require_manager()
        await self.require("server-proxy")
        self.body({})
        if self.server_state.apps is None:
            raise AppNotFound("No proxied app of this server has that id.")
        await self.server_state.apps.relaunch(app_id)
        log_by_user(self, f"App {app_id} stopped, to be launched again")
        self.set_status(204)
        self.finish()
