"""The hub service as a process of its own, and how it is asked."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from tests.peers.ports import free_ports

ANALYST = "arn:aws:iam::111122223333:role/analyst"
AUDITOR = "arn:aws:iam::111122223333:role/auditor"
ROLES = f"""
request_url = "https://requests.example.org/roles"

[[roles]]
arn = "{ANALYST}"
label = "Analyst"
delivery = "endpoint"
lease = 660
credential_lifetime = 3600
extra_environment = {{ AWS_ENDPOINT_URL_S3 = "http://127.0.0.1:9/s3" }}
allow = [{{ groups = ["analysts"] }}]

[[roles]]
arn = "{AUDITOR}"
allow = [{{ users = ["audrey"] }}]
"""
SECONDS = 60
# The command on a machine that has no configuration of its own.
COMMAND = [
    sys.executable, "-c",
    "import jupyter_wb_aws.hub.app as hub; hub.CONFIG_FILE = '/nowhere/hub_config.py'; hub.main()",
]  # fmt: skip


class RunningService:
    """The service; `settings` are those of HubServiceApp besides the folder's own."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        (self.port,) = free_ports(1)
        self.prefix = settings.pop("prefix", "/services/aws/")
        self.url = f"http://127.0.0.1:{self.port}{self.prefix}"
        self.audit_log, self.roles_file = folder / "audit.jsonl", folder / "roles.toml"
        if not self.roles_file.exists():
            self.roles_file.write_text(ROLES)
        self.log_level = settings.pop("log_level", "INFO")
        self.open_files = settings.pop("open_files", None)
        self.settings = {
            "issuer": self.url.rstrip("/"),
            "roles_file": str(self.roles_file),
            "keys_dir": str(folder / "keys"),
            "audit_log": str(self.audit_log),
            "algorithm": "ES256",
            "port": self.port,
            "prefix": self.prefix,
            **settings,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> RunningService:
        """Start it, and wait until it answers."""
        self.launch()
        self.wait_until_it_answers()
        return self

    def wait_until_it_answers(self) -> None:
        until(self._answers, lambda: f"the service does not answer:\n{self.log}")

    def launch(self, *arguments: str) -> None:
        """Start it."""
        config = self.folder / "config.json"
        config.write_text(
            json.dumps(
                {"HubServiceApp": self.settings, "Application": {"log_level": self.log_level}}
            )
        )
        with (self.folder / "service.log").open("a") as log:
            command = [*COMMAND, f"--config={config}"]
            if self.open_files is not None:
                command = ["sh", "-c", f'ulimit {self.open_files} && exec "$@"', "sh", *command]
            self.process = subprocess.Popen(
                [*command, *arguments],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=plain_environment(),
            )  # fmt: skip

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop it; return its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(20)
        finally:
            self.process.kill()
            self.process.wait(20)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the service has ended:\n{self.log}"
        with contextlib.suppress(httpx.TransportError):
            return self.ask("GET", "openapi.yaml").status_code == 200
        return False

    @property
    def log(self) -> str:
        return (self.folder / "service.log").read_text(errors="replace")

    @property
    def audit(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.audit_log.read_text().splitlines()]

    def ask(
        self, method: str, path: str, token: str | None = None, body: Any = None, **more: Any
    ) -> httpx.Response:
        """Ask it, with a token or none; return the response.

        Args:
            method, path: `GET`, `roles`.
            token: sent in the Authorization header.
            body: sent as JSON.
            more: as httpx.Client.request takes it.
        """
        headers = {
            **({"Authorization": f"Bearer {token}"} if token else {}),
            **more.pop("headers", {}),
        }
        with httpx.Client(trust_env=False, verify=False, timeout=30) as client:  # http only
            return client.request(method, self.url + path, headers=headers, json=body, **more)

    def roles(self, token: str = "alice-token") -> httpx.Response:
        return self.ask("GET", "roles", token)

    def token(self, token: str = "alice-token", role_arn: str = ANALYST) -> httpx.Response:
        return self.ask("POST", "tokens", token, {"role_arn": role_arn})

    def raw(self, request: bytes) -> tuple[int, bytes]:
        """Send a request as it is; return the answer's status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.connect()
        with contextlib.closing(connection):
            connection.sock.sendall(request)
            answer = http.client.HTTPResponse(connection.sock)
            answer.begin()
            return answer.status, answer.read()


@contextlib.contextmanager
def running_service(folder: Path, **settings: Any):
    """Run a service with these settings, and stop it at the end."""
    service = RunningService(folder, **settings)
    try:
        yield service.start()
    finally:
        service.stop()


def plain_environment() -> dict[str, str]:
    """This process's environment without what a hub, a site or a proxy would add."""
    dropped = ("JUPYTER", "AWS", "HTTP_PROXY", "http_proxy")
    return {k: v for k, v in os.environ.items() if not k.startswith(dropped)}


def until(condition, what, seconds: float = SECONDS):
    """Wait until a condition holds; fail with `what` was waited for if it does not in time."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, what() if callable(what) else what
        time.sleep(0.02)
    return found
