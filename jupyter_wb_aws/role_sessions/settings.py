"""What a site decides about role sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from jupyter_wb_aws.role_sessions.places import Place


@dataclass(frozen=True, slots=True)
class Settings:
    """What a site decides about role sessions.

    `token_dir` and `state_dir` are folders of ours; `root_dir` is what Jupyter's file browser shows.
    `token_places` and `store_places` are where the two may be, best first; empty: there alone.
    `extra_environment` reaches every role session; a role's own wins over it. `max_role_sessions`
    and `idle_timeout` are limits; 0 is none.
    """

    token_dir: Path
    state_dir: Path
    root_dir: Path
    hidden_shown: bool = False
    session_name_template: str = "{user}-{session_id}"
    default_role: str = ""
    extra_environment: Mapping[str, str] = field(default_factory=dict)
    max_role_sessions: int = 0
    idle_timeout: timedelta = timedelta()
    token_places: Sequence[Place] = ()
    store_places: Sequence[Place] = ()
