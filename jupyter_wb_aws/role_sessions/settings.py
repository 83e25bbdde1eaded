"""What a site decides about role sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from jupyter_wb_aws.role_sessions.places import Place
from jupyter_wb_aws.role_sessions.server_owner import ServerOwner
from jupyter_wb_aws.roles.delivery import DEFAULT_LEASE, Delivery
from jupyter_wb_aws.roles.role import Role


@dataclass(frozen=True, slots=True)
class RoleSessionSettings:
    """What a site decides about role sessions.

    Args:
        token_dir: the folder for token files.
        state_dir: the folder for what outlives the server.
        root_dir: what Jupyter's file browser shows.
        allow_hidden: whether the file browser also shows hidden files.
        session_name_template: makes AWS's RoleSessionName; see `session_name`.
        default_role: the ARN of the role that starts by itself; empty for the one that the catalogue marks.
        extra_environment: variables of every role session; a role's own win over them.
        max_role_sessions: how many a user may have at once; 0 for no limit.
        idle_timeout: how long one may be unused before it is ended; zero for no limit.
        start_timeout: seconds until a start fails. Users wait at most 20 s, and the store is written
            twice, up to 2 s each.
        token_places: where token files may be, best first; empty for `token_dir` alone.
        store_places: where the store may be, best first; empty for `state_dir` alone.
        server_name: which of the servers of one user and one root folder this is; empty for the default one.
        server_owner: the user whose tokens are expected; None for any.
        delivery: how role sessions reach processes; a role's own wins over it.
        lease: seconds that a process may use an answer of the credential endpoint; a role's own wins over it.
    """

    token_dir: Path
    state_dir: Path
    root_dir: Path
    allow_hidden: bool = False
    session_name_template: str = "{user}-{session_id}"
    default_role: str = ""
    extra_environment: Mapping[str, str] = field(default_factory=dict)
    max_role_sessions: int = 0
    idle_timeout: timedelta = timedelta()
    start_timeout: float = 16.0
    token_places: Sequence[Place] = ()
    store_places: Sequence[Place] = ()
    server_name: str = ""
    server_owner: ServerOwner | None = None
    delivery: Delivery = "web_identity"
    lease: int = DEFAULT_LEASE

    def extra_variables(self, role: Role) -> dict[str, str]:
        """Return the variables that the site and the role add."""
        return {**self.extra_environment, **role.extra_environment}

    def delivery_of(self, role: Role) -> Delivery:
        """Return how the role's sessions reach processes: the role's own delivery, else the site's."""
        return role.delivery or self.delivery

    def lease_of(self, role: Role) -> timedelta:
        """Return how long a process may use an answer of the endpoint: the role's own lease, else the site's."""
        return timedelta(seconds=role.lease or self.lease)
