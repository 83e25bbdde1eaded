"""What error codes mean, in the spelling of the vendors."""

from __future__ import annotations

import pytest

from jupyter_wb_aws.identity.http.response import HttpResponse
from jupyter_wb_aws.identity.oidc.oauth_errors import ErrorKind, classify, oauth_error

BAD = HttpResponse(400, {}, b"")


@pytest.mark.parametrize(
    ("status", "error", "means"),
    [
        (400, "invalid_grant", ErrorKind.ENDED),
        (403, "invalid_grant", ErrorKind.ENDED),  # Auth0's status
        (200, "bad_refresh_token", ErrorKind.ENDED),  # GitHub's
        (401, "invalid_token", ErrorKind.ENDED),  # UAA's
        (400, "INVALID_GRANT", ErrorKind.ENDED),
        (400, "invalid-grant", ErrorKind.ENDED),
        (400, "invalidGrant", ErrorKind.ENDED),
        (400, "Invalid Grant", ErrorKind.ENDED),
        (400, "invalid_request", ErrorKind.ENDED),
        (400, "invalid_scope", ErrorKind.ENDED),
        (400, "access_denied", ErrorKind.ENDED),
        (400, "interaction_required", ErrorKind.ENDED),
        (400, "expired_token", ErrorKind.ENDED),
        (400, "refresh_token_expired", ErrorKind.ENDED),
        (400, "AADSTS700082", ErrorKind.ENDED),
        (400, "NotAuthorizedException", ErrorKind.ENDED),
        (401, "invalid_client", ErrorKind.CLIENT),
        (400, "InvalidClient", ErrorKind.CLIENT),
        (400, "unauthorized_client", ErrorKind.CLIENT),
        (400, "unsupported_grant_type", ErrorKind.CLIENT),
        (400, "slow_down", ErrorKind.BUSY),
        (400, "too_many_requests", ErrorKind.BUSY),
        (403, "rateLimitExceeded", ErrorKind.BUSY),
        (400, "TooManyRequestsException", ErrorKind.BUSY),
        (400, "ThrottlingException", ErrorKind.BUSY),
        (400, "server_error", ErrorKind.UNCLEAR),
        (400, "temporarily_unavailable", ErrorKind.UNCLEAR),
        (404, "Not Found", ErrorKind.UNCLEAR),  # Spring's
        (400, "Bad Request", ErrorKind.UNCLEAR),
        (400, "bad_request", ErrorKind.UNCLEAR),
        (403, "Forbidden", ErrorKind.UNCLEAR),
        (403, "ip_not_allowed", ErrorKind.UNCLEAR),
        (400, "The gateway is in a bad mood", ErrorKind.UNCLEAR),
        (407, "proxy_login", ErrorKind.UNCLEAR),
    ],
)
def test_an_error_response_to_a_refresh_is_classified(status, error, means):
    assert classify(oauth_error(error, "", [], HttpResponse(status, {}, b""))) is means


def test_a_registered_code_is_spelled_as_in_its_specification():
    assert oauth_error("Invalid-Grant", "", [], BAD).code == "invalid_grant"
    assert oauth_error("authorization_declined", "", [], BAD).code == "access_denied"


def test_a_code_that_quotes_what_was_sent_is_not_shown():
    assert oauth_error("abc", "it is abc", ["abc"], BAD).code == "for a reason that can't be shown"
    assert str(oauth_error("invalid_grant", "bad Winter2026", ["Winter2026"], BAD)) == (
        "invalid_grant: bad <secret>"
    )
