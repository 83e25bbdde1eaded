"""The kernel or terminal in which the command runs, and its role."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from jupyter_wb_aws.variables import ENDPOINT_TOKEN_FILE, KERNEL_ID, ROLE_LABEL

if TYPE_CHECKING:
    from jupyter_wb_aws.cli.client import Client

NAME = "AWS_ROLE_SESSION_NAME"
SUFFIX = ".endpoint"  # of the files of endpoint tokens
Session = Mapping[str, Any]
# Returns what to type to start a role and to work with it.
Start = Callable[[str], str]
# A client of the credential endpoint, as `GET /aws/endpoint/clients` lists it.
EndpointClient = Mapping[str, Any]
ProcessKind = Literal["kernel", "terminal"]
KINDS: tuple[ProcessKind, ...] = ("kernel", "terminal")


class Assignable(NamedTuple):
    """A kernel or terminal to which another role session can be assigned.

    Attributes:
        kind: what it is.
        id: the kernel's id or the terminal's name.
    """

    kind: ProcessKind
    id: str


def kernel_id(environment: Mapping[str, str]) -> str | None:
    """Return the id of this kernel, if its server has the extension."""
    return environment.get(KERNEL_ID) or None


def process_kind(environment: Mapping[str, str]) -> ProcessKind | None:
    """Return what Jupyter started this process as, by Jupyter's variables; None if it did not start it."""
    if "JPY_PARENT_PID" in environment:
        return "kernel"
    return "terminal" if "JUPYTER_SERVER_URL" in environment else None


def endpoint_client(client: Client, environment: Mapping[str, str]) -> EndpointClient | None:
    """Ask the server which of the credential endpoint's clients this process belongs to.

    The variables of a process stay as they were when it started, so they can't show a switch. The name of its
    endpoint token's file ends with the id of its client, which is not secret.

    Returns:
        None if it has no endpoint token of this server, or one that was ended.
    """
    file = PurePath(environment.get(ENDPOINT_TOKEN_FILE, ""))
    if file.suffix != SUFFIX:
        return None
    listed: list[EndpointClient] = client.get("/aws/endpoint/clients").data["clients"]
    return next((one for one in listed if file.stem.endswith(f"_{one['id']}")), None)


def assignable(environment: Mapping[str, str], held: EndpointClient | None) -> Assignable | None:
    """Return the kernel or terminal that this process belongs to, if the server can assign it a role session.

    A terminal's name is known by its endpoint token only. Without one it can't be switched anyway.
    """
    for kind in KINDS:
        if held is not None and held["kind"] == kind:
            return Assignable(kind, held["name"])
    kernel = kernel_id(environment)
    return Assignable("kernel", kernel) if kernel else None


def has_role_of(
    session: Session, environment: Mapping[str, str], held: EndpointClient | None
) -> bool:
    """Return whether this process works with a role session.

    Args:
        session: the role session.
        environment: the environment of this process.
        held: its `endpoint_client`.
    """
    if held is not None:
        return bool(held["session_id"] == session["id"])
    name = session["environment"].get(NAME)
    return bool(name) and environment.get(NAME) == name


def role_session(
    sessions: Sequence[Session], environment: Mapping[str, str], held: EndpointClient | None
) -> Session | None:
    """Return the role session of this process, if it is one of these.

    Args:
        sessions: role sessions of this server.
        environment: the environment of this process.
        held: its `endpoint_client`.
    """
    return next((s for s in sessions if has_role_of(s, environment, held)), None)


def region(session: Session, environment: Mapping[str, str]) -> str:
    """Say which region this process uses, and what the region of its role is if that takes a restart.

    Args:
        session: its role session.
        environment: the environment of this process.
    """
    used, wanted = _regions(session, environment)
    if wanted in {used, None}:
        return used or "-"
    return f"{used} (of this process; {wanted}, that of the role, takes a restart)"


