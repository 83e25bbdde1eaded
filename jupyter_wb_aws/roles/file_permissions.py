"""Whether users other than root and this server's can change a file."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path


def explain_unsafe_permissions(path: Path) -> str | None:
    """Explain how other users can change or replace a file; None if they can't.

    A folder with the sticky bit protects the files of others in it. Files on a read-only file system
    can't be changed, such as those of a Kubernetes ConfigMap, whose folders are open to all.

    Raises:
        OSError: if the permissions of the file or a folder above it can't be read.
    """
    target = path.resolve()
    if os.statvfs(target).f_flag & os.ST_RDONLY:
        return None
    folders = dict.fromkeys([*target.parents, *path.absolute().parents])
    for place in (target, *folders):
        status = place.stat()
        if (how := _open_to(status)) is not None:
            return f"{place} {how}"
    return None


def _open_to(status: os.stat_result) -> str | None:
    if status.st_uid not in {0, os.geteuid()}:
        return f"belongs to another user ({_name(status.st_uid)})"
    if stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX:
        return None  # others can't replace files that are not theirs
    if status.st_mode & stat.S_IWOTH:
        return "can be written by every user of this machine"
    if status.st_mode & stat.S_IWGRP and not _is_private_group(status):
        return f"can be written by the group {_group(status.st_gid)}"
    return None


def _is_private_group(status: os.stat_result) -> bool:
    """Whether the group is root's, or the owner's own without other members."""
    if status.st_gid == 0:
        return True
    try:
        group, owner = grp.getgrgid(status.st_gid), pwd.getpwuid(status.st_uid)
    except KeyError:
        return False
    return group.gr_name == owner.pw_name and set(group.gr_mem) <= {owner.pw_name}


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
