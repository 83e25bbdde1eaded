"""The token file: whether it exists, only its owner can read it, and its token is valid."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import timedelta

from jupyter_wb_aws.aws.iam_claims import audience_of, claim_warnings, printable, roles_of
from jupyter_wb_aws.aws.safe_read import FileContent
from jupyter_wb_aws.aws.sts import is_aws_endpoint
from jupyter_wb_aws.clock import rfc3339
from jupyter_wb_aws.doctor.addresses import sts_endpoint
from jupyter_wb_aws.doctor.checks.remedies import get_role, restart, run
from jupyter_wb_aws.doctor.codes import new_finding
from jupyter_wb_aws.doctor.facts import Facts
from jupyter_wb_aws.doctor.finding import Finding
from jupyter_wb_aws.errors import TokenInvalid
from jupyter_wb_aws.identity.token import WebIdentityToken

# The server refreshes a token after 80 % of its life.
EXPIRES_SOON, OVERDUE = timedelta(minutes=1), 0.9
# STS tolerates about that much.
MAX_EARLY = timedelta(minutes=1)
REFRESH = "Run: jupyter wb-aws status (it shows why the token was not refreshed)"


def check(facts: Facts) -> Iterator[Finding]:
    """Check the file, then the token in it."""
    file = facts.token_file
    if file is None:
        return
    yield from _file(facts, file)
    text = file.content.decode("utf-8", errors="replace")
    if file.problem or not text.strip():
        return
    if text != text.strip():
        yield new_finding(
            "token_file_newline",
            f"{file.path} has blanks or a newline around the token. SDKs send the file's bytes as they are.",
            f'Run: (umask 077; printf %s "$(cat {_quoted(file)})" > {_quoted(file)}.new) && mv {_quoted(file)}.new {_quoted(file)}'
            " (and change the program that writes the file)",
        )
    try:
        token = WebIdentityToken.parse(text.strip(), facts.now)
    except TokenInvalid as problem:
        yield new_finding(
            "token_malformed", _sentence(problem), restart(facts), admin_hint=problem.admin_hint
        )
        return
    yield from _times(token, facts)
    yield from _claims(token, facts)


def token_in(facts: Facts) -> WebIdentityToken | None:
    """Return the token in the file; None if it can't be read."""
    file = facts.token_file
    if file is None or file.problem:
        return None
    try:
        text = file.content.decode("utf-8", errors="replace").strip()
        return WebIdentityToken.parse(text, facts.now)
    except TokenInvalid:
        return None


def _sentence(problem: TokenInvalid) -> str:
    return problem.detail.replace("the token source gave", "is in the token file").replace(
        "The token source gave", "The token file has"
    )


def _file(facts: Facts, file: FileContent) -> Iterator[Finding]:
    if not file.path.is_absolute():
        yield new_finding(
            "token_file_relative",
            f"AWS_WEB_IDENTITY_TOKEN_FILE is not an absolute path ({file.path}). No SDK expands `~`, and a relative path"
            " depends on the folder that a program runs in.",
            restart(facts),
        )
    if file.problem == "missing":
        yield new_finding(
            "token_file_missing",
            f"{file.path} does not exist: the role session has ended, or its server no longer runs.",
            _without_file(facts),
        )
    elif file.problem:
        yield new_finding(
            "token_file_unreadable",
            f"{file.path} can't be read.",
            f"Run: ls -l {_quoted(file)} (it must be your own file, with -rw-------)",
        )
    elif not file.content.strip():
        yield new_finding("token_file_empty", f"{file.path} is empty.", REFRESH)
    if file.mode & 0o077 and file.problem is None:
        yield new_finding(
            "token_file_open",
            f"Other users of this machine can access {file.path} (mode {file.mode & 0o777:o}).",
            f"Run: chmod 600 {_quoted(file)}",
        )


def _without_file(facts: Facts) -> str:
    """Return the remedy: a new process if the role session is active; otherwise a new role session."""
    if facts.server is None or facts.server.problem is not None:
        status = run(facts, "jupyter wb-aws status")
        return f"{status}. If it lists the role: {restart(facts)} If not: {get_role(facts)}"
    name = facts.get("AWS_ROLE_SESSION_NAME")
    lives = any(s["environment"].get("AWS_ROLE_SESSION_NAME") == name for s in facts.role_sessions)
    return restart(facts) if name and lives else get_role(facts)


def _times(token: WebIdentityToken, facts: Facts) -> Iterator[Finding]:
    left = token.expires_at - facts.now
    if left <= timedelta(0):
        yield new_finding(
            "token_expired", f"The token expired at {rfc3339(token.expires_at)}.", REFRESH
        )
    elif left < EXPIRES_SOON and token.time_at_fraction(OVERDUE) <= facts.now:
        yield new_finding(
            "token_expires_soon",
            f"The token expires in {left.total_seconds():.0f} s, and was not refreshed.",
            REFRESH,
        )
    starts = [token.claims[name] for name in ("nbf", "iat") if _is_number(token.claims.get(name))]
    ahead = timedelta(seconds=max(starts, default=0) - facts.now.timestamp())
    if ahead > MAX_EARLY:
        yield new_finding(
            "token_not_yet",
            f"By this machine's clock, the token becomes valid only in {ahead.total_seconds():.0f} s.",
            "Set the clock: sudo timedatectl set-ntp true (or correct the identity provider's clock, if that one is wrong)",
        )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _claims(token: WebIdentityToken, facts: Facts) -> Iterator[Finding]:
    for warning in claim_warnings(
        token, is_aws_sts=is_aws_endpoint(sts_endpoint(facts.environment, facts.profile))
    ):
        yield new_finding(
            "token_unfit",
            f"{warning.message} ({warning.code})",
            "Hand this to your administrator; docs/identity-providers.md says what AWS requires of a token.",
        )
    known = facts.server.claims_for(facts.get("AWS_ROLE_ARN")) if facts.server else None
    if not known:
        return
    mine = {
        "iss": token.claims.get("iss"),
        "sub": token.claims.get("sub"),
        "aud": audience_of(token.claims),
        "roles": roles_of(token.claims) or None,
    }
    theirs = {**known, "aud": audience_of(known)}
    differing = [name for name in mine if printable(mine[name]) != printable(theirs.get(name))]
    if differing:
        seen = ", ".join(
            f"{n}: {printable(mine[n])!r}, not {printable(theirs.get(n))!r}" for n in differing
        )
        yield new_finding(
            "token_of_another",
            f"The token in the file differs from the server's ({seen}).",
            restart(facts),
        )


def _quoted(file: FileContent) -> str:
    return shlex.quote(str(file.path))
