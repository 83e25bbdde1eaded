"""Give a running kernel or terminal another role session, and say what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from jupyter_wb_aws.cli.client import Client, quote
from jupyter_wb_aws.cli.errors import CliError
from jupyter_wb_aws.cli.output import format_time
from jupyter_wb_aws.cli.this_process import Assignable

# What the server answers: `Switch` in openapi.yaml.
Switch = Mapping[str, Any]
# boto3 asks again when its credentials have less than the first left; refused, a call fails when less than the second
# is left. Source: botocore.credentials.RefreshableCredentials.
BOTO3_ASKS, BOTO3_FAILS = timedelta(minutes=15), timedelta(minutes=10)
# A kernel of another server, such as one that VS Code started in a terminal.
NOT_HERE = "kernel_not_found"
# A terminal that can't be switched: only a new one gets the role.
NOT_SWITCHED = {"new_process_needed", "left_running"}


def assign(
    client: Client, process: Assignable, session_id: str | None, *, until_restart: bool = False
) -> Switch:
    """Choose a role session for a kernel or terminal; it takes effect now, or at the kernel's restart.

    Args:
        client: the server.
        process: the kernel or terminal.
        session_id: the role session; None is "no AWS role".
        until_restart: switch it while it runs, and choose nothing for its restarts.

    Raises:
        CliError: if the server refuses.
    """
    path = f"/aws/assignments/{quote(process.id)}?kind={process.kind}"
    body = {"session_id": session_id, **({"until_restart": True} if until_restart else {})}
    switch: Switch = client.put(path, body).data
    return switch


def assign_if_possible(client: Client, process: Assignable, session_id: str) -> Switch | None:
    """Choose a role session for a kernel or terminal, as `assign` does.

    Args:
        client: the server.
        process: the kernel or terminal.
        session_id: the role session.

    Returns:
        None if the process is another server's, or can't be given one while it runs.

    Raises:
        CliError: if the server refuses for any other reason.
    """
    try:
        return assign(client, process, session_id)
    except CliError as error:
        if error.problem.get("code") in {NOT_HERE, *NOT_SWITCHED}:
            return None
        raise


def applies_now(switch: Switch) -> bool:
    """Return whether the process works with the role session already."""
    return bool(switch["applies"] == "now")


def what_stays(switch: Switch, *, to_role: bool = True) -> Iterator[str]:
    """Say, of a switch that applies now, what keeps the previous role and until when, in sentences.

    Args:
        switch: what the server answered.
        to_role: whether it is a switch to a role, and not to "no AWS role".
    """
    until, now = switch["old_clients_until"], datetime.now(UTC)
    if until is not None:
        follows = _boto3_follows(until, now) if to_role else boto3_stops(until, now)
        yield f"{follows} Other programs that run already may use the previous role until {format_time(until, now)}."
    if switch["at_restart"]:
        names = ", ".join(switch["at_restart"])
        yield f"These variables stay as they are until a restart: {names}."


def _boto3_follows(until: str, now: datetime) -> str:
    """Say when boto3's clients of before have the other role; `until` is when what they have expires."""
    asks = datetime.fromisoformat(until) - BOTO3_ASKS
    when = "at its next call" if asks <= now else f"by {format_time(asks.isoformat(), now)}"
    return f"New clients have it at once. A boto3 client made before follows {when}."


def boto3_stops(until: str, now: datetime) -> str:
    """Say when boto3's clients stop that are refused from now on.

    Args:
        until: when the latest credentials that a client got expire, as the server says it.
        now: the time.
    """
    fails = datetime.fromisoformat(until) - BOTO3_FAILS
    when = "at its next call" if fails <= now else f"by {format_time(fails.isoformat(), now)}"
    return f"A boto3 client stops {when}."
