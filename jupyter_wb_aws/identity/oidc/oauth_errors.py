"""What a provider's refusal of a request means: its error codes, in any wording."""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import Enum, auto
from http import HTTPStatus

from jupyter_wb_aws.errors import IdpBadAnswer
from jupyter_wb_aws.identity.http.response import HttpResponse, begin
from jupyter_wb_aws.identity.redact import redact_secrets
from jupyter_wb_aws.identity.redact_values import redact_values

SHOWN_CODE, SHOWN_DESCRIPTION = 60, 300
# RFC 6749, 4.1.2.1 and 5.2; RFC 6750, 3.1; RFC 7009, 2.2.1; RFC 8628, 3.5; RFC 8707, 2; OIDC Core 3.1.2.6.
REGISTERED = frozenset(
    {"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type",
     "invalid_scope", "access_denied", "unsupported_response_type", "server_error", "temporarily_unavailable",
     "invalid_token", "unsupported_token_type", "authorization_pending", "slow_down", "expired_token", "invalid_target",
     "interaction_required", "login_required", "account_selection_required", "consent_required"}
)  # fmt: skip
# "Microsoft identity platform and the OAuth 2.0 device authorization grant flow".
ALIASES = {"authorizationdeclined": "access_denied"}
# Nothing is wrong with the refresh token: a sign-in would fail in the same way.
OF_THE_CLIENT = frozenset({"invalid_client", "unauthorized_client", "unsupported_grant_type"})
TROUBLE = frozenset({"server_error", "temporarily_unavailable"})
# Codes that do not speak of the refresh token, nor of the client.
OF_NEITHER = frozenset(
    {*TROUBLE, "authorization_pending", "unsupported_response_type", "unsupported_token_type"}
)  # fmt: skip
RATE_LIMIT = re.compile(r"slowdown|toomany|ratelimit|throttl|quota|limitexceeded")
# The user can do something about these: sign in again, in another way.
OF_THE_USER = frozenset(
    {"invalid_grant", "access_denied", "expired_token", "interaction_required", "login_required",
     "account_selection_required", "consent_required"}
)  # fmt: skip
# What an error code looks like; RFC 6749, 5.2, allows more, and nobody uses it.
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]*")


class OAuthError(Exception):
    """The provider's error code and its sentence, both fit to be shown; see `refused`.

    A code of a specification is spelled as there, in whichever case the provider writes it.
    """

    def __init__(
        self, error: str, description: str, status: int = 400, retry_after: int | None = None
    ) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.status = status
        self.retry_after = retry_after

    @property
    def passes(self) -> bool:
        """Whether the same request may be granted later: a rate limit, or trouble at the provider."""
        return self.error in TROUBLE or RATE_LIMIT.search(_letters(self.error)) is not None

    def __str__(self) -> str:
        return f"{self.error}: {self.description}" if self.description else self.error


class UnclearRefusal(IdpBadAnswer):
    """An answer without tokens that does not say why in OAuth's words: mostly a gateway's or a proxy's."""

    hint = "Try again in a minute; if it goes on, tell your administrator."


class Meaning(Enum):
    """What the refusal of a refresh means for the sign-in."""

    ENDED = auto()
    """The refresh token is no longer good."""

    CLIENT = auto()
    """The provider does not accept this client, or not for this grant type."""

    BUSY = auto()
    """There were too many requests."""

    UNCLEAR = auto()
    """It may pass, or may be somebody else's answer."""


def refused(
    error: str, description: str, sent: Collection[str], answer: HttpResponse
) -> OAuthError:
    """Make a refusal of an error answer (RFC 6749, 5.2), without anything secret that we sent."""
    code = BY_LETTERS.get(_letters(error)) or redact_secrets(redact_values(error, sent), SHOWN_CODE)
    return OAuthError(
        code or "for a reason that can't be shown",
        redact_secrets(redact_values(description, sent), SHOWN_DESCRIPTION),
        answer.status,
        answer.retry_after(),
    )


def unclear(answer: HttpResponse, what: str) -> UnclearRefusal:
    """Explain a refusal that is not an OAuth error; `what` is what was asked."""
    return UnclearRefusal(
        f"{begin(what)} refuses, and not in OAuth's words: HTTP {answer.status}.",
        admin_hint="That is mostly the answer of a gateway or proxy before the provider. `issuer` of the token source"
        " must be the provider's issuer URL.",
    )


def meaning(refusal: OAuthError) -> Meaning:
    """Say what the refusal of a refresh means.

    A code that no specification has counts as the provider's own name for the end of the refresh
    token if it comes as RFC 6749, 5.2, has it (400, or 200 at some) and does not just name the status,
    as the errors of gateways and frameworks do.
    """
    error = refusal.error
    if RATE_LIMIT.search(_letters(error)):
        return Meaning.BUSY
    if error in OF_THE_CLIENT:
        return Meaning.CLIENT
    if error in OF_NEITHER:
        return Meaning.UNCLEAR
    is_code = NAME.fullmatch(error) and _letters(error) not in STATUS_PHRASES
    if error in REGISTERED or (is_code and refusal.status in {200, 400}):
        return Meaning.ENDED
    return Meaning.UNCLEAR


def _letters(error: str) -> str:
    return re.sub(r"[^a-z0-9]", "", error.lower())


BY_LETTERS = {_letters(code): code for code in REGISTERED} | ALIASES
STATUS_PHRASES = frozenset(_letters(status.phrase) for status in HTTPStatus)
