"""``jupyter wb-aws doctor``: why AWS credentials don't work in this process.

It works without a server too, but then leaves out what only the server knows.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_wb_aws.cli import this_process
from jupyter_wb_aws.cli.client import Client
from jupyter_wb_aws.cli.discovery import find_server
from jupyter_wb_aws.cli.errors import CliError, ExitCode, local_problem
from jupyter_wb_aws.cli.output import print_json, print_text, wrapped
from jupyter_wb_aws.variables import ENDPOINT_URI

if TYPE_CHECKING:  # a dozen milliseconds, which the others need not pay
    from jupyter_wb_aws.doctor.diagnose import Report
    from jupyter_wb_aws.doctor.facts import ServerFacts
    from jupyter_wb_aws.doctor.finding import Finding

SERVER_TIMEOUT = 5.0
# The source that has to be asked, since it knows the user's roles besides.
HUB_SOURCE = "jupyterhub"
EXIT_CODES = """\
exit codes:
  0    no finding of severity "error"
  1    at least one finding of severity "error"
  2    the doctor could not run

The doctor changes nothing, except for what a profile's credential_process does, which boto3 runs. It
never calls the machine's metadata service (169.254.169.254). docs/doctor.md explains each code and
which SDKs it affects.
"""
HEADINGS = {"ok": "All is well", "warning": "It works, but", "error": "Something is wrong"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = EXIT_CODES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(args: argparse.Namespace) -> int:
    """Check everything and report the findings.

    Raises:
        CliError: if the doctor itself fails.
    """
    from jupyter_wb_aws.doctor.diagnose import diagnose

    try:
        report = diagnose(dict(os.environ), this_process.process_kind(os.environ), _ask_server)
    except Exception as defect:  # noqa: BLE001 - reported by its kind: its text might contain a secret
        raise _could_not_run(defect) from None
    if args.json:
        print_json(json.dumps(report.as_json(), indent=2))
    else:
        _print_result(report)
    return ExitCode.FAILED if report.status == "error" else ExitCode.OK


def _could_not_run(defect: Exception) -> CliError:
    frame = traceback.extract_tb(defect.__traceback__)[-1]
    return local_problem(
        "internal_error",
        "The doctor could not run",
        detail=f"The doctor could not run: {type(defect).__name__} ({Path(frame.filename).name}, line {frame.lineno}).",
        hint="This is a defect; please report this line.",
        exit_code=ExitCode.CANNOT_ASK,
    )


def _ask_server() -> ServerFacts:
    """Ask this process's server what it knows; if it can't be asked, that is a finding."""
    from jupyter_core.paths import jupyter_runtime_dir

    from jupyter_wb_aws.doctor.facts import ServerFacts

    try:
        client = Client(find_server(os.environ, Path(jupyter_runtime_dir())), SERVER_TIMEOUT)
        health = client.get("/aws/health").data
        if health["status"] == "not_configured":
            return ServerFacts({"code": "not_configured", "detail": health["message"]})
        sessions = client.get("/aws/sessions").data["sessions"]
    except CliError as error:
        return ServerFacts(error.problem)
    roles, roles_problem = None, None
    of_hub = (health["token_source"] or {}).get("name") == HUB_SOURCE
    if of_hub or not sessions:  # else there is a role; this may ask the hub
        try:
            roles = client.get("/aws/roles").data["roles"]
        except CliError as error:
            roles_problem = error.problem
    try:
        if of_hub:  # tokens outlive a service that is away: now the server knows
            health = client.get("/aws/health").data
    except CliError as error:
        return ServerFacts(error.problem)
    clients: Sequence[Mapping[str, Any]] = ()
    if os.environ.get(ENDPOINT_URI):
        with contextlib.suppress(CliError):  # an older server has none
            clients = client.get("/aws/endpoint/clients").data["clients"]
    return ServerFacts(
        None,
        health["token_source"],
        health["catalogue"],
        sessions,
        health=health["role_sessions"],
        notices=health.get("notices") or (),
        roles=roles,
        roles_problem=roles_problem,
        endpoint_clients=clients,
    )


# --- For people ----------------------------------------------------------------------------


def _print_result(report: Report) -> None:
    findings = report.findings
    _print_summary(report)
    for finding in findings:
        print_text()
        _print_finding(finding)
    fine = [what for what, found in report.looked_at.items() if not found]
    if fine:
        print_text()
        for line in wrapped(f"Checked, and nothing found: {', '.join(fine)}."):
            print_text(line)


def _print_summary(report: Report) -> None:
    counts = [
        f"{count} {severity}{'s' * (count > 1 and severity != 'info')}"
        for severity in ("error", "warning", "info")
        if (count := sum(f.severity == severity for f in report.findings))
    ]
    print_text(f"{HEADINGS[report.status]}: {', '.join(counts) or 'nothing was found'}.")
    from jupyter_wb_aws.aws.iam_claims import audience_of, printable, roles_of
    from jupyter_wb_aws.clock import rfc3339
    from jupyter_wb_aws.doctor.checks.call import provider_words

    call = report.facts.call
    if call is not None and call.identity is not None:
        print_text("boto3 works as")
        print_text(f"  {call.identity.arn}")
        by = provider_words(call.provider, by_endpoint=report.facts.by_endpoint)
        print_text(f"by {by} (provider {call.provider}).")
    if report.token is not None:
        claims = report.token.claims
        roles = ", ".join(printable(arn) for arn in roles_of(claims))
        for line in wrapped(
            f"The token is for {printable(audience_of(claims))}, of {printable(claims.get('iss'))} for"
            f" {printable(claims.get('sub'))}, until {rfc3339(report.token.expires_at)}."
            + (f" It is good for {roles} only." if roles else "")
        ):
            print_text(line)


def _print_finding(finding: Finding) -> None:
    sdks = f"  [{', '.join(finding.sdks)}]" if finding.sdks else ""
    print_text(f"{finding.severity.upper():<8} {finding.code}{sdks}")
    _print_wrapped("", finding.message)
    if finding.remedy:
        # A command stays on one line, ready to copy.
        print_text(f"  -> {finding.remedy}")
    if finding.admin_hint:
        _print_wrapped("For your administrator: ", finding.admin_hint)


def _print_wrapped(lead: str, text: str) -> None:
    for line in wrapped(f"{lead}{text}"):
        print_text(f"  {line}")
