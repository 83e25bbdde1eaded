"""Give a running kernel or terminal another role session, and say what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from jupyter_wb_aws.cli.client import Client, quote
from jupyter_wb_aws.cli.errors import CliError
from jupyter_wb_aws.cli.output import format_time
from jupyter_wb_aws.cli.this_process import Assignable

# What the server answers: `Switch` in openapi.yaml.
Switch = Mapping[str, Any]
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


def what_stays(switch: Switch) -> Iterator[str]:
    """Say, of a switch that applies now, what keeps the previous role and until when, in sentences."""
    if switch["old_clients_until"] is not None:
        until = format_time(switch["old_clients_until"], datetime.now(UTC))
        yield (
            "What connects to AWS from now on has it at once. A client made before, such as one of boto3, may"
            f" use the previous role until {until}."
        )
    if switch["at_restart"]:
        names = ", ".join(switch["at_restart"])
        yield f"These variables stay as they are until a restart: {names}."
