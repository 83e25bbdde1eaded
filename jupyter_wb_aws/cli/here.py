"""The process that the command is typed in: a notebook's kernel, or a terminal, and its role."""

from __future__ import annotations

from collections.abc import Mapping

from jupyter_wb_aws.variables import KERNEL_ID


def kernel_id(environment: Mapping[str, str]) -> str | None:
    """Return the id of the kernel that we are in, if it ever had to do with a role."""
    return environment.get(KERNEL_ID) or None


def place(environment: Mapping[str, str]) -> str | None:
    """Name the place: Jupyter sets the one variable in kernels, the other in terminals."""
    if "JPY_PARENT_PID" in environment:
        return "kernel"
    return "terminal" if "JUPYTER_SERVER_URL" in environment else None


def has(session_name: str, environment: Mapping[str, str]) -> bool:
    """Tell whether this process was started with the role session of that RoleSessionName."""
    return environment.get("AWS_ROLE_SESSION_NAME") == session_name


def note(session_name: str, environment: Mapping[str, str]) -> str | None:
    """Say so where this process has another role, or none, than that role session."""
    where = place(environment)
    if where is None or has(session_name, environment):
        return None
    label = environment.get("JUPYTER_WB_AWS_ROLE")
    mine = f"the role {label}" if label else "no AWS role"
    way = "restart it" if where == "kernel" else "open a new one"
    return f"This {where} itself was started with {mine}, and keeps that: {way}."
