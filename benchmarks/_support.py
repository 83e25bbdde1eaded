"""What the benchmarks share: a real server in a process of its own, a site, and the printing of figures.

Every server has a HOME of its own and loads only the listed extensions, so a figure measures only this
extension.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import psutil

TOKEN = "benchmark"
ACCOUNT = "111122223333"
MIB = 1024 * 1024
# These are enabled in this virtual environment. They would dominate: JupyterLab alone takes a second.
OTHERS = ("jupyterlab", "jupyter_lsp", "notebook_shim", "notebook", "nbclassic")


def print_figure(name: str, values: Sequence[float], unit: str, target: str = "") -> None:
    """Print a figure: its median, spread and number of values, and its target.

    Args:
        name: what was measured.
        values: the measured values.
        unit: their unit.
        target: what they should be.
    """
    low, high = min(values), max(values)
    if len(values) >= 4:
        low, _, high = statistics.quantiles(values, n=4)
    beside = f"   target: {target}" if target else ""
    print(
        f"{name:<58} {statistics.median(values):9.2f} {unit:<4}"
        f" [{low:.2f} … {high:.2f}] n={len(values)}{beside}",
        flush=True,
    )


def differences(one: Sequence[float], other: Sequence[float]) -> list[float]:
    """Pair values that were measured in turn, and return how much more the second took each time."""
    return [b - a for a, b in zip(one, other, strict=True)]


class Server:
    """A Jupyter Server, from its start until `end`.

    Args:
        home: an empty folder for its files.
        config: its settings, in the form of `jupyter_server_config.json`.
        enabled: whether it loads our extension.
        lab: whether it serves JupyterLab, with our extension for it if `enabled`.
        python: options for the interpreter.
    """

    def __init__(
        self,
        home: Path,
        config: Mapping[str, Mapping[str, Any]],
        *,
        enabled: bool = True,
        lab: bool = False,
        python: Sequence[str] = (),
    ) -> None:
        self.home = home
        self.port = free_port()
        extensions = dict.fromkeys(OTHERS, False) | {"jupyter_wb_aws": enabled, "jupyterlab": lab}
        server = {"allow_root": True, "open_browser": False, "port": self.port, "port_retries": 0}
        settings = {
            **config,
            "ServerApp": {
                **server,
                "jpserver_extensions": extensions,
                "root_dir": str(home / "notebooks"),
            },
            "IdentityProvider": {"token": TOKEN},
        }
        for folder in ("config", "data", "notebooks", "runtime", "run"):
            (home / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        (home / "config" / "jupyter_server_config.json").write_text(json.dumps(settings))
        if lab:
            _write_lab_settings(home, enabled=enabled)
        self.log = home / "server.log"
        with self.log.open("wb") as log:
            self.started_at = time.perf_counter()
            self._process = subprocess.Popen(
                [sys.executable, *python, "-m", "jupyter_server"],
                cwd=home, env=server_environment(home), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self.process = psutil.Process(self._process.pid)

    def first_answer(self, timeout: float = 60) -> float:
        """Return the seconds from the start to the first answered request.

        Raises:
            RuntimeError: if the server ends, or does not answer in time.
        """
        while True:
            try:
                client = self.client()
                client.connect()
            except OSError:
                if self._process.poll() is not None or self.age() > timeout:
                    raise RuntimeError(self.log.read_text()[-2000:]) from None
                time.sleep(0.002)
                continue
            ask(client, "GET", "/api")
            took = self.age()
            client.close()
            return took

    def age(self) -> float:
        """Return the seconds since the start."""
        return time.perf_counter() - self.started_at

    def client(self) -> http.client.HTTPConnection:
        """Return a keep-alive connection with a long timeout."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def memory(self) -> tuple[float, float]:
        """Return RSS and USS (the memory of this process alone) in MiB."""
        now = self.process.memory_full_info()
        return now.rss / MIB, now.uss / MIB

    def cpu(self) -> float:
        """Return the CPU seconds of all its threads, to the nanosecond.

        psutil counts ticks of 10 ms, which is more than the figures here.
        """
        total = 0
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
        return total / 1e9

    def children_cpu(self) -> float:
        """Return the CPU seconds of its children that have ended (token commands)."""
        times = self.process.cpu_times()
        return float(times.children_user + times.children_system)

    def end(self) -> None:
        """End it with its kernels."""
        children = self.process.children(recursive=True)
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for child in children:
            if child.is_running():
                child.kill()


def _write_lab_settings(home: Path, *, enabled: bool) -> None:
    """Turn off JupyterLab's news, and load our extension only if `enabled`."""
    page_config = home / "config" / "labconfig" / "page_config.json"
    news = home / "config/lab/user-settings/@jupyterlab/apputils-extension"
    for folder_ in (page_config.parent, news):
        folder_.mkdir(parents=True)
    disabled = {"disabledExtensions": {"jupyterlab-wb-aws": not enabled}}
    page_config.write_text(json.dumps(disabled))
    (news / "notification.jupyterlab-settings").write_text(
        json.dumps({"fetchNews": "false", "checkForUpdates": False})
    )


