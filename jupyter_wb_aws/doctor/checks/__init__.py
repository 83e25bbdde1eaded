"""The checks, in the order of the report. Each is a pure function of the facts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from jupyter_wb_aws.doctor.checks import (
    caches,
    call,
    credential_endpoint,
    endpoints,
    keys,
    network,
    profiles,
    region,
    renviron,
    role,
    server,
    token,
)
from jupyter_wb_aws.doctor.facts import Facts
from jupyter_wb_aws.doctor.finding import Finding

Check = Callable[[Facts], Iterator[Finding]]

CHECKS: dict[str, Check] = {
    "the role's variables": role.check,
    "keys in the environment": keys.check,
    "profiles and ~/.aws files": profiles.check,
    "R's ~/.Renviron": renviron.check,
    "the token file": token.check,
    "the credential endpoint": credential_endpoint.check,
    "regions": region.check,
    "endpoints": endpoints.check_endpoints,
    "proxies": endpoints.check_proxies,
    "CA bundles": endpoints.check_bundles,
    "the aws command's caches": caches.check,
    "STS and the clock": network.check_sts,
    "the identity provider": network.check_idp,
    "the Jupyter server": server.check,
    "a test call to AWS": call.check,
}
