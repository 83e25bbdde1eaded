"""Which flows work here, given what the provider and this server have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from jupyter_wb_aws.errors import FlowNotAvailable

Flow = Literal["code", "device"]


def available_flows(
    wanted: Sequence[Flow], metadata: Mapping[str, Any], redirect_uri: str | None
) -> list[Flow]:
    """Return the flows that work here, in the site's order.

    Args:
        wanted: the flows that the site wants.
        metadata: the provider's (OIDC Discovery, section 3).
        redirect_uri: the registered redirect URI, None if there is none.
    """
    works = {
        "code": bool(metadata.get("authorization_endpoint") and redirect_uri),
        "device": bool(metadata.get("device_authorization_endpoint")),
    }
    return [flow for flow in wanted if works[flow]]


def choose_flow(available: Sequence[Flow], asked: str | None) -> Flow:
    """Return the flow to begin: the one asked for, else the first that works.

    Raises:
        FlowNotAvailable: if it does not work here; the message says why.
    """
    if asked is None and available:
        return available[0]
    for flow in available:
        if flow == asked:
            return flow
    reason = (
        f"The flow {asked[:20]!r} does not work here; these do: {', '.join(available)}."
        if asked and available
        else "There is no way to sign in here: no flow works with the identity provider."
    )
    raise FlowNotAvailable(
        reason,
        admin_hint="The code flow needs `redirect_uri` (registered at the provider, with the port that browsers see) or"
        " a public URL of the server; /hub/user-redirect/ leads to JupyterHub's default servers only. The device flow needs a provider that supports it. `flows` of the token source"
        " lists those that you want.",
    )
