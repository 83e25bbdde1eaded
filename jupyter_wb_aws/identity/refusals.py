"""What a provider's refusal of a request means: its error codes, in any wording."""

from __future__ import annotations

from collections.abc import Collection

from jupyter_wb_aws.identity.redact import harmless
from jupyter_wb_aws.identity.redact_sent import without

SHOWN_CODE, SHOWN_DESCRIPTION = 60, 300
# RFC 6749, 4.1.2.1 and 5.2; RFC 7009, 2.2.1; RFC 8628, 3.5; RFC 8707, 2; OIDC Core 3.1.2.6.
REGISTERED = frozenset(
    {"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type",
     "invalid_scope", "access_denied", "unsupported_response_type", "server_error", "temporarily_unavailable",
     "unsupported_token_type", "authorization_pending", "slow_down", "expired_token", "invalid_target",
     "interaction_required", "login_required", "account_selection_required", "consent_required"}
)  # fmt: skip


class Refused(Exception):
    """The provider's error code and its sentence, both fit to be shown; see `refused`."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(error)
        self.error = error
        self.description = description

    def __str__(self) -> str:
        return f"{self.error}: {self.description}" if self.description else self.error


def refused(error: str, description: str, sent: Collection[str]) -> Refused:
    """Make a refusal of an error answer (RFC 6749, 5.2), without anything secret that we sent."""
    code = error if error in REGISTERED else harmless(without(error, sent), SHOWN_CODE)
    return Refused(
        code or "for a reason that can't be shown",
        harmless(without(description, sent), SHOWN_DESCRIPTION),
    )
