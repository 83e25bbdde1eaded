"""The web identity token: the OIDC JWT that AWS STS accepts."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from jupyter_wb_aws.errors import TokenInvalid
from jupyter_wb_aws.identity.claims import claim_by_path, optional_member

# Characters. AssumeRoleWithWebIdentity's own limits on `WebIdentityToken` (botocore, sts service model).
MIN_TOKEN_LENGTH, MAX_TOKEN_LENGTH = 4, 20_000
# Bytes to read of what may be a token: more than AWS accepts, to distinguish a token that is too long from garbage.
MAX_TOKEN_READ = 64 * 1024
# Characters of a claim's name in a message.
MAX_NAME_LENGTH = 100
# RFC 7515, 7.1.
COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")

# Far from the limits of `datetime`, since clock differences and leeways are added.
MIN_TIME, MAX_TIME = datetime(1900, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)

# The clocks of two well-kept machines differ by seconds; two minutes forgive a badly kept one.
LEEWAY = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Identity:
    """The user as the identity provider knows them.

    This is the server's owner, from the token source; never a request's `current_user`.
    """

    issuer: str
    subject: str
    name: str
    groups: tuple[str, ...]
    claims: Mapping[str, Any] = field(repr=False)

    def same_user(self, other: Identity) -> bool:
        """Whether both are the same user: `sub` is unique within its issuer (OIDC Core, 5.7)."""
        return (self.issuer, self.subject) == (other.issuer, other.subject)


class SecretStr(str):
    """A text that only `str` reveals: not `repr`, pickle, a deep copy or `dataclasses.asdict`."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Hide the text."""
        return "'***'"

    def __reduce_ex__(self, protocol: object) -> tuple[Any, ...]:
        """Refuse: a pickle or a copy would hold the text.

        Raises:
            TypeError: always.
        """
        raise TypeError("A token is not pickled or copied: its text must not leave this process.")


@dataclass(frozen=True, slots=True, eq=False)
class WebIdentityToken:
    """A JWT and its claims; its text is in no `repr`, log, exception, pickle or `asdict`.

    Times are UTC, by this machine's clock. `issued_at` is the `iat` claim, or `received_at` if that is
    missing or in the future. `clock_ahead` is how far the issuer's clock is ahead of ours; it is
    subtracted from the issuer's times.
    """

    _text: str = field(repr=False)
    claims: Mapping[str, Any] = field(repr=False)
    issued_at: datetime
    expires_at: datetime
    received_at: datetime
    clock_ahead: timedelta = timedelta(0)

    @classmethod
    def parse(
        cls, text: str, received_at: datetime, clock_ahead: timedelta = timedelta(0)
    ) -> WebIdentityToken:
        """Parse a JWT in its compact form (RFC 7519), without checking its signature.

        Args:
            text: the token.
            received_at: when it came.
            clock_ahead: how far the source saw the issuer's clock ahead of ours; at most two minutes
                of it count.

        Raises:
            TokenInvalid: if `text` is not a JWT, has no usable `sub` or `exp`, or is longer than STS accepts.
        """
        if not MIN_TOKEN_LENGTH <= len(text) <= MAX_TOKEN_LENGTH:
            raise TokenInvalid(
                f"The token source gave {len(text)} characters; AWS accepts tokens of {MIN_TOKEN_LENGTH} to {MAX_TOKEN_LENGTH}.",
                admin_hint=_too_long_hint(text) if len(text) > MAX_TOKEN_LENGTH else None,
            )
        header_of(text)
        claims = _json_part(text, 1)
        expires_at = _time_claim(claims, "exp")
        if expires_at is None:
            raise TokenInvalid("The token has no `exp` claim, so it is not known when it expires.")
        subject = optional_member(claims, "sub")
        if not isinstance(subject, str):
            how = "has no `sub` claim" if subject is None else "has a `sub` claim that is not text"
            raise TokenInvalid(f"The token {how}, so it names no user.")
        received_at = received_at.astimezone(UTC)
        ahead = max(-LEEWAY, min(clock_ahead, LEEWAY))
        issued_at = (_time_claim(claims, "iat") or received_at + ahead) - ahead
        return cls(
            SecretStr(text),
            claims,
            min(issued_at, received_at),
            expires_at - ahead,
            received_at,
            ahead,
        )

    def reveal(self) -> str:
        """Return the token's text. Reviewers should look at every call of this."""
        return str(self._text)

    def time_at_fraction(self, fraction: float) -> datetime:
        """Return when this fraction of the token's life, 0 to 1, has passed."""
        return self.issued_at + fraction * (self.expires_at - self.issued_at)

    def same_text(self, other: WebIdentityToken | None) -> bool:
        """Whether `other` is exactly the same token."""
        return other is not None and self._text == other.reveal()

    @property
    def size(self) -> int:
        """The number of characters; AWS accepts up to `MAX_TOKEN_LENGTH`."""
        return len(self._text)

    @property
    def fingerprint(self) -> str:
        """A short digest, safe to log: it distinguishes two tokens and reveals neither."""
        return hashlib.sha256(self._text.encode()).hexdigest()[:12]

    def identity(self, name_claim: str, groups_claim: str) -> Identity:
        """Return the user whom the token names.

        Args:
            name_claim: the claim with the user's name to show; `sub` is used if it is missing.
            groups_claim: the claim with a list of groups (or one group's name). Both may be paths;
                see `claim_by_path`.
        """
        name = claim_by_path(self.claims, name_claim)
        groups = claim_by_path(self.claims, groups_claim)
        listed = [groups] if isinstance(groups, str) else groups
        return Identity(
            issuer=str(optional_member(self.claims, "iss", "")),
            subject=self.claims["sub"],
            name=name if isinstance(name, str) and name else self.claims["sub"],
            groups=tuple(g for g in listed if isinstance(g, str) and g)
            if isinstance(listed, list)
            else (),
            claims=self.claims,
        )


