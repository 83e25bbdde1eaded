"""``jupyter wb-aws end``: end a role session, or the access of one client of the credential endpoint."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from jupyter_wb_aws.cli import lookup, this_process
from jupyter_wb_aws.cli.client import Answer, Client, connect, quote
from jupyter_wb_aws.cli.errors import CliError, ExitCode, local_problem
from jupyter_wb_aws.cli.output import format_time, print_json, print_text, print_wrapped
from jupyter_wb_aws.cli.switching import boto3_stops
from jupyter_wb_aws.cli.this_process import EndpointClient

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
    which.add_argument(
        "--client",
        metavar="ID",
        help="end the access of one process only, such as one left running (`jupyter wb-aws status` lists these)",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help='print the server\'s answer; with --all: {"sessions": [{"id", …the answer}]}',
    )


def run(args: argparse.Namespace) -> int:
    """End one role session or all, or one client of the credential endpoint."""
    client = connect()
    if args.client is not None:
        _end_client(client, args.client, as_json=args.json)
        return ExitCode.OK
    sessions = client.get("/aws/sessions").data["sessions"]
    held = this_process.endpoint_client(client, os.environ)
    if args.all:
        _end_all(client, sessions, held, as_json=args.json)
        return ExitCode.OK
    session = (
        lookup.find_role_session(args.session, sessions) if args.session else _default(sessions)
    )
    answer = _end(client, session)
    if args.json:
        print_json(answer.text)
    else:
        _print_result(session, answer, held)
    return ExitCode.OK


def _end(client: Client, session: Session) -> Answer:
    return client.delete(f"/aws/sessions/{quote(session['id'])}")


def _end_all(
    client: Client, sessions: Sequence[Session], held: EndpointClient | None, *, as_json: bool
) -> None:
    answers = []
    for session in sessions:
        answer = _end(client, session)
        answers.append({"id": session["id"], **answer.data})
        if not as_json:
            _print_result(session, answer, held)
    if as_json:
        print_json(json.dumps({"sessions": answers}))
    elif not sessions:
        print_text("You have no role sessions.")


def _end_client(client: Client, client_id: str, *, as_json: bool) -> None:
    listed = client.get("/aws/endpoint/clients").data["clients"]
    ended = next((one for one in listed if one["id"] == client_id), None)
    try:
        client.delete(f"/aws/endpoint/clients/{quote(client_id)}")
    except CliError as error:
        if error.problem.get("code") == "endpoint_client_not_found":
            error.problem["hint"] = (
                "`jupyter wb-aws status` lists what was left running, with the ids."
            )
        raise
    if as_json:
        print_json(json.dumps({"id": client_id}))
        return
    print_wrapped(
        f"Ended the access of {client_id}. Its processes go on, but are refused when they next ask for AWS credentials."
        f"{_stops(client, ended)} Its role session and everything else that works with it stay as they are."
    )


def _stops(client: Client, ended: EndpointClient | None) -> str:
    """Say when a client stops: no answer that it has got is valid for longer than a lease."""
    if ended is None or ended["last_request_at"] is None:
        return ""
    leases = [one["lease"] for one in client.get("/aws/sessions").data["sessions"] if one["lease"]]
    if not leases:
        return ""
    now = datetime.now(UTC)
    stop = datetime.fromisoformat(ended["last_request_at"]) + timedelta(seconds=max(leases))
    if stop <= now:
        return " None of them has AWS credentials that it could still use."
    return f" {boto3_stops(stop.isoformat(), now)} Other programs stop by {_when(stop.isoformat())} at the latest."


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


def _print_result(session: Session, answer: Answer, held: EndpointClient | None) -> None:
    print_text(f"Ended {lookup.describe(session)} (role session {session['id']}).")
    for sentence in until(answer.data, by_endpoint=session["delivery"] == "endpoint"):
        print_wrapped(sentence)
    if session["default"]:
        print_text("New notebooks and terminals have no AWS role.")
    if this_process.has_role_of(session, os.environ, held):
        print_text(_here(held))


def until(
    ended: Mapping[str, Any], *, whose: str = "its ", by_endpoint: bool = False
) -> Iterator[str]:
    """Say until when an end, or a sign-out, leaves credentials in use.

    Args:
        ended: the server's answer, `RoleSessionEnd` or `SignedOut` in openapi.yaml.
        whose: "its " for the credentials of one role session.
        by_endpoint: whether all that has ended was delivered by the credential endpoint.
    """
    expire, stop = ended["credentials_expire_at"], ended["clients_stop_by"]
    if stop is not None:
        yield (
            "The credential endpoint refuses from now on."
            f" {boto3_stops(stop, datetime.now(UTC))} Other programs stop by {_when(stop)} at the latest."
        )
    elif by_endpoint:
        yield (
            "The credential endpoint refuses from now on. No program has AWS credentials from it that it could still use."
        )
    if expire is not None and (by_endpoint or stop is not None):
        yield f"AWS itself takes credentials that were copied elsewhere until {_when(expire)}."
    elif expire is not None:
        yield (
            f"Programs that already have {whose}AWS credentials can use them until {_when(expire)}; other programs can"
            " no longer get any."
        )


def _here(held: EndpointClient | None) -> str:
    """Say what changes for the kernel or terminal in which the command ran."""
    kind = this_process.process_kind(os.environ)
    if kind == "kernel":
        again = "" if held else ", then Kernel > Restart Kernel"
        had_it = "worked with it" if held else "was started with it"
        return f"This notebook's kernel {had_it}. To give it a role again, run `!jupyter wb-aws start ROLE` here{again}."
    if held and held["kind"] == kind:
        return "This terminal worked with it. `jupyter wb-aws start ROLE` gives it a role again."
    if held:
        return "This shell worked with it. `jupyter wb-aws env ROLE` prints the variables of another role for it."
    return (
        "This terminal was started with it, and its prompt may still show it. Open a new terminal."
    )


def _when(until: str) -> str:
    return format_time(until, datetime.now(UTC))
