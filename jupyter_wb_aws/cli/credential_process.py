"""``jupyter wb-aws credential-process ROLE``: AWS credentials for an SDK's `credential_process`.

Source: AWS SDKs and Tools Reference Guide, "Process credential provider". The server never hands out
credentials: this command reads the token file and calls STS itself.
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
from jupyter_wb_aws.errors import WbAwsError

if TYPE_CHECKING:
    from jupyter_wb_aws.aws.sts import Credentials


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
    try:
        credentials = _assumed(session)
    except WbAwsError as problem:
        raise refused_by_server(problem.as_problem(), None) from None
    print(_as_json(credentials))
    return ExitCode.OK


def _assumed(session: Mapping[str, Any]) -> Credentials:
    from jupyter_wb_aws.aws.sts import BlockingStsClient, StsRequest
    from jupyter_wb_aws.identity.token import MAX_TOKEN_READ, WebIdentityToken
    from jupyter_wb_aws.roles.role import RoleArn

    variables = role_environment.variables(session, os.environ)
    text = _content(variables["AWS_WEB_IDENTITY_TOKEN_FILE"], MAX_TOKEN_READ)
    request = StsRequest(
        RoleArn.parse(session["role_arn"]),
        session["region"],
        variables["AWS_ROLE_SESSION_NAME"],
        WebIdentityToken.parse(text, datetime.now(UTC)),
        variables,
    )
    return BlockingStsClient().credentials(request)


def _content(path: str, most: int) -> str:
    # The server's answer names the file, so don't wait for a FIFO or read a device without end.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return os.read(descriptor, most).decode("ascii", errors="replace")
    finally:
        os.close(descriptor)


def _as_json(credentials: Credentials) -> str:
    document = {
        "Version": 1,
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "SessionToken": credentials.session_token,
        "Expiration": credentials.expiration.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return json.dumps({name: value for name, value in document.items() if value is not None})
