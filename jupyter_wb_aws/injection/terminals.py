"""Terminals get their role session when they start: docs/decisions/0002-terminals.md.

We wrap `make_term_env` of the server's terminal manager, which every terminal uses. A client's `extra_env`
has been applied by then.
"""

from __future__ import annotations

import contextvars
import functools
import weakref
from typing import Any

from jupyter_core.utils import ensure_async

from jupyter_wb_aws.injection.conflict_check import ConflictCheck
from jupyter_wb_aws.injection.environment import (
    InjectionSettings,
    environment_with_user_files,
    process_environment,
)
from jupyter_wb_aws.role_sessions.assignments import NO_AWS_ROLE, Assignment, ProcessRole
from jupyter_wb_aws.role_sessions.manager import RoleSessionManager
from jupyter_wb_aws.role_sessions.role_session import RoleSession


class TerminalInjection:
    """Gives role sessions to the terminals of one server.

    Args:
        terminals: the server's TerminalManager (jupyter_server_terminals).
        manager: knows the default role session.
        site: the site's settings.
    """

    def __init__(
        self, terminals: Any, manager: RoleSessionManager, site: InjectionSettings
    ) -> None:
        self.terminals = terminals
        self._manager = manager
        self._site = site
        self._chosen: contextvars.ContextVar[ProcessRole | None] = contextvars.ContextVar(
            "chosen", default=None
        )
        self._conflict_check = ConflictCheck()
        self._last: tuple[Assignment | None, ProcessRole] | None = None
        self._given: weakref.WeakKeyDictionary[Any, tuple[Assignment | None, ProcessRole]] = (
            weakref.WeakKeyDictionary()
        )

    def install(self) -> None:
        """Wrap how the terminal manager makes environments, and record the role of each terminal."""
        self.terminals.make_term_env = self._with_role(self.terminals.make_term_env)
        self.terminals.new_terminal = self._noted(self.terminals.new_terminal)

    def _with_role(self, inner: Any) -> Any:
        @functools.wraps(inner)
        def make_term_env(*args: Any, **kwargs: Any) -> dict[str, str]:
            chosen = self._chosen.get()
            if chosen is not None and chosen.session is not None and chosen.session.ended:
                chosen = NO_AWS_ROLE  # it ended while the request was processed
            process_role = chosen or self._manager.choices.assign_to_process()
            assignment = (
                Assignment(process_role.session.id, "by_user" if chosen else "by_default")
                if process_role.session
                else None
            )
            self._last = (assignment, process_role)
            base = inner(*args, **kwargs)
            cwd = kwargs.get("cwd") or ""
            looked_at = environment_with_user_files(base, process_role, self._site)
            has_conflict = (
                process_role.session is not None
                and self._conflict_check.find_now(looked_at, cwd) is not None
            )
            return process_environment(base, process_role, self._site, has_conflict=has_conflict)

        return make_term_env

    def _noted(self, inner: Any) -> Any:
        @functools.wraps(inner)
        def new_terminal(*args: Any, **kwargs: Any) -> Any:
            terminal = inner(*args, **kwargs)  # calls make_term_env, and nothing runs in between
            if self._last is not None:
                self._given[terminal] = self._last
            return terminal

        return new_terminal

    def running(self) -> dict[str, tuple[Assignment | None, ProcessRole]]:
        """Return how each running terminal got its role session, and the role that it started with."""
        return {
            name: self._given[terminal]
            for name, terminal in self.terminals.terminals.items()
            if terminal in self._given
        }

    def session_ids_in_use(self) -> set[str]:
        """Return the ids of the role sessions of running terminals."""
        return {
            process_role.session.id
            for _, process_role in self.running().values()
            if process_role.session
        }

    async def start(self, session: RoleSession) -> Any:
        """Start a terminal with a role session, independent of the default role.

        Returns:
            the terminal's model, as in `/api/terminals`.
        """
        token = self._chosen.set(ProcessRole("role", session))
        try:
            return await ensure_async(self.terminals.create())
        finally:
            self._chosen.reset(token)
