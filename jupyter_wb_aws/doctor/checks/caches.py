"""Credentials that lie in caches below ~/.aws, and outlive their role session."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from jupyter_wb_aws.aws.claims import shown
from jupyter_wb_aws.clock import rfc3339
from jupyter_wb_aws.doctor.codes import found
from jupyter_wb_aws.doctor.facts import Cached, Facts
from jupyter_wb_aws.doctor.finding import Finding


def check(facts: Facts) -> Iterator[Finding]:
    """Look at what `aws` and `aws login` have kept; whose it is and until when, never the keys."""
    mine = facts.get("AWS_ROLE_SESSION_NAME")
    alive = [
        entry
        for entry in facts.cli_cache
        if entry.expires_at and entry.expires_at > facts.now and entry.session_name != mine
    ]
    old = [e for e in facts.cli_cache if e.expires_at and e.expires_at <= facts.now]
    if alive:
        until = max(entry.expires_at for entry in alive if entry.expires_at)
        names = ", ".join(sorted({shown(entry.session_name) or "unknown" for entry in alive}))
        yield found(
            "cli_cache_alive",
            f"The aws command's cache holds credentials of other role sessions ({names}) that work until {rfc3339(until)}:"
            " ending a role session does not end them, and aws uses them without asking STS.",
            _remove(alive),
        )
    if old:
        yield found(
            "cli_cache_old",
            f"The aws command's cache has {len(old)} set{'s' * (len(old) > 1)} of credentials that expired.",
            _remove(old),
        )
    if facts.login_cache:
        folder = facts.login_cache[0].parent
        yield found(
            "login_cache",
            f"`aws login` has left a sign-in in {folder}; profiles with `login_session` use and renew it.",
            "Run: aws logout --all",
        )


def _remove(entries: list[Cached]) -> str:
    return f"Run: rm {' '.join(shlex.quote(str(entry.path)) for entry in entries)}"
