"""What is wrong with the hub service's keys, in sentences."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jupyter_wb_aws.hub.errors import KeysReadOnly, KeysUnavailable
from jupyter_wb_aws.hub.key_files import file_name
from jupyter_wb_aws.hub.key_folder import LOCK, Contents
from jupyter_wb_aws.private_folder import refusal

MAX_FILES_NAMED = 20


@dataclass(frozen=True, slots=True)
class KeyProblem:
    """What is wrong with the keys. Only with the code `keys_unavailable` can no token be signed.

    Args:
        code: stable.
        detail: for the log: it may name files and their owners, but not the folder.
        files: how many files it is about.
    """

    code: str
    detail: str
    files: int = 1


def problems_of(contents: Contents, algorithm: str, failure: str | None) -> list[KeyProblem]:
    """Return what is wrong with a folder of keys.

    Args:
        contents: the folder's, as it was last read.
        algorithm: that of new keys.
        failure: why the folder could not be changed the last time; None if it could.
    """
    refused = sorted(contents.refused.items())
    found = [
        KeyProblem("key_file_refused", f"{name} in the folder with the keys is not used: it {why}.")
        for name, why in refused[:MAX_FILES_NAMED]
    ]
    if more := refused[MAX_FILES_NAMED:]:
        detail = f"{len(more)} more files are not used either."
        found.append(KeyProblem("key_file_refused", detail, len(more)))
    if contents.problem is not None:
        detail = f"The folder with the keys is not used: it {contents.problem}."
        found.append(KeyProblem("keys_dir_refused", detail))
    if failure is not None:
        detail = f"The folder with the keys can't be changed ({failure})."
        found.append(KeyProblem("keys_dir_not_written", detail))
    can_sign = {key.algorithm for key in contents.keys if key.private is not None}
    if contents.read_only and can_sign and algorithm not in can_sign:
        detail = f"No key is for {algorithm}, so another algorithm goes on. `new-key` makes one."
        found.append(KeyProblem("key_algorithm", detail))
    if not can_sign:
        found.append(KeyProblem("keys_unavailable", "There is no key that can sign tokens."))
    return found


def held_by_another() -> OSError:
    """Return why nothing can be changed while another process changes the keys."""
    return refusal(f"another process holds the lock {LOCK}; is it stopped?")


def no_key() -> KeysUnavailable:
    """Return the failure of a call that needs a key."""
    return KeysUnavailable(
        "The hub service has no key to sign tokens with.",
        admin_hint="The hub service's log and its health say which files can't be used, and why."
        " `jupyter-wb-aws-hub rotate` makes a new key.",
    )


def read_only(path: Path, compromised: str | None) -> KeysReadOnly:
    """Return the refusal to change keys that only the administrator can change.

    Args:
        path: the folder with the keys.
        compromised: the key that is no longer to be trusted; None for none.
    """
    old = f"take {file_name(compromised):.60} out of it" if compromised else "keep the others"
    return KeysReadOnly(
        f"This service can't write to the folder with its keys, {path}. Nothing has changed.",
        hint="Make a key with `jupyter-wb-aws-hub new-key --out DIR`, add its file to the Secret that is mounted"
        f" there, and {old}.",
    )
