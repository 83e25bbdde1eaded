"""A real JupyterHub with its proxy on loopback, and how its users, their servers and its administrator talk to it.

It is the JupyterHub of `WB_AWS_TESTED_VENV` (this virtual environment, if not set), see tests/running_demo.py. Where root
runs the tests, its users are users of the machine; else all their servers run under one uid.
"""

from __future__ import annotations

import contextlib
import json
import os
import pprint
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import websocket

from tests.hub.system_users import (
    can_make_users,
    end_processes,
    python_for_users,
    system_users,
)
from tests.peers.ports import free_ports
from tests.running_demo import TESTED
from tests.running_server import RunningServer

PROXY = Path(sys.prefix) / "bin/configurable-http-proxy"
SPAWNERS = Path(__file__).with_name("spawners.py")
SECONDS = 120  # for whatever the hub is waited for: the machine may be busy
SHOWN = 4000  # characters at the end of a log, when something has failed
EVERYTHING = ["admin:users", "admin:servers", "admin:groups", "admin:server_state", "tokens", "shares",
              "access:servers", "access:services", "read:services", "read:hub", "shutdown"]  # fmt: skip


@contextlib.contextmanager
def running_hub(**options):
    """Run a hub; see `RunningHub` for the options. Nothing of it is left, also when the test fails."""
    with contextlib.ExitStack() as stack:
        hub = RunningHub(**options)
        stack.callback(shutil.rmtree, hub.folder, ignore_errors=True)
        hub.prepare(stack)
        stack.callback(end_marked, hub.folder)
        stack.callback(hub.stop)
        hub.start()
        yield hub


def until(met, what, seconds=SECONDS):
    """Wait until a condition is met.

    Args:
        met: returns the condition.
        what: to say what was waited for, or a function that does.
        seconds: how long, at most.

    Returns:
        what `met` returned.
    """
    deadline = time.monotonic() + seconds
    while not (value := met()):
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} s: {what() if callable(what) else what}")
        time.sleep(0.2)
    return value


