"""Calls STS from a child process with the environment of a kernel; see docs/decisions/0010-child-processes.md."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from jupyter_wb_aws.aws.sts import (
    HOME_REGION,
    AssumedRole,
    CallerIdentity,
    Credentials,
    StsRequest,
    caller_from,
    is_aws_endpoint,
)
from jupyter_wb_aws.aws.sts_errors import StsFailure, explain_failure
from jupyter_wb_aws.child_processes import ChildProcesses
from jupyter_wb_aws.errors import StsBadAnswer, StsTimeout

MODULE = "jupyter_wb_aws.aws.sts_subprocess_main"
# A start's own deadline comes first.
ANSWER_TIMEOUT = 20.0
# A process that starts later than this before the deadline would answer too late.
MIN_TIME = 0.3


class AsyncStsClient(Protocol):
    """The calls to STS that role sessions need."""

    async def assume(self, request: StsRequest) -> AssumedRole:
        """Assume the role."""

    async def verify(self, request: StsRequest) -> CallerIdentity:
        """Ask STS again who the role session is."""


class SubprocessStsClient:
    """Calls STS; each request's `environment` is the whole environment of a kernel.

    Args:
        children: runs the processes.
    """

    def __init__(self, children: ChildProcesses) -> None:
        self._children = children

    async def assume(self, request: StsRequest) -> AssumedRole:
        """Call AssumeRoleWithWebIdentity, and GetCallerIdentity if the answer does not name the caller.

        Raises:
            WbAwsError: STS's error, explained by `sts_errors`, or the process's.
        """
        found = await self._ask(request, verify=False)
        expiration = datetime.fromisoformat(found["expiration"])
        given = found.get("credentials")
        credentials = Credentials.parse({**given, "Expiration": expiration}) if given else None
        return AssumedRole(caller_from(found["caller"], request), expiration, credentials)

    async def verify(self, request: StsRequest) -> CallerIdentity:
        """Ask STS again who the role session is: AssumeRoleWithWebIdentity, then GetCallerIdentity.

        Raises:
            WbAwsError: as `assume`.
        """
        return caller_from((await self._ask(request, verify=True))["caller"], request)

    async def _ask(self, request: StsRequest, *, verify: bool) -> Any:
        try:
            found = await self._children.ask(
                MODULE,
                request.environment,
                request_for(request, verify=verify),
                timeout=ANSWER_TIMEOUT,
                slot_deadline=None if request.deadline is None else request.deadline - MIN_TIME,
            )
        except TimeoutError:
            raise StsTimeout(f"AWS STS did not answer within {ANSWER_TIMEOUT:g} s.") from None
        return parse_answer(found, request)


def request_for(request: StsRequest, *, verify: bool) -> dict[str, Any]:
    """Return the message for the child process; it contains the token."""
    return {
        "role": str(request.role),
        "region": request.region or HOME_REGION.get(request.role.partition),
        "session_name": request.session_name,
        "token": request.token.reveal(),
        "verify": verify,
        "credentials": request.wants_credentials and not verify,
        "options": request.options.as_question(),
    }


def parse_answer(found: dict[str, Any], request: StsRequest) -> dict[str, Any]:
    """Return the child process's result.

    Raises:
        WbAwsError: if the result is a failure.
    """
    if (sentence := found.get("bad_answer")) is not None:
        raise StsBadAnswer(sentence)
    if (fields := found.get("failure")) is not None:
        claims, is_aws_sts = request.token.claims, is_aws_endpoint(found["endpoint"])
        raise explain_failure(StsFailure(**fields), request.role, claims, is_aws_sts=is_aws_sts)
    return found
