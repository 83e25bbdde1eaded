"""`GET /aws/doctor`: why AWS credentials don't work in processes that this server starts.

The checks run in a separate process with exactly the environment that a notebook or terminal gets:
boto3's chain reads `os.environ` and the user's files itself, and must not see the server's.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping
from string import Template
from typing import Any

from jupyter_wb_aws.aws.profile_paths import VARIABLES
from jupyter_wb_aws.child_processes import ChildProcesses
from jupyter_wb_aws.errors import BadRequest, DoctorTimeout, KernelNotFound, WbAwsError
from jupyter_wb_aws.handlers.base import WbAwsHandler, endpoint
from jupyter_wb_aws.handlers.health import catalogue_json, session_health, source_json
from jupyter_wb_aws.handlers.role_sessions import sessions_json
from jupyter_wb_aws.injection.environment import (
    InjectionSettings,
    environment_with_user_files,
    process_environment,
)
from jupyter_wb_aws.role_sessions.assignments import UNTOUCHED, ProcessRole
from jupyter_wb_aws.variables import KERNEL_ID

# Seconds: for the calls that the doctor waits for, and for all of it.
CHECK_TIMEOUT, ANSWER_TIMEOUT = 12.0, 20.0
# The doctor needs this long at least.
MIN_TIME = 1.0
# Seconds for a token source that knows the user's roles to say whether it still does.
ASK_TIMEOUT = 5.0


class DoctorHandler(WbAwsHandler):
    """The doctor's report on processes that start next, on a role session's processes, or on a kernel."""

    @endpoint
    async def get(self) -> None:
        """Report what is wrong; change nothing."""
        self.refuse_other_sites()  # it runs a profile's credential_process
        await self.manager.sessions.wait_until_ready()
        base, process_role, process_kind = self._asked_for()
        site = self.server_state.site or InjectionSettings()
        conflict = await self.server_state.conflict_check.find(
            environment_with_user_files(base, process_role, site)
        )
        environment = process_environment(
            base, process_role, site, has_conflict=conflict is not None
        )
        server = await self._known()
        server["no_role_chosen"] = (
            process_role.kind == "no_role"
            and self.manager.choices.no_role_on_purpose(self.get_query_argument("kernel_id", None))
        )
        # In the process that runs the checks, the role session's own files replace them.
        server["files_named"] = {name: base[name] for name in VARIABLES if name in base}
        asked = {"process_kind": process_kind, "timeout": CHECK_TIMEOUT, "server": server}
        async with self.server_state.doctors:
            self.answer(await run_doctor(self.server_state.children, environment, asked))

    def _asked_for(self) -> tuple[Mapping[str, str], ProcessRole, str]:
        """Return the environment without our variables, the process's role, and the kind of process."""
        session_id = self.get_query_argument("session_id", None)
        kernel_id = self.get_query_argument("kernel_id", None)
        if session_id is not None and kernel_id is not None:
            raise BadRequest("Name a role session or a kernel, not both.")
        if session_id is not None:
            return (
                os.environ,
                ProcessRole("role", self.manager.sessions.get_living(session_id)),
                "server",
            )
        if kernel_id is not None:
            return self._of_kernel(kernel_id)
        return os.environ, self.manager.choices.next_role(), "server"

    def _of_kernel(self, kernel_id: str) -> tuple[Mapping[str, str], ProcessRole, str]:
        """Return what a kernel was started with, as far as this server and its kernelspec decide it."""
        kernels = self.server_state.kernels
        if kernels is None or kernel_id not in kernels.kernel_ids():
            raise KernelNotFound("No kernel of this server has that id.")
        if kernel_id in kernels.remote_kernel_ids():
            raise KernelNotFound("This kernel runs elsewhere, where this server can't examine it.")
        process_role = self.manager.choices.assignments.running(kernel_id) or UNTOUCHED
        spec = kernels.kernels.get_kernel(kernel_id).kernel_spec
        # As jupyter_client fills them in (KernelProvisionerBase, _apply_env_substitutions).
        of_spec = (
            {n: Template(v).safe_substitute(os.environ) for n, v in spec.env.items()}
            if spec
            else {}
        )
        base = {**os.environ, **of_spec, KERNEL_ID: kernel_id}
        return base, process_role, "kernel"

    async def _known(self) -> dict[str, Any]:
        manager = self.manager
        # Tokens outlive a source that is away: ask it now, where it knows the user.
        with contextlib.suppress(TimeoutError, WbAwsError):
            async with asyncio.timeout(ASK_TIMEOUT):
                await manager.catalogue.ask_user()
        return {
            "problem": None,
            "token_source": source_json(manager),
            "catalogue": await catalogue_json(manager),
            "notices": [{"code": code, "message": text} for code, text in manager.notices],
            "sessions": await sessions_json(self.server_state, manager, manager.sessions.living()),
            "health": [session_health(manager, s) for s in manager.sessions.living()],
        }


async def run_doctor(
    children: ChildProcesses, environment: Mapping[str, str], asked: Mapping[str, object]
) -> Any:
    """Run the doctor in a process that has this environment, and return its report.

    Args:
        children: runs our helper processes.
        environment: the environment to examine.
        asked: what the doctor has to know besides, as `jupyter_wb_aws.doctor` reads it.

    Raises:
        DoctorTimeout: if it takes too long.
        StartTimeout: if other helper processes take up all places.
        HelperProcessFailed: if it fails.
    """
    # A `credential_process` gets the whole of it, the variables of the interpreter included.
    question = {**asked, "environment": dict(environment)}
    slot_deadline = asyncio.get_running_loop().time() + ANSWER_TIMEOUT - MIN_TIME
    try:
        return await children.ask(
            "jupyter_wb_aws.doctor",
            environment,
            question,
            timeout=ANSWER_TIMEOUT,
            slot_deadline=slot_deadline,
        )
    except TimeoutError:
        raise DoctorTimeout("The doctor did not finish in time.") from None
