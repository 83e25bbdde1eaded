"""``jupyter wb-aws roles``: the roles that the user may use."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--json", action="store_true", help="print the server's answer")


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
    header = ("", "NAME", "LABEL", "ACCOUNT", "REGION", "DESCRIPTION")
    print_table(header, [_row(role, is_default=role["arn"] in defaults) for role in roles])
    print_text()
    print_text(_footer(has_default=bool(defaults)))
    _say_bad_entries(client)
    return ExitCode.OK


def _say_bad_entries(client: Client) -> None:
    """Print the entries of the roles file that can't be used: a missing role may be among them."""
    notices = client.get("/aws/health").data["notices"]
    print_notices([notice for notice in notices if notice["code"] == "roles_file_entry"])


def _row(role: Mapping[str, Any], *, is_default: bool) -> tuple[str, ...]:
    mark = "*" if is_default else ""
    texts = (role["name"], role["label"], role["account_id"], role["region"], role["description"])
    return (mark, *(text or "" for text in texts))


def _footer(*, has_default: bool) -> str:
    if has_default:
        return DEFAULT_LEGEND
    return "You have no default role. `jupyter wb-aws start NAME` makes a role the default."
