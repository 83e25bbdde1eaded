"""The real call: GetCallerIdentity in this very process, by the chain that every boto3 program has.

Two things differ from a program's own call: the machine's metadata service is never asked, and it
does not wait for long.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from jupyter_wb_aws.aws.sts import CallerIdentity, is_aws
from jupyter_wb_aws.doctor.addresses import host_of, is_metadata, masked, sts_endpoint, sts_url
from jupyter_wb_aws.doctor.facts import Called, Facts
from jupyter_wb_aws.errors import InvalidRoleArn, WbAwsError
from jupyter_wb_aws.identity.redact import harmless
from jupyter_wb_aws.roles.role import RoleArn

CONNECT_TIMEOUT, READ_TIMEOUT, TRIES = 3, 5, 2
SAID = 400
WEB_IDENTITY = "assume-role-with-web-identity"


def call(facts: Facts, claims: Mapping[str, Any]) -> Called:
    """Call STS as the process that asks would.

    Args:
        facts: of this process: its environment must be `os.environ`.
        claims: of the token in the token file, for hints.
    """
    if (address := _to_metadata(facts)) is not None:
        return Called(
            "not_made",
            detail=f"No call was made: {address} leads to the machine's metadata service.",
        )
    try:
        # boto3's chain is botocore's; boto3 itself would cost as much again, and adds nothing here.
        import botocore.session
    except ImportError:
        return Called(
            "not_made",
            detail="boto3 is not installed for this Python.",
            hint="Run: pip install boto3",
        )
    # Before a session is made: botocore reads it then.
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    provider = None
    try:
        session = botocore.session.Session()
        session.set_default_client_config(_config())
        credentials = session.get_credentials()
        if credentials is None:
            return Called("failed", error="NoCredentials", detail="boto3's chain found none.")
        provider = credentials.method
        credentials.get_frozen_credentials()
        sts: Any = session.create_client("sts")
        answer = sts.get_caller_identity()
    except Exception as error:  # noqa: BLE001 - botocore, and what it reads, may raise anything
        return _failed(error, provider, facts, claims)
    expires: datetime | None = getattr(credentials, "_expiry_time", None)
    return Called(
        "ok",
        provider,
        CallerIdentity(
            str(answer.get("UserId", "")),
            str(answer.get("Account", "")),
            str(answer.get("Arn", "")),
        ),
        lifetime=expires - facts.now if expires else None,
    )


def _config() -> Any:
    from botocore.config import Config

    return Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"total_max_attempts": TRIES, "mode": "standard"},
    )


def _to_metadata(facts: Facts) -> str | None:
    """Name the address by which boto3 would ask the metadata service, if there is one."""
    urls = [
        sts_url(facts.environment, facts.profile),
        facts.get("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
        *(facts.get(name) for name in ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY")),
    ]
    hosts = map(host_of, urls)
    return next((host for host in hosts if is_metadata(host)), None)


def _failed(
    error: Exception, provider: str | None, facts: Facts, claims: Mapping[str, Any]
) -> Called:
    problem = _explained(error, facts, claims) if provider == WEB_IDENTITY else None
    if problem is not None:
        detail, hint, admin_hint = problem.detail, problem.hint, problem.admin_hint
    else:
        detail, hint, admin_hint = harmless(masked(str(error)), SAID), "", None
    response: Mapping[str, Any] = getattr(error, "response", None) or {}
    code = str(response.get("Error", {}).get("Code", "")) or type(error).__name__
    return Called("failed", provider, None, None, code, detail, hint, admin_hint)


def _explained(error: Exception, facts: Facts, claims: Mapping[str, Any]) -> WbAwsError | None:
    """Explain STS's refusal of the role as the server does; None for what is no refusal."""
    from botocore.exceptions import ClientError

    from jupyter_wb_aws.aws.failures import explain

    if not isinstance(error, ClientError) or error.operation_name != "AssumeRoleWithWebIdentity":
        return None
    try:
        role = RoleArn.parse(facts.get("AWS_ROLE_ARN"))
    except InvalidRoleArn:
        return None
    at_aws = is_aws(sts_endpoint(facts.environment, facts.profile))
    return explain(error, role, claims, at_aws=at_aws)
