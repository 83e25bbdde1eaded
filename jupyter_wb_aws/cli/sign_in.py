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
from jupyter_wb_aws.cli.output import moment, one_line, say, say_json, say_notices

# Seconds between two looks at the server; it asks the provider in its own rhythm.
PAUSE = 1.5
LONGEST = 600.0
PAGE = "aws/sign-in/start"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--flow",
        choices=("device", "code"),
        help="device: enter a code on a page of the identity provider, in any browser; code: begin on a page of"
        " this Jupyter server, in the browser in which you use it (default: device where it works)",
    )
    parser.add_argument("--no-wait", action="store_true", help="say what to do, and don't wait")
    parser.add_argument(
        "--json",
        action="store_true",
        help='print the server\'s answer, or {"flow": "code", "page"} where one begins on a page; don\'t wait',
    )


def run(args: argparse.Namespace) -> int:
    """Begin a sign-in, say what to do, and wait for it."""
    client = connect()
    before = client.get("/aws/sign-in")
    state = before.data["state"]
    if state in {"not_needed", "signed_in"}:
        _tell_already(before.data) if not args.json else say_json(before.text)
        return ExitCode.OK
    flow = args.flow or ("device" if "device" in before.data["flows"] else None)
    on_page = flow != "device" and "code" in before.data["flows"]
    if not on_page:  # where it does not work, the server says why
        answer = client.post("/aws/sign-in", {"flow": flow} if flow else {})
        on_page = answer.data["flow"] == "code"
    # The code flow is not begun here: the browser that begins it must finish it.
    if args.json:
        say_json(
            json.dumps({"flow": "code", "page": client.url + PAGE}) if on_page else answer.text
        )
    else:
        say_notices(before.data.get("notices", []))
        _tell_page(client) if on_page else _tell_code(answer.data)
    if args.no_wait or args.json:
        return ExitCode.OK
    say("Waiting ...")
    sys.stdout.flush()  # a notebook's cell shows it before the wait, and not after
    now = _waited(client, before.data["problem"])
    _tell_done(now, client.get("/aws/sessions").data["sessions"])
    return ExitCode.OK


def _tell_code(begun: Mapping[str, Any]) -> None:
    # The provider's words: a line break in them would make a sentence of theirs look like ours.
    code = one_line(begun["user_code"])
    if complete := begun.get("verification_uri_complete"):
        say(f"Open this in a browser; the page must show the code {code}:")
        say(f"\n    {one_line(complete)}\n")
    else:
        say(f"Open this in a browser, and enter the code {code}:")
        say(f"\n    {one_line(begun['verification_uri'])}\n")
    say(f"The code is good until {moment(begun['expires_at'], datetime.now(UTC))}.")


def _tell_page(client: Client) -> None:
    say("Open this in the browser in which you use Jupyter (at the address that you use there):")
    say(f"\n    {client.url}{PAGE}\n")


def _waited(client: Client, problem_before: object) -> Mapping[str, Any]:
    """Look until somebody is signed in.

    Raises:
        CliError: if it failed, or took too long.
    """
    looks = threading.Event()  # never set: it waits, and Ctrl-C ends that
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline:
        looks.wait(PAUSE)
        now: Mapping[str, Any] = client.get("/aws/sign-in").data
        if now["state"] == "signed_in":
            return now
        if not now["problem"] or now["state"] == "pending":
            problem_before = None  # whatever comes is of this sign-in
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


def _tell_already(now: Mapping[str, Any]) -> None:
    if now["state"] == "not_needed":
        say("No sign-in is needed on this server: just pick a role (`jupyter wb-aws roles`).")
        return
    say(
        f"You are signed in as {one_line(now['user']['name'])}. To be somebody else, sign out first:"
    )
    say("`jupyter wb-aws sign-out`.")


def _tell_done(now: Mapping[str, Any], sessions: Sequence[Mapping[str, Any]]) -> None:
    say(f"You are signed in as {one_line(now['user']['name'])}.")
    if sessions:
        labels = ", ".join(session["label"] for session in sessions)
        say(f"Your role sessions go on: {labels}.")
    else:
        say("`jupyter wb-aws roles` lists your roles, `jupyter wb-aws start ROLE` starts one.")
