"""The environment of the demo's JupyterLab. Pure.

The user's own configuration must not affect the demo, and the demo must not change it. So HOME and
all Jupyter folders are in the state folder. AWS credentials in the environment stay on purpose:
removing them from kernels and terminals is the extension's job, and the demo shows it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jupyter_wb_aws.demo.names import REGION

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_DROPPED = re.compile(
    # The user's own Jupyter, and the desktop's folders
    r"(JUPYTER|JUPYTERLAB|JPY|IPYTHON|XDG)_?.*"
    # Where AWS is, and the files that say so: the demo's AWS is local
    r"|AWS_ENDPOINT_URL.*|AWS_IGNORE_CONFIGURED_ENDPOINT_URLS|AWS_USE_(FIPS|DUALSTACK)_ENDPOINT"
    r"|AWS_CA_BUNDLE|AWS_CONFIG_FILE|AWS_SHARED_CREDENTIALS_FILE|AWS_DATA_PATH|BOTO_CONFIG"
    # Settings that change the look of notebooks, plots and shells
    r"|MPL.*|MATPLOTLIBRC|PYTHONSTARTUP|BASH_ENV|ENV|PROMPT_COMMAND|HISTFILE"
)
_LOOPBACK = ("127.0.0.1", "localhost")


def lab_environment(
    ambient: Mapping[str, str], state: Path, executables: Path, aws_url: str
) -> dict[str, str]:
    """Return the environment for JupyterLab.

    Args:
        ambient: the environment of the demo's own process.
        state: the run's state folder, prepared by `lab.py`.
        executables: the folder with `python`, `jupyter` and `aws`; first on PATH.
        aws_url: the URL of the local AWS.
    """
    kept = {name: value for name, value in ambient.items() if not _DROPPED.fullmatch(name)}
    return {
        **kept,
        # Without a role, kernels and terminals have the server's environment. Their calls must go
        # to the local AWS too, and not to the machine's metadata service.
        "AWS_ENDPOINT_URL": aws_url,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "PATH": f"{executables}:{kept.get('PATH', '/usr/local/bin:/usr/bin:/bin')}",
        "HOME": str(state / "home"),
        "IPYTHONDIR": str(state / "ipython"),
        "JUPYTER_CONFIG_DIR": str(state / "config"),
        "JUPYTER_DATA_DIR": str(state / "data"),
        "JUPYTER_RUNTIME_DIR": str(state / "runtime"),
        # Prefer what this environment has installed to what the user or the machine has.
        "JUPYTER_PREFER_ENV_PATH": "1",
        "JUPYTERLAB_SETTINGS_DIR": str(state / "lab-settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(state / "lab-workspaces"),
        "MPLCONFIGDIR": str(state / "matplotlib"),
        "XDG_CACHE_HOME": str(state / "home" / ".cache"),
        "XDG_CONFIG_HOME": str(state / "home" / ".config"),
        "XDG_DATA_HOME": str(state / "home" / ".local" / "share"),
        "XDG_RUNTIME_DIR": str(state / "run"),
        "NO_PROXY": _without_proxy(kept.get("NO_PROXY", "")),
        "no_proxy": _without_proxy(kept.get("no_proxy", "")),
    }


def _without_proxy(hosts: str) -> str:
    named = [host.strip() for host in hosts.split(",") if host.strip()]
    return ",".join([*named, *(host for host in _LOOPBACK if host not in named)])
