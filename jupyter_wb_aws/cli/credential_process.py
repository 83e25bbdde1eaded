"""``jupyter wb-aws credential-process ROLE``: AWS credentials for an SDK's `credential_process`.

Source: AWS SDKs and Tools Reference Guide, "Process credential provider". Jupyter's server never hands out
credentials. For a role by web identity, this command reads the token file and calls STS itself. For one by the
credential endpoint, it asks the endpoint as an SDK does, with the endpoint token of the role session.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from jupyter_wb_aws.cli import role_environment
from jupyter_wb_aws.cli.client import connect
from jupyter_wb_aws.cli.errors import ExitCode, local_problem, refused_by_server

if TYPE_CHECKING:
    from jupyter_wb_aws.aws.sts import Credentials


# Members of the protocol's document, and what the endpoint calls them.
NAMES = {
    "AccessKeyId": "AccessKeyId",
    "SecretAccessKey": "SecretAccessKey",
    "SessionToken": "Token",
    "Expiration": "Expiration",
    "AccountId": "AccountId",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    role_environment.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print credentials to the program at the other end of a pipe.

    Raises:
        CliError: if the output is a terminal, or the role can't be used.
    """
    if sys.stdout.isatty():
        raise local_problem(
            "secret_on_screen",
            "This command is for programs, not for the screen",
            detail="This command prints AWS credentials, which must not appear on the screen or in a notebook.",
            hint="Use it in ~/.aws/config: credential_process = jupyter wb-aws credential-process ROLE",
            exit_code=ExitCode.CANNOT_ASK,
        )
    session = role_environment.start_role_session(connect(), args, default=False)
    by_endpoint = session["delivery"] == "endpoint"
    print(json.dumps(_from_endpoint(session) if by_endpoint else _from_sts(session)))
    return ExitCode.OK


def _from_endpoint(session: Mapping[str, Any]) -> dict[str, object]:
    from jupyter_wb_aws.cli import endpoint_request

    answered = endpoint_request.credentials(session["environment"])
    return {"Version": 1, **{name: answered[theirs] for name, theirs in NAMES.items()}}


def _from_sts(session: Mapping[str, Any]) -> dict[str, object]:
    from jupyter_wb_aws.errors import WbAwsError

    try:
        return _as_document(_assumed(session))
    except WbAwsError as problem:
        raise refused_by_server(problem.as_problem(), None) from None


def _assumed(session: Mapping[str, Any]) -> Credentials:
    from jupyter_wb_aws.aws.sts import BlockingStsClient, StsRequest
    from jupyter_wb_aws.identity.token import MAX_TOKEN_READ, WebIdentityToken
    from jupyter_wb_aws.roles.role import RoleArn

    variables = role_environment.variables(session, os.environ)
    text = role_environment.content(variables["AWS_WEB_IDENTITY_TOKEN_FILE"], MAX_TOKEN_READ)
    request = StsRequest(
        RoleArn.parse(session["role_arn"]),
        session["region"],
        variables["AWS_ROLE_SESSION_NAME"],
        WebIdentityToken.parse(text, datetime.now(UTC)),
        variables,
    )
    return BlockingStsClient().credentials(request)


def _as_document(credentials: Credentials) -> dict[str, object]:
    document = {
        "Version": 1,
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "SessionToken": credentials.session_token,
        "Expiration": credentials.expiration.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return {name: value for name, value in document.items() if value is not None}
