"""``jupyter wb-aws end``: end a role session."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from jupyter_wb_aws.cli import lookup, this_process
from jupyter_wb_aws.cli.client import Answer, Client, connect, quote
from jupyter_wb_aws.cli.errors import CliError, ExitCode, local_problem
from jupyter_wb_aws.cli.output import format_time, print_json, print_text, print_wrapped

Session = Mapping[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "session",
        metavar="ROLE-or-ID",
        nargs="?",
        help="the role session, by its id or role (default: the default role session)",
    )
    which.add_argument("--all", action="store_true", help="end all role sessions")
    parser.add_argument(
        "--json",
        action="store_true",
        help='print the server\'s answer; with --all: {"sessions": [{"id", …the answer}]}',
    )


def run(args: argparse.Namespace) -> int:
    """End one role session, or all."""
    client = connect()
    sessions = client.get("/aws/sessions").data["sessions"]
    if args.all:
        _end_all(client, sessions, as_json=args.json)
        return ExitCode.OK
    session = (
        lookup.find_role_session(args.session, sessions) if args.session else _default(sessions)
    )
    answer = _end(client, session)
    if args.json:
        print_json(answer.text)
    else:
        _print_result(session, answer)
    return ExitCode.OK


def _end(client: Client, session: Session) -> Answer:
    return client.delete(f"/aws/sessions/{quote(session['id'])}")


def _end_all(client: Client, sessions: Sequence[Session], *, as_json: bool) -> None:
    answers = []
    for session in sessions:
        answer = _end(client, session)
        answers.append({"id": session["id"], **answer.data})
        if not as_json:
            _print_result(session, answer)
    if as_json:
        print_json(json.dumps({"sessions": answers}))
    elif not sessions:
        print_text("You have no role sessions.")


def _default(sessions: Sequence[Session]) -> Session:
    for session in sessions:
        if session["default"]:
            return session
    raise _no_default(sessions)


def _no_default(sessions: Sequence[Session]) -> CliError:
    others = ", ".join(f"{session['id']} ({lookup.describe(session)})" for session in sessions)
    return local_problem(
        "no_role_session",
        "No role session",
        detail="There is no default role session to end.",
        hint=f"Name the one to end: {others}." if others else "",
        exit_code=ExitCode.NO_ROLE_SESSION,
    )


def _print_result(session: Session, answer: Answer) -> None:
    print_text(f"Ended {lookup.describe(session)} (role session {session['id']}).")
    until = answer.data["credentials_expire_at"]
    if until is not None:
        print_wrapped(
            f"Programs that already have its AWS credentials can use them until {_when(until)}; other programs can no longer get any."
        )
    if session["default"]:
        print_text("New notebooks and terminals have no AWS role.")
    if this_process.was_started_with(
        session["environment"].get("AWS_ROLE_SESSION_NAME", ""), os.environ
    ):
        print_text(_here())


def _here() -> str:
    """Say what changes for the kernel or terminal in which the command ran."""
    if this_process.process_kind(os.environ) == "kernel":
        return (
            "This notebook's kernel was started with it. To give it a role again, run `!jupyter wb-aws start ROLE`"
            " here, then Kernel > Restart Kernel."
        )
    return (
        "This terminal was started with it, and its prompt may still show it. Open a new terminal."
    )


def _when(until: str) -> str:
    return format_time(until, datetime.now(UTC))
