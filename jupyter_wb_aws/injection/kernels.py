"""Kernels get their role session at every start and restart: docs/decisions/0001-kernels.md.

The server's `MultiKernelManager` makes each `KernelManager` with its `kernel_manager_factory`. We wrap that
factory, and on each kernel manager that it makes, `_async_launch_kernel`: every launch calls this method, by
hand or automatic after a crash, sync or async. The classes that the site configured stay as they are. The
method is a private name of jupyter_client, the only one that we depend on; CI runs against the oldest and the
newest version that we support.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable
from typing import Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from jupyter_core.utils import ensure_async
from traitlets.utils.bunch import Bunch

from jupyter_wb_aws.errors import NewProcessNeeded
from jupyter_wb_aws.injection.conflict_check import BegunCheck
from jupyter_wb_aws.injection.environment import InjectionSettings
from jupyter_wb_aws.injection.process_environments import (
    GetEndpoint,
    Prepared,
    ProcessEnvironments,
    Switch,
    no_endpoint,
)
from jupyter_wb_aws.role_sessions.assignments import NO_AWS_ROLE, ProcessRole
from jupyter_wb_aws.role_sessions.manager import RoleSessionManager
from jupyter_wb_aws.role_sessions.role_session import RoleSession
from jupyter_wb_aws.variables import KERNEL_ID

log = logging.getLogger(__name__)


class KernelInjection:
    """Gives role sessions to the kernels of one server.

    Args:
        kernels: the server's MappingKernelManager (jupyter_server.services.kernels).
        manager: knows which role session each kernel has.
        site: the site's settings.
        endpoint: returns the credential endpoint.
    """

    def __init__(
        self,
        kernels: Any,
        manager: RoleSessionManager,
        site: InjectionSettings,
        endpoint: GetEndpoint = no_endpoint,
    ) -> None:
        self.kernels = kernels
        self._manager = manager
        self._environments = ProcessEnvironments(site, endpoint)
        self._prepared: dict[str, Prepared] = {}
        self._factory: Callable[..., Any] | None = None
        self._remote: set[str] = set()

    def install(self) -> None:
        """Wrap the factory, and each new one that the site's configuration sets."""
        self.kernels.observe(self._factory_changed, "kernel_manager_factory")
        self._wrap(self.kernels.kernel_manager_factory)

    def _factory_changed(self, change: Bunch) -> None:
        if change.new is not self._factory:
            self._wrap(change.new)

    def _wrap(self, inner: Callable[..., Any]) -> None:
        def factory(*args: Any, **kwargs: Any) -> Any:
            begun = self._environments.begin_check(os.environ, self._manager.choices.next_role())
            kernel = inner(*args, **kwargs)
            self._wrap_kernel(kernel, begun)
            return kernel

        self._factory = factory
        self.kernels.kernel_manager_factory = factory

    def _wrap_kernel(self, kernel: Any, begun: BegunCheck | None) -> None:
        inner = kernel._async_launch_kernel  # noqa: SLF001 - see the module's docstring

        async def launch(kernel_cmd: list[str], **kwargs: Any) -> None:
            if not isinstance(kernel.provisioner, LocalProvisioner):
                # It may run where our token file does not exist.
                self._remote.add(kernel.kernel_id)
                log.warning(
                    "Kernel %s gets no AWS role: its provisioner %s may start it on another machine",
                    kernel.kernel_id, type(kernel.provisioner).__name__,
                )  # fmt: skip
                await inner(kernel_cmd, **kwargs)
                return
            # A choice of the last run may not be restored yet.
            await self._manager.sessions.wait_until_ready()
            nonlocal begun
            check, begun = begun, None  # a restart looks again
            choices = self._manager.choices
            role = choices.assign_to_kernel(kernel.kernel_id)
            prepared = await self._environments.prepare(
                ("kernel", kernel.kernel_id),
                os.environ if kwargs.get("env") is None else kwargs["env"],
                role,
                kwargs.get("cwd") or "",
                before=self._prepared.get(kernel.kernel_id),
                begun=check,
            )
            # `kwargs` is a copy for this launch; a later restart begins with the original.
            kwargs["env"] = dict(prepared.environment)  # jupyter_client adds to it
            if prepared.process_role.kind != "untouched":
                kwargs["env"][KERNEL_ID] = kernel.kernel_id
            await inner(kernel_cmd, **kwargs)
            self._prepared[kernel.kernel_id] = prepared
            choices.assignments.record_start(kernel.kernel_id, prepared.process_role)
            prepared.write_soon()
            if role.session is not None and prepared.process_role.session is None:
                choices.report_no_role(kernel.kernel_id, role.session.id)  # there is no endpoint

        kernel._async_launch_kernel = launch  # noqa: SLF001

    def remote_kernel_ids(self) -> list[str]:
        """Return the ids of kernels that get no role because they may run on another machine."""
        self._remote.intersection_update(self.kernel_ids())
        return sorted(self._remote)

    def kernel_ids(self) -> list[str]:
        """Return the ids of the server's kernels."""
        return list(self.kernels.list_kernel_ids())

    def prepared(self, kernel_id: str) -> Prepared | None:
        """Return what a kernel's process was started with."""
        return self._prepared.get(kernel_id)

    async def switch(self, kernel_id: str) -> Switch:
        """Give a kernel what is chosen for it now: at once if that is possible, else at its next restart."""
        choices = self._manager.choices
        role, prepared = choices.next_role_of_kernel(kernel_id), self._prepared.get(kernel_id)
        if prepared is None:  # it is just starting
            return Switch(now=False, at_restart=[])
        switch = await self._environments.switch(prepared, role)
        if switch.now:
            choices.switched_kernel(kernel_id, role)
        return switch

    async def switch_until_restart(self, kernel_id: str, session: RoleSession | None) -> Switch:
        """Switch a running kernel; a restart, also the one after a crash, takes what was chosen before.

        Args:
            kernel_id: the kernel.
            session: its role session until then; None is "no AWS role".

        Raises:
            NewProcessNeeded: if it can't be switched while it runs.
        """
        role = NO_AWS_ROLE if session is None else ProcessRole("role", session)
        prepared = self._prepared.get(kernel_id)
        if prepared is None or not prepared.can_switch_to(role):
            raise NewProcessNeeded("This kernel can't be switched to that role while it runs.")
        switch = await self._environments.switch(prepared, role)
        self._manager.choices.assignments.record_start(kernel_id, role)
        return switch

    def forget_gone(self) -> set[str]:
        """Forget the kernels that have gone; return the ids of those that run."""
        living = set(self.kernel_ids())
        assignments = self._manager.choices.assignments
        for kernel_id in assignments.prune(living):
            self._prepared.pop(kernel_id, None)
        return living

    def session_ids_in_use(self) -> set[str]:
        """Return the ids of the role sessions that running kernels have, or get at their restart."""
        assignments, used = self._manager.choices.assignments, set()
        for kernel_id in self.kernel_ids():
            if (process_role := assignments.running(kernel_id)) and process_role.session:
                used.add(process_role.session.id)
            if (chosen := assignments.chosen(kernel_id)) and chosen.session_id:
                used.add(chosen.session_id)
        return used

    async def start(self, session: RoleSession, name: str | None, path: str | None) -> Any:
        """Start a kernel with a role session, independent of the default role.

        Args:
            session: the role session.
            name: the kernelspec; None means the server's default.
            path: the notebook's folder, as in `/api/kernels`.

        Returns:
            the kernel's model, as in `/api/kernels`.
        """
        kernel_id = str(uuid.uuid4())
        self._manager.choices.assignments.choose(kernel_id, session.id)
        try:
            await ensure_async(
                self.kernels.start_kernel(
                    kernel_name=name or self.kernels.default_kernel_name,
                    path=path,
                    kernel_id=kernel_id,
                )
            )
        except BaseException:
            self._manager.choices.assignments.forget_choice(kernel_id)
            raise
        return await ensure_async(self.kernels.kernel_model(kernel_id))
