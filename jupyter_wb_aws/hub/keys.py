"""The hub service's signing keys: which one signs, which are published, and how they are rotated.

Several processes may use the same folder of keys. Each looks at the folder at every call, and reads it again
when it has changed; they share nothing else. `rotation` has the rules.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from jupyter_wb_aws.clock import Clock
from jupyter_wb_aws.hub import key_changes, rotation
from jupyter_wb_aws.hub.deadline import KEYS_LOCK_SECONDS, KEYS_START_LOCK_SECONDS
from jupyter_wb_aws.hub.errors import RotationRefused
from jupyter_wb_aws.hub.jwk import PrivateKey
from jupyter_wb_aws.hub.key_changes import KeySettings, Rotation
from jupyter_wb_aws.hub.key_folder import Contents, KeyFolder
from jupyter_wb_aws.hub.key_problems import (
    KeyProblem,
    held_by_another,
    no_key,
    problems_of,
    read_only,
)
from jupyter_wb_aws.hub.rotation import Key
from jupyter_wb_aws.private_folder import refusal

log = logging.getLogger(__name__)

# After a failed write that nobody has asked for, such as that of the first key.
_RETRY_AFTER = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The key that signs now."""

    kid: str
    algorithm: str
    private_key: PrivateKey = field(repr=False)
    made_at: datetime = field(repr=False)


