"""The life of a signing key: made, published, signing, replaced, no longer published.

Pure functions of the keys and the time, which give every process the same answer:

1. A new key is published first, and signs from `signs_from` on, so that all who check signatures have
   read it by then.
2. The newest key that may sign is the one that signs. "Newest" is by `made_at`, which is later for each
   successor than for its predecessors, even where the clock was set back in between.
3. Its predecessors are replaced: they lose their private halves, and stay published until the last token
   that they signed has expired.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from jupyter_wb_aws.hub.jwk import PrivateKey, PublicKey, jwk_of

# AWS reads at most 100 keys of an issuer.
MAX_PUBLISHED = 100
# AWS accepts a token until five minutes after its `exp`.
LEEWAY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the hub service, at some point of its life.

    Args:
        public: the public half.
        made_at: when it was made; later than all keys that it succeeds.
        signs_from: when it may sign.
        published_until: when it is no longer published, once its private half was removed.
        private: the private half, if it is still there.
    """

    public: PublicKey = field(repr=False)
    made_at: datetime
    signs_from: datetime
    published_until: datetime | None = None
    private: PrivateKey | None = field(default=None, repr=False)
    jwk: dict[str, str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "jwk", jwk_of(self.public))

    @property
    def kid(self) -> str:
        """The key's id, its thumbprint."""
        return self.jwk["kid"]

    @property
    def algorithm(self) -> str:
        """The algorithm that it signs with."""
        return self.jwk["alg"]


def signing(keys: Iterable[Key], now: datetime) -> Key | None:
    """Return the key that signs now."""
    private = _oldest_first(key for key in keys if key.private is not None)
    due = [key for key in private if key.signs_from <= now]
    # None is due where the clock was set back: then the one that has been published for longest.
    return due[-1] if due else next(iter(private), None)


def waiting(keys: Sequence[Key], now: datetime) -> list[Key]:
    """Return the keys that have not signed yet, oldest first."""
    current = signing(keys, now)
    return [
        key for key in _oldest_first(keys)
        if key.private is not None and current is not None and key.made_at > current.made_at
    ]  # fmt: skip


def replaced(keys: Sequence[Key], now: datetime) -> list[Key]:
    """Return the keys that no longer sign, and still have their private half."""
    current = signing(keys, now)
    return [
        key for key in _oldest_first(keys)
        if key.private is not None and current is not None and key.made_at < current.made_at
    ]  # fmt: skip


def published(keys: Iterable[Key], now: datetime) -> list[Key]:
    """Return the keys with which signatures may be checked, oldest first."""
    current = [key for key in keys if key.published_until is None or now < key.published_until]
    return _oldest_first(current)[-MAX_PUBLISHED:]


def published_for(token_lifetime: timedelta, publish_lead: timedelta) -> timedelta:
    """Return how long a key stays published after it was replaced.

    Args:
        token_lifetime: the longest that a token was ever valid.
        publish_lead: for so long, another process may still have signed with it.
    """
    return token_lifetime + LEEWAY + publish_lead


def made_after(keys: Iterable[Key], now: datetime) -> datetime:
    """Return `made_at` of a successor of all these keys."""
    return max([now, *(key.made_at + timedelta.resolution for key in keys)])


def _oldest_first(keys: Iterable[Key]) -> list[Key]:
    return sorted(keys, key=lambda key: (key.made_at, key.kid))
