"""What to do: a command for the process that runs the doctor, or a line to change."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from jupyter_wb_aws.doctor.facts import Facts
from jupyter_wb_aws.variables import KERNEL_ID, ROLE_LABEL

SET_UP = (
    "Hand this to your administrator: the server's configuration does not set up AWS roles. Correct it"
    " (`jupyter wb-aws settings` lists the settings), then restart the server."
)
SIGN_IN = "Run: jupyter wb-aws sign-in"
RESTART = {
    "kernel": "Restart the kernel (Kernel > Restart Kernel).",
    "terminal": "Open a new terminal.",
    "server": "Start a new notebook or terminal.",
    None: "Open a new terminal in JupyterLab.",
}


def unset(facts: Facts, *names: str) -> str:
    """Return how to remove variables here, and the lines that set them, if known."""
    present = [name for name in names if name in facts.environment]
    if facts.process_kind == "kernel":
        pops = "; ".join(f'os.environ.pop("{name}", None)' for name in present)
        command = f"Run in the notebook: import os; {pops}"
    elif facts.process_kind == "server":
        command = f"Start the Jupyter server without {' and '.join(present)}"
    else:
        command = f"Run: unset {' '.join(present)}"
    lines = [f"{facts.startup_lines[name]}" for name in present if name in facts.startup_lines]
    return f"{command}{_startup(lines, 'remove')}"


def export(facts: Facts, name: str, value: str) -> str:
    """Return how to set a variable here.

    Args:
        facts: of the process.
        name: the variable.
        value: its new value.
    """
    if facts.process_kind == "kernel":
        command = f"Run in the notebook: %env {name}={value}"
    elif facts.process_kind == "server":
        command = f"Start the Jupyter server with {name}={shlex.quote(value)}"
    else:
        command = f"Run: export {name}={shlex.quote(value)}"
    line = facts.startup_lines.get(name)
    return f"{command}{_startup([str(line)] if line else [], 'correct')}"


def restart(facts: Facts) -> str:
    """Return how to start the process again, with its current settings."""
    return RESTART[facts.process_kind]


def switch(facts: Facts, role: str = "ROLE") -> str:
    """Return how a process works as another role: without a restart, where the credential endpoint allows it."""
    if facts.by_env:
        return f'Run: eval "$(jupyter wb-aws env {_quoted(role)})"'
    if not facts.can_switch:
        return restart(facts)
    if facts.process_kind == "kernel":
        return (
            f"Run in the notebook: %load_ext jupyter_wb_aws, then %aws_role {_quoted(role)} (or choose a role in its"
            " toolbar). The kernel need not be restarted."
        )
    return f"Run: {_start(role)}"


def run(facts: Facts, command: str) -> str:
    """Return how to type a command here."""
    return (
        f"Run in the notebook: !{command}" if facts.process_kind == "kernel" else f"Run: {command}"
    )


def get_role(facts: Facts) -> str:
    """Return how a process gets a role if it has none, or its role session has ended.

    A kernel that has had a role, or "no AWS role", never takes another by itself. One with an endpoint token can be
    switched.
    """
    if facts.not_set_up:
        return SET_UP
    if facts.is_offered_no_role:
        return "No AWS role is offered to you. Ask your administrator for one."
    default, had = facts.default_role, facts.get(ROLE_LABEL)
    if facts.can_switch or facts.by_env:
        return switch(facts, had or default or "ROLE")
    again = next((s for s in facts.role_sessions if _is_again(facts, s)), None)
    if facts.process_kind == "kernel" and (
        again or (default and KERNEL_ID not in facts.environment)
    ):
        return restart(facts)
    if facts.process_kind == "kernel":
        start = f"{_start(had or default or 'ROLE')}. Then: {restart(facts)}"
        return f"Run in the notebook: !{start} Or choose a role in its toolbar."
    if default:
        return restart(facts)
    if facts.process_kind == "server":
        return f"Choose a role in the launcher. Then: {restart(facts)}"
    listed = "" if had else " (`jupyter wb-aws roles` lists yours)"
    return f"Run: {_start(had or 'ROLE')}{listed}. Then: {restart(facts)}"


def _is_again(facts: Facts, session: Mapping[str, Any]) -> bool:
    """Return whether a role session replaces this process's own, which has ended."""
    role = facts.get("AWS_ROLE_ARN")
    region = facts.get("AWS_REGION") or None
    return bool(
        role and session["shared"] and session["role_arn"] == role and session["region"] == region
    )


def _start(role: str) -> str:
    return f"jupyter wb-aws start {_quoted(role)}"


def _quoted(role: str) -> str:
    return role if role == "ROLE" else shlex.quote(role)


def _startup(lines: list[str], verb: str) -> str:
    return f"; and {verb} the line {', '.join(lines)}" if lines else ""
