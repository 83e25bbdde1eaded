"""A kernel that starts while the server is still reading the records of its last run."""

from __future__ import annotations

import asyncio
import threading

from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from traitlets import Any, HasTraits

from jupyter_wb_aws.injection import environment
from jupyter_wb_aws.injection.kernels import KernelInjection
from jupyter_wb_aws.role_sessions.registry import READY_TIMEOUT
from jupyter_wb_aws.role_sessions.store import Store
from tests.role_sessions.conftest import Site
from tests.role_sessions.support import asleep


class Kernel:
    kernel_id = "11111111-2222-3333-4444-555555555555"
    env = None

    def __init__(self):
        self.provisioner = LocalProvisioner()

    async def _async_launch_kernel(self, _command, env):
        self.env = env


class Kernels(HasTraits):
    kernel_manager_factory = Any(Kernel)


async def test_a_choice_of_no_aws_role_holds_for_a_kernel_that_starts_with_the_server(
    tmp_path, clock, monkeypatch
):
    site = Site(tmp_path, clock)
    async with site.server() as manager:
        await manager.choices.set_default(None)
    may_go_on, real = threading.Event(), Store.load

    def slow(store):
        assert may_go_on.wait(20)
        return real(store)

    monkeypatch.setattr(Store, "load", slow)
    manager, kernels = site.manager(), Kernels()
    KernelInjection(kernels, manager, environment.InjectionSettings()).install()
    kernel = kernels.kernel_manager_factory()
    opening = asyncio.create_task(manager.open())
    await asyncio.sleep(0)
    launch = asyncio.create_task(
        kernel._async_launch_kernel([], env={"AWS_ROLE_ARN": "the pod's own"})
    )
    await asyncio.sleep(0)
    may_go_on.set()
    await asyncio.gather(opening, launch)
    await manager.close()

    assert kernel.env == {
        "AWS_EC2_METADATA_DISABLED": "true",
        "JUPYTER_WB_AWS_KERNEL_ID": kernel.kernel_id,
    }


async def test_a_kernel_waits_a_few_seconds_for_a_disk_and_then_has_no_credentials(
    tmp_path, clock, monkeypatch
):
    site = Site(tmp_path, clock)
    may_go_on, real = threading.Event(), Store.load

    def hangs(store):
        assert may_go_on.wait(60)
        return real(store)

    monkeypatch.setattr(Store, "load", hangs)
    manager, kernels = site.manager(), Kernels()
    KernelInjection(kernels, manager, environment.InjectionSettings()).install()
    kernel = kernels.kernel_manager_factory()
    opening = asyncio.create_task(manager.open())
    pods_own = {"AWS_ROLE_ARN": "the pod's own", "AWS_WEB_IDENTITY_TOKEN_FILE": "/pod/token"}
    launch = asyncio.create_task(kernel._async_launch_kernel([], env=dict(pods_own)))
    await asleep(clock)
    clock.advance(READY_TIMEOUT)
    await asyncio.gather(opening, launch)

    assert kernel.env == {
        "AWS_EC2_METADATA_DISABLED": "true",
        "JUPYTER_WB_AWS_KERNEL_ID": kernel.kernel_id,
    }

    may_go_on.set()
    await manager.sessions.require_ready()
    await kernel._async_launch_kernel([], env=dict(pods_own))
    await manager.close()
    assert kernel.env == pods_own  # nothing was ever chosen
