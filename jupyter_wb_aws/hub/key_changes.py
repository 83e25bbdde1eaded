"""How the folder of keys is changed. The caller holds its lock; each step replaces, makes or removes one file."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from jupyter_wb_aws.clock import rfc3339
from jupyter_wb_aws.hub import rotation
from jupyter_wb_aws.hub.errors import RotationRefused, UnknownKey
from jupyter_wb_aws.hub.jwk import make_private_key
from jupyter_wb_aws.hub.key_files import file_name, is_file_name
from jupyter_wb_aws.hub.key_folder import Contents, KeyFolder
from jupyter_wb_aws.hub.rotation import Key
from jupyter_wb_aws.private_folder import refusal

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KeySettings:
    """What a site decides about keys.

    Args:
        algorithm: of new keys: `RS256` or `ES256`.
        token_lifetime: how long tokens are valid.
        publish_lead: how long a new key is published before it signs.
    """

    algorithm: str
    token_lifetime: timedelta
    publish_lead: timedelta


@dataclass(frozen=True, slots=True)
class Rotation:
    """The key that a rotation leads to.

    Args:
        kid: the key.
        signs_from: when it signs.
        was_made: whether this rotation made it. If not, it was there before.
        withdrawn: the keys that were removed: a compromised one, and those that waited beside it.
        still_published: whether a key could not be removed.
    """

    kid: str
    signs_from: datetime
    was_made: bool = True
    withdrawn: tuple[str, ...] = ()
    still_published: bool = False


class StillPublished(RotationRefused):
    """A new key signs, but the compromised one can't be removed."""

    hint = "Remove the file by hand."

    def __init__(self, detail: str, rotation: Rotation) -> None:
        super().__init__(detail)
        self.rotation = rotation


def make_key(
    algorithm: str, now: datetime, signs_from: datetime, successor_of: Iterable[Key] = ()
) -> Key:
    """Generate a key.

    Args:
        algorithm: `RS256` or `ES256`.
        now: the time.
        signs_from: when it may sign.
        successor_of: the keys that are there.
    """
    made_at = rotation.made_after(successor_of, now)
    while True:
        private = make_private_key(algorithm)
        key = Key(private.public_key(), made_at, signs_from, private=private)
        if not key.kid.startswith("-"):  # commands would take it for an option
            return key


def prepare(folder: KeyFolder, settings: KeySettings, now: datetime) -> None:
    """Do what a start of the service requires.

    Args:
        folder: the keys.
        settings: the site's.
        now: the time.

    Raises:
        OSError: if the folder can't be used or written to.
    """
    folder.remove_temporary_files()
    contents = _read(folder)
    # First of all, since the keys that are there sign such tokens from now on.
    if contents.longest_lifetime < settings.token_lifetime:
        folder.write_longest_lifetime(settings.token_lifetime)
    keys = _settle(folder, settings, contents, now)
    can_sign = {key.algorithm for key in keys if key.private is not None}
    if can_sign and settings.algorithm not in can_sign:
        _add(folder, settings, keys, now)


def settle(folder: KeyFolder, settings: KeySettings, now: datetime) -> None:
    """Do what time requires: make the first key, and remove the private halves of replaced keys.

    Args:
        folder: the keys.
        settings: the site's.
        now: the time.

    Raises:
        OSError: if the folder can't be used or written to.
    """
    _settle(folder, settings, _read(folder), now)


def _settle(
    folder: KeyFolder, settings: KeySettings, contents: Contents, now: datetime
) -> tuple[Key, ...]:
    if contents.is_empty:
        return (_add(folder, settings, (), now),)
    keys = {key.kid: key for key in contents.keys}
    lifetime = max(contents.longest_lifetime, settings.token_lifetime)
    until = now + rotation.published_for(lifetime, settings.publish_lead)
    for key in rotation.replaced(contents.keys, now):
        keys[key.kid] = replace(key, private=None, published_until=until)
        folder.write(keys[key.kid])
        log.info("The key %s was replaced, and stays published until %s.", key.kid, rfc3339(until))
    return tuple(keys.values())


