"""How long the doctor takes if everything can be reached, beside a program that only calls AWS.

A real server has a role session; STS and the identity provider answer after 100 ms. In turn, in the
environment of a terminal of that server, this runs a Python program that asks boto3 who it is, and
`jupyter wb-aws doctor`, which asks that too, and also asks STS, the identity provider and the server. Finally it
requests `GET /aws/doctor`.

    python benchmarks/doctor.py [ROUNDS]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from _support import (
    ACCOUNT,
    TOKEN,
    FakeAws,
    FakeHandler,
    Server,
    ask,
    assumed,
    differences,
    folder,
    print_figure,
    role_arn,
    server_environment,
    site,
)

DELAY = 0.1
WHO = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
DOCTOR = [str(Path(sys.executable).with_name("jupyter-wb-aws")), "doctor", "--json"]
CALLER = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    f"<Arn>arn:aws:sts::{ACCOUNT}:assumed-role/role-0000/x</Arn><UserId>AROABENCHMARK:x</UserId>"
    f"<Account>{ACCOUNT}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
)


class SlowHandler(FakeHandler):
    """Answers after 100 ms: STS's two calls, tokens, a discovery document, and anything else."""

    def do_POST(self) -> None:  # noqa: N802 - the base class's name
        """Answer a call of STS, or a token."""
        sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
        asked = parse_qs(sent)
        if self.path == "/token":
            self._answer(json.dumps({"id_token": self.server.token()}))
        else:
            self._answer(CALLER if asked["Action"] == ["GetCallerIdentity"] else assumed(asked))

    def do_GET(self) -> None:  # noqa: N802 - the base class's name
        """Answer with a discovery document."""
        self._answer(json.dumps({"issuer": self.server.url}))

    def _answer(self, text: str) -> None:
        time.sleep(DELAY)
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


def timed(command: list[str], env: Mapping[str, str]) -> tuple[float, str]:
    """Run a command; return the ms that it takes, and its output.

    Raises:
        RuntimeError: if it fails.
    """
    began = time.perf_counter()
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    took = (time.perf_counter() - began) * 1000
    if done.returncode:
        raise RuntimeError(f"{command}: {done.returncode} {done.stdout} {done.stderr}")
    return took, done.stdout


def check_that_all_was_reached(report: Mapping[str, Any]) -> None:
    """Check that everything was asked and answered; otherwise nothing would be measured.

    Raises:
        RuntimeError: if not.
    """
    wrong = [f["code"] for f in report["findings"] if f["severity"] != "info"]
    infos = {f["code"] for f in report["findings"]}
    if wrong or "server_not_found" in infos or report["call"]["outcome"] != "ok":
        raise RuntimeError(json.dumps(report, indent=1))


def main(rounds: int) -> None:
    """Measure and report."""
    found: dict[str, list[float]] = {"boto3": [], "doctor": [], "rest": []}
    with folder() as base:
        aws = FakeAws()
        aws.RequestHandlerClass = SlowHandler
        server = Server(base / "server", site(base / "server", aws))
        try:
            server.first_answer()
            client = server.client()
            _, answer = ask(
                client, "POST", "/aws/sessions", {"role_arn": role_arn(0), "default": True}
            )
            given = json.loads(answer)["environment"]
            env = {
                **{
                    k: v
                    for k, v in server_environment(server.home).items()
                    if k.lower() != "no_proxy"
                },
                **{name: value for name, value in given.items() if value is not None},
                "JUPYTER_SERVER_URL": f"http://127.0.0.1:{server.port}/",
                "JUPYTER_TOKEN": TOKEN,
                "NO_PROXY": os.environ.get("NO_PROXY", "") + ",127.0.0.1,localhost",
            }
            for turn in range(rounds + 1):
                boto3, _ = timed([sys.executable, "-c", WHO], env)
                doctor, report = timed(DOCTOR, env)
                began = time.perf_counter()
                _, of_rest = ask(client, "GET", "/aws/doctor")
                rest = (time.perf_counter() - began) * 1000
                check_that_all_was_reached(json.loads(report))
                check_that_all_was_reached(json.loads(of_rest))
                if turn:  # the first one fills the disk's cache and writes byte code
                    for kind, took in (("boto3", boto3), ("doctor", doctor), ("rest", rest)):
                        found[kind].append(took)
        finally:
            server.end()
    print_figure("a program that asks boto3 who it is", found["boto3"], "ms")
    print_figure("jupyter wb-aws doctor", found["doctor"], "ms", "1500 ms")
    print_figure("  more than that program", differences(found["boto3"], found["doctor"]), "ms")
    print_figure("GET /aws/doctor", found["rest"], "ms", "1500 ms")


if __name__ == "__main__":
    main(next((int(word) for word in sys.argv[1:] if word.isdigit()), 10))
