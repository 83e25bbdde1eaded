"""What the command line can't do, and the exit codes that tell a script so."""

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
  2    could not ask: wrong arguments, no server or several, a ROLE that fits none or several
  3    AWS roles are not set up on this server
  4    there is no such role session, or none at all
  126  exec: the command can't be executed
  127  exec: the command was not found
  130  interrupted (Ctrl-C)
  141  whoever read the output went away
"""

_EXIT_CODE_OF_PROBLEM = {
    "not_configured": ExitCode.NOT_SET_UP,
    "no_role_session": ExitCode.NO_ROLE_SESSION,
    "role_session_not_found": ExitCode.NO_ROLE_SESSION,
    "role_session_ended": ExitCode.NO_ROLE_SESSION,
}


class CliError(Exception):
    """A command can't go on; shaped as the REST contract's problem, so that `--json` has one form.

    Args:
        problem: title, detail, code, hint … as in ``openapi.yaml``'s Problem; `status` is null
            where no server answered.
        exit_code: what a script gets.
        text: the server's own words, byte for byte, where there are any.
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
    """Make a problem that the command line found by itself."""
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
