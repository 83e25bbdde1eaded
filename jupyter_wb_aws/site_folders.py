"""Where our folders may be on this machine: where the site's settings say, or where the environment says."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from jupyter_core.paths import jupyter_data_dir, jupyter_runtime_dir

from jupyter_wb_aws.role_sessions.places import Place

FOLDER = "jupyter_wb_aws"
RECORDS = f"{FOLDER}-records"


def token_places(setting: str, environment: Mapping[str, str] = os.environ) -> list[Place]:
    """Return where token files may be, best first.

    Args:
        setting: `WbAwsApp.token_dir`; if set, no other place is tried.
        environment: of the server.
    """
    if setting:
        return [Place(Path(setting).expanduser().absolute() / FOLDER, "WbAwsApp.token_dir")]
    return [
        Place(below / FOLDER, name, own, below / f".{FOLDER}")
        for name, below, own in _runtime_folders(environment)
    ]


def store_places(setting: str, environment: Mapping[str, str] = os.environ) -> list[Place]:
    """Return where the records of role sessions may be, best first.

    The later places may be empty after a restart of the machine, but not of the server.

    Args:
        setting: `WbAwsApp.state_dir`; if set, no other place is tried.
        environment: of the server.
    """
    if setting:
        return [Place(Path(setting).expanduser().absolute(), "WbAwsApp.state_dir")]
    data = _jupyters(jupyter_data_dir, "JUPYTER_DATA_DIR", "Jupyter's data folder", environment)
    return [
        *(Place(below / FOLDER, name) for name, below in data),
        *(Place(below / RECORDS, name, own) for name, below, own in _runtime_folders(environment)),
    ]


def _runtime_folders(
    environment: Mapping[str, str],
) -> Iterator[tuple[str, Path, Path | None]]:
    """Yield each folder with the name of its source, and the folder that this user must own.

    By the XDG Base Directory Specification, a relative path is invalid; it is refused when it is opened.
    """
    if named := environment.get("XDG_RUNTIME_DIR"):
        yield "XDG_RUNTIME_DIR", Path(named), Path(named)
    for name, path in _jupyters(
        jupyter_runtime_dir, "JUPYTER_RUNTIME_DIR", "Jupyter's runtime folder", environment
    ):
        yield name, path, None
    # Anyone can make a folder in /tmp: this user must own the one with our name.
    for name, shared in (("TMPDIR", environment.get("TMPDIR")), ("/tmp", "/tmp")):  # noqa: S108
        if shared:
            own = Path(shared) / f"{FOLDER}-{os.geteuid()}"
            yield name, own, own


def _jupyters(
    folder: Callable[[], str], variable: str, usual: str, environment: Mapping[str, str]
) -> Iterator[tuple[str, Path]]:
    try:
        path = Path(folder()).absolute()
    except (RuntimeError, OSError):  # the home folder is not known
        return
    yield (variable if environment.get(variable) else usual), path