def ask(
    client: http.client.HTTPConnection, method: str, path: str, body: object = None
) -> tuple[int, bytes]:
    """Make a request, and return the status and the body of the answer.

    Args:
        client: a connection to the server.
        method: the HTTP method.
        path: the path, below the server's base URL.
        body: sent as JSON, unless it is None.

    Raises:
        RuntimeError: if the status is 400 or above.
    """
    headers = {"Authorization": f"token {TOKEN}", "Content-Type": "application/json"}
    client.request(method, path, None if body is None else json.dumps(body), headers)
    response = client.getresponse()
    content = response.read()
    if response.status >= 400:
        raise RuntimeError(f"{method} {path}: {response.status} {content[:500]!r}")
    return response.status, content


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def server_environment(home: Path) -> dict[str, str]:
    """Return the environment of a server, which its terminals inherit."""
    dropped = ("AWS_", "JUPYTER", "JPY_", "XDG_", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {
        **kept,
        "HOME": str(home),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "XDG_RUNTIME_DIR": str(home / "run"),
        "IPYTHONDIR": str(home / "ipython"),
    }


# --- The site ------------------------------------------------------------------------------------


class FakeAws(ThreadingHTTPServer):
    """An STS, an S3 without buckets, and the token endpoint of an identity provider, which count their callers.

    It accepts everything at once, so that only our own time is measured.

    Args:
        token_lifetime: seconds that a token is valid.
        sts_delay: seconds that STS takes to answer.
    """

    daemon_threads = True
    request_queue_size = 100

    def __init__(self, token_lifetime: int = 3600, sts_delay: float = 0) -> None:
        super().__init__(("127.0.0.1", 0), FakeHandler)
        self.token_lifetime = token_lifetime
        self.sts_delay = sts_delay
        self.connections = 0
        self.sts_calls = 0
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Count each connection."""
        self.connections += 1
        return super().get_request()

    def token(self) -> str:
        """Return a new token; its signature is not valid, and nothing here checks it."""
        now = time.time()
        claims = {
            "iss": self.url, "sub": "alice", "aud": "benchmark", "groups": ["analysts"],
            "iat": now, "exp": now + self.token_lifetime,
        }  # fmt: skip
        head, body = (_base64(json.dumps(part)) for part in ({"alg": "RS256"}, claims))
        return f"{head}.{body}.{_base64('signature')}"


def _base64(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


LIST_OF_BUCKETS = (
    '<ListAllMyBucketsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Buckets/>'
    "</ListAllMyBucketsResult>"
)


class FakeHandler(BaseHTTPRequestHandler):
    server: FakeAws

    def do_GET(self) -> None:
        self.send(LIST_OF_BUCKETS)

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/token":
            answer = json.dumps({"id_token": self.server.token()})
        else:
            self.server.sts_calls += 1
            time.sleep(self.server.sts_delay)
            answer = assumed(parse_qs(sent.decode()))
        self.send(answer)

    def send(self, answer: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Log nothing."""


def assumed(asked: dict[str, list[str]]) -> str:
    role = asked["RoleArn"][0].rpartition("/")[2]
    expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{asked['RoleSessionName'][0]}"
    return (
        '<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
        "<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIABENCHMARK0000000</AccessKeyId>"
        "<SecretAccessKey>none</SecretAccessKey><SessionToken>none</SessionToken>"
        f"<Expiration>{expires}</Expiration></Credentials><AssumedRoleUser><Arn>{arn}</Arn>"
        f"<AssumedRoleId>AROABENCHMARK:{asked['RoleSessionName'][0]}</AssumedRoleId></AssumedRoleUser>"
        "</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
    )


def role_arn(number: int) -> str:
    """Return the ARN of one of the site's roles."""
    return f"arn:aws:iam::{ACCOUNT}:role/team/role-{number:04}"


def site(
    home: Path, aws: FakeAws, roles: int = 1, by_endpoint: Collection[int] = ()
) -> dict[str, dict[str, Any]]:
    """Write a roles file, and return the settings of a server.

    The token source is `command`, and there is no default role.

    Args:
        home: the server's home folder.
        aws: the STS and identity provider.
        roles: the number of roles in the file.
        by_endpoint: those that the credential endpoint delivers.
    """
    home.mkdir(parents=True, exist_ok=True)
    client = home / "token-client.json"
    client.write_text(
        json.dumps({"token_endpoint": f"{aws.url}/token", "secret": "none", "user": "alice"})
    )
    path = home / "roles.toml"
    path.write_text(
        "".join(
            f'[[roles]]\narn = "{role_arn(n)}"\nlabel = "Role {n}"\nregion = "us-east-2"\n'
            f'description = "Reads and writes the bucket of team {n}"\ncolor = "green"\n'
            f'allow = [{{ groups = ["team-{n}", "analysts"] }}]\n'
            + 'delivery = "endpoint"\n' * (n in by_endpoint)
            + "\n"
            for n in range(roles)
        )
    )
    command = [sys.executable, "-m", "jupyter_wb_aws.demo.print_token", str(client)]
    return {
        "WbAwsApp": {
            "token_source": "command",
            "roles_file": str(path),
            "extra_environment": {"AWS_ENDPOINT_URL": aws.url},
        },
        "CommandTokenSource": {"command": command},
    }


@contextmanager
def folder() -> Iterator[Path]:
    """Yield a folder outside the checkout, and delete it afterwards."""
    with tempfile.TemporaryDirectory(
        prefix="wb-aws-benchmark-", ignore_cleanup_errors=True
    ) as path:
        yield Path(path)
