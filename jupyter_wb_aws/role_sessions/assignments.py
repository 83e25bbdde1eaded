"""Which role session each kernel or app uses: what was chosen for it, and what its process has."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Literal

from jupyter_wb_aws.role_sessions.role_session import RoleSession

How = Literal["by_user", "by_default"]


@dataclass(frozen=True, slots=True)
class Assignment:
    """A kernel's role session (None: "no AWS role"), chosen by the user or kept from its first start."""

    session_id: str | None
    how: How


@dataclass(frozen=True, slots=True)
class ProcessRole:
    """What a process gets. The three kinds of "no role" are kept apart.

    ``untouched``: nothing was ever chosen. ``no_role``: "no AWS role" was chosen, or the role
    session has ended. ``role``: `session` is set.
    """

    kind: Literal["untouched", "no_role", "role"]
    session: RoleSession | None = None


UNTOUCHED = ProcessRole("untouched")
NO_AWS_ROLE = ProcessRole("no_role")


class Assignments:
    """In memory only: kernels die with their server.

    Args:
        changed: called with the id of a kernel for which something else is chosen, or that has
            something else than before.
    """

    def __init__(self, changed: Callable[[str], None] = lambda _: None) -> None:
        self._changed = changed
        self._chosen: dict[str, Assignment] = {}
        self._running: dict[str, ProcessRole] = {}
        self._seen_living: set[str] = set()

    def choose(self, kernel_id: str, session_id: str | None) -> None:
        """Note the user's choice for one kernel, from its next start on."""
        self._chosen[kernel_id] = Assignment(session_id, "by_user")
        self._changed(kernel_id)

    def keep(self, kernel_id: str, session_id: str) -> None:
        """Note that the kernel has the default role session, and keeps it."""
        self._chosen[kernel_id] = Assignment(session_id, "by_default")

    def replace(self, kernel_id: str, session_id: str) -> None:
        """Note the role session that replaces an ended one of the same role."""
        self._chosen[kernel_id] = replace(self._chosen[kernel_id], session_id=session_id)

    def forget_choice(self, kernel_id: str) -> None:
        """Send the kernel back to the default, from its next start on."""
        if self._chosen.pop(kernel_id, None) is not None:
            self._changed(kernel_id)

    def chosen(self, kernel_id: str) -> Assignment | None:
        """Return the kernel's assignment, if it has one."""
        return self._chosen.get(kernel_id)

    def record_start(self, kernel_id: str, role: ProcessRole) -> None:
        """Note what the kernel's process was started with, or has been switched to."""
        before = self._running.get(kernel_id, UNTOUCHED)
        self._running[kernel_id] = role
        if role != before:
            self._changed(kernel_id)

    def running(self, kernel_id: str) -> ProcessRole | None:
        """Return what the kernel's process was started with; None if it did not start through us."""
        return self._running.get(kernel_id)

    def prune(self, living: AbstractSet[str]) -> set[str]:
        """Forget the kernels that have gone, and return their ids.

        A kernel that is just starting has its assignment before Jupyter lists it, so only one that was
        seen living can have gone.
        """
        gone = self._seen_living - living
        for kernel_id in gone:
            self._chosen.pop(kernel_id, None)
            self._running.pop(kernel_id, None)
        self._seen_living = set(living)
        return gone
