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
from jupyter_wb_aws.variables import CONFLICTING, is_name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    role_environment.add_arguments(parser)
    parser.add_argument(
        "--format",
        choices=("shell", "dotenv"),
        default="shell",
        help="lines for `eval` in a POSIX shell (this is so without the option), or for a .env file",
    )


def run(args: argparse.Namespace) -> int:
    """Print what makes the shell's environment that of the role."""
    session = role_environment.start_role_session(connect(), args, default=False)
    changed = role_environment.environment(session, os.environ)
    added = {name: value for name, value in changed.items() if os.environ.get(name) != value}
    # What is there by chance already belongs to it as well: the file may be read elsewhere.
    added |= {name: changed[name] for name in session["environment"] if name in changed}
    removed = sorted(CONFLICTING | (os.environ.keys() - changed.keys()))
    write = _shell if args.format == "shell" else _dotenv
    lines = [line + "\n" for line in write(added, filter(is_name, removed))]
    # As bytes: a value with a letter that the output's encoding lacks must not become another value.
    sys.stdout.flush()
    sys.stdout.buffer.write(os.fsencode("".join(lines)))
    return ExitCode.OK


def _shell(added: Mapping[str, str], removed: Iterable[str]) -> Iterator[str]:
    """Write it for POSIX shells."""
    for name in removed:
        yield f"unset {name}"
    for name, value in sorted(added.items()):
        yield f"export {name}={shlex.quote(value)}"


def _dotenv(added: Mapping[str, str], removed: Iterable[str]) -> Iterator[str]:
    """Write it for what reads .env files, which can't take a variable away."""
    yield "# These must not be set beside it, or they win over the role:"
    yield f"# {' '.join(removed)}"
    for name, value in sorted(added.items()):
        # Some readers take each line for a variable, quoted or not.
        if value.splitlines() not in ([], [value]):
            raise _of_several_lines(name)
        yield f"{name}={_quoted(value)}"


def _of_several_lines(name: str) -> CliError:
    return local_problem(
        "not_for_dotenv",
        "A .env file can't hold this role's variables",
        detail=f"The value of {name} has several lines, which a .env file can't hold.",
        hint="Use `jupyter wb-aws exec`, or `jupyter wb-aws env` without --format dotenv.",
        exit_code=ExitCode.FAILED,
    )


def _quoted(value: str) -> str:
    """Quote only where it is needed: `docker run --env-file` takes quotes as they stand."""
    if value == shlex.quote(value):
        return value
    if "'" not in value:
        return f"'{value}'"
    for special in ("\\", '"', "$", "`"):
        value = value.replace(special, f"\\{special}")
    return f'"{value}"'
