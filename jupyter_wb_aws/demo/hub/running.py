"""The demo's JupyterHub: its state folder, and its process."""

from __future__ import annotations

import socket
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from jupyter_wb_aws.demo.environment import lab_environment
from jupyter_wb_aws.demo.hub import site
from jupyter_wb_aws.demo.jupyter_process import JupyterProcess, answers_ok
from jupyter_wb_aws.demo.lab import copy_notebooks, lab_config, prepare_folders, write_config
from jupyter_wb_aws.demo.private_file import write_private
from jupyter_wb_aws.demo.site import as_json

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEPT = ("PATH", "LANG", "LC_ALL", "NO_PROXY", "no_proxy")
"""What users' servers have of the environment in which the demo was started; never its AWS keys."""


def _free_ports() -> tuple[int, int, int]:
    """Return ports of the loopback interface for the hub, the proxy's API and the service."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(3)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        first, second, third = (probe.getsockname()[1] for probe in probes)
    return first, second, third


@dataclass(frozen=True, slots=True)
class HubOptions:
    """The options of a run of JupyterHub."""

    port: int
    token: str = field(repr=False)
    """What the printed link has in it."""
    aws_url: str
    ambient: Mapping[str, str] = field(repr=False)
    """The environment in which the demo was started."""
    token_lifetime: int = 900
    """Seconds that the service's tokens are valid."""
    python: Path = Path(sys.executable)
    """The interpreter of the hub, the service and the servers."""
    inner_ports: tuple[int, int, int] = field(default_factory=_free_ports)
    """The ports of the hub, the proxy's API and the service."""

    @property
    def issuer(self) -> str:
        """The issuer of the service's tokens."""
        return site.issuer(self.port)

    @property
    def url(self) -> str:
        """The address for the browser; anyone who has it can log in, as with Jupyter's own links."""
        return f"http://127.0.0.1:{self.port}/hub{site.LINK_PATH}?token={quote(self.token)}"


def prepare(state: Path, options: HubOptions) -> None:
    """Prepare the state folder: of the hub, its service and its users."""
    prepare_folders(state)
    for name in ("hub", "users"):
        (state / name).mkdir(mode=0o700)
    for user in site.USERS:
        _prepare_user(state / "users" / user, options)
    (state / "roles.toml").write_text(site.ROLES_FILE, "utf-8")
    service = site.service_config(state, options.port, options.token_lifetime)
    (state / "service_config.json").write_text(as_json(service), "utf-8")
    kept = {name: value for name, value in options.ambient.items() if name in _KEPT}
    config = site.hub_config(
        state,
        ports=(options.port, *options.inner_ports),
        link_token=options.token,
        python=str(options.python),
        environments={
            user: _environment(kept, state / "users" / user, state, options) for user in site.USERS
        },
    )
    # In a private file, since it holds the link's token.
    write_private(_config_file(state), as_json(config))


def _prepare_user(folder: Path, options: HubOptions) -> None:
    folder.mkdir(mode=0o700)
    prepare_folders(folder)
    home = folder / "home"
    settings = site.server_settings(options.port, options.aws_url)
    write_config(folder, {**lab_config(home), **settings})
    copy_notebooks(home)


def _environment(
    ambient: Mapping[str, str], folder: Path, state: Path, options: HubOptions
) -> dict[str, str]:
    environment = lab_environment(ambient, folder, options.python.parent, options.aws_url)
    return {**environment, site.MARK: str(state)}


def _config_file(state: Path) -> Path:
    return state / "jupyterhub_config.json"


class Hub(JupyterProcess):
    """A running JupyterHub, with its proxy, its service and its users' servers.

    Args:
        state: a state folder that `prepare` has filled.
        options: the same options as for `prepare`.
        verbose: show the log instead of writing it to a file.
    """

    name = "JupyterHub"
    end_timeout = 15.0

    def __init__(self, state: Path, options: HubOptions, *, verbose: bool = False) -> None:
        self._options = options
        ambient = {k: v for k, v in options.ambient.items() if not k.startswith("AWS_")}
        super().__init__(
            [str(options.python), "-m", "jupyterhub", f"--config={_config_file(state)}"],
            _environment(ambient, state, state, options),
            folder=state / "hub",
            log=None if verbose else state / "jupyterhub.log",
            mark=site.MARK,
        )

    def answers(self) -> bool:
        """Return whether the hub and its service answer."""
        # The hub first: the proxy complains in the log about each request until it is there.
        hub = answers_ok(self._options.inner_ports[0], "/hub/health")
        discovery = urlsplit(self._options.issuer).path + "/.well-known/openid-configuration"
        return hub and answers_ok(self._options.port, discovery)

    @property
    def secret(self) -> str:
        """The token of the link."""
        return self._options.token
