"""``jupyter wb-aws start ROLE``: be this role from now on."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from jupyter_wb_aws.cli import choose
from jupyter_wb_aws.cli.client import connect
from jupyter_wb_aws.cli.failure import ExitCode
from jupyter_wb_aws.cli.output import moment, say, say_json, say_notices


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("role", metavar="ROLE", help="a role's ARN, unique name or unique label")
    parser.add_argument("--region", help="use this AWS region instead of the role's own")
    default = parser.add_mutually_exclusive_group()
    default.add_argument(
        "--default",
        action="store_true",
        default=True,
        help="kernels and terminals started from now on get it (this is so without the option)",
    )
    default.add_argument(
        "--no-default",
        dest="default",
        action="store_false",
        help="only start it; what kernels and terminals get stays as it is",
    )
    parser.add_argument("--json", action="store_true", help="print the server's answer")


def run(args: argparse.Namespace) -> int:
    """Start a role session, or find the one that this role has."""
    client = connect()
    arn = choose.role_arn(args.role, lambda: client.get("/aws/roles").data["roles"])
    body: dict[str, object] = {"role_arn": arn, "default": args.default}
    if args.region is not None:
        body["region"] = args.region
    answer = client.post("/aws/sessions", body)
    if args.json:
        say_json(answer.text)
    else:
        _tell(answer.data)
    return ExitCode.OK


def _tell(session: Mapping[str, Any]) -> None:
    identity = session["identity"]
    who = f"You are {identity['Arn']}." if identity else f"Starting {session['role_arn']}."
    say(who)
    until = moment(session["token_expires_at"], datetime.now(UTC))
    say(f"Role session {session['id']} ({choose.describe(session)}): token until {until}, renewed")
    say("by itself until you end it with `jupyter wb-aws end`.")
    if session["default"]:
        say(
            "Kernels and terminals started from now on get it. A kernel that runs without a role takes"
        )
        say("it at its next restart; one that has a role keeps that one.")
    else:
        say("It is not the default: only what is started with it gets it.")
    say_notices(session["notices"])
