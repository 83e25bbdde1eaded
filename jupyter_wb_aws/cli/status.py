"""``jupyter wb-aws status``: the role sessions and their state."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from jupyter_wb_aws.cli import lookup, this_process
from jupyter_wb_aws.cli.client import Client, connect
from jupyter_wb_aws.cli.errors import CliError, ExitCode, local_problem
from jupyter_wb_aws.cli.output import (
    DEFAULT_LEGEND,
    format_time,
    print_error,
    print_json,
    print_notices,
    print_problem,
    print_table,
    print_text,
    print_wrapped,
)

# Problems of health whose details are elsewhere in the output.
SHOWN_BELOW = {"role_session_needs_attention", "roles_file_entries_unusable"}
SIGNED_OUT = {"signed_out", "pending"}
DELIVERIES = {"web_identity": "web identity", "endpoint": "endpoint"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--json", action="store_true", help="print the server's answer")
    which.add_argument(
        "--verbose",
        action="store_true",
        help="also print, for administrators, each entry of the roles file that can't be used, and the claims in your"
        " token that AWS compares with a role's trust policy",
    )


def run(args: argparse.Namespace) -> int:
    """Print the role sessions, and what is wrong.

    Raises:
        CliError: if the server can't be asked, or is not set up.
    """
    client = connect()
    health = client.get("/aws/health").data
    if health["status"] == "not_configured":
        raise _not_configured(health)
    answer = client.get("/aws/sessions")
    sign_in = client.get("/aws/sign-in").data
    signed_out = sign_in["state"] in SIGNED_OUT
    if args.json:
        print_json(answer.text)
    else:
        _print_state(client, health, sign_in, answer.data["sessions"], verbose=args.verbose)
    if signed_out:
        return ExitCode.FAILED
    news: list[Mapping[str, Any]] = []
    if not answer.data["sessions"]:
        # Nothing has called the token source yet: this checks that it works.
        try:
            _print_what_to_start(client, as_json=args.json)
        except CliError as error:
            if args.json or not _is_printed(error.problem, health):
                # As sentences: stdout may have a JSON document, and a second would make both unreadable.
                print_error(error.problem, None, as_json=False)
            return error.exit_code
        later = client.get("/aws/health").data
        news = [notice for notice in later["notices"] if notice not in health["notices"]]
        health |= {"token_source": later["token_source"]}
    if not args.json:
        print_notices(news)
        _print_token(health, answer.data["sessions"], claims_too=args.verbose)
    return ExitCode.OK if health["status"] == "ok" else ExitCode.FAILED


def _print_state(
    client: Client,
    health: Mapping[str, Any],
    sign_in: Mapping[str, Any],
    sessions: list[Mapping[str, Any]],
    *,
    verbose: bool,
) -> None:
    """Print what is wrong, the role sessions, and what is left running.

    Args:
        client: the server.
        health: what `GET /aws/health` answers.
        sign_in: what `GET /aws/sign-in` answers.
        sessions: the role sessions.
        verbose: print each bad entry of the roles file, for an administrator.
    """
    signed_out = sign_in["state"] in SIGNED_OUT
    if signed_out:
        _print_sign_in(sign_in)
    _print_health(health, _explained_by(sign_in) if signed_out else set(), verbose=verbose)
    if signed_out or sessions:
        _print_sessions(client, sessions, signed_out=signed_out)
    _print_left_running(client, sessions)


def _is_printed(problem: Mapping[str, object], health: Mapping[str, Any]) -> bool:
    """Whether a problem is one of those that the health has, all of which are printed."""
    said = (problem.get("code"), problem.get("detail"))
    return said in [(printed["code"], printed["detail"]) for printed in health["problems"]]


def _not_configured(health: Mapping[str, Any]) -> CliError:
    """Say why there are no roles here: what is missing first, then each setting that nothing reads."""
    first, *others = health["problems"]
    error = local_problem(
        "not_configured",
        "AWS roles are not set up on this server",
        detail=str(first["detail"]),
        hint=str(first["hint"]),
        exit_code=ExitCode.NOT_SET_UP,
    )
    error.problem["admin_hint"] = " ".join(str(other["detail"]) for other in others) or None
    return error


def _print_sign_in(sign_in: Mapping[str, Any]) -> None:
    problem = sign_in["problem"]
    if problem is None:
        print_text("You are not signed in.")
    else:
        print_problem(problem, file=sys.stdout)
    if not problem or problem["code"] != "sign_in_required":
        print_text("Sign in with `jupyter wb-aws sign-in`.")
    print_text()


def _print_sessions(client: Client, sessions: list[Mapping[str, Any]], *, signed_out: bool) -> None:
    if not sessions and signed_out:
        print_text("You have no role sessions.")
        _print_here(client, [])
        return
    _print_table(sessions)
    if any(session["default"] for session in sessions):
        print_text(f"\n{DEFAULT_LEGEND}")
    else:
        print_text(
            "\nNone of these is your default role. `jupyter wb-aws start ROLE` makes one the default."
        )
    _print_here(client, sessions)
    for session in sessions:
        _print_more(session, signed_out=signed_out)


def _print_what_to_start(client: Client, *, as_json: bool) -> None:
    """Print what a user without role sessions can do, who is signed in."""
    text = "You have no role sessions."
    try:
        roles = client.get("/aws/roles").data["roles"]
        text += (
            " `jupyter wb-aws roles` lists your roles, and\n`jupyter wb-aws start ROLE` starts one."
            if roles
            else f"\n{lookup.NO_ROLE_OFFERED}"
        )
    finally:
        if not as_json:
            print_text(text)
            _print_here(client, [])


def _print_here(client: Client, sessions: list[Mapping[str, Any]]) -> None:
    held = this_process.endpoint_client(client, os.environ)
    for say in (this_process.other_role_note, this_process.region_note):
        if note := say(sessions, os.environ, held):
            print_text(note)


def _print_table(sessions: Sequence[Mapping[str, Any]]) -> None:
    """Print the role sessions; how they are delivered only where the site uses the credential endpoint."""
    now = datetime.now(UTC)
    rows = [_row(session, now) for session in sessions]
    header: tuple[str, ...] = ("", "ROLE", "STATE", "REGION", "TOKEN", "ID")
    if any(session["delivery"] == "endpoint" for session in sessions):
        header = ("", "ROLE", "STATE", "REGION", "CREDENTIALS", "DELIVERY", "ID")
        rows = [
            (*row[:-1], DELIVERIES[session["delivery"]], row[-1])
            for row, session in zip(rows, sessions, strict=True)
        ]
    print_table(header, rows)


def _print_left_running(client: Client, sessions: Sequence[Mapping[str, Any]]) -> None:
    """Print the processes that keep a role although their kernel, terminal or app has gone.

    Where the system does not show how many there are (macOS), each that has used AWS is printed. Those whose role
    session has ended are refused already.

    Args:
        client: the server.
        sessions: the role sessions.
    """
    going_on = {session["id"] for session in sessions}
    left = [
        one
        for one in client.get("/aws/endpoint/clients").data["clients"]
        if one["state"] == "left_running" and one["session_id"] in going_on and _is_alive(one)
    ]
    if not left:
        return
    print_text("\nLeft running, with the role that they had when their kernel or terminal went:")
    print_table(
        ("ROLE", "LEFT BY", "PROCESSES", "LAST REQUEST", "ID"), [_left(one) for one in left]
    )
    print_text(
        "`jupyter wb-aws end --client ID` ends the AWS access of one of them: its processes go on without."
    )


def _is_alive(one: Mapping[str, Any]) -> bool:
    if one["processes"] is None:
        return one["last_request_at"] is not None
    return bool(one["processes"] > 0)


def _left(one: Mapping[str, Any]) -> tuple[str, ...]:
    now = datetime.now(UTC)
    # A kernel's id is long; this much of it is as good.
    name = one["name"][:8] if one["kind"] == "kernel" else one["name"]
    return (
        one["label"],
        f"{one['kind']} {name}, of {format_time(one['started_at'], now)}",
        _processes(one),
        format_time(one["last_request_at"], now),
        one["id"],
    )


def _processes(one: Mapping[str, Any]) -> str:
    """Name the processes of a client, as far as the server knows them."""
    count, commands = one["processes"], one["commands"]
    if count is None:
        return "?"
    named = [f"{command['name']} ({command['pid']})" for command in commands]
    more = [f"{count - len(named)} more"] if 0 < len(named) < count else []
    return ", ".join([*named, *more]) or str(count)


def _row(session: Mapping[str, Any], now: datetime) -> tuple[str, ...]:
    return (
        "*" if session["default"] else "",
        session["label"] if session["shared"] else f"{session['label']} ({lookup.NOT_SHARED})",
        session["state"].replace("_", " "),
        session["region"] or "",
        _token(session, now),
        session["id"],
    )


def _token(session: Mapping[str, Any], now: datetime) -> str:
    if session["state"] == "active":
        return "refreshed automatically"  # so its expiry does not matter
    until = session["token_expires_at"]
    return "-" if until is None else f"until {format_time(until, now)}"


def _print_more(session: Mapping[str, Any], *, signed_out: bool) -> None:
    # The output already says that the user has to sign in.
    if session["problem"] and not (signed_out and session["problem"]["code"] == "sign_in_required"):
        print_text(f"\n{lookup.describe(session)}:")
        print_problem(session["problem"], file=sys.stdout, indent="  ")
    print_notices(session["notices"])


def _print_token(
    health: Mapping[str, Any], sessions: Sequence[Mapping[str, Any]], *, claims_too: bool
) -> None:
    """Print what AWS won't accept in the tokens and, if asked for, what trust policies are compared with.

    Args:
        sessions: the role sessions, for their labels.
        claims_too: whether that was asked for.
    """
    source = health["token_source"]
    if not source:
        return
    if claims_too and (shown := _claims(health, sessions)):
        print_text()
        print_text("For your administrator, to compare with a role's trust policy:")
        for whose, claims in shown.items():
            print_wrapped(f"AWS will see{whose}: {claims}")
    if source["warnings"]:
        print_text()
    for warning in source["warnings"]:
        print_wrapped(f"For your administrator: {warning['message']}")


def _claims(health: Mapping[str, Any], sessions: Sequence[Mapping[str, Any]]) -> Mapping[str, str]:
    """Return the claims of each token in words, by whose they are; one token for all roles is nobody's."""
    if not health["token_source"].get("binds_role"):
        claims = health["token_source"]["claims"]
        return {"": _claims_in_words(claims)} if claims else {}
    labels = {session["id"]: session["label"] for session in sessions}
    return {
        f" for {labels.get(of['id'], of['id'])}": _claims_in_words(of["claims"])
        for of in health["role_sessions"]
        if of["claims"]
    }


