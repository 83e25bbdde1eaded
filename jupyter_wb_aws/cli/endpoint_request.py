"""Ask the credential endpoint for a role session's credentials, as an AWS SDK does."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from jupyter_wb_aws.cli import role_environment
from jupyter_wb_aws.cli.errors import CliError, ExitCode, local_problem
from jupyter_wb_aws.cli.local_connection import Deadline
from jupyter_wb_aws.cli.transport import AnswerTooLarge, Request, Response, send
from jupyter_wb_aws.variables import ENDPOINT_TOKEN_FILE, ENDPOINT_URI

# The server asks STS ahead, so this is seldom needed.
TIMEOUT = 20.0
PAUSE = 0.5  # between two requests while STS has not answered
OK, NOT_READY = 200, 503
# An endpoint token has less than a hundred characters.
MAX_TOKEN_READ = 4096
MEMBERS = ("AccessKeyId", "SecretAccessKey", "Token", "Expiration", "AccountId")
EXIT_CODES = {"RoleSessionEnded": ExitCode.NO_ROLE_SESSION}


def credentials(environment: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the endpoint's answer: the names are in `MEMBERS`.

    The request goes to a port of this machine at which this user's own process listens, or nowhere: somebody
    else may have a dead server's port.

    Args:
        environment: the variables of the role session, which `start_role_session` has checked.

    Raises:
        CliError: if the endpoint refuses or does not answer.
    """
    uri = environment[ENDPOINT_URI]
    token = role_environment.content(environment[ENDPOINT_TOKEN_FILE], MAX_TOKEN_READ)
    deadline = Deadline(TIMEOUT)
    while True:
        response = _sent(uri, token, deadline)
        answered = _read(response)
        if response.status == OK:
            return answered
        if response.status != NOT_READY or deadline.is_over(PAUSE):
            raise _refusal(response.status, answered)
        time.sleep(PAUSE)


def _sent(uri: str, token: str, deadline: Deadline) -> Response:
    request = Request("GET", uri, {"Authorization": token, "Accept": "application/json"}, None)
    try:
        return send(request, deadline, named_by_file=True)
    except (OSError, AnswerTooLarge) as error:
        why = getattr(error, "strerror", None) or "its answer is too large"
        raise _failed(
            "endpoint_unavailable",
            f"The credential endpoint of the Jupyter server can't be asked: {why}.",
            "Try again. If it stays so, restart the Jupyter server.",
        ) from None


def _read(response: Response) -> Mapping[str, str]:
    try:
        answered = json.loads(response.body)
    except ValueError:
        answered = None
    expected = MEMBERS if response.status == OK else ("Code", "Message")
    if not isinstance(answered, dict) or not all(
        isinstance(answered.get(name), str) for name in expected
    ):
        raise role_environment.refused("The credential endpoint does not answer as it should")
    return answered


def _refusal(status: int, answered: Mapping[str, str]) -> CliError:
    code = EXIT_CODES.get(answered["Code"], ExitCode.FAILED)
    error = _failed("endpoint_refused", answered["Message"], "")
    error.problem["status"] = status
    return CliError(error.problem, code)


def _failed(code: str, detail: str, hint: str) -> CliError:
    return local_problem(
        code, "No AWS credentials", detail=detail, hint=hint, exit_code=ExitCode.FAILED
    )
