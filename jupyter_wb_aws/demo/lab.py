"""The demo's JupyterLab: its state folder, and its process."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jupyter_wb_aws.demo import request_page
from jupyter_wb_aws.demo.environment import lab_environment
from jupyter_wb_aws.demo.jupyter_process import JupyterProcess, answers_ok
from jupyter_wb_aws.demo.names import redirect_uri
from jupyter_wb_aws.demo.private_file import write_private
from jupyter_wb_aws.demo.site import NOTEBOOKS, as_json, roles_file, server_config

if TYPE_CHECKING:
    from collections.abc import Mapping

_FOLDERS = ("home", "ipython", "config", "data", "runtime", "run", "lab-settings", "matplotlib")
_SETTINGS = "lab-settings/@jupyterlab/apputils-extension"
_BASHRC = """\
# Terminals of the demo: the prompt shows the AWS role.
unset PROMPT_COMMAND
PS1='(${JUPYTER_WB_AWS_ROLE:-no AWS role}) \\W \\$ '
"""


@dataclass(frozen=True, slots=True)
class LabOptions:
    """The options of a run of JupyterLab."""

    port: int
    token: str = field(repr=False)
    root: Path
    """The folder with the user's notebooks; it stays after the run."""
    issuer: str
    aws_url: str
    ambient: Mapping[str, str] = field(repr=False)
    """The environment in which the demo was started."""
    sign_in: bool = False
    """Whether the user has to sign in, instead of being alice from the start."""
    python: Path = Path(sys.executable)
    """The interpreter that runs JupyterLab."""

    @property
    def url(self) -> str:
        """The address for the browser; anyone who has it gets in, as with Jupyter's own links."""
        return f"http://127.0.0.1:{self.port}/lab?token={quote(self.token)}"

    @property
    def request_url(self) -> str:
        """Where to ask for roles: a page of the identity provider on this machine."""
        return self.issuer + request_page.PATH

    @property
    def sign_in_url(self) -> str:
        """Where the browser signs in, after Jupyter has let it in."""
        return f"http://127.0.0.1:{self.port}/aws/sign-in/start"


def client_file(state: Path) -> Path:
    """Return the path of the file that `print_token` reads."""
    return state / "token-client.json"


def prepare(state: Path, options: LabOptions) -> None:
    """Prepare the state folder, and copy the sample notebooks into the user's folder."""
    prepare_folders(state)
    (state / "roles.toml").write_text(roles_file(options.request_url), "utf-8")
    write_config(state, _config(state, options))
    copy_notebooks(options.root)


def prepare_folders(state: Path) -> None:
    """Make the folders to which `lab_environment` points, with what JupyterLab reads there."""
    for name in _FOLDERS:
        (state / name).mkdir(mode=0o700)
    (state / "home" / ".bashrc").write_text(_BASHRC, "utf-8")
    (state / _SETTINGS).mkdir(parents=True)
    news = {"fetchNews": "false", "checkForUpdates": False}
    (state / _SETTINGS / "notification.jupyterlab-settings").write_text(as_json(news), "utf-8")


def write_config(state: Path, config: Mapping[str, object]) -> None:
    """Write the server's configuration.

    In a private file, since everybody can read the server's token on a command line.
    """
    write_private(state / "config" / "jupyter_server_config.json", as_json(config))


def copy_notebooks(root: Path) -> None:
    """Copy the sample notebooks, unless they are there: they may contain the user's work."""
    root.mkdir(exist_ok=True)
    for name in NOTEBOOKS:
        if not (root / name).exists():
            source = files("jupyter_wb_aws.demo") / "notebooks" / name
            (root / name).write_bytes(source.read_bytes())


def lab_config(root: Path) -> dict[str, dict[str, Any]]:
    """Return the settings of every JupyterLab of the demo, whose users' files are in `root`."""
    return {
        "ServerApp": {
            "root_dir": str(root),
            "allow_root": os.geteuid() == 0,
            # Not a login shell (the default): Debian's /etc/profile would reset PATH.
            "terminado_settings": {"shell_command": [_shell()]},
        },
        "LabApp": {
            "news_url": None,
            "check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
            # The default one asks PyPI, and installs into the environment of the checkout.
            "extension_manager": "readonly",
        },
    }


def _config(state: Path, options: LabOptions) -> dict[str, dict[str, Any]]:
    config = lab_config(options.root)
    config["ServerApp"] |= {
        "ip": "127.0.0.1",
        "port": options.port,
        "port_retries": 0,
        "open_browser": False,
    }
    return {
        **config,
        "IdentityProvider": {"token": options.token},
        **server_config(
            roles_path=str(state / "roles.toml"),
            issuer=options.issuer,
            aws_url=options.aws_url,
            token_command=() if options.sign_in else _token_command(state),
            redirect_uri=redirect_uri(options.port),
        ),
    }


def _token_command(state: Path) -> list[str]:
    module = "jupyter_wb_aws.demo.print_token"
    return [sys.executable, "-m", module, str(client_file(state))]


def _shell() -> str:
    return shutil.which("bash") or "/bin/sh"


class Lab(JupyterProcess):
    """A running JupyterLab.

    Args:
        state: a state folder that `prepare` has filled.
        options: the same options as for `prepare`.
        verbose: show the log instead of writing it to a file.
    """

    name = "JupyterLab"

    def __init__(self, state: Path, options: LabOptions, *, verbose: bool = False) -> None:
        self._options = options
        environment = lab_environment(
            options.ambient, state, options.python.parent, options.aws_url
        )
        super().__init__(
            [str(options.python), "-m", "jupyterlab"],
            environment,
            folder=options.root,
            log=None if verbose else state / "jupyterlab.log",
            mark="JUPYTER_RUNTIME_DIR",
        )

    def answers(self) -> bool:
        """Return whether the server answers (and not another one at its port)."""
        headers = {"Authorization": f"token {self._options.token}"}
        return answers_ok(self._options.port, "/api/status", headers)

    @property
    def secret(self) -> str:
        """The server's token."""
        return self._options.token
