"""Terminals get their role session when they start: docs/decisions/0002-terminals.md.

We wrap `make_term_env` of the server's terminal manager, which every terminal uses. A client's `extra_env`
has been applied by then.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import weakref
from dataclasses import dataclass
from typing import Any

from jupyter_core.utils import ensure_async

from jupyter_wb_aws.errors import NewProcessNeeded
from jupyter_wb_aws.injection.environment import InjectionSettings
from jupyter_wb_aws.injection.process_environments import (
    GetEndpoint,
    Prepared,
    ProcessEnvironments,
    Switch,
    no_endpoint,
)
from jupyter_wb_aws.role_sessions.assignments import NO_AWS_ROLE, Assignment, How, ProcessRole
from jupyter_wb_aws.role_sessions.manager import RoleSessionManager
from jupyter_wb_aws.role_sessions.role_session import RoleSession


@dataclass(slots=True)
class GivenTerminal:
    """What a terminal was started with, and how it came to that role session."""

    assignment: Assignment | None
    prepared: Prepared


class TerminalInjection:
    """Gives role sessions to the terminals of one server.

    Args:
        terminals: the server's TerminalManager (jupyter_server_terminals).
        manager: knows the default role session.
        site: the site's settings.
        endpoint: returns the credential endpoint.
    """

    def __init__(
        self,
        terminals: Any,
        manager: RoleSessionManager,
        site: InjectionSettings,
        endpoint: GetEndpoint = no_endpoint,
    ) -> None:
        self.terminals = terminals
        self.environments = ProcessEnvironments(site, endpoint)
        self._manager = manager
        self._chosen: contextvars.ContextVar[ProcessRole | None] = contextvars.ContextVar(
            "chosen", default=None
        )
        self._last: GivenTerminal | None = None
        self._given: weakref.WeakKeyDictionary[Any, GivenTerminal] = weakref.WeakKeyDictionary()

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
            # A name that is used again is another terminal's. Its name is not known yet.
            prepared = self.environments.prepare_now(
                ("terminal", ""),
                inner(*args, **kwargs),
                process_role,
                kwargs.get("cwd") or "",
                key=object(),
            )
            prepared.write_now()
            self._last = GivenTerminal(assignment, prepared)
            return prepared.environment

        return make_term_env

    def _noted(self, inner: Any) -> Any:
        @functools.wraps(inner)
        def new_terminal(*args: Any, **kwargs: Any) -> Any:
            terminal = inner(*args, **kwargs)  # calls make_term_env, and nothing runs in between
            if self._last is not None:
                self._given[terminal] = self._last
                self._last.prepared.seen()
                with contextlib.suppress(RuntimeError):  # not in an event loop
                    # By then it has its name, which it may lose before anybody looks.
                    asyncio.get_running_loop().call_soon(self.running)
            return terminal

        return new_terminal

    def running(self) -> dict[str, GivenTerminal]:
        """Return what each running terminal was started with, by its name."""
        running = {
            name: self._given[terminal]
            for name, terminal in self.terminals.terminals.items()
            if terminal in self._given
        }
        for name, given in running.items():
            if given.prepared.client is not None:
                given.prepared.client.name = name
        return running

    async def switch(self, name: str, session: RoleSession | None, how: How) -> Switch:
        """Switch a running terminal to a role session; None is "no AWS role".

        Args:
            name: the terminal's.
            session: its new role session.
            how: whether the user chose it, or it is the default.

        Raises:
            NewProcessNeeded: if it can't be switched.
        """
        given = self.running()[name]
        role = NO_AWS_ROLE if session is None else ProcessRole("role", session)
        if not given.prepared.can_switch_to(role):
            raise NewProcessNeeded(
                "This terminal keeps the role that it was opened with: only the credential endpoint can switch it.",
                hint="Open another terminal with that role.",
            )
        given.assignment = Assignment(session.id if session else None, how)
        switch = await self.environments.switch(given.prepared, role)
        self._manager.choices.terminal_changed(name)
        return switch

    def session_ids_in_use(self) -> set[str]:
        """Return the ids of the role sessions of running terminals."""
        roles = (given.prepared.process_role for given in self.running().values())
        return {role.session.id for role in roles if role.session}

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
