"""Apps behind jupyter-server-proxy get a role at each launch: docs/decisions/0008-proxied-apps.md.

Each app's handler keeps its process in a dict `state`, which all of the app's requests share, and stores it there
before it starts it. We replace that dict, which works for every app, however it is configured. We also wrap the
`start` of each process, which every launch calls, even the automatic one after a crash. A process's command and
environment are two private names of simpervisor.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from jupyter_wb_aws.errors import AppNotFound
from jupyter_wb_aws.injection.environment import InjectionSettings
from jupyter_wb_aws.injection.process_environments import (
    GetEndpoint,
    Prepared,
    ProcessEnvironments,
    Switch,
    no_endpoint,
)
from jupyter_wb_aws.injection.rstudio import RStudioSessions
from jupyter_wb_aws.role_sessions.manager import RoleSessionManager

log = logging.getLogger(__name__)


class HookedProxyState(dict[str, Any]):
    """The state of one app in jupyter-server-proxy; calls `prepare` with each process before it starts."""

    def __init__(self, before: dict[str, Any], prepare: Callable[[Any], None]) -> None:
        super().__init__(before)
        self._prepare = prepare

    def __setitem__(self, key: str, value: Any) -> None:
        if key == "proc":
            self._prepare(value)
        super().__setitem__(key, value)


@dataclass(slots=True)
class ProxiedApp:
    """One configured app; `prepared` is what its last launch was started with."""

    id: str
    state: dict[str, Any]
    prepared: Prepared | None = None

    @property
    def running(self) -> bool:
        """Whether jupyter-server-proxy has a running process for it."""
        return bool(getattr(self.state.get("proc"), "running", False))


class ProxiedAppInjection:
    """Gives the default role session to the proxied apps of one server.

    Args:
        web_app: the server's tornado application.
        manager: knows the default role session.
        site: the site's settings.
        endpoint: returns the credential endpoint.
    """

    def __init__(
        self,
        web_app: Any,
        manager: RoleSessionManager,
        site: InjectionSettings,
        endpoint: GetEndpoint = no_endpoint,
    ) -> None:
        self._web_app = web_app
        self._manager = manager
        self.environments = ProcessEnvironments(site, endpoint)
        self._apps: dict[str, ProxiedApp] = {}
        self.r_sessions = RStudioSessions(manager, site, endpoint)

    def install(self) -> None:
        """Find the apps, after all extensions have added their handlers."""
        base_url = self._web_app.settings["base_url"]
        for rule in rules_below(self._web_app.default_router):
            state = rule.target_kwargs.get("state")
            if not hasattr(rule.target, "ensure_process") or not isinstance(state, dict):
                continue
            if isinstance(state, HookedProxyState):
                continue  # the router for any host has the same rule
            app = ProxiedApp(app_id(rule.matcher.regex.pattern, base_url), {})
            app.state = HookedProxyState(state, partial(self._prepare, app))
            rule.target_kwargs["state"] = app.state
            self._apps[app.id] = app

    def _prepare(self, app: ProxiedApp, process: Any) -> None:
        """Make each start of a process compute its environment again."""
        command = getattr(process, "_proc_args", None)
        options = getattr(process, "_proc_kwargs", None)
        if not command or options is None:
            if not isinstance(process, str):  # a text if there is nothing to start
                log.error(
                    "%r gets no AWS role: this version of jupyter-server-proxy is not supported",
                    app.id,
                )
            return
        inner, base = process.start, options.get("env") or os.environ

        async def start() -> None:
            # A choice of the last run may not be restored yet.
            await self._manager.sessions.wait_until_ready()
            prepared = await self.environments.prepare(
                ("app", app.id),
                base,
                self._manager.choices.assign_to_app(app.id),
                options.get("cwd") or "",
                before=app.prepared,
            )
            process._proc_kwargs = {**options, "env": prepared.environment}  # noqa: SLF001 - see the module's docstring
            process._proc_args = await self.r_sessions.command_for(app.id, command, base)  # noqa: SLF001
            if app.state.get("proc") is not process:
                return  # relaunched meanwhile: this process would never be terminated
            await prepared.write()
            await inner()
            app.prepared = prepared
            prepared.seen()
            self._manager.choices.app_changed(app.id)

        process.start = start

    def running(self) -> dict[str, Prepared]:
        """Return what each running app was started with."""
        return {app.id: app.prepared for app in self._apps.values() if app.running and app.prepared}

    async def switch(self, app_id: str) -> Switch:
        """Give a running app, and its R sessions, what is chosen for it now: at once, or at its next launch."""
        prepared = self.running()[app_id]
        role = self._manager.choices.next_role_of_app(app_id)
        switch = await self.environments.switch(prepared, role, self.r_sessions.clients_of(app_id))
        self._manager.choices.app_changed(app_id)
        await self.r_sessions.follow()
        return switch

    def session_ids_in_use(self) -> set[str]:
        """Return the ids of the role sessions that running apps have, or their R sessions may have."""
        used = set()
        for app_id, prepared in self.running().items():
            session = prepared.process_role.session
            used |= {session.id} if session else set()
            used |= self.r_sessions.offered(app_id)
            clients = self.r_sessions.clients_of(app_id)  # they may have been switched
            used |= {client.session.id for client in clients if client.session}
        return used

    async def relaunch(self, app_id: str) -> None:
        """Stop an app, so that its next request launches it with the current default role.

        Raises:
            AppNotFound: if no app has this id.
        """
        from jupyter_wb_aws.injection import process_tree

        app = self._apps.get(app_id)
        if app is None:
            raise AppNotFound("No proxied app of this server has that id.")
        lock = app.state.get("proc_lock")
        if lock is None or "proc" not in app.state:
            return  # no request has launched it yet
        async with lock:
            process = app.state.get("proc")
            if process is None or isinstance(process, str):
                return
            if process.running:
                await process_tree.terminate_tree(process, process_tree.TERMINATE_TIMEOUT)
            # Keep port and socket: a request that waits for the lock has read them already.
            remove_socket(app.state.get("unix_socket"))
            del app.state["proc"]
        log.info("%r was stopped; its next request launches it again", app_id)
        self._manager.choices.app_changed(app_id)


def rules_below(router: Any) -> Iterator[Any]:
    """Yield all rules of a router and of its nested routers. Source: tornado.routing.RuleRouter."""
    for rule in router.rules:
        if hasattr(rule.target, "rules"):
            yield from rules_below(rule.target)
        else:
            yield rule


def app_id(pattern: str, base_url: str) -> str:
    """Return an app's name in jupyter-server-proxy's configuration: the beginning of its URLs."""
    path = re.sub(r"[($].*", "", pattern).removeprefix(base_url.rstrip("/"))
    return path.strip("/")


def remove_socket(path: str | None) -> None:
    """Remove the Unix socket of a process that has ended, so that the next one can listen on it."""
    with contextlib.suppress(OSError):
        if path and stat.S_ISSOCK(Path(path).stat().st_mode):
            Path(path).unlink()
