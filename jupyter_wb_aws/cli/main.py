"""``jupyter wb-aws``: parse the command, run it, and return its exit code."""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from jupyter_wb_aws import __version__
from jupyter_wb_aws.cli.closest import nearest
from jupyter_wb_aws.cli.errors import EXIT_CODES_HELP, CliError, ExitCode, local_problem
from jupyter_wb_aws.cli.output import print_error

COMMANDS = {
    "sign-in": "sign in to your company's single sign-on, if this server needs it",
    "roles": "list the AWS roles that you may use",
    "start": "start a role session and make it the default for new notebooks and terminals",
    "status": "show the role sessions and any problem that they have",
    "identity": "show who you are to AWS",
    "doctor": "find out why AWS credentials don't work here",
    "end": "end a role session",
    "exec": "run a command with a role session of its own",
    "env": "print a role's environment variables for a shell or a .env file",
    "credential-process": "print a role's AWS credentials, for an AWS SDK's credential_process",
    "sign-out": "sign out; every role session ends",
    "settings": "print every setting of the extension, for administrators (also: --help-all)",
    "demo": "start JupyterLab with an identity provider and a local AWS, to try it all",
}


class Formatter(argparse.HelpFormatter):
    """Finds out the terminal's width by itself: `shutil`, which argparse asks, takes 2 ms to import."""

    def __init__(self, prog: str, **how: Any) -> None:
        super().__init__(prog, **{"width": _columns() - 2, **how})


class _AsWritten(Formatter, argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of the epilog."""


def _columns() -> int:
    """Return the terminal's width, as `shutil.get_terminal_size` does."""
    try:
        return int(os.environ.get("COLUMNS", "0")) or os.get_terminal_size(1).columns or 80
    except (ValueError, OSError):
        return 80


class Command(Protocol):
    """What the module of a command provides."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's arguments."""

    def run(self, args: argparse.Namespace) -> int:
        """Run the command and return the exit code."""
        ...


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code for ``sys.exit``."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["--help-all"]:
        words = ["settings"]
    _print_what_the_terminal_cannot()
    try:
        return _run(words)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        _let_go_of_stdout()
        return ExitCode.READER_GONE


def _run(words: Sequence[str]) -> int:
    as_json = False
    try:
        command, args = parse(words)
        as_json = getattr(args, "json", False)
        code = command.run(args)
        if sys.stdout is not None:  # it may be closed from the start
            sys.stdout.flush()
    except SystemExit as done:  # argparse: after --help, or a usage error it has explained
        return done.code if isinstance(done.code, int) else ExitCode.OK
    except BrokenPipeError:
        raise
    except CliError as error:
        print_error(error.problem, error.text, as_json=as_json)
        return error.exit_code
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
        if full:
            _let_go_of_stdout()
        why = _not_written(error) if full else _unexpected(error)
        print_error(why.problem, None, as_json=as_json and not full)
        return ExitCode.FAILED
    except Exception as defect:  # noqa: BLE001 - no traceback ever reaches the user
        print_error(_unexpected(defect).problem, None, as_json=as_json)
        return ExitCode.FAILED
    return code


def _not_written(error: OSError) -> CliError:
    return local_problem(
        "output_failed",
        "The output could not be written",
        detail=f"The output could not be written: {error.strerror}.",
        exit_code=ExitCode.FAILED,
    )


def parse(words: Sequence[str]) -> tuple[Command, argparse.Namespace]:
    """Parse the words; import only the command that they name."""
    parser = argparse.ArgumentParser(
        prog="jupyter wb-aws",
        description="Short-lived AWS credentials for the kernels and terminals of this server.",
        epilog=EXIT_CODES_HELP,
        formatter_class=_AsWritten,
    )
    parser.add_argument("--version", action="version", version=__version__)
    named = next((word for word in words if not word.startswith("-")), "")
    command = _load(named) if named in COMMANDS else None
    # The words after `--` belong to another program, so none of them is an option of ours.
    own, follows = _cut(words) if named == "exec" else (words, [])
    # With `prog`: argparse would import more to make it up.
    commands = parser.add_subparsers(metavar="COMMAND", required=True, prog=parser.prog)
    # The list of all is for a help that does not name one.
    listed = COMMANDS if command is None or words[0] != named else {named: COMMANDS[named]}
    for name, text in listed.items():
        subparser = commands.add_parser(
            name, help=text, description=_sentence(text), formatter_class=Formatter
        )
        if command is not None and name == named:
            command.add_arguments(subparser)
    if words[:1] == [named] and command is None and (near := nearest(named, COMMANDS)):
        parser.error(f"no command is called “{named}”; did you mean `{near}`?")
    args = parser.parse_args(own)
    args.command = follows
    if command is None:
        parser.error("name a command")
    return command, args


def _cut(words: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Split the words at the first ``--``."""
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at + 1 :]


def _load(name: str) -> Command:
    try:
        return cast(
            "Command", importlib.import_module(f"jupyter_wb_aws.cli.{name.replace('-', '_')}")
        )
    except ModuleNotFoundError as missing:
        raise local_problem(
            "not_installed",
            f"`jupyter wb-aws {name}` is not installed completely",
            detail=f"The Python module {missing.name} is missing.",
            hint="In a checkout of jupyter_wb_aws, run: make demo" if name == "demo" else "",
            exit_code=ExitCode.CANNOT_ASK,
        ) from None


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _unexpected(defect: Exception) -> CliError:
    """Describe a defect by its kind and place: its text might contain a secret."""
    import traceback  # needed rarely

    frames = traceback.extract_tb(defect.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return local_problem(
        "internal_error",
        "Something went wrong in this command",
        detail=f"{type(defect).__name__}{place}.",
        hint="Check that this command and the server have the same version of jupyter_wb_aws. If so, this is"
        " a defect; please report this line.",
        exit_code=ExitCode.FAILED,
    )


def _print_what_the_terminal_cannot() -> None:
    """Print characters that the output's encoding lacks as escapes instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _let_go_of_stdout() -> None:
    """Keep the interpreter from reporting an error at exit. Source: Python's docs, "SIGPIPE"."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
