"""A kernel provisioner that is not a LocalProvisioner, like those of clusters."""

from __future__ import annotations

from jupyter_client.provisioning import KernelProvisionerBase, LocalProvisioner


class FarAway(KernelProvisionerBase):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.local = LocalProvisioner(**kwargs)

    @property
    def has_process(self):
        return self.local.has_process

    @property
    def pid(self):
        return self.local.pid

    async def poll(self):
        return await self.local.poll()

    async def wait(self):
        return await self.local.wait()

    async def send_signal(self, signum):
        await self.local.send_signal(signum)

    async def kill(self, restart=False):
        await self.local.kill(restart)

    async def terminate(self, restart=False):
        await self.local.terminate(restart)

    async def launch_kernel(self, cmd, **kwargs):
        return await self.local.launch_kernel(cmd, **kwargs)

    async def cleanup(self, restart=False):
        await self.local.cleanup(restart)

    async def pre_launch(self, **kwargs):
        return await self.local.pre_launch(**kwargs)
