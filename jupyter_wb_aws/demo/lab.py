"""JupyterLab as the demo starts it: a state folder of its own, and a child process."""

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
# Terminals of the demo: the prompt says which AWS role commands run with.
unset PROMPT_COMMAND
PS1='(${JUPYTER_WB_AWS_ROLE:-no AWS role}) \\W \\$ '
"""
_LOG_TAIL = 15


@dataclass(frozen=True, slots=True)
class LabOptions:
    """What a run of JupyterLab depends on."""

    port: int
    token: str = field(repr=False)
    root: Path
    """The folder with the user's notebooks; it outlives the run."""
    issuer: str
    aws_url: str
    ambient: Mapping[str, str] = field(repr=False)
    """The environment that the demo was started in."""
    sign_in: bool = False
    """Whether the user signs in, instead of being alice from the start."""
    python: Path = Path(sys.executable)
    """Whose JupyterLab is started."""

    @property
    def url(self) -> str:
        """Where the browser goes; it lets whoever has it in, as Jupyter's own links do."""
        return f"http://127.0.0.1:{self.port}/lab?token={quote(self.token)}"

    @property
    def request_url(self) -> str:
        """Where roles are asked for: a page of the identity provider's, on this machine."""
        return self.issuer + request_page.PATH

    @property
    def sign_in_url(self) -> str:
        """Where the browser signs in, once it was let in."""
        return f"http://127.0.0.1:{self.port}/aws/sign-in/start"


def client_file(state: Path) -> Path:
    """Return the file from which `print_token` learns how to ask for tokens."""
    return state / "token-client.json"


def prepare(state: Path, options: LabOptions) -> None:
    """Lay out the state folder, and put the sample notebook where the user finds it."""
    for name in _FOLDERS:
        (state / name).mkdir(mode=0o700)
    (state / "home" / ".bashrc").write_text(_BASHRC, "utf-8")
    (state / "roles.toml").write_text(roles_file(options.request_url), "utf-8")
    (state / _SETTINGS).mkdir(parents=True)
    news = {"fetchNews": "false", "checkForUpdates": False}
    (state / _SETTINGS / "notification.jupyterlab-settings").write_text(as_json(news), "utf-8")
    # Private, since it holds the server's token; a command line could be read by everybody.
    write_private(state / "config" / "jupyter_server_config.json", as_json(_config(state, options)))
    _copy_notebook(options.root)


def _copy_notebook(root: Path) -> None:
    """Copy the sample notebook unless there is one: what is there may hold the user's work."""
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
            # Not the default, a login shell: Debian's /etc/profile would reset PATH.
            "terminado_settings": {"shell_command": [_shell()]},
        },
        "IdentityProvider": {"token": options.token},
        "LabApp": {
            "news_url": None,
            "check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
            # The other one asks PyPI, and installs into the checkout's environment.
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
        state: a prepared state folder.
        verbose: show its log instead of keeping it in a file.
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
            # Out of reach of the terminal's Ctrl-C, which is for us: we end it in good order.
            start_new_session=True,
        )

    @property
    def exit_code(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._process.poll()

    def answers(self) -> bool:
        """Say whether the server, and no other one at its port, answers by now."""
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
        return "\n".join(lines[-_LOG_TAIL:]).replace(self._options.token, "[token]")

    def end(self) -> None:
        """End it with its kernels, its terminals and whatever they started."""
        end_with_all(self._process, "JUPYTER_RUNTIME_DIR", str(self._state / "runtime"))
