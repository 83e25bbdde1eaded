"""The kernel or terminal in which the command runs, and its role."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from jupyter_wb_aws.variables import KERNEL_ID, ROLE_LABEL

NAME = "AWS_ROLE_SESSION_NAME"
Session = Mapping[str, Any]
ProcessKind = Literal["kernel", "terminal"]


def kernel_id(environment: Mapping[str, str]) -> str | None:
    """Return the id of this kernel, if its server has the extension."""
    return environment.get(KERNEL_ID) or None


def process_kind(environment: Mapping[str, str]) -> ProcessKind | None:
    """Return what Jupyter started this process as, by Jupyter's variables; None if it did not start it."""
    if "JPY_PARENT_PID" in environment:
        return "kernel"
    return "terminal" if "JUPYTER_SERVER_URL" in environment else None


def was_started_with(session_name: str, environment: Mapping[str, str]) -> bool:
    """Return whether this process was started with the role session of that RoleSessionName."""
    return environment.get(NAME) == session_name


def role_session(sessions: Sequence[Session], environment: Mapping[str, str]) -> Session | None:
    """Return the role session of this process, if it is one of these."""
    name = environment.get(NAME)
    mine = (s for s in sessions if name and s["environment"].get(NAME) == name)
    return next(mine, None)


def other_role_note(sessions: Sequence[Session], environment: Mapping[str, str]) -> str | None:
    """Explain that this process does not have the default role, and what changes that; None if it has it."""
    mine = role_session(sessions, environment)
    default = next((session for session in sessions if session["default"]), None)
    kind = process_kind(environment)
    if mine is not None:
        return None if mine is default else _other(mine, default, kind)
    if kind is None:
        return None
    if label := environment.get(ROLE_LABEL):
        ended = f"The role session of {label}, which this {kind} was started with, has ended."
        return f"{ended} {_how_to_get_a_role(kind, default, label)}"
    return (
        None
        if default is None
        else f"This {kind} has no AWS role. {_how_to_get_a_role(kind, default)}"
    )


def _other(mine: Session, default: Session | None, kind: ProcessKind | None) -> str:
    # A command of `exec` has a role session of its own, independent of the terminal's.
    if kind is None or not mine["shared"]:
        return f"This process has the role {mine['label']}."
    has_it = f"This {kind} has the role {mine['label']}"
    if kind == "kernel":
        return f"{has_it} and keeps it when it restarts. {_in_notebook('ROLE', 'changes it')}"
    return f"{has_it}; a new one gets {default['label'] if default else 'no AWS role'}."


def _how_to_get_a_role(kind: ProcessKind, default: Session | None, label: str | None = None) -> str:
    """Say how this process gets a role: a kernel whose role session has ended does not get another one automatically."""
    if kind == "kernel":
        role = label or (default["label"] if default else "ROLE")
        return _in_notebook(shlex.quote(role), f"gives it {role}")
    if default is None:
        role = shlex.quote(label or "ROLE")
        return f"Run `jupyter wb-aws start {role}`, then open a new terminal."
    return f"Open a new terminal: it gets {default['label']}."


def _in_notebook(role: str, effect: str) -> str:
    return (
        f"`!jupyter wb-aws start {role}` in a cell, or the notebook's toolbar, {effect} when the kernel\n"
        "restarts."
    )
