"""``jupyter wb-aws exec ROLE -- COMMAND``: run a command with a role session of its own.

This process becomes the command, so signals, the terminal, job control and the exit code are the
command's own. The server ends the role session when this process id ends.
"""

from __future__ import annotations

import argparse
import errno
import os
import shlex
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from jupyter_wb_aws.cli import role_environment
from jupyter_wb_aws.cli.client import connect
from jupyter_wb_aws.cli.errors import CliError, ExitCode, local_problem
from jupyter_wb_aws.proc_stat import stat_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments; the words after `--` are not among them."""
    parser.usage = "jupyter wb-aws exec [-h] [--region REGION] ROLE -- COMMAND [ARGUMENT ...]"
    role_environment.add_arguments(parser)
    parser.add_argument("misplaced", nargs="*", default=[], help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> NoReturn:
    """Start the role session and become the command.

    Raises:
        CliError: if there is no command, or the role or the command can't be started.
    """
    if not args.command or args.misplaced:
        raise local_problem(
            "no_command",
            "No command to run",
            detail=_no_command(args),
            hint="Write the whole command after `--`, for example: jupyter wb-aws exec analyst -- Rscript report.R",
            exit_code=ExitCode.CANNOT_ASK,
        )
    session = role_environment.start_role_session(
        connect(), args, shared=False, process=_this_process()
    )
    become(args.command, role_environment.environment(session, os.environ))


def _no_command(args: argparse.Namespace) -> str:
    if not args.misplaced or args.command:
        return "There is no command to run."
    command = shlex.join(args.misplaced)
    return f"Put `--` before the command: jupyter wb-aws exec {shlex.quote(args.role)} -- {command}"


def _this_process() -> dict[str, object]:
    stat = stat_of("self")  # None unless on Linux
    return {"pid": os.getpid()} | ({"started": stat.started} if stat else {})


def become(command: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Replace this process; if that fails, the end of this process ends the role session.

    Raises:
        CliError: if the command can't be run.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    # Python ignores these signals, and the command would inherit that: `yes | head` would complain.
    for name in ("SIGPIPE", "SIGXFSZ"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    if not command[0]:
        raise _not_found(command[0])
    try:
        os.execvpe(command[0], list(command), environment)  # noqa: S606 - this is what we are for
    except OSError as error:
        if error.errno == errno.ENOEXEC:  # a script without an interpreter line: execvp(3)
            os.execve("/bin/sh", ["sh", error.filename, *command[1:]], environment)  # noqa: S606
        raise os_refusal(command[0], error, environment) from None


def os_refusal(name: str, error: OSError, environment: Mapping[str, str]) -> CliError:
    """Explain why a command can't be run, with the exit code of a shell (POSIX, "Exit Status for Commands").

    Args:
        name: the command, as the user typed it.
        error: what the system answered.
        environment: the command's environment, with its PATH.
    """
    missing = isinstance(error, FileNotFoundError | NotADirectoryError) or not _is_there(
        name, environment
    )
    if missing:
        return _not_found(name)
    return local_problem(
        "command_not_executable",
        "The command can't be executed",
        detail=f"The command “{name}” can't be executed: {error.strerror}.",
        exit_code=ExitCode.CANNOT_EXECUTE,
    )


def _not_found(name: str) -> CliError:
    return local_problem(
        "command_not_found",
        "Command not found",
        detail=f"The command “{name}” was not found.",
        exit_code=ExitCode.COMMAND_NOT_FOUND,
    )


def _is_there(name: str, environment: Mapping[str, str]) -> bool:
    """Return whether there is such a file: "denied" may also mean a folder of PATH that can't be read."""
    if "/" in name:
        return True
    return any((Path(folder) / name).exists() for folder in os.get_exec_path(environment))
