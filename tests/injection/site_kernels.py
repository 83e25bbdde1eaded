"""A site's own kernel manager class, which must stay in use."""

from __future__ import annotations

from jupyter_client.ioloop import AsyncIOLoopKernelManager


class SiteKernelManager(AsyncIOLoopKernelManager):
    async def _async_launch_kernel(self, kernel_cmd, **kw):
        kw["env"] = {**kw["env"], "SITE": "was here", "AWS_PROFILE": "site"}
        await super()._async_launch_kernel(kernel_cmd, **kw)
