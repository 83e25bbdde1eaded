"""Calls an STS and reads its answer: AWS's own, or that of a store that imitates it. Blocking; imports botocore.

A store's answer may lack what AWS's has, or have it in another form. It must contain credentials; the caller is
taken from any place that names it.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore import exceptions as boto
from botocore.parsers import QueryParser, ResponseParserError
from botocore.utils import parse_timestamp

from jupyter_wb_aws.aws.sts_errors import failure_from_response
from jupyter_wb_aws.errors import StsBadAnswer

# Makes a client of STS: with these credentials, or with None for unsigned requests.
MakeClient = Callable[[Mapping[str, Any] | None], Any]
# How long AWS lets credentials live if no duration is requested.
DEFAULT_LIFETIME = timedelta(hours=1)
# A caller's ARN, or any other; a store's may lack the account.
ARN = re.compile(r"arn:[\w-]+:[\w-]+:.*(:|/)\S+")
# A larger number is milliseconds: as seconds it would be in the year 5138 or later.
MAX_SECONDS = 1e11


class TolerantParsers:
    """Replaces botocore's `response_parser_factory`, for clients of STS only."""

    def create_parser(self, protocol_name: str) -> QueryParser:
        """Return a parser that leaves times as text, and reads errors that are not XML."""
        assert protocol_name == "query", protocol_name  # as STS speaks it
        return _TolerantParser(timestamp_parser=str)


class _TolerantParser(QueryParser):
    def _do_error_parse(self, response: Any, shape: Any) -> Any:
        try:
            return super()._do_error_parse(response, shape)  # type: ignore[misc]  # the stubs lack it
        except ResponseParserError:
            return _error_in(response["body"])

    def _do_modeled_error_parse(self, response: Any, shape: Any) -> Any:
        try:
            return super()._do_modeled_error_parse(response, shape)  # type: ignore[misc]
        except ResponseParserError:  # its code is AWS's, but its form is not
            return {}


def _error_in(body: bytes) -> dict[str, Any]:
    """Read an error in JSON; of any other form only the status is known."""
    found: Any = None
    with contextlib.suppress(ValueError):
        found = json.loads(body)
    fields = {str(n).lower(): v for n, v in found.items()} if isinstance(found, dict) else {}
    inner = fields.get("error")
    if isinstance(inner, dict):
        fields = {str(n).lower(): v for n, v in inner.items()}
    code = fields.get("code") or fields.get("__type") or fields.get("error") or ""
    message = fields.get("message") or fields.get("error_description") or ""
    return {
        "Error": {"Code": str(code), "Message": str(message)},
        "ResponseMetadata": {},
        "Empty": not body.strip(),
    }


