"""``jupyter wb-aws sign-out``: sign out, which ends every role session."""

from __future__ import annotations

import argparse

from jupyter_wb_aws.cli.client import connect
from jupyter_wb_aws.cli.end import until
from jupyter_wb_aws.cli.errors import ExitCode
from jupyter_wb_aws.cli.output import print_json, print_text, print_wrapped


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--json", action="store_true", help="print the server's answer")


def run(args: argparse.Namespace) -> int:
    """Sign out."""
    client = connect()
    before = client.get("/aws/sign-in").data["state"]
    sessions = client.get("/aws/sessions").data["sessions"]
    answer = client.delete("/aws/sign-in")
    if args.json:
        print_json(answer.text)
        return ExitCode.OK
    if before == "signed_out" and not sessions:
        print_text("Nobody was signed in.")
        return ExitCode.OK
    print_text(
        "Signed out. Every role session has ended: new notebooks and terminals have no AWS role."
    )
    by_endpoint = bool(sessions) and all(one["delivery"] == "endpoint" for one in sessions)
    for sentence in until(answer.data, whose="", by_endpoint=by_endpoint):
        print_wrapped(sentence)
    if not answer.data["revoked"]:
        print_text(
            "The identity provider could not be reached, but this server no longer has the sign-in."
        )
    if answer.data["end_session_url"]:
        print_text(
            "Your browser may still be signed in at the identity provider. To end that too, open:"
        )
        print_text(f"    {answer.data['end_session_url']}")
    return ExitCode.OK
