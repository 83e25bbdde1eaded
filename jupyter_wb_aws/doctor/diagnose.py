"""The whole diagnosis: gather the facts, send all requests at once, run the checks, and report.

It changes nothing in files or in AWS, except for what a profile's `credential_process` does, which boto3
would run too. It does not refresh a sign-in that boto3 would. It sends one request to STS, one to the
identity provider, and the calls of boto3's own chain.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from jupyter_wb_aws.aws.iam_claims import claims_for_aws
from jupyter_wb_aws.clock import rfc3339
from jupyter_wb_aws.doctor.ask_endpoint import ask_endpoint, sdk_versions
from jupyter_wb_aws.doctor.checks import CHECKS
from jupyter_wb_aws.doctor.checks.call import ABOVE, ALONE
from jupyter_wb_aws.doctor.checks.token import token_in
from jupyter_wb_aws.doctor.facts import (
    CallResult,
    EndpointAnswer,
    Facts,
    ProbeResult,
    ProcessKind,
    ServerFacts,
)
from jupyter_wb_aws.doctor.finding import Finding, Severity, sorted_findings
from jupyter_wb_aws.doctor.gather import gather
from jupyter_wb_aws.doctor.get_caller_identity import get_caller_identity
from jupyter_wb_aws.doctor.probes import probe_idp, probe_sts
from jupyter_wb_aws.doctor.profiles import user_profiles
from jupyter_wb_aws.identity.token import WebIdentityToken

T = TypeVar("T")
# Seconds for all requests together: a call has two attempts, and resolving a name may take long.
CHECK_TIMEOUT = 15.0


@dataclass(frozen=True, slots=True)
class Report:
    """All findings; `looked_at` has those of each check, in the order of the checks."""

    facts: Facts
    looked_at: Mapping[str, list[Finding]]
    token: WebIdentityToken | None

    @property
    def findings(self) -> list[Finding]:
        """All findings, worst first."""
        return sorted_findings([f for found in self.looked_at.values() for f in found])

    @property
    def status(self) -> str:
        """The worst severity; ``ok`` if nothing is worse than an info."""
        worst = next((f.severity for f in self.findings), Severity.INFO)
        return "ok" if worst is Severity.INFO else worst.value

    def as_json(self) -> dict[str, object]:
        """Shape it as the REST contract does."""
        token = self.token
        return {
            "status": self.status,
            "checked_at": rfc3339(self.facts.now),
            "findings": [finding.as_json() for finding in self.findings],
            "looked_at": [
                {"what": what, "codes": [finding.code for finding in found]}
                for what, found in self.looked_at.items()
            ],
            "call": self.facts.call.as_json() if self.facts.call else None,
            "token": {
                "claims": claims_for_aws(token.claims),
                "expires_at": rfc3339(token.expires_at),
            }
            if token
            else None,
        }


def diagnose(
    environment: Mapping[str, str],
    process_kind: ProcessKind | None,
    ask_server: Callable[[], ServerFacts | None],
    timeout: float = CHECK_TIMEOUT,
) -> Report:
    """Check this process.

    Args:
        environment: a copy of `os.environ`, whose variables boto3 reads itself.
        process_kind: what kind of process it is.
        ask_server: asks the Jupyter server; it may block.
        timeout: seconds for all requests together.
    """
    facts = gather(environment, datetime.now(UTC), process_kind)
    token = token_in(facts)
    claims = token.claims if token else {}
    issuer = claims.get("iss")
    calling = _Asked(lambda: get_caller_identity(facts, claims))
    of_sts = _Asked(lambda: probe_sts(environment, facts.profile))
    of_idp = _Asked(lambda: probe_idp(issuer, environment) if isinstance(issuer, str) else None)
    of_server = _Asked(ask_server)
    of_endpoint = _Asked(lambda: ask_endpoint(environment) if facts.by_endpoint else None)
    versions = _Asked(lambda: sdk_versions(environment) if facts.by_endpoint else {})
    deadline = time.monotonic() + timeout
    slow = CallResult("slow", detail=f"The real call did not end within {timeout:g} s.")
    facts = replace(
        facts,
        sts=of_sts.answer(deadline, ProbeResult("STS", "unreachable", "no answer in time")),
        idp=of_idp.answer(deadline, ProbeResult(str(issuer), "unreachable", "no answer in time")),
        server=of_server.answer(deadline, None),
        call=calling.answer(deadline, slow),
        endpoint=of_endpoint.answer(
            deadline, EndpointAnswer("unreachable", "", "no answer in time")
        ),
        sdk_versions=versions.answer(deadline, {}),
    )
    if facts.server is not None and facts.server.files_named:
        facts = replace(facts, user_profiles=user_profiles(environment, facts.server.files_named))
    looked_at = {what: list(check(facts)) for what, check in CHECKS.items()}
    return Report(facts, _without_pointing_at_nothing(looked_at), token)


def _without_pointing_at_nothing(looked_at: dict[str, list[Finding]]) -> dict[str, list[Finding]]:
    """Replace the remedy "fix the findings above" if there are none above."""
    findings = [finding for found in looked_at.values() for finding in found]
    if any(f.severity is not Severity.INFO and f.remedy != ABOVE for f in findings):
        return looked_at
    return {
        what: [replace(f, remedy=ALONE) if f.remedy == ABOVE else f for f in found]
        for what, found in looked_at.items()
    }


class _Asked(Generic[T]):
    """A question that is answered in a thread of its own.

    The thread is a daemon: a `credential_process` that hangs must not keep the interpreter from exiting.
    """

    def __init__(self, question: Callable[[], T]) -> None:
        self._answers: queue.SimpleQueue[T | BaseException] = queue.SimpleQueue()
        self._question = question
        threading.Thread(target=self._ask, daemon=True).start()

    def _ask(self) -> None:
        try:
            self._answers.put(self._question())
        except BaseException as error:  # noqa: BLE001 - raised again by `answer`
            self._answers.put(error)

    def answer(self, deadline: float, late: T) -> T:
        """Return the answer, or `late` if there is none by the deadline."""
        try:
            answer: Any = self._answers.get(timeout=max(deadline - time.monotonic(), 0.01))
        except queue.Empty:
            return late
        if isinstance(answer, BaseException):
            raise answer
        return answer  # type: ignore[no-any-return]
