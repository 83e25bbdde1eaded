"""What an error of AWS STS means: a cause, a hint for the user and one for the administrator.

Source: the errors of AssumeRoleWithWebIdentity in the AWS STS API Reference and in botocore's
service model, whose error shapes carry AWS's codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore import exceptions as boto

from jupyter_wb_aws.errors import (
    StsBadAnswer,
    StsRejected,
    StsTimeout,
    StsUnavailable,
    Throttled,
    TokenRefused,
    TrustRefused,
    WbAwsError,
)
from jupyter_wb_aws.identity.redact import harmless
from jupyter_wb_aws.roles.role import RoleArn

THROTTLING = frozenset({"Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException", "SlowDown"})  # fmt: skip
DOWN = frozenset(
    {"ServiceUnavailable", "InternalFailure", "InternalError", "ServiceFailure", "RequestTimeout"}
)
RETRY_AFTER = 5
# So much of AWS's own sentence is told, and so much of a claim.
SAID, SEEN = 500, 200


def claims_seen(claims: Mapping[str, Any]) -> str:
    """Name the public claims that IAM compares: what an administrator needs to find the mismatch."""
    return ", ".join(f"{name} = {repr(claims.get(name))[:SEEN]}" for name in ("iss", "aud", "sub"))


def explain(error: Exception, role: RoleArn, claims: Mapping[str, Any]) -> WbAwsError:
    """Turn a botocore exception of a call for `role` into the failure that the user is told.

    Args:
        claims: of the web identity token that was sent; only `iss`, `aud` and `sub` are told.
    """
    if isinstance(error, boto.ClientError):
        return _explain_answer(error, role, claims)
    if isinstance(error, boto.ReadTimeoutError):
        return StsTimeout("AWS STS took too long to answer.", retry_after=RETRY_AFTER)
    if isinstance(error, boto.HTTPClientError | boto.ConnectionError):
        return StsUnavailable(
            f"AWS STS can't be reached ({type(error).__name__}).",
            admin_hint="The server needs a way to the STS endpoint of the role's region: look at proxies,"
            " CA bundles and network policies.",
            retry_after=RETRY_AFTER,
        )
    return StsBadAnswer(
        f"AWS STS's answer can't be read ({type(error).__name__}).",
        admin_hint="Does the STS endpoint (or a proxy in between) really speak the AWS Query protocol?",
    )


def _explain_answer(
    error: boto.ClientError, role: RoleArn, claims: Mapping[str, Any]
) -> WbAwsError:
    answer = error.response.get("Error", {})
    code = str(answer.get("Code", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    seen = claims_seen(claims)
    if code == "AccessDenied":
        return TrustRefused(
            f"AWS does not let you use the role {role.name}: its trust policy names others, or there is no such role.",
            hint="Pick another role, or send your administrator the lines below.",
            admin_hint=(
                f"The trust policy of {role} must allow sts:AssumeRoleWithWebIdentity to the IAM identity"
                f" provider of this issuer, with conditions that hold for: {seen}. A token with session tags or"
                " a source identity needs sts:TagSession and sts:SetSourceIdentity too."
            ),
        )
    if code in THROTTLING or status == 429:
        return Throttled("AWS STS has had too many requests.", retry_after=RETRY_AFTER)
    if code == "IDPCommunicationError":
        return StsUnavailable(
            "AWS could not reach your identity provider to check your sign-in.",
            hint="Wait a moment, then try again.",
            admin_hint=f"AWS must be able to fetch the issuer's discovery and JWKS documents: {seen}.",
            retry_after=RETRY_AFTER,
        )
    if code in DOWN or status >= 500:
        return StsUnavailable("AWS STS says that it is down.", retry_after=RETRY_AFTER)
    said = harmless(str(answer.get("Message", "")), SAID)
    # SeaweedFS calls an invalid token InvalidParameterValue.
    if code in {
        "InvalidIdentityToken",
        "IDPRejectedClaim",
        "ExpiredTokenException",
        "InvalidParameterValue",
    }:
        return TokenRefused(
            f"AWS did not accept the web identity token ({code}). It says: {said}",
            hint="Tell your administrator; nothing is wrong on your side.",
            admin_hint=_TOKEN_HINTS.get(code, _TOKEN_HINTS["InvalidIdentityToken"]).format(
                account=role.account_id, seen=seen
            ),
        )
    if not code:
        return StsBadAnswer("AWS STS answered with an error that has no code.")
    return StsRejected(
        f"AWS STS rejected the request ({code}). It says: {said}", admin_hint=f"Sent for {role}."
    )


_TOKEN_HINTS = {
    "InvalidIdentityToken": (
        "Account {account} needs an IAM identity provider whose URL is the token's issuer to the letter"
        " (a trailing slash counts) and whose audiences hold the token's: {seen}."
    ),
    "IDPRejectedClaim": "The identity provider has withdrawn this token: {seen}.",
    "ExpiredTokenException": (
        "The token had expired when AWS saw it: compare the clocks of the identity provider and this"
        " machine. {seen}."
    ),
}
