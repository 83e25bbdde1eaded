"""``jupyter wb-aws identity``: who the user is to AWS, in what starts from now on."""

from __future__ import annotations

import argparse
import os
import sys

from jupyter_wb_aws.cli import choose, here
from jupyter_wb_aws.cli.client import connect, quote
from jupyter_wb_aws.cli.failure import ExitCode
from jupyter_wb_aws.cli.output import say, say_json, say_problem


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--session",
        metavar="ID",
        help="another role session than the default one, by its id or role",
    )
    parser.add_argument("--verify", action="store_true", help="ask AWS now")
    parser.add_argument("--json", action="store_true", help="print the server's answer")


def run(args: argparse.Namespace) -> int:
    """Tell the caller identity, with the keys of ``aws sts get-caller-identity``."""
    client = connect()
    query = {"verify": "true"} if args.verify else {}
    if args.session is not None:
        sessions = client.get("/aws/sessions").data["sessions"]
        query["session_id"] = str(choose.role_session(args.session, sessions)["id"])
    answer = client.get("/aws/identity", **query)
    if args.json:
        say_json(answer.text)
        return ExitCode.OK
    for key in ("Arn", "Account", "UserId"):
        say(f"{key:<13} {answer.data[key]}")
    say(f"{'Role session':<13} {answer.data['session_id']}")
    say(f"{'User':<13} {answer.data['user']['name']}")
    # AWS's UserId of an assumed role ends in the RoleSessionName.
    if args.session is None and (
        note := here.note(answer.data["UserId"].rpartition(":")[2], os.environ)
    ):
        say(f"\n{note}")
    problem = client.get(f"/aws/sessions/{quote(answer.data['session_id'])}").data["problem"]
    if problem:
        say()
        say_problem(problem, file=sys.stdout)
    return ExitCode.OK
