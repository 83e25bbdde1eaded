"""What an error of AWS STS means: a cause, a hint for the user and one for the administrator.

Source: the errors of AssumeRoleWithWebIdentity in the AWS STS API Reference and in botocore's
service model, whose error shapes carry AWS's codes. What is wrong with a token is told by
`token_hints`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from botocore import exceptions as boto

from jupyter_wb_aws.aws.token_hints import PACKED, token_hint, trust_hint
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
# SeaweedFS calls an invalid token InvalidParameterValue.
TOKEN_REFUSED = frozenset(
    {"InvalidIdentityToken", "IDPRejectedClaim", "ExpiredTokenException", "InvalidParameterValue"}
)
# Of a ValidationError that is about the token (AWS shows no more of it).
TOKEN_UNFIT = re.compile("'webIdentityToken' failed to satisfy constraint")
RETRY_AFTER = 5
# So much of AWS's own sentence is told.
SAID = 500


def explain(
    error: Exception, role: RoleArn, claims: Mapping[str, Any], *, at_aws: bool = True
) -> WbAwsError:
    """Turn a botocore exception of a call for `role` into the failure that the user is told.

    Args:
        claims: of the web identity token that was sent; only what `claims_for_aws` picks is told.
        at_aws: whether AWS itself was asked, and no store with an STS of its own.
    """
    if isinstance(error, boto.ClientError):
        return _explain_answer(error, role, claims, at_aws=at_aws)
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
    error: boto.ClientError, role: RoleArn, claims: Mapping[str, Any], *, at_aws: bool
) -> WbAwsError:
    answer = error.response.get("Error", {})
    code = str(answer.get("Code", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    message = str(answer.get("Message", ""))
    if code == "AccessDenied":
        return TrustRefused(
            f"AWS does not let you use the role {role.name}: it is set up for others, or it does not exist.",
            hint="Pick another role, or send the details to your administrator.",
            admin_hint=trust_hint(message, role, claims, at_aws=at_aws),
        )
    if code in THROTTLING or status == 429:
        return Throttled("AWS STS has had too many requests.", retry_after=RETRY_AFTER)
    if code == "IDPCommunicationError":
        return StsUnavailable(
            "AWS could not reach your identity provider to check your sign-in.",
            hint="Wait a moment, then try again.",
            admin_hint=token_hint(code, message, role, claims, at_aws=at_aws),
            retry_after=RETRY_AFTER,
        )
    if code in DOWN or status >= 500:
        return StsUnavailable("AWS STS says that it is down.", retry_after=RETRY_AFTER)
    said = harmless(message, SAID)
    if code in TOKEN_REFUSED or TOKEN_UNFIT.search(message):
        return TokenRefused(
            f"AWS did not accept the web identity token ({code}). It says: {said}",
            hint="Tell your administrator; nothing is wrong on your side.",
            admin_hint=token_hint(code, message, role, claims, at_aws=at_aws),
        )
    if not code:
        return StsBadAnswer("AWS STS answered with an error that has no code.")
    hint = f"Sent for {role}."
    if code == PACKED:
        hint = token_hint(code, message, role, claims, at_aws=at_aws)
    elif code == "RegionDisabledException":
        hint = f"Give {role} another `region`, or have account {role.account_id} activate STS in this one."
    return StsRejected(f"AWS STS rejected the request ({code}). It says: {said}", admin_hint=hint)
