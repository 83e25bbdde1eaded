"""`GET /aws/roles`: who the user is, and the roles that they may pick."""

from __future__ import annotations

import json
from dataclasses import replace

from jupyter_wb_aws.handlers.problem import WbAwsHandler, endpoint
from jupyter_wb_aws.identity.token import Identity
from jupyter_wb_aws.roles.catalogue import default_role
from jupyter_wb_aws.roles.role import Role


def user_json(identity: Identity) -> dict[str, object]:
    """Shape the user as the REST contract does."""
    return {"name": identity.name, "subject": identity.subject, "groups": list(identity.groups)}


class RolesHandler(WbAwsHandler):
    """The role catalogue of this user."""

    @endpoint
    async def get(self) -> None:
        """List the roles."""
        identity, roles = await self.manager.roles()
        self.answer(self._encoded(identity, roles))

    def _encoded(self, identity: Identity, roles: list[Role]) -> bytes:
        # The catalogue gives the same list until it, or the user, changes; writing thousands of
        # roles as JSON each time would hold up the event loop for tens of milliseconds.
        if self.wb.encoded_roles is None or self.wb.encoded_roles[0] is not roles:
            default = default_role(roles, self.manager.settings.default_role)
            listed = [replace(role, default=role is default).as_json() for role in roles]
            document = {"user": user_json(identity), "roles": listed}
            self.wb.encoded_roles = (roles, json.dumps(document).encode())
        return self.wb.encoded_roles[1]
