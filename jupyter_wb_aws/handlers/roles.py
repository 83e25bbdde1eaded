"""`GET /aws/roles`: who the user is, and the roles that they may use."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

from jupyter_wb_aws.handlers.base import WbAwsHandler, endpoint
from jupyter_wb_aws.identity.token import Identity
from jupyter_wb_aws.pacing import paced
from jupyter_wb_aws.role_sessions.settings import RoleSessionSettings
from jupyter_wb_aws.roles.catalogue import startup_role
from jupyter_wb_aws.roles.role import Role


def user_json(identity: Identity) -> dict[str, object]:
    """Shape the user as the REST contract does."""
    return {"name": identity.name, "subject": identity.subject, "groups": list(identity.groups)}


class RolesHandler(WbAwsHandler):
    """The roles that are offered to the user."""

    @endpoint
    async def get(self) -> None:
        """List the roles."""
        self.refuse_other_sites()  # the token source may run a program
        identity, roles = await self.manager.rights.offered_roles()
        # The catalogue returns the same list until it or the user changes. Encoding thousands of roles
        # each time, or once on the event loop, would block everybody else.
        known = self.server_state.encoded_roles
        if known is None or known[0] is not roles:
            settings = self.manager.settings
            content = await asyncio.to_thread(encode_role_list, identity, roles, settings)
            known = self.server_state.encoded_roles = (roles, content)
        self.answer(known[1])


def encode_role_list(identity: Identity, roles: list[Role], settings: RoleSessionSettings) -> bytes:
    """Encode the answer of `GET /aws/roles`.

    Args:
        identity: the user.
        roles: the roles offered to them.
        settings: the site's default role, and its delivery for roles without their own.
    """
    default = startup_role(roles, settings.default_role)
    shown = (
        replace(role, default=role is default, delivery=settings.delivery_of(role))
        for role in roles
    )
    # One by one: encoding thousands of them in one call would keep every other thread waiting.
    listed = ", ".join(json.dumps(role.as_json()) for role in paced(shown))
    return f'{{"user": {json.dumps(user_json(identity))}, "roles": [{listed}]}}'.encode()
