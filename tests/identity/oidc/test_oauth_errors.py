"""What error codes mean, in the spelling of the vendors."""

from __future__ import annotations

import pytest

from jupyter_wb_aws.identity.http.response import HttpResponse
from jupyter_wb_aws.identity.oidc.oauth_errors import Meaning, meaning, refused

BAD = HttpResponse(400, {}, b"")


@pytest.mark.parametrize(
    ("status", "error", "means"),
    [
        (400, "invalid_grant", Meaning.ENDED),
        (403, "invalid_grant", Meaning.ENDED),  # Auth0's status
        (200, "bad_refresh_token", Meaning.ENDED),  # GitHub's
        (401, "invalid_token", Meaning.ENDED),  # UAA's
        (400, "INVALID_GRANT", Meaning.ENDED),
        (400, "invalid-grant", Meaning.ENDED),
        (400, "invalidGrant", Meaning.ENDED),
        (400, "Invalid Grant", Meaning.ENDED),
        (400, "invalid_request", Meaning.ENDED),
        (400, "invalid_scope", Meaning.ENDED),
        (400, "access_denied", Meaning.ENDED),
        (400, "interaction_required", Meaning.ENDED),
        (400, "expired_token", Meaning.ENDED),
        (400, "refresh_token_expired", Meaning.ENDED),
        (400, "AADSTS700082", Meaning.ENDED),
        (400, "NotAuthorizedException", Meaning.ENDED),
        (401, "invalid_client", Meaning.CLIENT),
        (400, "InvalidClient", Meaning.CLIENT),
        (400, "unauthorized_client", Meaning.CLIENT),
        (400, "unsupported_grant_type", Meaning.CLIENT),
        (400, "slow_down", Meaning.BUSY),
        (400, "too_many_requests", Meaning.BUSY),
        (403, "rateLimitExceeded", Meaning.BUSY),
        (400, "TooManyRequestsException", Meaning.BUSY),
        (400, "ThrottlingException", Meaning.BUSY),
        (400, "server_error", Meaning.UNCLEAR),
        (400, "temporarily_unavailable", Meaning.UNCLEAR),
        (404, "Not Found", Meaning.UNCLEAR),  # Spring's
        (400, "Bad Request", Meaning.UNCLEAR),
        (400, "bad_request", Meaning.UNCLEAR),
        (403, "Forbidden", Meaning.UNCLEAR),
        (403, "ip_not_allowed", Meaning.UNCLEAR),
        (400, "The gateway is in a bad mood", Meaning.UNCLEAR),
        (407, "proxy_login", Meaning.UNCLEAR),
    ],
)
def test_what_the_refusal_of_a_refresh_means(status, error, means):
    assert meaning(refused(error, "", [], HttpResponse(status, {}, b""))) is means


def test_a_code_of_a_specification_is_spelled_as_there():
    assert refused("Invalid-Grant", "", [], BAD).error == "invalid_grant"
    assert refused("authorization_declined", "", [], BAD).error == "access_denied"


def test_a_code_that_quotes_what_was_sent_is_not_shown():
    assert refused("abc", "it is abc", ["abc"], BAD).error == "for a reason that can't be shown"
    assert str(refused("invalid_grant", "bad Winter2026", ["Winter2026"], BAD)) == (
        "invalid_grant: bad <secret>"
    )
