"""What can go wrong in the hub service, besides what `jupyter_wb_aws.errors` has."""

from __future__ import annotations

from jupyter_wb_aws.base_error import WbAwsError

# Bytes. A role's ARN has at most 600 characters.
MAX_BODY_BYTES = 16 * 1024
CONTRACT_HINT = "Compare the request with the service's openapi.yaml."


class HubServiceError(WbAwsError):
    """Base of the failures that only the hub service has; by itself, a defect of the service.

    A defect is answered with 503 too: for callers it is one more reason to try again later.
    """

    status = 503
    title = "Something went wrong in the hub service"
    hint = "Try again in a minute. If it still fails, contact your administrator."


class NotAuthenticated(HubServiceError):
    """The hub does not know the caller's token, or there is none."""

    code = "not_authenticated"
    status = 401
    title = "The hub does not know this token"
    hint = (
        "Send a token of the hub in the Authorization header. A server's own token ends when the server is stopped:"
        " start it again from the hub."
    )


class NoToken(NotAuthenticated):
    """The call has no token."""

    title = "The call has no token of the hub"


class ScopeMissing(HubServiceError):
    """The caller's token does not have the scope that the call needs."""

    code = "scope_missing"
    status = 403
    title = "This token gives no access to the hub service"
    hint = "If you were given access a short while ago, restart your server from the hub's control panel."


class NotAUser(HubServiceError):
    """The caller's token belongs to a service, not to a user."""

    code = "not_a_user"
    status = 403
    title = "This token is not a user's"
    hint = "Call the hub service from a user's server."


class NotAServer(HubServiceError):
    """The caller's token is not that of one of their own servers."""

    code = "not_a_server"
    status = 403
    title = "This token is not that of a server of yours"
    hint = "Call the hub service from your own server, not from somebody else's."


class NotFound(HubServiceError):
    """Nothing is at that path."""

    code = "not_found"
    status = 404
    title = "Not found"
    hint = CONTRACT_HINT


class MethodNotAllowed(HubServiceError):
    """The path exists, but does not have this method."""

    code = "method_not_allowed"
    status = 405
    title = "Method not allowed"
    hint = CONTRACT_HINT


class BodyTooLarge(HubServiceError):
    """The body is larger than any valid request."""

    code = "body_too_large"
    status = 413
    title = "The body is too large"
    hint = f"A body may have up to {MAX_BODY_BYTES} bytes."


class UnsupportedMediaType(HubServiceError):
    """The body is declared as something other than JSON."""

    code = "unsupported_media_type"
    status = 415
    title = "The body is not declared as JSON"
    hint = "Send the header Content-Type: application/json."


class TooManyTokens(HubServiceError):
    """The user asks for more tokens than they may have in a minute."""

    code = "too_many_tokens"
    status = 429
    title = "Too many requests"
    hint = "Wait as long as Retry-After says. Is there a program that asks in a loop?"


class HubBusy(HubServiceError):
    """The service asks the hub as often as it may already."""

    code = "hub_busy"
    title = "Too many callers at once"
    hint = "Try again in a few seconds."


class CallOutOfTime(HubServiceError):
    """The steps of a call took longer than its caller waits, and none of them alone is to blame."""

    code = "hub_busy"
    title = "The hub service was too slow"
    hint = "Try again in a few seconds."


class HubUnavailable(HubServiceError):
    """The hub does not answer, or not as a hub does."""

    code = "hub_unavailable"
    title = "The hub does not answer"
    hint = "Try again in a minute. Role sessions go on, and are refreshed once it answers."


class RolesUnavailable(HubServiceError):
    """What the roles file says of this role is not known now: the file, or an entry, has an error, or is being written."""

    code = "roles_unavailable"
    title = "The list of roles can't be read"
    hint = "Let your administrator know that the hub service's roles file is broken."


class AuditUnavailable(HubServiceError):
    """The audit line of a token could not be written, so the token was not handed out."""

    code = "audit_unavailable"
    title = "The hub service can't write its audit log"
    hint = "Let your administrator know: no token is handed out without an audit line."


class KeysUnavailable(HubServiceError):
    """The hub service has no key that it may sign with."""

    code = "keys_unavailable"
    title = "The hub service has no key to sign tokens with"
    hint = "Let your administrator know that the hub service's keys can't be used."


class KeysReadOnly(HubServiceError):
    """The keys are where the hub service can't write, so that it can't rotate them."""

    code = "keys_read_only"
    status = 409
    title = "The hub service can't change its keys"
    hint = "Change them where they come from, such as a Secret."


class RotationRefused(HubServiceError):
    """The keys can't be rotated now."""

    code = "rotation_refused"
    title = "The keys can't be rotated now"
    hint = "Correct what is named, and rotate again as the service's own user."


class UnknownKey(HubServiceError):
    """There is no key with this id."""

    code = "unknown_key"
    status = 404
    title = "There is no such key"
    hint = "`GET keys` lists the keys that are published."


class FileNotWritten(HubServiceError):
    """A file that a command was to make can't be written."""

    code = "file_not_written"
    title = "The file can't be written"
    hint = "Choose a folder that this account can write to; if its disk is full, free some space."
