"""Presigned S3 URLs: checked here, and signed again by header, which is all that moto supports.

Source: Amazon S3 API Reference, "Authenticating requests: using query parameters".
"""

from __future__ import annotations

import hmac
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from jupyter_wb_aws.demo.local_aws.answers import AwsError
from jupyter_wb_aws.demo.local_aws.authentication import Fault, Refused, Signed

_MAX_LIFETIME = 7 * 24 * 3600
_SIGNING_PARAMETERS = {
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
}


class _UnsignedPayloadAuth(S3SigV4Auth):
    """Signs everything but the body, as a presigned URL does."""

    def payload(self, request: AWSRequest) -> str:  # noqa: ARG002 - botocore's signature
        return "UNSIGNED-PAYLOAD"


def sign_by_header(environ: dict[str, Any], signed: Signed, issued: Any) -> None:
    """Verify a presigned request, and change it in place into one that moto can read.

    Args:
        environ: the WSGI environment; it is changed.
        signed: what the request says about its signature.
        issued: moto's credentials that it was signed with.

    Raises:
        Refused: if the signature is wrong.
        AwsError: if the URL has expired, or the request's host is not valid in a URL.
    """
    parameters = parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    signing = {name: value for name, value in parameters if name in _SIGNING_PARAMETERS}
    credentials = Credentials(issued.access_key_id, issued.secret_access_key, issued.session_token)
    expected = _signature(environ, parameters, signing, signed, credentials)
    if not hmac.compare_digest(expected.encode(), signing["X-Amz-Signature"].encode()):
        raise Refused(Fault.WRONG_SIGNATURE)
    _check_time(signing)
    _rewrite(environ, parameters, signed, credentials)


def _signature(
    environ: dict[str, Any],
    parameters: list[tuple[str, str]],
    signing: dict[str, str],
    signed: Signed,
    credentials: Credentials,
) -> str:
    others = [(name, value) for name, value in parameters if name != "X-Amz-Signature"]
    request = _request(environ, others, signing["X-Amz-SignedHeaders"].split(";"))
    request.context["timestamp"] = signing["X-Amz-Date"]
    auth = S3SigV4QueryAuth(credentials, signed.service, signed.region)
    canonical = auth.canonical_request(request)
    return str(auth.signature(auth.string_to_sign(request, canonical), request))


def _check_time(signing: dict[str, str]) -> None:
    lifetime = signing.get("X-Amz-Expires", "")
    if not re.fullmatch("[0-9]{1,6}", lifetime) or int(lifetime) > _MAX_LIFETIME:
        raise AwsError(
            "AuthorizationQueryParametersError",
            "X-Amz-Expires must be a number of seconds, at most a week",
        )
    try:
        start = datetime.strptime(signing["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise Refused(Fault.MALFORMED) from error
    if datetime.now(UTC) > start + timedelta(seconds=int(lifetime)):
        raise AwsError("AccessDenied", "Request has expired", 403)


def _rewrite(
    environ: dict[str, Any],
    parameters: list[tuple[str, str]],
    signed: Signed,
    credentials: Credentials,
) -> None:
    others = [(name, value) for name, value in parameters if name not in _SIGNING_PARAMETERS]
    request = _request(environ, others, ["host"])
    _UnsignedPayloadAuth(credentials, signed.service, signed.region).add_auth(request)
    for name, value in request.headers.items():
        environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
    query = _query(others)
    environ["QUERY_STRING"] = query
    for name in ("RAW_URI", "REQUEST_URI"):
        environ[name] = _path(environ) + (f"?{query}" if query else "")


def _request(
    environ: dict[str, Any], parameters: list[tuple[str, str]], header_names: list[str]
) -> AWSRequest:
    headers = {name: environ.get(_environ_name(name), "") for name in header_names}
    url = f"http://{environ.get('HTTP_HOST', '')}{_path(environ)}?{_query(parameters)}"
    try:
        urlsplit(url)  # as botocore does, which fails on the host `[`
    except ValueError as error:
        raise AwsError("InvalidRequest", "The Host header is not valid.") from error
    return AWSRequest(method=environ["REQUEST_METHOD"], url=url, headers=headers)


def _environ_name(header: str) -> str:
    name = header.upper().replace("-", "_")
    return name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"


def _query(parameters: list[tuple[str, str]]) -> str:
    return "&".join(f"{quote(name, '-_.~')}={quote(value, '-_.~')}" for name, value in parameters)


def _path(environ: dict[str, Any]) -> str:
    """Return the path as it was sent; decoding and encoding it could change a key."""
    return str(environ["REQUEST_URI"]).partition("?")[0]
