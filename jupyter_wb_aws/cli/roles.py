"""``jupyter wb-aws roles``: the roles that the user may use."""

from __future__ import annotations

import argparse

from jupyter_wb_aws.cli.client import Client, connect
from jupyter_wb_aws.cli.errors import ExitCode
from jupyter_wb_aws.cli.output import (
    DEFAULT_LEGEND,
    one_line,
    print_json,
    print_notices,
    print_table,
    print_text,
)

COLUMNS = [
    ("NAME", "name"),
    ("LABEL", "label"),
    ("ACCOUNT", "account_id"),
    ("REGION", "region"),
    ("DESCRIPTION", "description"),
]
DETAILS = [("DELIVERY", "delivery"), ("ARN", "arn")]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--json", action="store_true", help="print the server's answer")
    which.add_argument(
        "--verbose", action="store_true", help="also print each role's delivery and ARN"
    )


def run(args: argparse.Namespace) -> int:
    """List the roles that are offered to the user."""
    client = connect()
    answer = client.get("/aws/roles")
    if args.json:
        print_json(answer.text)
        return ExitCode.OK
    roles, user = answer.data["roles"], answer.data["user"]
    if not roles:
        print_text(
            f"No role is offered to {one_line(user['name'])}. Ask your administrator for one."
        )
        _say_bad_entries(client)
        return ExitCode.OK
    sessions = client.get("/aws/sessions").data["sessions"]
    defaults = {session["role_arn"] for session in sessions if session["default"]}
    columns = [*COLUMNS, *(DETAILS if args.verbose else ())]
    rows = [
        ("*" if role["arn"] in defaults else "", *(role[key] or "" for _, key in columns))
        for role in roles
    ]
    print_table(("", *(heading for heading, _ in columns)), rows)
    print_text()
    print_text(_footer(has_default=bool(defaults)))
    _say_bad_entries(client)
    return ExitCode.OK


def _say_bad_entries(client: Client) -> None:
    """Print the entries of the roles file that can't be used: a missing role may be among them."""
    notices = client.get("/aws/health").data["notices"]
    print_notices([notice for notice in notices if notice["code"] == "roles_file_entry"])


def _footer(*, has_default: bool) -> str:
    if has_default:
        return DEFAULT_LEGEND
    return "You have no default role. `jupyter wb-aws start NAME` makes a role the default."