def rotate(folder: KeyFolder, settings: KeySettings, now: datetime) -> Rotation:
    """Make the next key, unless one is waiting already.

    Args:
        folder: the keys.
        settings: the site's.
        now: the time.

    Raises:
        RotationRefused: if as many keys are published as AWS reads.
        OSError: if the folder can't be used or written to; nothing has changed then.
    """
    keys = _read(folder).keys
    for key in rotation.waiting(keys, now):
        if key.algorithm == settings.algorithm:
            return _hasten(folder, key, now + settings.publish_lead)
    published = rotation.published(keys, now)
    if len(published) >= rotation.MAX_PUBLISHED:
        until = min(key.published_until for key in published if key.published_until)
        raise RotationRefused(
            f"{rotation.MAX_PUBLISHED} keys are published, as many as AWS reads. Nothing has changed.",
            hint=f"Rotate again after {rfc3339(until)}, when the first of them is no longer needed.",
        )
    new = _add(folder, settings, keys, now)
    _remove_expired(folder, keys, now)
    return _rotation(new)


def withdraw(folder: KeyFolder, settings: KeySettings, kid: str, now: datetime) -> Rotation:
    """Remove a compromised key at once; where it was the one that signs, a new key takes its place.

    Args:
        folder: the keys.
        settings: the site's.
        kid: the compromised key.
        now: the time.

    Raises:
        UnknownKey: if there is no such key.
        StillPublished: if the key can't be removed.
        OSError: if the folder can't be used or written to; nothing has changed then.
    """
    contents = _read(folder)
    keys = {key.kid: key for key in contents.keys}
    name = file_name(kid)
    if kid not in keys and not (is_file_name(name) and name in contents.refused):
        known = ", ".join(keys) or "none"
        raise UnknownKey(f"There is no key {kid!r:.60}. The keys are: {known}.")
    current = rotation.signing(contents.keys, now)
    if current is not None and current.kid != kid:
        folder.remove(kid)
        log.info("The key %s was withdrawn.", kid)
        return replace(_rotation(current), was_made=False, withdrawn=(kid,))
    new = _add(folder, settings, contents.keys, now, signs_from=now)
    rotated = _rotation(new)
    # The keys that wait lay beside it, and have signed nothing yet.
    for gone in (kid, *(key.kid for key in rotation.waiting(contents.keys, now))):
        try:
            folder.remove(gone)
        except OSError as error:
            raise StillPublished(
                f"The key {new.kid} signs from now on, but {folder.path / file_name(gone)} can't be removed"
                f" ({error.strerror}): that key is still published.",
                replace(rotated, still_published=True),
            ) from None
        log.info("The key %s was withdrawn.", gone)
        rotated = replace(rotated, withdrawn=(*rotated.withdrawn, gone))
    return rotated


def _add(
    folder: KeyFolder,
    settings: KeySettings,
    keys: tuple[Key, ...],
    now: datetime,
    *,
    signs_from: datetime | None = None,
) -> Key:
    """Write a new key, which signs at once where no other can."""
    if signs_from is None:
        first = rotation.signing(keys, now) is None
        signs_from = now if first else now + settings.publish_lead
    key = make_key(settings.algorithm, now, signs_from, keys)
    folder.write(key)
    log.info("Made the key %s, which signs from %s.", key.kid, rfc3339(key.signs_from))
    return key


def _hasten(folder: KeyFolder, key: Key, latest: datetime) -> Rotation:
    """Let a waiting key sign at `latest`: a clock that was wrong may have set a time in years."""
    if key.signs_from > latest:
        key = replace(key, signs_from=latest)
        folder.write(key)
    return Rotation(key.kid, key.signs_from, was_made=False)


def _rotation(key: Key) -> Rotation:
    return Rotation(key.kid, key.signs_from)


def _remove_expired(folder: KeyFolder, keys: tuple[Key, ...], now: datetime) -> None:
    """Remove what is no longer published. Not earlier: a clock that was set forward for a moment does no harm."""
    published = {key.kid for key in rotation.published(keys, now)}
    for key in keys:
        if key.kid in published or key.private is not None:
            continue
        try:
            folder.remove(key.kid)
        except OSError as error:
            log.warning("%s can't be removed: %s", folder.path / file_name(key.kid), error.strerror)


def _read(folder: KeyFolder) -> Contents:
    contents = folder.read()
    if contents.problem is not None:
        raise refusal(contents.problem)
    return contents
