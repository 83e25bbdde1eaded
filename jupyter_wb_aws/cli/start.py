"""``jupyter wb-aws start ROLE``: start a role session and make it the default."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from typing import Any

from jupyter_wb_aws.cli import lookup, switching, this_process
from jupyter_wb_aws.cli.client import Client, connect
from jupyter_wb_aws.cli.errors import ExitCode
from jupyter_wb_aws.cli.output import print_json, print_notices, print_text, print_wrapped

_PLACES = {"kernel": "notebook", "terminal": "terminal"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("role", metavar="ROLE", help="a role's ARN, unique name or unique label")
    parser.add_argument("--region", help="use this AWS region instead of the role's own")
    default = parser.add_mutually_exclusive_group()
    default.add_argument(
        "--default",
        action="store_true",
        default=True,
        help="make it your default role: new notebooks, consoles and terminals get it (the default)",
    )
    default.add_argument(
        "--no-default",
        dest="default",
        action="store_false",
        help="only start it; your default role stays as it is",
    )
    parser.add_argument("--json", action="store_true", help="print the server's answer")


def run(args: argparse.Namespace) -> int:
    """Start a role session, or find that of this role."""
    client = connect()
    arn = lookup.find_role_arn(args.role, lambda: client.get("/aws/roles").data["roles"])
    body: dict[str, object] = {"role_arn": arn, "default": args.default}
    if args.region is not None:
        body["region"] = args.region
    answer = client.post("/aws/sessions", body)
    session = answer.data
    here = _take_here(client, session) if session["default"] else ""
    if args.json:
        print_json(answer.text)
    else:
        _print_result(session, here)
    return ExitCode.OK


def _take_here(client: Client, session: Mapping[str, Any]) -> str:
    """Choose it for this notebook or terminal too, which would otherwise keep its role; say what becomes of it."""
    held = this_process.endpoint_client(client, os.environ)
    had_it = this_process.has_role_of(session, os.environ, held)
    process = this_process.assignable(os.environ, held)
    switch = (
        switching.assign_if_possible(client, process, session["id"])
        if process is not None
        else None
    )
    others = "Kernels that have a role keep it."
    if had_it:
        return f"This process already has it. {others}"
    if process is not None and switch is not None and switching.applies_now(switch):
        has_it = f"This {_PLACES[process.kind]} works with it now, without a restart."
        return " ".join([has_it, *switching.what_stays(switch), others])
    if this_process.process_kind(os.environ) == "kernel":
        return f"This notebook gets it with Kernel > Restart Kernel. {others}"
    takes = "A kernel that runs without a role gets it at its next restart."
    if this_process.process_kind(os.environ) == "terminal":
        return f"This terminal does not change: open a new one. {takes} {others}"
    return f"{takes} {others}"


def _print_result(session: Mapping[str, Any], here: str) -> None:
    """Print what was started.

    Args:
        session: the role session.
        here: what becomes of this notebook or terminal.
    """
    done = "Your default role is now" if session["default"] else "Started"
    print_text(f"{done} {lookup.describe(session)} (role session {session['id']}).")
    if session["default"]:
        print_text(
            "New notebooks and terminals work in AWS as this identity, which is refreshed until you run"
        )
        print_text("`jupyter wb-aws end`:")
        print_text(f"  {_who(session)}")
        print_wrapped(here)
    else:
        print_text(
            "It is not your default role, so no notebook or terminal gets it by itself. To make it the"
        )
        print_text("default, run the command without --no-default.")
    print_notices(session["notices"])


def _who(session: Mapping[str, Any]) -> str:
    return str(session["identity"]["Arn"] if session["identity"] else session["role_arn"])
