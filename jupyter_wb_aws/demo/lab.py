"""The demo's JupyterLab: its state folder, and its process."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jupyter_wb_aws.demo import request_page
from jupyter_wb_aws.demo.child_processes import end_with_all
from jupyter_wb_aws.demo.environment import lab_environment
from jupyter_wb_aws.demo.names import redirect_uri
from jupyter_wb_aws.demo.private_file import write_private
from jupyter_wb_aws.demo.site import NOTEBOOK, as_json, roles_file, server_config

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import IO

_FOLDERS = ("home", "ipython", "config", "data", "runtime", "run", "lab-settings", "matplotlib")
_SETTINGS = "lab-settings/@jupyterlab/apputils-extension"
_BASHRC = """\
# Terminals of the demo: the prompt shows the AWS role.
unset PROMPT_COMMAND
PS1='(${JUPYTER_WB_AWS_ROLE:-no AWS role}) \\W \\$ '
"""
_LOG_TAIL_LINES = 15


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
    """Prepare the state folder, and copy the sample notebook into the user's folder."""
    for name in _FOLDERS:
        (state / name).mkdir(mode=0o700)
    (state / "home" / ".bashrc").write_text(_BASHRC, "utf-8")
    (state / "roles.toml").write_text(roles_file(options.request_url), "utf-8")
    (state / _SETTINGS).mkdir(parents=True)
    news = {"fetchNews": "false", "checkForUpdates": False}
    (state / _SETTINGS / "notification.jupyterlab-settings").write_text(as_json(news), "utf-8")
    # In a private file, since everybody can read the server's token on a command line.
    write_private(state / "config" / "jupyter_server_config.json", as_json(_config(state, options)))
    _copy_notebook(options.root)


def _copy_notebook(root: Path) -> None:
    """Copy the sample notebook, unless there is one: it may contain the user's work."""
    root.mkdir(exist_ok=True)
    if not (root / NOTEBOOK).exists():
        source = files("jupyter_wb_aws.demo") / "notebooks" / NOTEBOOK
        (root / NOTEBOOK).write_bytes(source.read_bytes())


def _config(state: Path, options: LabOptions) -> dict[str, dict[str, Any]]:
    return {
        "ServerApp": {
            "ip": "127.0.0.1",
            "port": options.port,
            "port_retries": 0,
            "open_browser": False,
            "root_dir": str(options.root),
            "allow_root": os.geteuid() == 0,
            # Not a login shell (the default): Debian's /etc/profile would reset PATH.
            "terminado_settings": {"shell_command": [_shell()]},
        },
        "IdentityProvider": {"token": options.token},
        "LabApp": {
            "news_url": None,
            "check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
            # The default one asks PyPI, and installs into the environment of the checkout.
            "extension_manager": "readonly",
        },
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


class Lab:
    """A running JupyterLab.

    Args:
        state: a state folder that `prepare` has filled.
        options: the same options as for `prepare`.
        verbose: show the log instead of writing it to a file.
    """

    def __init__(self, state: Path, options: LabOptions, *, verbose: bool = False) -> None:
        self._options = options
        self._state = state
        self._log = state / "jupyterlab.log"
        write_private(self._log, "")
        with self._log.open("ab") as log:
            self._process = self._spawn(None if verbose else log)

    def _spawn(self, log: IO[bytes] | None) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - an interpreter of our own
            [str(self._options.python), "-m", "jupyterlab"],
            cwd=self._options.root,
            env=lab_environment(
                self._options.ambient,
                self._state,
                self._options.python.parent,
                self._options.aws_url,
            ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log and subprocess.STDOUT,
            # Keep the terminal's Ctrl-C from it: the demo handles Ctrl-C and ends it in order.
            start_new_session=True,
        )

    @property
    def exit_code(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._process.poll()

    def answers(self) -> bool:
        """Return whether the server answers (and not another one at its port)."""
        connection = http.client.HTTPConnection("127.0.0.1", self._options.port, timeout=2)
        try:
            headers = {"Authorization": f"token {self._options.token}"}
            connection.request("GET", "/api/status", headers=headers)
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def log_tail(self) -> str:
        """Return the last lines of the log, without the server's token."""
        lines = self._log.read_text("utf-8", "replace").splitlines()
        return "\n".join(lines[-_LOG_TAIL_LINES:]).replace(self._options.token, "[token]")

    def end(self) -> None:
        """End it with its kernels, its terminals and everything that they started."""
        end_with_all(self._process, "JUPYTER_RUNTIME_DIR", str(self._state / "runtime"))