class RunningHub:
    """A JupyterHub at `url`, in `folder`, whose users log in with any password.

    `ports` are those of the proxy, of the hub behind it, and of the proxy's API.

    Each of `services`, `roles`, `config` and `server_config` may be a function of this object instead, which
    has its `url` and `folder` by then.

    Args:
        users: their names; each gets a home of its own.
        groups: the names of each group's users, by the group's name. A test changes them by `join` and `leave`.
        services: as in `c.JupyterHub.services`.
        roles: as in `c.JupyterHub.load_roles`.
        base_url: `/`, or a path with a slash at both ends.
        config: the text of more configuration of the hub, which comes last.
        server_config: the configuration of all single-user servers, by class.
        own_uids: whether the users are users of this machine; None: if root runs the tests.
    """

    def __init__(
        self, *, users=("alice", "bob"), groups=None, services=(), roles=(), base_url="/",
        config="", server_config=None, own_uids=None,
    ):  # fmt: skip
        assert PROXY.exists(), f"run: VENV={sys.prefix} .ci/need-hub-proxy"
        self.users = tuple(users)
        self.groups = groups or {}
        self.base_url = base_url
        self.own_uids = own_uids
        self._given = services, roles, config, server_config or {}
        self._admin_token = secrets.token_hex(16)
        self._process = None
        self._python = TESTED / "bin/python"
        self.ports = free_ports(3)
        self.port = self.ports[0]
        self.url = f"http://127.0.0.1:{self.port}{base_url}"
        self.folder = Path(tempfile.mkdtemp(prefix="wb-aws-hub-"))
        self.folder.chmod(0o711)
        for name, mode in {"hub": 0o700, "logs": 0o700, "homes": 0o755, "config": 0o755}.items():
            (self.folder / name).mkdir()
            (self.folder / name).chmod(mode)
        self.homes = {name: self.folder / "homes" / name for name in self.users}

    # --- Start and stop ------------------------------------------------------------------------------

    def prepare(self, stack):
        """Make users and write the configuration; `stack` takes away what is made."""
        python = None
        if self.own_uids is not False and can_make_users():
            python = python_for_users(TESTED, self.folder / "venv")
        assert python or not self.own_uids, "no Python that every user can run"
        self.own_uids = bool(python)
        self._python = python or self._python
        system_names = {}
        if self.own_uids:
            system_names = stack.enter_context(system_users(self.homes))
        self._write("hub/system-users.json", json.dumps(system_names))
        *hub_settings, server_config = (
            given(self) if callable(given) else given for given in self._given
        )
        self._write("hub/jupyterhub_config.py", self._configuration(*hub_settings))
        self._write("config/jupyter_server_config.json", json.dumps(server_config))

    def start(self):
        """Start the hub (again), and wait until it answers through its proxy."""
        with (self.folder / "logs/hub.log").open("a") as log:
            self._process = subprocess.Popen(
                [TESTED / "bin/python", "-m", "jupyterhub", "--config", "jupyterhub_config.py"],
                cwd=self.folder / "hub",
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(self._answers, lambda: f"the hub does not answer:\n{self.log[-SHOWN:]}")

    def stop(self):
        """Stop the hub, which stops its servers, services and proxy."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            end_processes([psutil.Process(self._process.pid)])
        self._process = None
        # The hub ends the program that it started, which only started Node.
        end_marked(self.folder)

    def _answers(self):
        assert self._process.poll() is None, f"the hub has ended:\n{self.log[-SHOWN:]}"
        with contextlib.suppress(httpx.TransportError):
            return self.api("GET", "").status_code == 200
        return False

    def _environment(self):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS", "JUPYTER", "JPY"))}
        path = [self.bin, TESTED / "bin", Path(sys.prefix) / "bin", kept["PATH"]]
        return {
            **{k: v for k, v in kept.items() if not k.startswith(("PYTHON", "XDG_", "VIRTUAL_ENV"))},
            "PATH": os.pathsep.join(map(str, path)),
            MARK: str(self.folder),
            "CONFIGPROXY_AUTH_TOKEN": secrets.token_hex(16),
        }  # fmt: skip

    def _configuration(self, services, roles, text):
        _, hub_port, proxy_port = self.ports
        mark = {MARK: str(self.folder)}
        for service in services:
            if "command" in service:
                service["environment"] = {**service.get("environment", {}), **mark}
        settings = {
            "JupyterHub.bind_url": self.url,
            "JupyterHub.hub_bind_url": f"http://127.0.0.1:{hub_port}",
            "ConfigurableHTTPProxy.api_url": f"http://127.0.0.1:{proxy_port}",
            "ConfigurableHTTPProxy.command": [str(PROXY)],
            "JupyterHub.authenticator_class": "dummy",
            "Authenticator.allowed_users": set(self.users),
            "JupyterHub.allow_named_servers": True,
            "JupyterHub.load_groups": {k: {"users": list(v)} for k, v in self.groups.items()},
            "JupyterHub.services": [
                {"name": "the-tests", "api_token": self._admin_token},
                *services,
            ],
            "JupyterHub.load_roles": [
                {"name": "the-tests", "scopes": EVERYTHING, "services": ["the-tests"]},
                *roles,
            ],
            "Spawner.cmd": [str(self._python), "-m", "jupyterhub.singleuser"],
            "Spawner.args": ["--allow-root"],
            "Spawner.environment": {"JUPYTER_CONFIG_PATH": str(self.folder / "config"), **mark},
            "Spawner.start_timeout": SECONDS,
            "Spawner.http_timeout": SECONDS,
        }
        lines = [f"c.{name} = {pprint.pformat(value)}" for name, value in settings.items()]
        return "\n".join([f"load_subconfig({str(SPAWNERS)!r})", *lines, text, ""])

    def _write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o644)  # what is secret is in hub/, which is root's

    @property
    def bin(self):
        """The folder of the commands, `jupyter` and others, that every user can run."""
        return self._python.parent

    # --- The hub's API -------------------------------------------------------------------------------

    def api(self, method, path, *, token=None, body=None, **more):
        """Ask the hub's API, as the tests' administrator or with another token; return the response.

        Args:
            method, path: `GET`, `/users/alice`: what comes after `/hub/api`.
            token: whose rights are used.
            body: sent as JSON.
            more: as httpx.Client.request takes it.
        """
        return self.fetch(
            method, f"hub/api{path}", token=token or self._admin_token, body=body, **more
        )

    def fetch(self, method, path, *, token=None, body=None, **more):
        """Ask for anything below the hub's base URL, with a token or none; return the response."""
        headers = {
            **({"Authorization": f"token {token}"} if token else {}),
            **more.pop("headers", {}),
        }
        with httpx.Client(trust_env=False, timeout=60) as client:
            return client.request(method, self.url + path, headers=headers, json=body, **more)

    def token(self, user, **body):
        """Make an API token of a user's; `body` may have `scopes`, `roles`, `expires_in` (s), `note`."""
        answer = self.api("POST", f"/users/{_quoted(user)}/tokens", body=body)
        assert answer.status_code == 201, answer.text
        return answer.json()["token"]

    def join(self, group, *users):
        answer = self.api("POST", f"/groups/{group}/users", body={"users": users})
        assert answer.status_code == 200, answer.text

    def leave(self, group, *users):
        answer = self.api("DELETE", f"/groups/{group}/users", body={"users": users})
        assert answer.status_code == 200, answer.text

    def delete_user(self, user):
        """Delete a user; the servers must be stopped."""
        answer = self.api("DELETE", f"/users/{_quoted(user)}")
        assert answer.status_code == 204, answer.text

    @contextlib.contextmanager
    def log_in(self, user):
        """Log in by the form; yield the browser's side: an httpx.Client with cookies, which follows redirects."""
        options = {"trust_env": False, "timeout": 60, "base_url": self.url}
        with httpx.Client(follow_redirects=True, **options) as browser:
            browser.get("hub/login")
            form = {"username": user, "password": "any", "_xsrf": browser.cookies["_xsrf"]}
            answer = browser.post("hub/login", data=form, follow_redirects=False)
            assert answer.status_code == 302, answer.text
            yield browser

    # --- Single-user servers -------------------------------------------------------------------------

    def start_server(self, user, name=""):
        """Start a user's default or named server, and wait until it is ready.

        Returns:
            a `SingleUserServer`.
        """

        def said():
            return f"{self.server_log(user, name)[-SHOWN:]}\n{self.log[-SHOWN:]}"

        answer = self.api("POST", f"/users/{_quoted(user)}/servers/{name}", body={})
        assert answer.status_code in {201, 202}, f"{answer.text}\n{said()}"

        def ready():
            state = self._server(user, name)
            assert state, f"{user}'s server {name} has ended:\n{said()}"
            return state["ready"]

        until(ready, lambda: f"{user}'s server {name} is not ready:\n{said()}")
        return SingleUserServer(self, user, name, self._server(user, name)["state"]["pid"])

    def start_servers(self, *users):
        """Start the default servers of several users at once; return them by user."""
        with ThreadPoolExecutor() as starting:
            return dict(zip(users, starting.map(self.start_server, users), strict=True))

    def stop_server(self, user, name=""):
        """Stop a user's server as the hub does, and wait until the hub says that it is stopped."""
        answer = self.api("DELETE", f"/users/{_quoted(user)}/servers/{name}")
        assert answer.status_code in {202, 204}, answer.text
        until(lambda: not self._server(user, name), f"{user}'s server {name} does not stop")

    def _server(self, user, name):
        found = self.api("GET", f"/users/{_quoted(user)}").json()["servers"].get(name)
        return found if found and not found.get("stopped") else None

    # --- What it says --------------------------------------------------------------------------------

    @property
    def log(self):
        """What the hub, its proxy and its managed services have said."""
        return (self.folder / "logs/hub.log").read_text(errors="replace")

    def server_log(self, user, name=""):
        """What a user's server has said, over all of its starts."""
        path = self.folder / f"logs/{user}-{name or 'default'}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def processes(self):
        """Return every process of this hub: itself, its proxy, services, servers, and their kernels."""
        return marked(self.folder)


class SingleUserServer(RunningServer):
    """A user's server, asked through the hub's proxy with a token of that user's.

    `url` is its base URL; `pid` its process; `api_token` what the hub gave it as JUPYTERHUB_API_TOKEN. Its paths
    begin with a slash, as those of any server: `server("GET", "/aws/sessions")`.
    """

    def __init__(self, hub, user, name, pid):
        super().__init__(None, hub.port, hub.token(user))
        self.hub, self.user, self.name, self.pid = hub, user, name, pid
        self.prefix = f"user/{_quoted(user)}/{f'{_quoted(name)}/' if name else ''}"
        self.url = hub.url + self.prefix
        self.home = hub.homes[user]

    @property
    def environment(self):
        """The environment of its process."""
        return psutil.Process(self.pid).environ()

    @property
    def api_token(self):
        return self.environment["JUPYTERHUB_API_TOKEN"]

    @property
    def log(self):
        return self.hub.server_log(self.user, self.name)

    def fetch(self, method, path, body=None, *, token=None, **more):
        """Ask it, with another token than its user's, if given; return the response."""
        path = self.prefix + path.removeprefix("/")
        return self.hub.fetch(method, path, token=token or self.token, body=body, **more)

    def ask(self, method, path, content):
        headers = {"Content-Type": "application/json"}
        return self.fetch(method, path, content=content, headers=headers).content

    def socket(self, path):
        return websocket.create_connection(
            f"{self.url.replace('http', 'ws', 1)}{path.removeprefix('/')}",
            header=[f"Authorization: token {self.token}"],
            timeout=SECONDS,
        )

    def stop(self):
        self.hub.stop_server(self.user, self.name)


# --- Every process of a hub has this in its environment, so that none is left -----------------------

MARK = "WB_AWS_TESTS_HUB"


def marked(folder):
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == str(folder):
                found.append(process)
    return found


def end_marked(folder):
    """Kill what a hub has left running."""
    end_processes(marked(folder))


def _quoted(name):
    return urllib.parse.quote(name, safe="@~")
