"""How a role reaches a process, and the limits of what goes with it."""

from __future__ import annotations

from typing import Literal, TypedDict, get_args

# `web_identity`: each process gets a token and asks AWS STS itself. `endpoint`: the server asks, and each process
# gets credentials from the server's credential endpoint.
Delivery = Literal["web_identity", "endpoint"]
DELIVERIES: tuple[Delivery, ...] = get_args(Delivery)

# Seconds. Once less than 600 s are left, boto3 raises an error at the first call that the endpoint refuses or does
# not answer (source: `RefreshableCredentials` in botocore.credentials). A minute more lets it survive a short gap.
MIN_LEASE, MAX_LEASE = 660, 43_200
# boto3 asks again once less than 900 s are left: a minute later.
DEFAULT_LEASE = 960
# Source: STS API Reference, AssumeRoleWithWebIdentity, `DurationSeconds`. A role's own maximum may be lower.
MIN_CREDENTIAL_LIFETIME, MAX_CREDENTIAL_LIFETIME = 900, 43_200


class DeliverySettings(TypedDict):
    """The keys of an entry about delivery; None for what the site or the role decides. Numbers are seconds."""

    delivery: Delivery | None
    lease: int | None
    credential_lifetime: int | None
