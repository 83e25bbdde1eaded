"""Where our folders may be, who could put another one there, and whether the file browser shows them."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jupyter_wb_aws.private_folder import refusal

# Source: path_resolution(7): as many symbolic links as Linux follows.
MAX_LINKS = 40
# Source: pam_systemd(8): a user's first log-in makes a folder here, the last log-out removes it.
RUN_USER = Path("/run/user")
UID_MAP = Path("/proc/self/uid_map")


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that may become ours, if it can be made and is safe.

    Args:
        path: the folder.
        named_by: the setting or variable that leads there, for messages.
        below: a folder that must be this user's own if it exists: after `su`, XDG_RUNTIME_DIR is not.
        hidden_path: used instead of `path` if Jupyter's file browser would show `path`.
    """

    path: Path
    named_by: str
    below: Path | None = None
    hidden_path: Path | None = None


def require_own(folder: Path | None) -> None:
    """Accept a folder that is this user's, or that does not exist and may be made.

    Raises:
        OSError: if it is another user's, or not a folder, or one that only a log-in should make.
    """
    try:
        status = folder.stat() if folder is not None else None
    except FileNotFoundError:
        if folder is not None and folder.parent == RUN_USER:
            raise refusal(f"is below {folder}, which does not exist") from None
        return
    if status is not None and not stat.S_ISDIR(status.st_mode):
        raise refusal(f"is below {folder}, which is not a folder")
    if status is not None and status.st_uid != os.geteuid():
        raise refusal(f"is below {folder}, which belongs to another user")


def may_exist(path: Path) -> bool:
    """Return whether a file exists, or might, in a place that we can't look into."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def is_shown_by_file_browser(path: Path, root: Path, *, allow_hidden: bool) -> bool:
    """Return whether Jupyter's file browser would show a path.

    Args:
        path: the path.
        root: the file browser's root folder.
        allow_hidden: whether the file browser also shows hidden files.

    Source: jupyter_core.paths.is_hidden: a path is hidden where a component begins with a dot, or
    has macOS's flag UF_HIDDEN (as ~/Library has), unless `ContentsManager.allow_hidden` is set.
    """
    real = Path(os.path.realpath(path))  # unlike Path.resolve, at ease with a loop of symlinks
    top = Path(os.path.realpath(root))
    if real != top and top not in real.parents:
        return False
    below = [part for part in (real, *real.parents) if top in part.parents]
    return allow_hidden or not any(part.name.startswith(".") or _flagged(part) for part in below)


def fallback_notices(
    code: str, what: str, place: Place, refused: Sequence[tuple[Place, OSError]]
) -> Iterator[tuple[str, str]]:
    """Yield a notice if a place further down the list is used; it says why.

    Args:
        code: the notice's code.
        what: the subject of its sentence, with the verb: "Token files are".
        place: the place that is used.
        refused: the places before it, each with the reason why it is not used.
    """
    if refused:
        why = "; ".join(f"{p.path} ({p.named_by}) {e.strerror or e}" for p, e in refused)
        yield (code, f"{what} kept in {place.path} ({place.named_by}), since {why}.")


def exposed_notices(path: Path, code: str, setting: str) -> list[tuple[str, str]]:
    """Return a notice for each way in which other users could put another folder in the place of ours.

    Args:
        path: our folder.
        code: the notice's code.
        setting: the setting to change.
    """
    remedy = f"Take that right from them, or set {setting} to a folder above which only this user and root can write."
    return [
        (code, f"{wrong}, and {path} is below: another folder could be put in its place. {remedy}")
        for wrong in exposed_folders(path)
    ]


def exposed_folders(path: Path) -> list[str]:
    """Name the folders on the way to `path` that users other than this one and root can change.

    A folder that others can write to is safe if it is sticky, as /tmp is: there, nobody can rename or
    remove another user's files.
    """
    try:
        wrong = [_exposed(step) for step in steps_to(path)]
    except OSError:
        return []  # a link has gone, or can't be read: the folder is looked at again at the next start
    return [sentence for sentence in wrong if sentence is not None]


def steps_to(path: Path) -> list[Path]:
    """Return each folder in which the system looks up a name on the way to `path`, and each link it follows."""
    here, links, steps = Path("/"), 0, dict.fromkeys([Path("/")])
    todo = list(reversed(path.parts[1:]))
    while todo:
        steps[here] = None
        name = todo.pop()
        if name == "..":
            here = here.parent
            continue
        there = here / name
        if there.is_symlink() and links < MAX_LINKS:
            links += 1
            steps[there] = None
            target = Path(os.readlink(there))  # noqa: PTH115 - parts are wanted
            here = Path("/") if target.is_absolute() else here
            todo.extend(reversed(target.parts[1:] if target.is_absolute() else target.parts))
            continue
        here = there
    return list(steps)


def _exposed(step: Path) -> str | None:
    try:
        status = os.lstat(step)
    except OSError:
        return None
    if status.st_uid not in {0, os.geteuid()} and _is_a_user(status.st_uid):
        return f"{step} belongs to the user {_user(status.st_uid)}"
    if stat.S_ISLNK(status.st_mode) or status.st_mode & stat.S_ISVTX:
        return None
    by_group = status.st_mode & stat.S_IWGRP and not _own_group(status.st_gid)
    if not (by_group or status.st_mode & stat.S_IWOTH):
        return None
    mode = stat.S_IMODE(status.st_mode)
    return f"Others can write to {step} (mode {mode:04o}, not sticky)"


def _is_a_user(uid: int) -> bool:
    """Return whether somebody in this container can be this user; `nobody` stands for all others.

    Source: user_namespaces(7).
    """
    try:
        ranges = [line.split() for line in UID_MAP.read_text("ascii").splitlines()]
    except OSError:
        return True
    return any(int(first) <= uid < int(first) + int(count) for first, _, count in ranges)


def _own_group(gid: int) -> bool:
    """Return whether nobody else is in a group: Debian and Fedora give each user one of their own."""
    uid = os.geteuid()
    try:
        me, group = pwd.getpwuid(uid), grp.getgrgid(gid)
    except KeyError:
        return False
    alone = not set(group.gr_mem) - {me.pw_name}
    return uid != 0 and me.pw_gid == gid and group.gr_name == me.pw_name and alone


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _flagged(path: Path) -> bool:
    try:
        return bool(getattr(os.stat(path), "st_flags", 0) & stat.UF_HIDDEN)  # noqa: PTH116
    except OSError:
        return False
