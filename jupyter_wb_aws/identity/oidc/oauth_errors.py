"""The error responses of OAuth: what their codes mean, in any spelling, and how to explain them."""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import Enum, auto
from http import HTTPStatus

from jupyter_wb_aws.errors import IdpBadAnswer, IdpUnavailable, SignInRequired, WbAwsError
from jupyter_wb_aws.identity.http.response import HttpResponse, capitalized
from jupyter_wb_aws.identity.oidc.client_authentication import ClientSettings
from jupyter_wb_aws.identity.redact import redact_secrets
from jupyter_wb_aws.identity.redact_values import redact_values

MAX_CODE_LENGTH, MAX_DESCRIPTION_LENGTH = 60, 300
# RFC 6749, 4.1.2.1 and 5.2; RFC 6750, 3.1; RFC 7009, 2.2.1; RFC 8628, 3.5; RFC 8707, 2; OIDC Core 3.1.2.6.
REGISTERED_CODES = frozenset(
    {"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type",
     "invalid_scope", "access_denied", "unsupported_response_type", "server_error", "temporarily_unavailable",
     "invalid_token", "unsupported_token_type", "authorization_pending", "slow_down", "expired_token", "invalid_target",
     "interaction_required", "login_required", "account_selection_required", "consent_required"}
)  # fmt: skip
# "Microsoft identity platform and the OAuth 2.0 device authorization grant flow".
ALIASES = {"authorizationdeclined": "access_denied"}
# The client is refused, not the refresh token: a sign-in would fail in the same way.
CLIENT_CODES = frozenset({"invalid_client", "unauthorized_client", "unsupported_grant_type"})
TROUBLE_CODES = frozenset({"server_error", "temporarily_unavailable"})
# These are about neither the refresh token nor the client.
UNRELATED_CODES = frozenset(
    {*TROUBLE_CODES, "authorization_pending", "unsupported_response_type", "unsupported_token_type"}
)  # fmt: skip
RATE_LIMIT = re.compile(r"slowdown|toomany|ratelimit|throttl|quota|limitexceeded")
# The user can do something about these: sign in again, in another way.
USER_CODES = frozenset(
    {"invalid_grant", "access_denied", "expired_token", "interaction_required", "login_required",
     "account_selection_required", "consent_required"}
)  # fmt: skip
# What an error code looks like. RFC 6749, 5.2, allows more, but nobody uses it.
CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]*")
STILL_VALID = (
    "You don't have to do anything now: your current token works until it expires, and this server tries again."
    " If it still fails then, sign in again."
)


class OAuthError(Exception):
    """The provider's error code and description, both fit to be shown; see `oauth_error`.

    A registered code is spelled as in its specification, however the provider writes it.

    Args:
        code: such as ``invalid_grant``.
        description: the provider's sentence; may be empty.
        status: the HTTP status.
        retry_after: seconds, if the provider named them.
    """

    def __init__(
        self, code: str, description: str, status: int = 400, retry_after: int | None = None
    ) -> None:
        super().__init__(code)
        self.code = code
        self.description = description
        self.status = status
        self.retry_after = retry_after

    @property
    def is_temporary(self) -> bool:
        """Whether the same request may work later: a rate limit, or trouble at the provider."""
        return self.code in TROUBLE_CODES or RATE_LIMIT.search(_letters(self.code)) is not None

    def __str__(self) -> str:
        return f"{self.code}: {self.description}" if self.description else self.code


class UnclearRefusal(IdpBadAnswer):
    """A response without tokens that does not give a reason of OAuth: often from a gateway or proxy."""

    hint = "Try again in a minute. If it still fails, contact your administrator."


class ErrorKind(Enum):
    """What an error response to a refresh means for the sign-in."""

    ENDED = auto()
    """The refresh token no longer works."""

    CLIENT = auto()
    """The provider does not accept this client, or not for this grant type."""

    BUSY = auto()
    """There were too many requests."""

    UNCLEAR = auto()
    """It may be temporary, or the response may not be the provider's."""


