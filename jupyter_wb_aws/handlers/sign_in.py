"""`/aws/sign-in`: whether somebody is signed in at the identity provider; begin it, and end it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jupyter_wb_aws.clock import rfc3339
from jupyter_wb_aws.errors import IdpTimeout, SignInNotNeeded, WbAwsError
from jupyter_wb_aws.handlers.base import WbAwsHandler, endpoint
from jupyter_wb_aws.handlers.request_user import log_by_user
from jupyter_wb_aws.handlers.roles import user_json
from jupyter_wb_aws.handlers.server_sharing import sharing_notice

if TYPE_CHECKING:
    from jupyter_server.base.handlers import JupyterHandler

    from jupyter_wb_aws.identity.oidc.code_flow import AuthorizationRequest
    from jupyter_wb_aws.identity.oidc.sign_in import SignIn
    from jupyter_wb_aws.role_sessions.manager import RoleSessionManager
    from jupyter_wb_aws.single_user import SingleUserServer

# Seconds that a status request may wait for the identity provider.
PROVIDER_TIMEOUT = 5.0


def sign_in_of(manager: RoleSessionManager) -> SignIn:
    """Return the sign-in of this server.

    Raises:
        SignInNotNeeded: if the token source needs no sign-in.
    """
    sign_in = manager.token_cache.source.sign_in
    if sign_in is None:
        raise SignInNotNeeded("This server needs no sign-in.")
    return sign_in


def bind_to_browser(
    handler: JupyterHandler, begun: AuthorizationRequest, hub: SingleUserServer | None
) -> None:
    """Set the cookie without which no browser can finish this sign-in.

    It is `Lax` and not `Strict` because the provider's pages send the browser back. Its path and
    `Secure` come from the redirect URI, which the browser returns to; a proxy may show this server
    another path. A hub shows it its own path, and may send on to it a browser that returns to the hub.

    Args:
        handler: answers the request that begins the sign-in.
        begun: the sign-in.
        hub: the server as a hub's, if a hub has started it.
    """
    back = urlsplit(begun.redirect_uri)
    path = back.path if hub is None else f"{handler.base_url}aws/sign-in/callback"
    handler.set_cookie(
        begun.cookie_name,
        begun.cookie,
        path=path,
        max_age=begun.lifetime,
        httponly=True,
        secure=back.scheme == "https",
        samesite="Lax",
    )


class SignInHandler(WbAwsHandler):
    """The sign-in of the server's owner."""

    @endpoint
    async def get(self) -> None:
        """Report the state of the sign-in."""
        self.refuse_other_sites()  # it calls the identity provider
        sign_in = self.manager.token_cache.source.sign_in
        if sign_in is None:
            user = self.manager.rights.known_user
            self._answer_state("not_needed", user=user_json(user) if user else None)
            return
        flows, problem = [], sign_in.problem
        try:
            async with asyncio.timeout(PROVIDER_TIMEOUT):
                flows = await sign_in.available_flows()
        except TimeoutError:
            problem = problem or IdpTimeout("The identity provider did not answer in time.")
        except WbAwsError as error:
            problem = problem or error
        self._answer_state(
            sign_in.state,
            user=user_json(sign_in.user) if sign_in.user else None,
            expires_at=rfc3339(sign_in.expires_at) if sign_in.expires_at else None,
            flows=flows,
            problem=problem.as_problem() if problem else None,
        )

    def _answer_state(self, state: str, **more: object) -> None:
        another = self.manager.rights.another_user()
        of_another = {"code": another.code, "message": another.detail} if another else None
        notices = [n for n in (of_another, sharing_notice(self.serverapp)) if n]
        nothing: dict[str, object] = {
            "user": None,
            "expires_at": None,
            "flows": [],
            "problem": None,
            **({"notices": notices} if notices else {}),
        }
        self.answer({"state": state, **nothing, **more})

    @endpoint
    async def post(self) -> None:
        """Begin a sign-in."""
        sign_in = sign_in_of(self.manager)
        flow = await sign_in.choose_flow(self.body({"flow": str}).get("flow"))
        log_by_user(self, f"Sign-in asked for ({flow} flow)")
        if flow == "code":
            begun = await sign_in.begin_code()
            bind_to_browser(self, begun, self.server_state.hub)
            self.answer({"flow": "code", "authorization_url": begun.authorization_url}, 202)
            return
        device = await sign_in.begin_device()
        document = {
            "flow": "device",
            "user_code": device.user_code,
            "verification_uri": device.verification_uri,
            "expires_at": rfc3339(device.expires_at),
        }
        if device.verification_uri_complete is not None:
            document["verification_uri_complete"] = device.verification_uri_complete
        self.answer(document, 202)

    @endpoint
    async def delete(self) -> None:
        """Sign out; every role session ends."""
        signed_out, until, stop_by = await self.manager.sign_in_changes.sign_out()
        log_by_user(self, "Signed out")
        self.answer(
            {
                "credentials_expire_at": rfc3339(until) if until else None,
                "clients_stop_by": rfc3339(stop_by) if stop_by else None,
                "revoked": signed_out.revoked,
                "end_session_url": signed_out.end_session_url,
            }
        )
