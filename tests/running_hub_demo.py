"""A running demo with a hub, and the browsers that open its link."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager

import httpx
import psutil
import websocket

from tests.peers.ports import free_ports
from tests.running_demo import DECOYS, TESTED
from tests.running_server import RunningServer

SECONDS = 120  # for whatever is waited for: the machine may be busy
WHO = "aws sts get-caller-identity --query Arn --output text"
"""The command with which anybody sees whose credentials they have."""
MARK = "JUPYTER_WB_AWS_DEMO"


class HubDemo:
    """A demo that was started in `folder`; `said` is what it printed until it was ready."""

    def __init__(self, process, port, folder, said):
        self.process = process
        self.port = port
        self.folder = folder
        self.said = said
        self.url = f"http://127.0.0.1:{port}"
        (self.link,) = re.findall(rf"{self.url}/hub/demo\?token=\S+", said)

    @contextmanager
    def browser(self, *, lets_in=True):
        """Yield a browser that has opened the printed link; with `lets_in` false, one that has not."""
        options = {"base_url": self.url, "trust_env": False, "timeout": 60}
        with httpx.Client(follow_redirects=True, **options) as browser:
            browser.get(self.link if lets_in else "/hub/login")
            yield browser

    def log_in(self, browser, user):
        """Fill in the form as the user does: a name alone; return the answer, not yet followed."""
        form = {"username": user, "password": "", "_xsrf": browser.cookies["_xsrf"]}
        return browser.post("/hub/login", data=form, follow_redirects=False)

    def server_of(self, user):
        """Log in, and wait until the user's server is ready."""
        with self.browser() as browser:
            assert self.log_in(browser, user).is_redirect
            browser.get("/hub/spawn")
            xsrf = {"X-XSRFToken": browser.cookies.get("_xsrf", path="/hub/")}
            answer = browser.post(f"/hub/api/users/{user}/tokens", headers=xsrf)
            assert answer.status_code == 201, answer.text
        server = UsersServer(self, user, answer.json()["token"])
        until(server.is_ready, lambda: f"{user}'s server is not ready")
        return server

    @property
    def state(self):
        """The folder with everything that must be gone at the end."""
        (state,) = (self.folder / "tmp").glob("jupyter-wb-aws-*")
        return state

    def processes(self):
        """Return the demo's own process and all that it started, however far from it."""
        found = [psutil.Process(self.process.pid)]
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == str(self.state):
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found

    def stop(self, signum=signal.SIGINT):
        """Send a signal, and return the exit code."""
        self.process.send_signal(signum)
        return self.process.wait(60)


class UsersServer(RunningServer):
    """A user's server, asked through the hub's proxy with a token of that user's."""

    def __init__(self, demo, user, token):
        super().__init__(None, demo.port, token)
        self.user = user
        self.url = f"{demo.url}/user/{user}/"

    def is_ready(self):
        user = httpx.get(
            self.url.replace(f"user/{self.user}/", f"hub/api/users/{self.user}"),
            headers={"Authorization": f"token {self.token}"},
            trust_env=False,
        ).json()
        return user["servers"].get("", {}).get("ready", False)

    def ask(self, method, path, content):
        return super().ask(method, f"/user/{self.user}{path}", content)

    def socket(self, path):
        address = f"{self.url.replace('http', 'ws', 1)}{path.removeprefix('/')}"
        header = [f"Authorization: token {self.token}"]
        return websocket.create_connection(address, header=header, timeout=60)


def until(met, what):
    """Wait until a condition is met; `what` says what was waited for."""
    deadline = time.monotonic() + SECONDS
    while not met():
        assert time.monotonic() < deadline, what()
        time.sleep(0.1)


def without_root():
    """Return what runs a command without root's rights: nothing, where the tests run without them or can't drop them.

    In a user namespace it has neither root's id nor its capabilities; files of root's are still its own.
    """
    command = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return []
    dropped = subprocess.run([*command, "true"], capture_output=True, check=False)
    return [] if dropped.returncode else command


@contextmanager
def started_hub_demo(folder, *options, run_by=()):
    """Run a demo with a hub in a folder of its own.

    Args:
        folder: an empty one.
        options: the command's.
        run_by: a command that runs it, such as `without_root()`.
    """
    (folder / "tmp").mkdir()
    (folder / "home").mkdir()
    (port,) = free_ports(1)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "JUPYTER", "JPY"))}
    own = {"TMPDIR": str(folder / "tmp"), "HOME": str(folder / "home")}
    process = subprocess.Popen(
        [*run_by, TESTED / "bin/jupyter-wb-aws", "demo", "--hub", "--no-browser", "--port", str(port), *options],
        cwd=folder,
        env={**kept, **DECOYS, **own},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip
    try:
        said = "".join(itertools.takewhile(lambda line: "Ctrl-C" not in line, process.stdout))
        assert f"http://127.0.0.1:{port}/" in said, said
        yield HubDemo(process, port, folder, said)
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()