def assume(
    make_client: MakeClient,
    role: str,
    session_name: str,
    token: str,
    options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Call AssumeRoleWithWebIdentity, and AssumeRole with its credentials if there is a second hop.

    Args:
        make_client: makes a client of STS.
        role: its ARN.
        session_name: the RoleSessionName, of a second hop too.
        token: the web identity token.
        options: as `CredentialOptions.as_question` returns them; None for none.

    Returns:
        ``Credentials``, with an aware `datetime` as ``Expiration``, and ``Caller``: the caller that the answer
        names, in the form of GetCallerIdentity, or None. ``Sure``: whether that is an assumed role's ARN, so
        that GetCallerIdentity is not needed.

    Raises:
        StsBadAnswer: if the answer contains no credentials.
        botocore's exceptions.
    """
    narrowed, hop = _narrowed(options or {}), (options or {}).get("second_hop")
    assumed = _assumed(
        make_client(None).assume_role_with_web_identity(
            RoleArn=role,
            RoleSessionName=session_name,
            WebIdentityToken=token,
            **({} if hop else narrowed),
        )
    )
    if not hop:
        return assumed
    external = {"ExternalId": hop["external_id"]} if hop["external_id"] else {}
    return _assumed(
        make_client(assumed["Credentials"]).assume_role(
            RoleArn=hop["role"], RoleSessionName=session_name, **external, **narrowed
        )
    )


def _narrowed(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that are set, with STS's names."""
    wanted = {
        "DurationSeconds": options.get("duration"),
        "Policy": options.get("policy"),
        "PolicyArns": [{"arn": arn} for arn in options.get("policy_arns", ())],
        "Tags": [{"Key": key, "Value": value} for key, value in options.get("tags", ())],
    }
    return {name: value for name, value in wanted.items() if value}


def _assumed(answer: Mapping[str, Any]) -> dict[str, Any]:
    credentials = answer.get("Credentials") or {}
    if not (credentials.get("AccessKeyId") and credentials.get("SecretAccessKey")):
        raise StsBadAnswer("AWS STS's answer contains no credentials.")
    kept = {n: credentials.get(n) for n in ("AccessKeyId", "SecretAccessKey", "SessionToken")}
    expiration = expiration_of(credentials.get("Expiration"), datetime.now(UTC))
    user = answer.get("AssumedRoleUser") or {}
    arn, user_id = user.get("Arn") or "", user.get("AssumedRoleId") or ""
    return {
        "Credentials": {**kept, "Expiration": expiration},
        "Caller": {"UserId": user_id, "Account": "", "Arn": arn} if arn else None,
        # Ceph has another tag for the id.
        "Sure": bool(arn and (user_id or ARN.match(arn))),
    }


def expiration_of(value: object, now: datetime) -> datetime:
    """Parse a time as AWS or a store writes it. Without a zone it is UTC; an empty one means in an hour.

    Raises:
        StsBadAnswer: if it is not a time.
    """
    text = str(value or "").strip()
    if not text:
        return now + DEFAULT_LIFETIME
    try:
        with contextlib.suppress(ValueError):
            if float(text) > MAX_SECONDS:
                text = str(float(text) / 1000)
        # Go writes the zone twice: `2026-11-24 13:00:00 +0000 UTC`.
        time: datetime = parse_timestamp(text.removesuffix(" UTC") if "+" in text else text)
    except (ValueError, OverflowError, OSError, RuntimeError):
        raise StsBadAnswer("AWS STS's answer does not say when the credentials expire.") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def find_caller(make_client: MakeClient, assumed: Mapping[str, Any]) -> dict[str, str] | None:
    """Return who the caller is: from the answer of `assume`, or from GetCallerIdentity.

    Return None if a store refuses to say; it has given the user the role all the same.

    Raises:
        botocore's exceptions, if STS can't be reached or is busy.
    """
    named: dict[str, str] | None = assumed["Caller"]
    if assumed["Sure"]:
        return named
    try:
        return get_caller_identity(make_client, assumed)
    except (boto.HTTPClientError, boto.ConnectionError):
        raise
    except boto.ClientError as error:
        failure = failure_from_response(error.response)
        if (failure.status >= 500 and not failure.lacks_operation) or failure.status == 429:
            raise
        return named
    except Exception:  # noqa: BLE001 - botocore's parsers raise anything if an answer is not STS's
        return named


def verify_caller(make_client: MakeClient, assumed: Mapping[str, Any]) -> dict[str, str] | None:
    """Call GetCallerIdentity; if a store does not have it, return the caller of `assume`.

    Raises:
        StsBadAnswer: if STS names no caller.
        botocore's exceptions.
    """
    try:
        return get_caller_identity(make_client, assumed)
    except boto.ClientError as error:
        if not failure_from_response(error.response).lacks_operation:
            raise
        named: dict[str, str] | None = assumed["Caller"]
        return named


def get_caller_identity(make_client: MakeClient, assumed: Mapping[str, Any]) -> dict[str, str]:
    """Call GetCallerIdentity with the credentials of `assumed`.

    Raises:
        StsBadAnswer: if STS names no caller.
        botocore's exceptions.
    """
    answer = make_client(assumed["Credentials"]).get_caller_identity()
    if not answer.get("Arn"):
        raise StsBadAnswer("AWS STS's answer names no caller.")
    return {name: str(answer.get(name) or "") for name in ("UserId", "Account", "Arn")}
