"""The ways to sign in that work here, by what the provider and this server have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from jupyter_wb_aws.errors import FlowNotAvailable
from jupyter_wb_aws.identity.provider import Provider
from jupyter_wb_aws.tasks import Tasks

Flow = Literal["code", "device"]


class Flows:
    """Which flows work, in the site's order.

    Args:
        wanted: the flows that the site wants.
        redirect_uri: gives the registered redirect URI, None where there is none.
        tasks: the owner of the one question to the provider that is under way.
    """

    def __init__(
        self,
        provider: Provider,
        wanted: Sequence[Flow],
        redirect_uri: Callable[[], str | None],
        tasks: Tasks,
    ) -> None:
        self._provider = provider
        self._wanted = wanted
        self._redirect_uri = redirect_uri
        self._tasks = tasks

    async def that_work(self) -> list[Flow]:
        """Return the flows that work here.

        Raises:
            WbAwsError: if the provider can't be asked what it has.
        """
        known, _ = await self._tasks.once("metadata", self._provider.metadata, "metadata")
        works = {
            "code": bool(known.get("authorization_endpoint") and self._redirect_uri()),
            "device": bool(known.get("device_authorization_endpoint")),
        }
        return [flow for flow in self._wanted if works[flow]]

    async def choose(self, flow: str | None) -> Flow:
        """Return the flow to begin: the one asked for, else the first that works.

        Raises:
            FlowNotAvailable: if it does not work here; says why.
        """
        flows = await self.that_work()
        if flow is None and flows:
            return flows[0]
        for one in flows:
            if one == flow:
                return one
        told = (
            f"The flow {flow[:20]!r} does not work here; what works: {', '.join(flows)}."
            if flow and flows
            else "There is no way to sign in here: no flow works with the identity provider."
        )
        raise FlowNotAvailable(
            told,
            admin_hint="The code flow needs `redirect_uri` (registered at the provider, with the port that this"
            " server has), or a public URL of the server; the device flow needs a provider that has it. `flows`"
            " of the token source names those that you want.",
        )