class SigningKeys:
    """The keys in a folder. Blocking; several threads may use it.

    Args:
        folder: the folder with the keys.
        algorithm: of new keys: `RS256` or `ES256`.
        token_lifetime: how long tokens are valid, in seconds.
        publish_lead: how long a new key is published before it signs, in seconds.
        clock: what time it is.
    """

    def __init__(
        self,
        folder: Path,
        algorithm: str,
        token_lifetime: float,
        publish_lead: float,
        clock: Clock,
    ) -> None:
        self._folder = KeyFolder(folder)
        lifetime, lead = timedelta(seconds=token_lifetime), timedelta(seconds=publish_lead)
        self._settings = KeySettings(algorithm, lifetime, lead)
        self._clock = clock
        self._guard = threading.RLock()
        self._contents = Contents(problem="was not read yet")
        self._fingerprint: object = None
        self._is_prepared = False
        # Where others write the folder: when this process first saw a key; None for those that it began with.
        self._first_seen: dict[str, datetime | None] = {}
        self._failed_at: datetime | None = None
        self._failure: str | None = None
        self._logged: list[KeyProblem] = []

    def open(self) -> None:
        """Prepare the folder: make it and its first key. What goes wrong is in `problems`, and is tried again."""
        with self._guard:
            self._look()
            if (current := self._current()) is not None:
                log.info("Tokens are signed with the key %s (%s).", current.kid, current.algorithm)

    def signing_key(self) -> SigningKey:
        """Return the key to sign with now.

        Raises:
            KeysUnavailable: if there is none.
        """
        with self._guard:
            self._look()
            key = self._current()
        if key is None or key.private is None:
            raise no_key()
        return SigningKey(key.kid, key.algorithm, key.private, key.made_at)

    def public_keys(self) -> dict[str, list[dict[str, str]]]:
        """Return the keys with which signatures are checked, as a JSON Web Key Set.

        Raises:
            KeysUnavailable: if there is none.
        """
        return {"keys": [dict(key.jwk) for key in self._published()]}

    def algorithms(self) -> list[str]:
        """Return the algorithms of the published keys.

        Raises:
            KeysUnavailable: if there is no key.
        """
        return sorted({key.algorithm for key in self._published()})

    @property
    def problems(self) -> list[KeyProblem]:
        """What is wrong with the keys now."""
        with self._guard:
            self._look()
            return self._list_problems()

    def rotate(
        self, compromised: str | None = None, is_awaited: Callable[[], bool] = lambda: True
    ) -> Rotation:
        """Make the next key, which signs once it was published for `publish_lead`; where one waits, return that.

        A compromised key is no longer published at once, and tokens that it signed are refused. Where it was the
        one that signs, a new key signs at once.

        Args:
            compromised: the key that is no longer to be trusted, if there is one.
            is_awaited: whether somebody still waits for the result; if not, nothing changes any more.

        Raises:
            KeysReadOnly: if the service can't write to the folder.
            RotationRefused: if it can't be done now.
            StillPublished: if a new key signs, but the compromised one can't be removed.
            UnknownKey: if there is no such key.
        """
        with self._guard:
            if self._folder.read().read_only:
                raise read_only(self._folder.path, compromised)
            try:
                with self._folder.lock(KEYS_LOCK_SECONDS) as held:
                    if not held:
                        raise held_by_another()
                    if not is_awaited():
                        raise refusal("it took too long")
                    rotated = self._change(compromised)
            except OSError as error:
                raise RotationRefused(
                    f"The keys can't be changed ({error.strerror}). Nothing has changed."
                ) from None
            self._failed_at = None
            self._look()
        if not is_awaited():
            log.warning("The keys were rotated after the caller had given up; see above.")
        return rotated

    def _change(self, compromised: str | None) -> Rotation:
        now = self._clock.now()
        if compromised is None:
            return key_changes.rotate(self._folder, self._settings, now)
        return key_changes.withdraw(self._folder, self._settings, compromised, now)

    def _look(self) -> None:
        """Read the folder if it has changed, and change what is due."""
        changed = self._read_if_changed()
        if self._is_change_due():
            self._make_changes()
            self._read_if_changed()
            changed = True
        if changed:
            self._report()

    def _report(self) -> None:
        problems = self._list_problems()
        for problem in problems:
            if problem not in self._logged:
                log.error("%s HubServiceApp.keys_dir is %s.", problem.detail, self._folder.path)
        self._logged = problems

    def _read_if_changed(self) -> bool:
        fingerprint = self._folder.fingerprint()
        if fingerprint == self._fingerprint:
            return False
        contents = self._folder.read()
        if contents.read_only:
            contents = replace(contents, keys=self._not_before_seen(contents.keys))
        self._contents, self._fingerprint = contents, fingerprint
        return True

    def _not_before_seen(self, keys: tuple[Key, ...]) -> tuple[Key, ...]:
        """Let keys that came later sign once this process has published them for `publish_lead`.

        The administrator may bring a key to its place long after it was made, and to some processes before others.
        """
        seen = self._clock.now() if self._first_seen else None
        for key in keys:
            self._first_seen.setdefault(key.kid, seen)
        lead = self._settings.publish_lead
        return tuple(
            replace(key, signs_from=max(key.signs_from, since + lead))
            if (since := self._first_seen[key.kid]) else key
            for key in keys
        )  # fmt: skip

    def _is_change_due(self) -> bool:
        now, contents = self._clock.now(), self._contents
        if contents.read_only:
            return False
        if self._failed_at is not None and abs(now - self._failed_at) < _RETRY_AFTER:
            return False
        replaced = rotation.replaced(contents.keys, now)
        return not self._is_prepared or contents.is_empty or bool(replaced)

    def _make_changes(self) -> None:
        now = self._clock.now()
        try:
            if not self._is_prepared:
                self._folder.make()
            # What a running process changes, another may be changing now; a start waits, but not at each call.
            is_start = not self._is_prepared or self._contents.is_empty
            seconds = KEYS_START_LOCK_SECONDS if is_start and self._failed_at is None else 0
            with self._folder.lock(seconds) as held:
                if is_start and not held:
                    raise held_by_another()
                if not self._is_prepared:
                    key_changes.prepare(self._folder, self._settings, now)
                elif held:
                    key_changes.settle(self._folder, self._settings, now)
        except OSError as error:
            self._failed_at, self._failure = now, error.strerror
        else:
            self._is_prepared, self._failed_at, self._failure = True, None, None

    def _current(self) -> Key | None:
        return rotation.signing(self._contents.keys, self._clock.now())

    def _published(self) -> list[Key]:
        with self._guard:
            self._look()
            keys = rotation.published(self._contents.keys, self._clock.now())
        if not keys:
            raise no_key()
        return keys

    def _list_problems(self) -> list[KeyProblem]:
        return problems_of(self._contents, self._settings.algorithm, self._failure)
