"""What an error of AWS STS means: the cause, a hint for the user and one for the administrator.

Source: the errors of AssumeRoleWithWebIdentity in the AWS STS API Reference and in botocore's
service model, whose error shapes carry AWS's codes. `token_hints` explains what is wrong with a token.
An error is explained from its code and a few fields, so the server does not need botocore for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

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
from jupyter_wb_aws.identity.redact import redact_secrets
from jupyter_wb_aws.roles.partitions import partitions
from jupyter_wb_aws.roles.role import RoleArn

THROTTLING = frozenset({"Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException", "SlowDown"})  # fmt: skip
DOWN = frozenset(
    {"ServiceUnavailable", "InternalFailure", "InternalError", "ServiceFailure", "RequestTimeout"}
)
# SeaweedFS calls an invalid token InvalidParameterValue.
TOKEN_REFUSED = frozenset(
    {"InvalidIdentityToken", "IDPRejectedClaim", "ExpiredTokenException", "InvalidParameterValue"}
)
# In a ValidationError about the token; AWS shows no more of it.
TOKEN_UNFIT = re.compile("'webIdentityToken' failed to satisfy constraint")
# How S3-compatible stores refuse an operation that they don't have.
NO_SUCH_OPERATION = frozenset({"InvalidAction", "NotImplemented", "MethodNotAllowed", "UnsupportedOperation", "UnknownOperationException"})  # fmt: skip
NO_SUCH_OPERATION_STATUS = frozenset({404, 405, 501})
# Source: AWS General Reference, "AWS Security Token Service endpoints and quotas".
REGIONAL = re.compile(r"sts(?:-fips)?\.(?P<region>[a-z0-9-]+)\.(?P<domain>.+)")
RETRY_AFTER = 5
# How much of AWS's own message is shown.
MAX_MESSAGE_LENGTH = 500

OTHER_CODES = frozenset({"AccessDenied", "IDPCommunicationError", "RegionDisabledException", "ValidationError", PACKED})  # fmt: skip


@dataclass(frozen=True, slots=True)
class StsFailure:
    """Why a call to STS failed; a child process sends it as JSON.

    Args:
        kind: `refused`: STS answered with an error. `slow`: it did not answer in time. `unreachable`:
            there was no answer. `bad_answer`: the answer can't be read. `settings`: boto3 sent no request.
        name: the type of the exception.
        code: STS's code.
        message: STS's message; for `settings`, botocore's.
        status: the HTTP status.
        proxy: the variable that names the proxy of this call, if any.
        empty: whether the answer had no body.
        host: the host that could not be reached, if known.
    """

    kind: Literal["refused", "slow", "unreachable", "bad_answer", "settings"]
    name: str = ""
    code: str = ""
    message: str = ""
    status: int = 0
    proxy: str | None = None
    empty: bool = False
    host: str = ""

    @property
    def lacks_operation(self) -> bool:
        """Whether a store answers like this if it does not have the operation."""
        return self.kind == "refused" and (
            self.status in NO_SUCH_OPERATION_STATUS or self.code in NO_SUCH_OPERATION
        )


def failure_from_response(response: Mapping[str, Any]) -> StsFailure:
    """Read the response in botocore's ClientError.

    AWS's errors have their code in ``Error``. Stores also use S3's form, which botocore has at the top level,
    or lower-case names.
    """
    code, message = "", ""
    for document in (response.get("Error"), response.get("error"), response):
        if isinstance(document, Mapping) and not code:
            fields = {str(name).lower(): value for name, value in document.items()}
            code, message = (str(fields.get(name) or "") for name in ("code", "message"))
    metadata = response.get("ResponseMetadata") or {}
    status = int(metadata.get("HTTPStatusCode") or 0)
    empty = bool(response.get("Empty"))
    return StsFailure("refused", "ClientError", canonical(code), message, status, empty=empty)


def canonical(code: str) -> str:
    """Return AWS's own spelling of a known code, in any spelling of a store."""
    return _CANONICAL.get(_plain(code), code)


def _plain(code: str) -> str:
    return re.sub(r"[^a-z0-9]", "", code.lower().rpartition("#")[2]).removesuffix("exception")


_CANONICAL = {
    _plain(code): code
    for code in THROTTLING | DOWN | TOKEN_REFUSED | NO_SUCH_OPERATION | OTHER_CODES
}


