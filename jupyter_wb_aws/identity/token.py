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

# AssumeRoleWithWebIdentity's own limits on `WebIdentityToken` (botocore, sts service model).
MIN_TOKEN_LENGTH, MAX_TOKEN_LENGTH = 4, 20_000
# So much is read of what may be a token, so that one that is too long can be told from garbage.
MAX_TOKEN_READ = 64 * 1024
# A claim's name is told as far as that.
LONGEST_NAME = 100
# RFC 7515, 7.1.
COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")

# Far from where a `datetime` ends, since clocks' differences and leeways are added to it.
EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)

# Clocks of two well-kept machines differ by seconds; two minutes forgive a badly kept one.
LEEWAY = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Identity:
    """The user as the identity provider knows them.

    It is the server owner's, from the token source; never a request's `current_user`.
    """

    issuer: str
    subject: str
    name: str
    groups: tuple[str, ...]
    claims: Mapping[str, Any] = field(repr=False)

    def same_user(self, other: Identity) -> bool:
        """Tell whether both are one user: `sub` is unique within its issuer (OIDC Core, 5.7)."""
        return (self.issuer, self.subject) == (other.issuer, other.subject)


class SecretStr(str):
    """Text that `repr`, pickle, deep copies and `dataclasses.asdict` don't bring out; `str` does."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Show nothing of it."""
        return "'***'"

    def __reduce_ex__(self, protocol: object) -> tuple[Any, ...]:
        """Refuse: a pickle or a copy would hold the text.

        Raises:
            TypeError: always.
        """
        raise TypeError("A token is not pickled or copied: its text must not leave this process.")


@dataclass(frozen=True, slots=True, eq=False)
class WebIdentityToken:
    """A JWT and what it claims; its text shows in no `repr`, log, exception, pickle or `asdict`.

    Times are UTC, by this machine's clock. `issued_at` is the `iat` claim, or the time it was
    received where that is missing or lies in the future. `clock_ahead` is how far the issuer's clock
    was seen to be ahead of ours; its times are set back by that.
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
        """Read a JWT in its compact form (RFC 7519), without judging its signature.

        Args:
            clock_ahead: what the source saw of the issuer's clock; two minutes of it count.

        Raises:
            TokenInvalid: if `text` is no JWT, has no usable `sub` or `exp`, or is longer than STS takes.
        """
        if not MIN_TOKEN_LENGTH <= len(text) <= MAX_TOKEN_LENGTH:
            raise TokenInvalid(
                f"The token source gave {len(text)} characters; AWS takes tokens of {MIN_TOKEN_LENGTH} to {MAX_TOKEN_LENGTH}.",
                admin_hint=_too_long_hint(text) if len(text) > MAX_TOKEN_LENGTH else None,
            )
        header_of(text)
        claims = _json_part(text, 1)
        expires_at = _time_claim(claims, "exp")
        if expires_at is None:
            raise TokenInvalid("The token has no `exp` claim, so nobody can tell when it expires.")
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
        """Return the token's text; every call of this is a place for a reviewer to look at."""
        return str(self._text)

    def time_at_fraction(self, fraction: float) -> datetime:
        """Return when that much of the token's life, 0 to 1, is over."""
        return self.issued_at + fraction * (self.expires_at - self.issued_at)

    def same_text(self, other: WebIdentityToken | None) -> bool:
        """Tell whether `other` is the very same token."""
        return other is not None and self._text == other.reveal()

    @property
    def size(self) -> int:
        """How many characters the token has; AWS takes up to `MAX_TOKEN_LENGTH`."""
        return len(self._text)

    @property
    def fingerprint(self) -> str:
        """A short digest, safe to log: tells two tokens apart and gives neither away."""
        return hashlib.sha256(self._text.encode()).hexdigest()[:12]

    def identity(self, name_claim: str, groups_claim: str) -> Identity:
        """Read who the token speaks of.

        Args:
            name_claim: the claim with a name for people; `sub` where it is missing.
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

    Read here and not by PyJWT, which refuses a `kid` of null; older versions of it also skip what is
    not base64url, so that a program's "Signed in." after the token would become a part of it.

    Raises:
        TokenInvalid: if `text` is not a JWT, or has a header that can't be understood.
    """
    header = _json_part(text, 0)
    if not isinstance(optional_member(header, "kid", ""), str):
        raise TokenInvalid("The token names its key (`kid`) by something that is not text.")
    # RFC 7515, 4.1.11: what must be understood, and is not, makes the token invalid.
    if "crit" in header:
        raise TokenInvalid(
            f"The token's header has extensions that this server must understand, and does not: {header['crit']!r:.200}."
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
            admin_hint="AWS takes the OIDC id token, not an opaque access token; nothing may stand before or"
            " after it.",
        ) from None
    return found


def largest_claim(claims: Mapping[str, Any]) -> tuple[str, int]:
    """Return the name of the claim that takes the most room, and about how many characters it takes."""
    sizes = {name: len(json.dumps(value)) for name, value in claims.items()}
    name = max(sizes, key=sizes.__getitem__)
    return name, sizes[name] * 4 // 3  # base64


def _too_long_hint(text: str) -> str:
    """Say which claim to leave out; the claim's name and size are told, never what is in it."""
    hint = "Have the identity provider put fewer claims (often: groups) into the token."
    try:
        name, size = largest_claim(_json_part(text, 1))
    except (TokenInvalid, ValueError):  # not a JWT, or one without claims
        return hint
    printable = "".join(c if c.isprintable() else "?" for c in name[:LONGEST_NAME])
    return f"{hint} The largest is `{printable}`, with about {size} of them."


def _time_claim(claims: Mapping[str, Any], name: str) -> datetime | None:
    value = optional_member(claims, name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenInvalid(f"The token's `{name}` claim is not a number of seconds.")
    try:
        return max(EARLIEST, min(datetime.fromtimestamp(value, UTC), LATEST))
    except (OverflowError, ValueError, OSError):
        raise TokenInvalid(f"The token's `{name}` claim is not a time.") from None
