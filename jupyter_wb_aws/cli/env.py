"""``jupyter wb-aws env ROLE``: a role's environment variables, for a shell or a file."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping

from jupyter_wb_aws.cli import role_environment
from jupyter_wb_aws.cli.client import connect
from jupyter_wb_aws.cli.errors import CliError, ExitCode, local_problem
from jupyter_wb_aws.variables import CONFLICTING, ENDPOINT_URI, REMOVED_WITHOUT_ROLE, is_name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    role_environment.add_arguments(parser)
    parser.add_argument(
        "--format",
        choices=("shell", "dotenv"),
        default="shell",
        help="lines for `eval` in a POSIX shell (the default), or for a .env file",
    )


def run(args: argparse.Namespace) -> int:
    """Print lines that give a shell the role's environment."""
    session = role_environment.start_role_session(connect(), args, default=False)
    changed = role_environment.environment(session, os.environ)
    added = {name: value for name, value in changed.items() if os.environ.get(name) != value}
    # Include variables that already have the right value: the file may be read elsewhere.
    added |= {name: changed[name] for name in session["environment"] if name in changed}
    # In an SDK, everything that gives credentials overrides the credential endpoint.
    override = CONFLICTING | (REMOVED_WITHOUT_ROLE if ENDPOINT_URI in changed else set())
    removed = sorted(override - changed.keys() | (os.environ.keys() - changed.keys()))
    write = _shell if args.format == "shell" else _dotenv
    lines = [line + "\n" for line in write(added, filter(is_name, removed))]
    # As bytes: a character that the output's encoding lacks must not change a value.
    sys.stdout.flush()
    sys.stdout.buffer.write(os.fsencode("".join(lines)))
    return ExitCode.OK


def _shell(added: Mapping[str, str], removed: Iterable[str]) -> Iterator[str]:
    """Write lines for POSIX shells."""
    for name in removed:
        yield f"unset {name}"
    for name, value in sorted(added.items()):
        yield f"export {name}={shlex.quote(value)}"


def _dotenv(added: Mapping[str, str], removed: Iterable[str]) -> Iterator[str]:
    """Write lines for readers of .env files, which can't remove a variable."""
    yield "# Don't set these variables too: they take precedence over the role."
    yield f"# {' '.join(removed)}"
    for name, value in sorted(added.items()):
        # Some readers treat each line as a variable, quoted or not.
        if value.splitlines() not in ([], [value]):
            raise _of_several_lines(name)
        yield f"{name}={_quoted(value)}"


def _of_several_lines(name: str) -> CliError:
    return local_problem(
        "not_for_dotenv",
        "A .env file can't contain this role's variables",
        detail=f"The value of {name} has several lines, which a .env file can't contain.",
        hint="Use `jupyter wb-aws exec`, or `jupyter wb-aws env` without --format dotenv.",
        exit_code=ExitCode.FAILED,
    )


def _quoted(value: str) -> str:
    """Quote only if necessary: `docker run --env-file` keeps quotes as part of the value."""
    if value == shlex.quote(value):
        return value
    if "'" not in value:
        return f"'{value}'"
    for special in ("\\", '"', "$", "`"):
        value = value.replace(special, f"\\{special}")
    return f'"{value}"'
