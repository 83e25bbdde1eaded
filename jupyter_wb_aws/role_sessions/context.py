"""What the parts of this package share: the settings, the clock, randomness, events, the endpoint and tasks."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from jupyter_wb_aws.clock import Clock
from jupyter_wb_aws.role_sessions.endpoint_delivery import EndpointDelivery, NoEndpoint
from jupyter_wb_aws.role_sessions.settings import RoleSessionSettings
from jupyter_wb_aws.tasks import Tasks

# Takes an event's name and its data; see `jupyter_wb_aws/events/`.
Emit = Callable[[str, dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Context:
    """What the parts of one server share; `tasks` own all background work of its role sessions.

    `endpoint` delivers the role sessions that processes get by the credential endpoint.
    """

    settings: RoleSessionSettings
    clock: Clock
    random: random.Random
    emit: Emit
    endpoint: EndpointDelivery = field(default_factory=NoEndpoint)
    tasks: Tasks = field(default_factory=Tasks)
