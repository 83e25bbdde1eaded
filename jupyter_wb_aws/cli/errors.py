"""Failures of the command line, and its exit codes."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of ``jupyter wb-aws``; part of its documented interface."""

    OK = 0
    FAILED = 1
    CANNOT_ASK = 2
    NOT_SET_UP = 3
    NO_ROLE_SESSION = 4
    CANNOT_EXECUTE = 126
    COMMAND_NOT_FOUND = 127
    INTERRUPTED = 130
    READER_GONE = 141


EXIT_CODES_HELP = """\
exit codes:
  0    done
  1    the server refused, failed or did not answer; the message says why
  2    could not ask: wrong arguments, no server or several, a ROLE that matches none or several
  3    AWS roles are not set up on this server
  4    no such role session or client, or no default role session
  126  exec: the command can't be executed
  127  exec: the command was not found
  130  interrupted (Ctrl-C)
  141  the reader of the output has gone
"""

_EXIT_CODE_OF_PROBLEM = {
    "not_configured": ExitCode.NOT_SET_UP,
    "no_role_session": ExitCode.NO_ROLE_SESSION,
    "role_session_not_found": ExitCode.NO_ROLE_SESSION,
    "role_session_ended": ExitCode.NO_ROLE_SESSION,
    "endpoint_client_not_found": ExitCode.NO_ROLE_SESSION,
}


class CliError(Exception):
    """A command failed; shaped as the REST contract's problem, so that `--json` has one form.

    Args:
        problem: title, detail, code, hint … as in ``openapi.yaml``'s Problem; `status` is null
            if no server answered.
        exit_code: the exit code of the command.
        text: the server's answer, byte for byte, if there was one.
    """

    def __init__(
        self, problem: dict[str, object], exit_code: ExitCode, *, text: str | None = None
    ) -> None:
        super().__init__(str(problem["title"]))
        self.problem = problem
        self.exit_code = exit_code
        self.text = text


def refused_by_server(problem: dict[str, object], text: str | None) -> CliError:
    """Wrap a problem that the server answered with."""
    exit_code = _EXIT_CODE_OF_PROBLEM.get(str(problem.get("code")), ExitCode.FAILED)
    return CliError({"title": "The server refused", **problem}, exit_code, text=text)


def local_problem(
    code: str, title: str, *, detail: str = "", hint: str = "", exit_code: ExitCode
) -> CliError:
    """Make a problem that the command line itself found.

    Args:
        code: its stable code.
        title: what is wrong, in a few words.
        detail: the same as a sentence, with the particulars; the title if left out.
        hint: what the user can do.
        exit_code: the exit code of the command.
    """
    problem: dict[str, object] = {
        "type": f"urn:jupyter-wb-aws:problem:{code}",
        "title": title,
        "status": None,
        "detail": detail or title,
        "code": code,
        "hint": hint,
        "admin_hint": None,
        "message": detail or title,
        "reason": title,
    }
    return CliError(problem, exit_code)