def oauth_error(
    code: str, description: str, sent: Collection[str], response: HttpResponse
) -> OAuthError:
    """Read an error response (RFC 6749, 5.2), without the secrets that we sent.

    Args:
        code: its `error`.
        description: its `error_description`.
        sent: the secrets in the request; the provider may quote them.
        response: has the status and `Retry-After`.
    """
    known = BY_LETTERS.get(_letters(code))
    shown = known or redact_secrets(redact_values(code, sent), MAX_CODE_LENGTH)
    return OAuthError(
        shown or "for a reason that can't be shown",
        redact_secrets(redact_values(description, sent), MAX_DESCRIPTION_LENGTH),
        response.status,
        response.retry_after(),
    )


def unclear_refusal(response: HttpResponse, what: str) -> UnclearRefusal:
    """Explain a refusal that is not an OAuth error; `what` is what was asked, such as "the token endpoint"."""
    return UnclearRefusal(
        f"{capitalized(what)} refuses, and gives no OAuth error: HTTP {response.status}.",
        admin_hint="This is often the answer of a gateway or proxy in front of the provider. `issuer` of the token"
        " source must be the provider's issuer URL.",
    )


def classify(error: OAuthError) -> ErrorKind:
    """Return what an error response to a refresh means.

    A code that is in no specification counts as the provider's own name for the end of the refresh
    token, if it comes as RFC 6749, 5.2, says (400; at some providers 200) and does not just name the
    status, as the errors of gateways and frameworks do.
    """
    code = error.code
    if RATE_LIMIT.search(_letters(code)):
        return ErrorKind.BUSY
    if code in CLIENT_CODES:
        return ErrorKind.CLIENT
    if code in UNRELATED_CODES:
        return ErrorKind.UNCLEAR
    looks_like_a_code = CODE.fullmatch(code) and _letters(code) not in STATUS_PHRASES
    if code in REGISTERED_CODES or (looks_like_a_code and error.status in {200, 400}):
        return ErrorKind.ENDED
    return ErrorKind.UNCLEAR


def explain(error: OAuthError, client: ClientSettings) -> IdpBadAnswer | IdpUnavailable:
    """Explain an error that the user did not cause: wait, or what an administrator can change."""
    if error.is_temporary:
        return IdpUnavailable(
            f"The identity provider does not answer this request now ({error}).",
            hint="Wait a moment, then try again.",
            retry_after=error.retry_after,
        )
    not_registered = "The client is not registered for this flow (grant type) at the provider."
    hint = {
        "invalid_client": "The provider does not accept this client: compare `client_id`, `client_secret_file`"
        " and `token_endpoint_auth_method` with its registration. If the secret has characters other than"
        " letters, digits and -._~, and the provider does not decode them, set `token_endpoint_auth_method`"
        " to `client_secret_post`.",
        "unauthorized_client": not_registered,
        "unsupported_grant_type": not_registered,
        "invalid_scope": f"The provider does not give all of these scopes: {client.scope}.",
    }.get(error.code, f"Compare the registration of the client {client.client_id}.")
    return IdpBadAnswer(f"The identity provider refuses ({error}).", admin_hint=hint)


def explain_refresh(error: OAuthError, client: ClientSettings) -> WbAwsError:
    """Explain an error response to a refresh."""
    kind = classify(error)
    if kind is ErrorKind.ENDED:
        return SignInRequired(f"Your sign-in has ended at the identity provider ({error}).")
    if kind in {ErrorKind.BUSY, ErrorKind.CLIENT}:
        return explain(error, client)
    return UnclearRefusal(
        f"The identity provider does not refresh your sign-in now ({error}).", hint=STILL_VALID
    )


def _letters(code: str) -> str:
    return re.sub(r"[^a-z0-9]", "", code.lower())


BY_LETTERS = {_letters(code): code for code in REGISTERED_CODES} | ALIASES
STATUS_PHRASES = frozenset(_letters(status.phrase) for status in HTTPStatus)