def explain_failure(
    failure: StsFailure, role: RoleArn, claims: Mapping[str, Any], *, is_aws_sts: bool = True
) -> WbAwsError:
    """Turn a failure, which may come from another process, into the error that the user sees.

    Args:
        failure: why the call failed.
        role: the role that was requested.
        claims: of the web identity token that was sent; only those of `claims_for_aws` are shown.
        is_aws_sts: whether AWS STS was called, not the STS of an S3-compatible store.
    """
    if failure.kind == "refused" and not (failure.proxy and failure.status == 407):
        return _explain_refusal(failure, role, claims, is_aws_sts=is_aws_sts)
    if failure.kind == "slow":
        return StsTimeout(
            "AWS STS took too long to answer.",
            admin_hint=_about_proxy(failure.proxy) if failure.proxy else None,
            retry_after=RETRY_AFTER,
        )
    if failure.kind == "settings":
        return StsUnavailable(
            f"boto3 can't use the AWS settings that notebooks get here ({failure.name}).",
            hint="The details show what boto3 rejects. If it is in your own ~/.aws files, correct it; otherwise send the"
            " details to your administrator.",
            admin_hint=f"boto3 says: {failure.message} Check `extra_environment`, the server's own variables, and the"
            " user's ~/.aws/config.",
        )
    if failure.kind == "bad_answer":
        return StsBadAnswer(
            f"The answer of AWS STS can't be read ({failure.name}).",
            admin_hint="Check that the STS endpoint, or a proxy in between, speaks the AWS Query protocol.",
        )
    if failure.proxy:
        return StsUnavailable(
            f"AWS STS can't be reached through the proxy that {failure.proxy} names ({failure.name}).",
            admin_hint=_about_proxy(failure.proxy),
            retry_after=RETRY_AFTER,
        )
    at = f" at {failure.host}" if failure.host else ""
    if (region := _unknown_region(failure.host)) is not None:
        return StsUnavailable(
            f"AWS STS can't be reached{at} ({failure.name}), and botocore does not know the region {region}.",
            hint="Send this to your administrator: the role's region is probably misspelt.",
            admin_hint=f"Correct the region {region} where it is set: the role's `region` in the roles file,"
            " `extra_environment`, or the `region` of the request. If it is a new region, update botocore.",
            retry_after=RETRY_AFTER,
        )
    return StsUnavailable(
        f"AWS STS can't be reached{at} ({failure.name}).",
        admin_hint="The server must be able to reach the STS endpoint of the role's region: check proxies, CA bundles and"
        " network policies.",
        retry_after=RETRY_AFTER,
    )


def _unknown_region(host: str) -> str | None:
    """Return the region in the host name of an AWS STS, if botocore's data does not list it."""
    found = REGIONAL.fullmatch(host)
    if found is None or not any(found["domain"] in p.domains for p in partitions().values()):
        return None
    listed = frozenset().union(*(partition.regions for partition in partitions().values()))
    return found["region"] if listed and found["region"] not in listed else None


def _about_proxy(variable: str) -> str:
    return (
        f"Requests to STS go through the proxy that {variable} names. Its value must be a URL such as"
        " http://proxy.example.com:3128, with every special character of a password percent-encoded, and the proxy"
        " must allow STS. If STS is reachable without a proxy, add its host to NO_PROXY."
    )


def _explain_refusal(
    failure: StsFailure, role: RoleArn, claims: Mapping[str, Any], *, is_aws_sts: bool
) -> WbAwsError:
    code, status, message = failure.code, failure.status, failure.message
    if code == "AccessDenied" or (status == 403 and failure.empty):
        return TrustRefused(
            f"The role {role.name} is not set up for you, or it does not exist.",
            hint="Choose another role, or send the details to your administrator.",
            admin_hint=trust_hint(message, role, claims, is_aws_sts=is_aws_sts),
        )
    if code in THROTTLING or status == 429:
        return Throttled("AWS STS received too many requests.", retry_after=RETRY_AFTER)
    if code == "IDPCommunicationError":
        return StsUnavailable(
            "AWS could not reach your identity provider to check your sign-in.",
            hint="Wait a moment, then try again.",
            admin_hint=token_hint(code, message, role, claims, is_aws_sts=is_aws_sts),
            retry_after=RETRY_AFTER,
        )
    if failure.lacks_operation:
        return StsBadAnswer(
            f"The STS endpoint does not support this operation ({code or status}).",
            admin_hint="The endpoint belongs to another service, or to a store without an STS: check"
            " AWS_ENDPOINT_URL_STS and AWS_ENDPOINT_URL in `extra_environment`.",
        )
    if code in DOWN or status >= 500:
        return StsUnavailable("AWS STS reports that it is down.", retry_after=RETRY_AFTER)
    if not code:
        by_store = trust_hint(message, role, claims, is_aws_sts=is_aws_sts) if status == 403 else ""
        return StsBadAnswer(
            f"AWS STS answered with an error that has no code (status {status}).",
            admin_hint="A proxy, a firewall or a web server in between may have answered instead."
            + (f" If it was the STS itself: {by_store}" if by_store else ""),
        )
    said = redact_secrets(message, MAX_MESSAGE_LENGTH)
    if code in TOKEN_REFUSED or TOKEN_UNFIT.search(message):
        return TokenRefused(
            f"AWS did not accept the web identity token ({code}). It says: {said}",
            hint="Send the details to your administrator; you did nothing wrong.",
            admin_hint=token_hint(code, message, role, claims, is_aws_sts=is_aws_sts),
        )
    hint = f"Sent for {role}."
    if code == PACKED:
        hint = token_hint(code, message, role, claims, is_aws_sts=is_aws_sts)
    elif code == "RegionDisabledException":
        hint = f"Give {role} another `region`, or have account {role.account_id} activate STS in this one."
    return StsRejected(f"AWS STS rejected the request ({code}). It says: {said}", admin_hint=hint)