def region_note(
    sessions: Sequence[Session], environment: Mapping[str, str], held: EndpointClient | None
) -> str | None:
    """Say that a switch has left this kernel or terminal in another region than that of its role; None if not.

    Args:
        sessions: the role sessions of this server.
        environment: the environment of this process.
        held: its `endpoint_client`.
    """
    mine, kind = role_session(sessions, environment, held), process_kind(environment)
    if mine is None or held is None or held["kind"] != kind:
        return None
    used, wanted = _regions(mine, environment)
    if wanted in {used, None}:
        return None
    when = "after a restart" if kind == "kernel" else "in a new terminal"
    return f"This {kind} uses the region {used}; that of its role, {wanted}, only {when}."


def _regions(session: Session, environment: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Return the region that a process uses, and that of its role session."""
    wanted = session["region"] or None
    return environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or wanted, wanted


def other_role_note(
    sessions: Sequence[Session],
    environment: Mapping[str, str],
    held: EndpointClient | None,
    start: Start | None = None,
) -> str | None:
    """Explain that this process does not have the default role, and what changes that; None if it has it.

    Args:
        sessions: the role sessions of this server.
        environment: the environment of this process.
        held: its `endpoint_client`.
        start: returns what to type to give it a role; by default, the command.
    """
    mine = role_session(sessions, environment, held)
    default = next((session for session in sessions if session["default"]), None)
    kind = process_kind(environment)
    start = start or (_in_cell if kind == "kernel" else _in_shell)
    if mine is not None:
        return None if mine is default else _other(mine, default, kind, held, start)
    if kind is None:
        return None
    chose_none = held is not None and held["session_id"] is None
    if (label := _label(environment, held)) and not chose_none:
        had_it = "was started with" if held is None else "worked with"
        ended = f"The role session of {label}, which this {kind} {had_it}, has ended."
        if held is None and environment.get(ENDPOINT_TOKEN_FILE, "").endswith(SUFFIX):
            ended = f"This {kind} had the role {label}, but its access was ended, or the server was restarted."
        return f"{ended} {_how_to_get_a_role(kind, default, held, start, label)}"
    return (
        None
        if default is None
        else f"This {kind} has no AWS role. {_how_to_get_a_role(kind, default, held, start)}"
    )


def _label(environment: Mapping[str, str], held: EndpointClient | None) -> str | None:
    return environment.get(ROLE_LABEL) if held is None else held["label"]


def _other(
    mine: Session,
    default: Session | None,
    kind: ProcessKind | None,
    held: EndpointClient | None,
    start: Start,
) -> str:
    # A command of `exec` has a role session of its own, independent of the terminal's.
    if kind is None or not mine["shared"] or (held is not None and held["kind"] != kind):
        return f"This process has the role {mine['label']}."
    has_it = f"This {kind} has the role {mine['label']}"
    if held is not None and held["state"] == "left_running":
        return f"{has_it} and keeps it: what was left running can't be switched."
    if kind == "kernel":
        keeps = " and keeps it when it restarts" if held is None else ""
        return f"{has_it}{keeps}. {_in_notebook(start('ROLE'), 'changes it', held)}"
    a_new_one = f"{has_it}; a new one gets {default['label'] if default else 'no AWS role'}."
    return f"{a_new_one} `{start('ROLE')}` changes it at once." if held else a_new_one


def _how_to_get_a_role(
    kind: ProcessKind,
    default: Session | None,
    held: EndpointClient | None,
    start: Start,
    label: str | None = None,
) -> str:
    """Say how this process gets a role: a kernel whose role session has ended does not get another one automatically."""
    role = label or (default["label"] if default else "ROLE")
    if kind == "kernel":
        return _in_notebook(start(role), f"gives it {role}", held)
    if held is not None and held["kind"] != kind:
        return f'`eval "$(jupyter wb-aws env {shlex.quote(role)})"` gives it {role}.'
    if held is not None:
        return f"`{start(role)}` gives it {role} at once."
    if default is None:
        return f"Run `{start(role)}`, then open a new terminal."
    return f"Open a new terminal: it gets {default['label']}."


def _in_shell(role: str) -> str:
    return f"jupyter wb-aws start {shlex.quote(role)}"


def _in_cell(role: str) -> str:
    return f"!{_in_shell(role)}"


def _in_notebook(start: str, effect: str, held: EndpointClient | None) -> str:
    how = f"`{start}` in a cell, or the notebook's toolbar, {effect}"
    return f"{how} when the kernel\nrestarts." if held is None else f"{how} at once."
