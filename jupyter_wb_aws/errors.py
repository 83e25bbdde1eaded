"""The failures a user can meet; each says what happened, why, and what to do next.

`code` is stable and part of the REST contract; `status` is the HTTP status that goes with it (by
number, so that the domain needs no web framework). Nothing secret may go into a message.
"""

from __future__ import annotations

from jupyter_wb_aws.base_error import WbAwsError
from jupyter_wb_aws.sts_failures import (
    StsBadAnswer,
    StsRejected,
    StsTimeout,
    StsUnavailable,
    Throttled,
)

__all__ = [
    "AppNotFound", "BadRequest", "CatalogueUnavailable", "DoctorTimeout", "EndpointClientNotFound", "EndpointUnavailable",
    "FlowNotAvailable",
    "HelperProcessFailed", "HubUserDiffers", "IdpBadAnswer", "IdpTimeout", "IdpUnavailable", "InvalidRegion", "InvalidRoleArn",
    "KernelNotFound", "LastRunUnknown", "LeftRunning", "NewProcessNeeded", "NoDefaultRoleSession", "NotConfigured", "NotFound",
    "ProcessNotFound", "RoleNotAllowed", "RoleSessionEnded", "RoleSessionNotFound", "RoleSessionNotShared",
    "ServerStopping", "SignInFailed", "SignInNotNeeded", "SignInRequired", "StartTimeout", "StsBadAnswer",
    "StsRejected", "StsTimeout", "StsUnavailable", "Throttled", "TokenFolderRefused", "TokenInvalid",
    "TokenRefused", "TokenSourceFailed", "TooManyRoleSessions", "TrustRefused", "WbAwsError",
]  # fmt: skip


# --- What the caller said ------------------------------------------------------------------


class BadRequest(WbAwsError):
    """The request can't be read."""

    code = "bad_request"
    status = 400
    title = "The request can't be read"
    hint = "Compare the request with GET /aws/openapi.yaml."


class InvalidRoleArn(BadRequest):
    """The text is not the ARN of an IAM role."""

    code = "invalid_role_arn"
    title = "Not the ARN of an IAM role"
    hint = "A role's ARN looks like arn:aws:iam::111122223333:role/analyst; `jupyter wb-aws roles --verbose` lists yours."


class InvalidRegion(BadRequest):
    """The text is not an AWS region, or not one of the role's partition."""

    code = "invalid_region"
    title = "Not a region of this role's partition"
    hint = "A region looks like us-east-2; leave it out to take the role's own."


class NotFound(WbAwsError):
    """Nothing has that name."""

    code = "not_found"
    status = 404
    title = "Not found"
    hint = "Compare the path with GET /aws/openapi.yaml."


class RoleSessionNotFound(NotFound):
    """No role session has that id."""

    code = "role_session_not_found"
    title = "No such role session"
    hint = "GET /aws/sessions lists the role sessions there are."


class RoleSessionEnded(WbAwsError):
    """The role session has ended, and the request needs one that has not."""

    code = "role_session_ended"
    status = 409
    title = "This role session has ended"
    hint = "Start the role again, then use the new role session."


class RoleSessionNotShared(WbAwsError):
    """The role session belongs to the program that started it, and the request would share it."""

    code = "role_session_not_shared"
    status = 409
    title = "This role session is not shared"
    hint = "Start the role without `shared`, or with `jupyter wb-aws start ROLE`."


class TooManyRoleSessions(WbAwsError):
    """The user has as many role sessions as the administrator allows."""

    code = "too_many_role_sessions"
    status = 409
    title = "Too many role sessions at once"
    hint = "Wait until those that are starting have started, then end one that you no longer need."


class KernelNotFound(NotFound):
    """No kernel of this server has that id."""

    code = "kernel_not_found"
    title = "No such kernel"
    hint = "GET /api/kernels lists the kernels that run."


class AppNotFound(NotFound):
    """No proxied app of this server has that id."""

    code = "app_not_found"
    title = "No such proxied app"
    hint = "GET /server-proxy/servers-info lists the apps of this server."


class ProcessNotFound(NotFound):
    """The server sees no process with that id."""

    code = "process_not_found"
    title = "No such process"
    hint = "Run this on the machine, and in the container, that the Jupyter server runs in."


class EndpointClientNotFound(NotFound):
    """No client of the credential endpoint has that id."""

    code = "endpoint_client_not_found"
    title = "No such client of the credential endpoint"
    hint = "GET /aws/endpoint/clients lists those that have not been ended."


class LeftRunning(WbAwsError):
    """The kernel, terminal or app has gone; what it left running can be ended, but not switched."""

    code = "left_running"
    status = 409
    title = "Processes left running can't be switched"
    hint = "End them: DELETE /aws/endpoint/clients/{id}. Then start them again with the other role."


class NewProcessNeeded(WbAwsError):
    """The terminal or app can't be switched while it runs, and no restart of it takes a choice."""

    code = "new_process_needed"
    status = 409
    title = "This process can't be switched to that role"


class NoDefaultRoleSession(NotFound):
    """The call needs a default role session, and there is none."""

    code = "no_role_session"
    title = "No role session"
    hint = "`jupyter wb-aws roles` lists your roles, `jupyter wb-aws start ROLE` starts one."


class NotConfigured(NotFound):
    """The extension is installed but not set up: it does not know where tokens or roles come from."""

    code = "not_configured"
    title = "AWS roles are not set up on this server"
    hint = "Ask your administrator to set up jupyter_wb_aws."


# --- What the user may do ------------------------------------------------------------------


