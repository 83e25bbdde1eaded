"""Check the credentials of a request, where moto is wrong or fails.

This module refuses unknown keys, session tokens that are missing or belong to another key, and
expired credentials. moto (`access_control.py`) checks the signature: it knows the secret, and only
needs a well-formed header.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from jupyter_wb_aws.demo.local_aws import accounts
from jupyter_wb_aws.demo.local_aws.answers import AwsError, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCOPE = re.compile(
    r"(?P<key>[A-Za-z0-9]{1,128})/(?P<date>[0-9]{8})/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)"
    r"/aws4_request"
)
_SIGNED_HEADERS = {"host", "x-amz-date"}
"""The headers that Signature Version 4 requires to be signed."""
_TIMESTAMP = re.compile(r"[0-9]{8}T[0-9]{6}Z")


class Fault(Enum):
    """The faults that credentials can have."""

    MISSING = auto()
    MALFORMED = auto()
    UNKNOWN_KEY = auto()
    WRONG_TOKEN = auto()
    EXPIRED = auto()
    WRONG_SIGNATURE = auto()
    DENIED = auto()


_INVALID = "The security token included in the request is invalid."
_SIGNATURE = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method."
)
_ERRORS: dict[Protocol, dict[Fault, tuple[str, str, int]]] = {
    Protocol.S3: {
        Fault.MISSING: ("AccessDenied", "Access Denied", 403),
        Fault.MALFORMED: (
            "AuthorizationHeaderMalformed",
            "The authorization header that you provided is not valid.",
            400,
        ),
        Fault.UNKNOWN_KEY: (
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
            403,
        ),
        Fault.WRONG_TOKEN: (
            "InvalidToken",
            "The provided token is malformed or otherwise invalid.",
            400,
        ),
        Fault.EXPIRED: ("ExpiredToken", "The provided token has expired.", 400),
        Fault.WRONG_SIGNATURE: ("SignatureDoesNotMatch", _SIGNATURE, 403),
        Fault.DENIED: ("AccessDenied", "Access Denied", 403),
    },
    Protocol.QUERY: {
        Fault.MISSING: (
            "MissingAuthenticationToken",
            "Request is missing Authentication Token",
            403,
        ),
        Fault.MALFORMED: (
            "IncompleteSignature",
            "The request signature does not conform to AWS standards.",
            403,
        ),
        Fault.UNKNOWN_KEY: ("InvalidClientTokenId", _INVALID, 403),
        Fault.WRONG_TOKEN: ("InvalidClientTokenId", _INVALID, 403),
        Fault.EXPIRED: (
            "ExpiredToken",
            "The security token included in the request is expired",
            403,
        ),
        Fault.WRONG_SIGNATURE: ("SignatureDoesNotMatch", _SIGNATURE, 403),
        Fault.DENIED: ("AccessDenied", "You are not authorized to perform this operation.", 403),
    },
    Protocol.JSON: {
        Fault.MISSING: (
            "MissingAuthenticationTokenException",
            "Request is missing Authentication Token",
            400,
        ),
        Fault.MALFORMED: (
            "IncompleteSignatureException",
            "The request signature does not conform to AWS standards.",
            400,
        ),
        Fault.UNKNOWN_KEY: ("UnrecognizedClientException", _INVALID, 400),
        Fault.WRONG_TOKEN: ("UnrecognizedClientException", _INVALID, 400),
        Fault.EXPIRED: (
            "ExpiredTokenException",
            "The security token included in the request is expired",
            400,
        ),
        Fault.WRONG_SIGNATURE: ("InvalidSignatureException", _SIGNATURE, 400),
        Fault.DENIED: (
            "AccessDeniedException",
            "You are not authorized to perform this operation.",
            400,
        ),
    },
}


def refusal(fault: Fault, protocol: Protocol) -> AwsError:
    """Return the error for `fault` in the words of the protocol's services."""
    return AwsError(*_ERRORS[protocol][fault])


class Refused(Exception):
    """A request whose credentials have a fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.name)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Signed:
    """What a request says about its signature (AWS Signature Version 4)."""

    key_id: str
    region: str
    service: str
    session_token: str | None
    presigned: bool

    @classmethod
    def parse(cls, environ: Mapping[str, Any]) -> Signed | None:
        """Read the Authorization header or the query of a presigned URL; None without either.

        Raises:
            Refused: if it is malformed.
        """
        if "HTTP_AUTHORIZATION" in environ:
            return cls._from_header(environ)
        query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
        if "X-Amz-Algorithm" in query or "X-Amz-Credential" in query:
            return cls._from_query({name: values[-1] for name, values in query.items()})
        return None

    @classmethod
    def _from_header(cls, environ: Mapping[str, Any]) -> Signed:
        algorithm, _, rest = environ["HTTP_AUTHORIZATION"].partition(" ")
        fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
        scope = _SCOPE.fullmatch(fields.get("Credential", ""))
        well_formed = (
            algorithm == "AWS4-HMAC-SHA256"
            and scope
            and _SIGNED_HEADERS.issubset(fields.get("SignedHeaders", "").split(";"))
            and fields.get("Signature")
            and _TIMESTAMP.fullmatch(environ.get("HTTP_X_AMZ_DATE", ""))
        )
        if not scope or not well_formed:
            raise Refused(Fault.MALFORMED)
        token = environ.get("HTTP_X_AMZ_SECURITY_TOKEN")
        return cls(scope["key"], scope["region"], scope["service"], token, presigned=False)

    @classmethod
    def _from_query(cls, query: Mapping[str, str]) -> Signed:
        scope = _SCOPE.fullmatch(query.get("X-Amz-Credential", ""))
        well_formed = (
            query.get("X-Amz-Algorithm") == "AWS4-HMAC-SHA256"
            and query.get("X-Amz-SignedHeaders")
            and query.get("X-Amz-Signature")
            and _TIMESTAMP.fullmatch(query.get("X-Amz-Date", ""))
        )
        if not scope or not well_formed:
            raise Refused(Fault.MALFORMED)
        token = query.get("X-Amz-Security-Token")
        return cls(scope["key"], scope["region"], scope["service"], token, presigned=True)


def credentials_of(signed: Signed) -> Any:
    """Return the credentials that a request was signed with.

    Raises:
        Refused: if they are unknown, incomplete or expired.
    """
    credentials = accounts.find_credentials(signed.key_id)
    # AWS treats a temporary key without its session token as unknown.
    if credentials is None or signed.session_token is None:
        raise Refused(Fault.UNKNOWN_KEY)
    presented, issued = signed.session_token, credentials.session_token
    if not hmac.compare_digest(presented.encode("utf-8", "replace"), issued.encode()):
        raise Refused(Fault.WRONG_TOKEN)
    if accounts.expired(credentials):
        raise Refused(Fault.EXPIRED)
    return credentials
