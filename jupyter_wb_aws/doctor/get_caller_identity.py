"""The real call: GetCallerIdentity in this process, with the credential chain of every boto3 program.

It differs from a program's own call in three ways: it never calls the machine's metadata service, it never
refreshes a sign-in (boto3 would write it below ~/.aws), and its timeouts are short.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from jupyter_wb_aws.aws.sts import CallerIdentity, is_aws_endpoint
from jupyter_wb_aws.doctor.addresses import masked, sts_endpoint
from jupyter_wb_aws.doctor.facts import CallResult, Facts
from jupyter_wb_aws.doctor.metadata import RequestBlocked, guard, leads_to_metadata
from jupyter_wb_aws.errors import InvalidRoleArn, WbAwsError
from jupyter_wb_aws.identity.redact import redact_secrets
from jupyter_wb_aws.roles.role import RoleArn

CONNECT_TIMEOUT, READ_TIMEOUT, MAX_ATTEMPTS = 3, 5, 2
MAX_MESSAGE_LENGTH = 400
# The sentence in a refusal of the credential endpoint, which has no quotation marks.
REFUSAL = re.compile(r'"Message": ?"([^"\\]+)"')
WEB_IDENTITY = "assume-role-with-web-identity"


def get_caller_identity(facts: Facts, claims: Mapping[str, Any]) -> CallResult:
    """Call STS as a program in this process would.

    Args:
        facts: of this process; their environment must be `os.environ`.
        claims: of the token in the token file, for hints.
    """
    # botocore asks for the container's own credentials without emitting an event.
    container = facts.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    if container and (reason := leads_to_metadata(container, None)) is not None:
        return _not_made(reason)
    if facts.by_endpoint and facts.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
        return _not_made("boto3 would ask for this container's credentials, at 169.254.170.2")
    try:
        # boto3's chain is botocore's. Importing boto3 takes as long again, and adds nothing here.
        import botocore.session
    except ImportError:
        return CallResult(
            "not_made",
            detail="boto3 is not installed for this Python.",
            hint="Run: pip install boto3",
        )
    # botocore reads it when it makes a session.
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    provider = None
    try:
        session = botocore.session.Session()
        session.set_default_client_config(_config())
        session.register("before-send", guard(facts.environment))
        credentials = session.get_credentials()
        if credentials is None:
            return CallResult("failed", error="NoCredentials", detail="boto3's chain found none.")
        provider = credentials.method
        credentials.get_frozen_credentials()
        identity = _who(session)
    except RequestBlocked as reason:
        return _not_made(str(reason), provider)
    except Exception as error:  # noqa: BLE001 - botocore, and what it reads, may raise anything
        return _failed(error, provider, facts, claims)
    expires: datetime | None = getattr(credentials, "_expiry_time", None)
    return CallResult("ok", provider, identity, lifetime=expires - facts.now if expires else None)


def _who(session: Any) -> CallerIdentity | None:
    """Call GetCallerIdentity; None if the STS is a store's and does not have it."""
    from botocore.exceptions import ClientError

    from jupyter_wb_aws.aws.sts_errors import failure_from_response
    from jupyter_wb_aws.aws.sts_operations import TolerantParsers

    # Not earlier: the providers' own clients use other protocols, and need parsed times.
    session.register_component("response_parser_factory", TolerantParsers())
    try:
        answer = session.create_client("sts").get_caller_identity()
    except ClientError as error:
        if not failure_from_response(error.response).lacks_operation:
            raise
        return None
    return CallerIdentity(*(str(answer.get(name) or "") for name in ("UserId", "Account", "Arn")))


def _config() -> Any:
    from botocore.config import Config

    return Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"total_max_attempts": MAX_ATTEMPTS, "mode": "standard"},
    )


def _not_made(reason: str, provider: str | None = None) -> CallResult:
    return CallResult("not_made", provider, detail=f"No call was made: {reason}.")


def _failed(
    error: Exception, provider: str | None, facts: Facts, claims: Mapping[str, Any]
) -> CallResult:
    from jupyter_wb_aws.aws.sts_errors import failure_from_response

    problem = _explained(error, facts, claims) if provider == WEB_IDENTITY else None
    if problem is not None:
        detail, hint, admin_hint = problem.detail, problem.hint, problem.admin_hint
    else:
        detail, hint, admin_hint = (
            redact_secrets(masked(_said(error, facts), facts.environment), MAX_MESSAGE_LENGTH),
            "",
            None,
        )
    response: Mapping[str, Any] = getattr(error, "response", None) or {}
    code = failure_from_response(response).code or type(error).__name__
    return CallResult("failed", provider, None, None, code, detail, hint, admin_hint)


def _said(error: Exception, facts: Facts) -> str:
    """Return an error's message, or only the credential endpoint's sentence in it, unless it quotes lines of a profile file, which may contain a key."""
    if type(error).__name__ == "ConfigParseError":
        return f"{getattr(error, 'kwargs', {}).get('path')} can't be parsed as a profile file."
    # botocore quotes the whole answer of the credential endpoint, within sentences of its own.
    sentence = REFUSAL.search(str(error)) if facts.by_endpoint else None
    return sentence[1] if sentence else str(error)


def _explained(error: Exception, facts: Facts, claims: Mapping[str, Any]) -> WbAwsError | None:
    """Explain STS's refusal of the role as the server does; None for any other error."""
    from botocore.exceptions import ClientError

    from jupyter_wb_aws.aws.botocore_errors import explain_exception

    if not isinstance(error, ClientError) or error.operation_name != "AssumeRoleWithWebIdentity":
        return None
    try:
        role = RoleArn.parse(facts.get("AWS_ROLE_ARN"))
    except InvalidRoleArn:
        return None
    is_aws_sts = is_aws_endpoint(sts_endpoint(facts.environment, facts.profile))
    return explain_exception(error, role, claims, is_aws_sts=is_aws_sts)