def _claims_in_words(claims: Mapping[str, Any]) -> str:
    tags = claims["principal_tags"] or {}
    audience = claims["aud"]
    named = {
        "iss": claims["iss"],
        "aud": " and ".join(audience) if isinstance(audience, list) else audience,
        "azp": claims["azp"],
        "sub": claims["sub"],
        "source identity": claims["source_identity"],
        "roles": " and ".join(claims.get("roles") or ()),
        "tags": " ".join(f"{key}={value}" for key, value in tags.items()),
    }
    return ", ".join(f"{name} {value}" for name, value in named.items() if value)


def _explained_by(sign_in: Mapping[str, Any]) -> set[str]:
    """Return the codes of problems that follow from the missing sign-in, which is already explained."""
    problem = sign_in["problem"] or {}
    return {"sign_in_required", "role_session_needs_attention", str(problem.get("code"))}


def _without_entries(notices: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Replace several notices about entries of the roles file by one: they concern administrators."""
    entries = [notice for notice in notices if notice["code"] == "roles_file_entry"]
    if len(entries) < 2:
        return list(notices)
    message = f"{len(entries)} entries of the roles file can't be used; `jupyter wb-aws status --verbose` lists them."
    others = [notice for notice in notices if notice not in entries]
    return [{"code": "roles_file_entry", "message": message}, *others]


def _print_health(health: Mapping[str, Any], explained: set[str], *, verbose: bool) -> None:
    """Print what is wrong, and what else the user should know.

    Args:
        explained: codes of problems that are already explained.
        verbose: print each bad entry of the roles file, for an administrator.
    """
    codes = {problem["code"] for problem in health["problems"]}
    for problem in health["problems"]:
        if problem["code"] in explained:
            continue
        if problem["code"] in SHOWN_BELOW:
            print_text(problem["detail"])
        else:
            print_problem(problem, file=sys.stdout)
    notices = [notice for notice in health["notices"] if notice["code"] not in codes]
    print_notices(notices if verbose else _without_entries(notices))
