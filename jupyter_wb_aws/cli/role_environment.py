"""Start a role session, and make the environment of a program that runs with it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_wb_aws.cli import lookup
from jupyter_wb_aws.cli.client import Client
from jupyter_wb_aws.cli.errors import CliError, ExitCode, local_problem
from jupyter_wb_aws.cli.output import print_text
from jupyter_wb_aws.loopback import is_loopback
from jupyter_wb_aws.variables import (
    ENDPOINT_TOKEN_FILE,
    ENDPOINT_URI,
    ROLE_SESSION_VARIABLES,
    WEB_IDENTITY,
    is_masked,
    is_name,
    is_reserved,
    with_role,
    without_passwords,
)

ENDPOINT = {ENDPOINT_URI, ENDPOINT_TOKEN_FILE, "BOTO_CONFIG"}
# What a role session's own commands read, by its delivery.
_TOKEN_FILES = {
    "web_identity": "AWS_WEB_IDENTITY_TOKEN_FILE",
    "endpoint": ENDPOINT_TOKEN_FILE,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments that name the role."""
    parser.add_argument("role", metavar="ROLE", help="a role's ARN, unique name or unique label")
    parser.add_argument("--region", help="use this AWS region instead of the role's own")


def start_role_session(
    client: Client, args: argparse.Namespace, **how: object
) -> Mapping[str, Any]:
    """Start the role that `args` names, or find its role session.

    Args:
        client: the server.
        args: the arguments of `add_arguments`.
        how: further members of the body of `POST /aws/sessions`.

    Raises:
        CliError: if the role can't be started, or its token file can't be read here.
    """
    arn = lookup.find_role_arn(args.role, lambda: client.get("/aws/roles").data["roles"])
    body = {"role_arn": arn, **how}
    if args.region is not None:
        body["region"] = args.region
    session: Mapping[str, Any] = client.post("/aws/sessions", body).data
    if (wrong := _wrong(session["environment"], session["delivery"])) is not None:
        raise refused(wrong)
    token_file = session["environment"][_TOKEN_FILES[session["delivery"]]]
    if not (Path(token_file or "").is_file() and os.access(token_file, os.R_OK)):
        raise local_problem(
            "elsewhere",
            "The Jupyter server is not on this machine",
            detail=f"The role session's token file {token_file} can't be read here.",
            hint="Run this as the same user and on the same machine (in the same container) as the Jupyter server.",
            exit_code=ExitCode.CANNOT_ASK,
        )
    return session


def _wrong(environment: object, delivery: str) -> str | None:
    """Return what an answer sets that a role session can't set; None if there is nothing.

    The site may set any other variable (`extra_environment`), so there can be no list of harmless names.
    The connection has already made sure that the answer comes from the user's own server.
    """
    if not isinstance(environment, dict):
        return "It has no variables"
    not_of_it = WEB_IDENTITY if delivery == "endpoint" else ENDPOINT
    for name, value in environment.items():
        if not is_name(name):
            return f"{name[:40]!r} is not the name of a variable"
        if is_reserved(name) and name not in ROLE_SESSION_VARIABLES - not_of_it:
            return f"{name} is not a variable that a role session sets"
        if value is not None and not _fits(value):
            return f"The value of {name} is not text that a variable can have"
    uri = environment.get(ENDPOINT_URI)
    if uri is not None and not (uri.startswith("http://") and is_loopback(uri)):
        return "Its credential endpoint is not on this machine"
    return None


def _fits(value: object) -> bool:
    try:
        return isinstance(value, str) and b"\0" not in os.fsencode(value)
    except UnicodeEncodeError:  # half of a surrogate pair, or a character that the locale lacks
        return False


def refused(wrong: str) -> CliError:
    """Describe an answer of the server that is not used.

    Args:
        wrong: what is wrong with it, as a sentence without its period.
    """
    return local_problem(
        "answer_refused",
        "The server's answer is refused",
        detail=f"The server's answer is refused. {wrong}.",
        hint="Check that the Jupyter server is your own, and that it has the same version of jupyter_wb_aws"
        " as this command.",
        exit_code=ExitCode.FAILED,
    )


def variables(session: Mapping[str, Any], base: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a role session; warn on stderr about any that can't be set.

    The server masks passwords, such as that in a proxy's URL. A masked value is taken from `base` if
    the rest of it is the same there.
    """
    answered = {name: value for name, value in session["environment"].items() if value is not None}
    masked = {name: value for name, value in answered.items() if is_masked(name, value)}
    here = {name: base.get(name, "") for name in masked}
    same = {
        name: here[name] for name, value in without_passwords(here).items() if value == masked[name]
    }
    for name in masked.keys() - same.keys():
        _warn(
            f"{name} of this role contains a password, which the server does not reveal, so it is not set."
        )
    return {name: value for name, value in answered.items() if name not in masked} | same


def content(path: str, most: int) -> str:
    """Read a token file that the server's answer names: don't wait for a FIFO or read a device without end.

    Raises:
        OSError: if it can't be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return os.read(descriptor, most).decode("ascii", errors="replace")
    finally:
        os.close(descriptor)


def environment(session: Mapping[str, Any], base: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a program with the role session, made from `base`."""
    by_endpoint = ENDPOINT_URI in session["environment"]
    changed = with_role(base, variables(session, base), by_endpoint=by_endpoint)
    if "AWS_CONFIG_FILE" in session["environment"]:  # the user's own files are set aside
        return changed
    # Here, so that `credential-process` does not pay 7 ms for it.
    from jupyter_wb_aws.aws.file_conflicts import describe_conflict, find_conflict

    if (winner := find_conflict(changed)) is not None:
        _warn(f"{describe_conflict(winner, 'will override this role in some AWS SDKs')}.")
    return changed


def _warn(text: str) -> None:
    print_text(f"jupyter wb-aws: {text}", file=sys.stderr)
