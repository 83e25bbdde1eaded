"""``jupyter wb-aws sign-in``: sign in at the identity provider, and wait until that is done."""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from jupyter_wb_aws.cli.client import Client, connect
from jupyter_wb_aws.cli.errors import CliError, ExitCode, local_problem, refused_by_server
from jupyter_wb_aws.cli.output import format_time, one_line, print_json, print_notices, print_text

# Seconds between two calls to the server, which asks the provider in its own rhythm.
PAUSE = 1.5
SIGN_IN_TIMEOUT = 600.0
PAGE = "aws/sign-in/start"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--flow",
        choices=("device", "code"),
        help="device: enter a code on a page of the identity provider, in any browser; code: begin on a page of"
        " this Jupyter server, in the browser in which you use it (default: device, if it works here)",
    )
    parser.add_argument("--no-wait", action="store_true", help="say what to do, and don't wait")
    parser.add_argument(
        "--json",
        action="store_true",
        help='print the server\'s answer, or {"flow": "code", "page"} if the sign-in begins on a page; don\'t wait',
    )


def run(args: argparse.Namespace) -> int:
    """Begin a sign-in, say what to do, and wait until it is done."""
    client = connect()
    before = client.get("/aws/sign-in")
    state = before.data["state"]
    if state in {"not_needed", "signed_in"}:
        _print_already(before.data) if not args.json else print_json(before.text)
        return ExitCode.OK
    flow = args.flow or ("device" if "device" in before.data["flows"] else None)
    on_page = flow != "device" and "code" in before.data["flows"]
    if not on_page:  # if it does not work, the server says why
        answer = client.post("/aws/sign-in", {"flow": flow} if flow else {})
        on_page = answer.data["flow"] == "code"
    # The code flow does not begin here: the browser that begins it must finish it.
    if args.json:
        print_json(
            json.dumps({"flow": "code", "page": client.url + PAGE}) if on_page else answer.text
        )
    else:
        print_notices(before.data.get("notices", []))
        _print_page(client) if on_page else _print_code(answer.data)
    if args.no_wait or args.json:
        return ExitCode.OK
    print_text("Waiting ...")
    sys.stdout.flush()  # so that a notebook's cell shows it before the wait
    now = _waited(client, before.data["problem"])
    _print_done(now, client.get("/aws/sessions").data["sessions"])
    return ExitCode.OK


def _print_code(begun: Mapping[str, Any]) -> None:
    # These come from the provider: a line break could make its text look like a sentence of ours.
    code = one_line(begun["user_code"])
    if complete := begun.get("verification_uri_complete"):
        print_text(f"Open this in a browser; the page must show the code {code}:")
        print_text(f"\n    {one_line(complete)}\n")
    else:
        print_text(f"Open this in a browser, and enter the code {code}:")
        print_text(f"\n    {one_line(begun['verification_uri'])}\n")
    print_text(f"The code is valid until {format_time(begun['expires_at'], datetime.now(UTC))}.")


def _print_page(client: Client) -> None:
    print_text(
        "Open this in the browser in which you use Jupyter (at the address that you use there):"
    )
    print_text(f"\n    {client.url}{PAGE}\n")


def _waited(client: Client, problem_before: object) -> Mapping[str, Any]:
    """Wait until somebody is signed in.

    Args:
        client: the server.
        problem_before: the problem of an earlier sign-in, which does not count.

    Raises:
        CliError: if the sign-in failed or took too long.
    """
    never = threading.Event()  # waiting for it can be interrupted by Ctrl-C
    deadline = time.monotonic() + SIGN_IN_TIMEOUT
    while time.monotonic() < deadline:
        never.wait(PAUSE)
        now: Mapping[str, Any] = client.get("/aws/sign-in").data
        if now["state"] == "signed_in":
            return now
        if not now["problem"] or now["state"] == "pending":
            problem_before = None  # a later problem belongs to this sign-in
        elif now["state"] == "signed_out" and now["problem"] != problem_before:
            raise refused_by_server(now["problem"], None)
    raise _gave_up()


def _gave_up() -> CliError:
    return local_problem(
        "sign_in_failed",
        "Nobody has signed in",
        detail="Nobody has signed in within ten minutes.",
        hint="Run `jupyter wb-aws sign-in` again.",
        exit_code=ExitCode.FAILED,
    )


def _print_already(now: Mapping[str, Any]) -> None:
    if now["state"] == "not_needed":
        print_text(
            "This server needs no sign-in. Choose a role: `jupyter wb-aws roles` lists yours."
        )
        return
    print_text(
        f"You are signed in as {one_line(now['user']['name'])}. To sign in as somebody else, sign out first:"
    )
    print_text("`jupyter wb-aws sign-out`.")


def _print_done(now: Mapping[str, Any], sessions: Sequence[Mapping[str, Any]]) -> None:
    print_text(f"You are signed in as {one_line(now['user']['name'])}.")
    if sessions:
        labels = ", ".join(session["label"] for session in sessions)
        print_text(f"Your role sessions continue: {labels}.")
    else:
        print_text(
            "`jupyter wb-aws roles` lists your roles, `jupyter wb-aws start ROLE` starts one."
        )
