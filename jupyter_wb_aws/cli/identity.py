"""``jupyter wb-aws identity``: who the user is to AWS with the default role."""

from __future__ import annotations

import argparse
import os
import sys

from jupyter_wb_aws.cli import lookup, this_process
from jupyter_wb_aws.cli.client import Answer, Client, connect
from jupyter_wb_aws.cli.errors import CliError, ExitCode
from jupyter_wb_aws.cli.output import one_line, print_json, print_problem, print_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--session",
        metavar="ID",
        help="a role session other than the default one, by its id or role",
    )
    parser.add_argument("--verify", action="store_true", help="call AWS now")
    parser.add_argument("--json", action="store_true", help="print the server's answer")


def run(args: argparse.Namespace) -> int:
    """Print the caller identity, with the keys of ``aws sts get-caller-identity``."""
    client = connect()
    query = {"verify": "true"} if args.verify else {}
    if args.session is not None:
        sessions = client.get("/aws/sessions").data["sessions"]
        query["session_id"] = str(lookup.find_role_session(args.session, sessions)["id"])
    answer, is_default = _identity(client, query)
    if args.json:
        print_json(answer.text)
        return ExitCode.OK
    for key in ("Arn", "Account", "UserId"):
        print_text(f"{key:<13} {answer.data[key]}")
    print_text(f"{'Role session':<13} {answer.data['session_id']}")
    print_text(f"{'User':<13} {one_line(answer.data['user']['name'])}")
    sessions = client.get("/aws/sessions").data["sessions"]
    if not is_default:
        print_text("\nThis is the identity of this process. You have no default role.")
    elif args.session is None:
        held = this_process.endpoint_client(client, os.environ)
        if note := this_process.other_role_note(sessions, os.environ, held):
            print_text(f"\n{note}")
    for session in sessions:
        if session["id"] == answer.data["session_id"] and session["problem"]:
            print_text()
            print_problem(session["problem"], file=sys.stdout)
    return ExitCode.OK


def _identity(client: Client, query: dict[str, str]) -> tuple[Answer, bool]:
    """Return the identity, and False if it is only that of this process, for lack of a default role."""
    try:
        return client.get("/aws/identity", **query), True
    except CliError as error:
        if error.problem.get("code") != "no_role_session" or "session_id" in query:
            raise
        sessions = client.get("/aws/sessions").data["sessions"]
        held = this_process.endpoint_client(client, os.environ)
        mine = this_process.role_session(sessions, os.environ, held)
        if mine is None:
            if not client.get("/aws/roles").data["roles"]:
                error.problem["hint"] = lookup.NO_ROLE_OFFERED
            raise
    return client.get("/aws/identity", **query, session_id=str(mine["id"])), False
