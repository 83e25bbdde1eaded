"""What the commands for keys do: each returns what it has to say."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from datetime import timedelta
from pathlib import Path

from jupyter_wb_aws.clock import Clock, rfc3339
from jupyter_wb_aws.hub import rotation
from jupyter_wb_aws.hub.audit import note_rotation_by_command
from jupyter_wb_aws.hub.discovery import CONFIGURATION_PATH, KEYS_PATH, openid_configuration
from jupyter_wb_aws.hub.errors import FileNotWritten, KeysUnavailable
from jupyter_wb_aws.hub.key_changes import Rotation, StillPublished, make_key
from jupyter_wb_aws.hub.key_files import as_file, file_name
from jupyter_wb_aws.hub.key_folder import Contents, KeyFolder
from jupyter_wb_aws.hub.keys import SigningKeys
from jupyter_wb_aws.private_folder import make_private, replace_file


def rotate(
    keys: SigningKeys, clock: Clock, compromised: str | None = None, audit_log: Path | None = None
) -> str:
    """Rotate the keys.

    Args:
        keys: the service's.
        clock: what time it is.
        compromised: a key that is no longer to be trusted.
        audit_log: where a line of it is written. Without one, or if that fails, the rotation goes on: a full disk must
            not keep a stolen key in use.

    Raises:
        WbAwsError: if that can't be done.
    """
    try:
        rotated = keys.rotate(compromised)
    except StillPublished as refused:
        missing = _note(refused.rotation, clock, compromised, audit_log)
        raise StillPublished(f"{refused.detail}{missing}", refused.rotation) from None
    return _describe(rotated, clock, compromised) + _note(rotated, clock, compromised, audit_log)


def _note(rotated: Rotation, clock: Clock, compromised: str | None, audit_log: Path | None) -> str:
    """Write the audit line; return what is to be said of it."""
    if audit_log is None:
        return ""
    try:
        asyncio.run(note_rotation_by_command(audit_log, clock, rotated, compromised))
    except OSError as error:
        return f" The audit log has no line of it: {audit_log} can't be written ({error.strerror})."
    return ""


def _describe(rotated: Rotation, clock: Clock, compromised: str | None) -> str:
    if not rotated.was_made and compromised is None:
        return (
            f"The key {rotated.kid} was made by an earlier rotation and is the next one already, so none was made. It"
            f" signs from {rfc3339(rotated.signs_from)}."
        )
    if rotated.signs_from > clock.now():
        return (
            f"The key {rotated.kid} is published now, and signs from {rfc3339(rotated.signs_from)}."
        )
    signs = f"The key {rotated.kid} signs now."
    if compromised is None:
        return signs
    waiting = " and ".join(kid for kid in rotated.withdrawn if kid != compromised)
    beside = f" With it, {waiting} was withdrawn, which waited beside it." if waiting else ""
    return (
        f"The key {compromised} is no longer published: AWS refuses what it signed as soon as it reads the keys"
        f" again.{beside} {signs}"
    )


def new_key(out: Path, algorithm: str, lead: float, clock: Clock) -> str:
    """Make a key for a folder that the service can't write to, such as a Kubernetes Secret.

    Args:
        out: the folder for its file.
        algorithm: `RS256` or `ES256`.
        lead: seconds after which it may sign; until then it has to be in all places.
        clock: what time it is.

    Raises:
        FileNotWritten: if the file can't be written.
    """
    now = clock.now()
    key = make_key(algorithm, now, now + timedelta(seconds=lead))
    path = out / file_name(key.kid)
    try:
        if not out.exists():
            make_private(out)
        _write_new(path, as_file(key))
    except OSError as error:
        raise FileNotWritten(f"{path} can't be written: {error.strerror}.") from None
    return (
        f"Made {path}, which holds a private key. Add it to the keys of the service (in Kubernetes: to its Secret) before"
        f" {rfc3339(key.signs_from)}. It signs from then on; if it is the only key, it signs at once."
    )


def export(folder: Path, issuer: str, out: Path, clock: Clock) -> str:
    """Write the two public files, for a web server that AWS can reach where the service itself is private.

    Args:
        folder: the service's keys, which are only read.
        issuer: the issuer's URL.
        out: the folder that is served at that URL.
        clock: what time it is.

    Raises:
        KeysUnavailable: if there is no key.
        FileNotWritten: if a file can't be written.
    """
    keys = rotation.published(_read(folder).keys, clock.now())
    documents = {
        CONFIGURATION_PATH: openid_configuration(issuer, sorted({key.algorithm for key in keys})),
        KEYS_PATH: {"keys": [key.jwk for key in keys]},
    }
    for name, document in documents.items():
        path = out / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, json.dumps(document, indent=2).encode() + b"\n")
        except OSError as error:
            raise FileNotWritten(f"{path} can't be written: {error.strerror}.") from None
    return f"Wrote {' and '.join(str(out / name) for name in documents)}. Serve them at {issuer} as application/json."


def require_a_key(folder: Path) -> None:
    """Check that the service has been started with this folder: a command must not make the first key.

    Raises:
        KeysUnavailable: if the folder is missing or has no key.
    """
    contents = KeyFolder(folder).read()
    if contents.is_empty or not os.path.lexists(folder):
        raise _no_key(folder, "has no key")


def _read(folder: Path) -> Contents:
    contents = KeyFolder(folder).read()
    if contents.problem is not None and os.path.lexists(folder):
        raise KeysUnavailable(
            f"The folder with the keys, {folder}, {contents.problem}. Nothing has changed.",
            hint="Run this as the hub service's own account, or correct what is named.",
        )
    if not contents.keys:
        raise _no_key(folder, contents.problem or "has no key that can be used")
    return contents


def _no_key(folder: Path, why: str) -> KeysUnavailable:
    return KeysUnavailable(
        f"The folder with the keys, {folder}, {why}. Nothing has changed.",
        hint="The service makes the first key when it starts. Is HubServiceApp.keys_dir that of the service?",
    )


def _write_new(path: Path, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        with open(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(descriptor)
    except OSError:
        with contextlib.suppress(OSError):
            path.unlink()
        raise


def _replace(path: Path, content: bytes) -> None:
    """Replace a file as a whole: AWS may read it at any moment."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        replace_file(folder, path.name, content, 0o644)
    finally:
        os.close(folder)