def header_of(text: str) -> Mapping[str, Any]:
    """Return the header of a JWT in its compact form (RFC 7515, 4.1).

    PyJWT refuses a `kid` of null, and its older versions skip what is not base64url, so that a program's
    "Signed in." after the token would become part of it. So this does not use PyJWT.

    Raises:
        TokenInvalid: if `text` is not a JWT, or its header can't be understood.
    """
    header = _json_part(text, 0)
    if not isinstance(optional_member(header, "kid", ""), str):
        raise TokenInvalid("The name of the token's key (`kid`) is not text.")
    # RFC 7515, 4.1.11: a critical extension that is not understood makes the token invalid.
    if "crit" in header:
        raise TokenInvalid(
            f"The token's header has critical extensions that this server does not support: {header['crit']!r:.200}."
        )
    return header


def _json_part(text: str, number: int) -> Mapping[str, Any]:
    part = text.split(".")[number] if COMPACT.fullmatch(text) else ""
    try:
        found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode())
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        # Without the cause: its message may quote the token.
        raise TokenInvalid(
            "What the token source gave is not a JSON Web Token (three parts of base64url, joined by dots).",
            admin_hint="AWS accepts the OIDC id token, not an opaque access token. There must be nothing before or"
            " after it.",
        ) from None
    return found


def largest_claim(claims: Mapping[str, Any]) -> tuple[str, int]:
    """Return the name of the largest claim, and about how many of the token's characters it takes."""
    sizes = {name: len(json.dumps(value)) for name, value in claims.items()}
    name = max(sizes, key=sizes.__getitem__)
    return name, sizes[name] * 4 // 3  # base64


def _too_long_hint(text: str) -> str:
    """Return a hint that names the largest claim and its size, never its value."""
    hint = "Have the identity provider put fewer claims (often: groups) into the token."
    try:
        name, size = largest_claim(_json_part(text, 1))
    except (TokenInvalid, ValueError):  # not a JWT, or one without claims
        return hint
    printable = "".join(c if c.isprintable() else "?" for c in name[:MAX_NAME_LENGTH])
    return f"{hint} The largest is `{printable}`, with about {size} of them."


def _time_claim(claims: Mapping[str, Any], name: str) -> datetime | None:
    value = optional_member(claims, name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenInvalid(f"The token's `{name}` claim is not a number of seconds.")
    try:
        return max(MIN_TIME, min(datetime.fromtimestamp(value, UTC), MAX_TIME))
    except (OverflowError, ValueError, OSError):
        raise TokenInvalid(f"The token's `{name}` claim is not a time.") from None
