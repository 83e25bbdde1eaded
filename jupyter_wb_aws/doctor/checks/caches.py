"""Credentials in caches below ~/.aws, which outlive their role session."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from jupyter_wb_aws.clock import rfc3339
from jupyter_wb_aws.doctor.checks.remedies import run
from jupyter_wb_aws.doctor.codes import new_finding
from jupyter_wb_aws.doctor.facts import CachedCredentials, Facts
from jupyter_wb_aws.doctor.finding import Finding

# The id of a role session. Its RoleSessionName always contains it, with any template of the site.
ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{16}(?![0-9a-f])")


def check(facts: Facts) -> Iterator[Finding]:
    """Check what `aws` and `aws login` have cached: whose it is and until when, never the keys."""
    alive = [
        entry.expires_at
        for entry in facts.cli_cache
        if entry.expires_at and entry.expires_at > facts.now and _has_ended(facts, entry)
    ]
    old = [e for e in facts.cli_cache if e.expires_at and e.expires_at <= facts.now]
    if alive:
        folder = facts.cli_cache[0].path.parent
        yield new_finding(
            "cli_cache_alive",
            f"{folder} holds credentials of role sessions that have ended. They are valid until"
            f" {rfc3339(max(alive))} at the latest. Debian's aws 2.9 keeps using them in a process that had such a role"
            " session, even without the token file.",
            _remove(facts),
        )
    elif old:
        yield new_finding(
            "cli_cache_old",
            f"The aws command's cache has {len(old)} set{'s' * (len(old) > 1)} of expired credentials.",
            _remove(facts),
        )
    if facts.login_cache:
        folder = facts.login_cache[0].parent
        yield new_finding(
            "login_cache",
            f"`aws login` has left a sign-in in {folder}. Profiles with `login_session` use and refresh it.",
            run(facts, "aws logout --all"),
        )


def _has_ended(facts: Facts, entry: CachedCredentials) -> bool:
    """Return whether it belongs to a role session that is known to have ended."""
    if facts.server is not None and facts.server.problem is None:
        ours = ID.search(entry.session_name)
        return ours is not None and ours[0] not in {
            session["id"] for session in facts.role_sessions
        }
    # Without a server to ask, the token file shows whether this process's own role session has ended.
    mine = entry.session_name == facts.get("AWS_ROLE_SESSION_NAME")
    return mine and facts.token_file is not None and facts.token_file.problem == "missing"


def _remove(facts: Facts) -> str:
    return run(facts, f"rm -r {shlex.quote(str(facts.cli_cache[0].path.parent))}")