class HubUserDiffers(WbAwsError):
    """The token names another user than the owner of the server."""

    code = "hub_user_differs"
    status = 403
    title = "The token belongs to another user"
    hint = "Sign out, and sign in as the user whose server this is."


class RoleNotAllowed(WbAwsError):
    """The role is not offered to the user.

    Args:
        request_url: where to ask for it, if the administrator named a place.
        admin_hint: see `WbAwsError`.
    """

    code = "role_not_allowed"
    status = 403
    title = "This role is not offered to you"

    def __init__(
        self, detail: str = "", *, request_url: str | None = None, admin_hint: str | None = None
    ) -> None:
        hint = "`jupyter wb-aws roles` lists the roles that you may use."
        if request_url:
            hint += f" Ask for this one at {request_url}"
        super().__init__(detail, hint=hint, admin_hint=admin_hint)
        self.request_url = request_url

    def as_problem(self) -> dict[str, object]:
        """Add where to ask for the role."""
        return {**super().as_problem(), "request_url": self.request_url}


class TrustRefused(WbAwsError):
    """STS answered AccessDenied: the role's trust policy does not allow this user."""

    code = "trust_refused"
    status = 403
    title = "AWS refused to let you use this role"


class TokenRefused(WbAwsError):
    """STS did not accept the web identity token itself."""

    code = "token_refused"
    status = 403
    title = "AWS did not accept your sign-in"


class SignInRequired(WbAwsError):
    """No token is available until the user signs in (again)."""

    code = "sign_in_required"
    status = 409
    title = "Sign in first"
    hint = "Sign in to your company's single sign-on again, then repeat what you did."


class SignInNotNeeded(WbAwsError):
    """The token source gets tokens without the user, so there is nothing to sign in to."""

    code = "sign_in_not_needed"
    status = 409
    title = "This server needs no sign-in"
    hint = "Choose a role: `jupyter wb-aws roles` lists yours."


class FlowNotAvailable(WbAwsError):
    """This way to sign in is not offered here."""

    code = "flow_not_available"
    status = 400
    title = "This way to sign in is not offered here"
    hint = "Run `jupyter wb-aws sign-in`: it finds a way that works here. If there is none, contact your administrator."


class SignInFailed(WbAwsError):
    """A sign-in that was begun was not completed."""

    code = "sign_in_failed"
    status = 400
    title = "The sign-in failed"
    hint = "Sign in again: `jupyter wb-aws sign-in`."


# --- What others did -----------------------------------------------------------------------


class TokenSourceFailed(WbAwsError):
    """The token source gave no token."""

    code = "token_source_failed"
    status = 503
    title = "No web identity token is available"
    hint = "Try again in a minute. If it still fails, contact your administrator."


class IdpUnavailable(TokenSourceFailed):
    """The identity provider can't be reached, or says that it is down or busy."""

    code = "identity_provider_unavailable"
    title = "The identity provider can't be reached"


class IdpTimeout(TokenSourceFailed):
    """The identity provider took too long."""

    code = "identity_provider_timeout"
    status = 504
    title = "The identity provider did not answer in time"


class IdpBadAnswer(TokenSourceFailed):
    """The identity provider's answer can't be understood, or refuses what this server asks for."""

    code = "identity_provider_bad_answer"
    status = 502
    title = "The identity provider's answer can't be used"
    hint = "Contact your administrator; trying again won't help."


class TokenInvalid(WbAwsError):
    """The token source's answer is not a usable web identity token."""

    code = "token_invalid"
    status = 502
    title = "The token source's answer is not a usable token"
    hint = "Contact your administrator; trying again won't help."


class CatalogueUnavailable(WbAwsError):
    """The roles file can't be read, and no earlier good version is in memory."""

    code = "catalogue_unavailable"
    status = 503
    title = "The list of roles can't be read"
    hint = "Let your administrator know that the roles file is broken."


class ServerStopping(WbAwsError):
    """This Jupyter Server is stopping."""

    code = "server_stopping"
    status = 503
    title = "This Jupyter Server is stopping"
    hint = "Start the server again, then repeat what you did."


class StartTimeout(WbAwsError):
    """The role did not start in time, and not because of STS: a token, a disk or a helper process was slow."""

    code = "start_timeout"
    status = 504
    title = "The role did not start in time"
    hint = "Try again. If it still fails, contact your administrator."


class DoctorTimeout(WbAwsError):
    """The doctor did not finish within the time a user should wait."""

    code = "doctor_timeout"
    status = 504
    title = "The doctor did not finish in time"
    hint = "Try again. If it still fails, contact your administrator."


class HelperProcessFailed(WbAwsError):
    """A short-lived process of the server's own could not be started, or gave no answer."""

    code = "helper_process_failed"
    status = 503
    title = "A helper process of the server failed"
    hint = "Try again. If it still fails, contact your administrator."


class LastRunUnknown(WbAwsError):
    """The disk with what the last run left does not answer."""

    code = "last_run_unknown"
    status = 503
    title = "The role sessions of the last run are not known yet"
    hint = "Try again in a minute. If it still fails, ask your administrator to check the disk."


class EndpointUnavailable(WbAwsError):
    """The credential endpoint does not run, and could not be started."""

    code = "endpoint_unavailable"
    status = 503
    title = "The credential endpoint does not run"
    hint = "Try again. If it still fails, contact your administrator."


class TokenFolderRefused(WbAwsError):
    """The folder for token files is not safe, or can't be written to."""

    code = "token_dir_refused"
    status = 503
    title = "The folder for token files can't be used"
    hint = "Contact your administrator, who can set `WbAwsApp.token_dir`."
