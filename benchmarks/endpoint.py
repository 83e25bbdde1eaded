"""What the credential endpoint gives over web identity, with STS at 100 ms.

A real server has a role session of each delivery. Each comparison runs its variants in turn:

1. A fresh process that imports boto3 and makes a call to S3: with static keys, by the endpoint, and by web
   identity. What the latter two take more is what the first credentials cost.
2. Twenty such processes at once, with the number of calls to STS.
3. A kernel's role is switched: the time from the request until its endpoint token gives the other role.

A kernel's start is in `kernel_start.py`, requests and memory in `endpoint_server.py`, and `credential-process` in
`credential_process.py`.

    python benchmarks/endpoint.py [ROUNDS]
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.request import Request, urlopen

import psutil
from _support import (
    FakeAws,
    Server,
    ask,
    differences,
    folder,
    print_figure,
    role_arn,
    server_environment,
    site,
)

STS_DELAY = 0.1
AT_ONCE = 20
SWITCHES = 30
DEADLINE = 10  # s
WEB_IDENTITY, ENDPOINT, OTHER_ENDPOINT = range(3)
FIRST_CALL = "import boto3; boto3.client('s3').list_buckets()"
STATIC_KEYS = {"AWS_ACCESS_KEY_ID": "AKIABENCHMARK0000000", "AWS_SECRET_ACCESS_KEY": "none"}
Environments = Mapping[str, dict[str, str]]


def main(rounds: int, base: Path) -> None:
    """Measure and report."""
    aws = FakeAws(sts_delay=STS_DELAY)
    server = Server(base, site(base, aws, 3, by_endpoint={ENDPOINT, OTHER_ENDPOINT}))
    try:
        server.first_answer()
        environments = {
            "static keys": server_environment(base)
            | STATIC_KEYS
            | {"AWS_ENDPOINT_URL": aws.url, "AWS_DEFAULT_REGION": "us-east-2"},
            "by the endpoint": server_environment(base) | start(server, ENDPOINT)[1],
            "by web identity": server_environment(base) | start(server, WEB_IDENTITY)[1],
        }
        first_calls(environments, rounds)
        processes_at_once(environments, aws)
        switches(server)
    finally:
        server.end()


def start(server: Server, role: int) -> tuple[str, dict[str, str]]:
    """Start a role, and return the id and the variables of its role session."""
    began = ask(server.client(), "POST", "/aws/sessions", {"role_arn": role_arn(role)})[1]
    session = json.loads(began)
    return session["id"], session["environment"]


def first_calls(environments: Environments, rounds: int) -> None:
    """Report the first part."""
    taken: dict[str, list[float]] = {name: [] for name in environments}
    for turn in range(rounds + 1):
        for name in sorted(environments, reverse=bool(turn % 2)):
            seconds = run(environments[name], 1)
            if turn:  # the first one fills the disk's cache
                taken[name].append(seconds * 1000)
    static = taken.pop("static keys")
    print_figure("a fresh process and its call to S3, static keys", static, "ms")
    more = {name: differences(static, values) for name, values in taken.items()}
    for name, values in more.items():
        print_figure(f"  {name}: more", values, "ms")
    by_endpoint, by_web_identity = (statistics.median(more[name]) for name in more)
    print(f"  ratio of these: {by_endpoint / by_web_identity:.2f}   target: at most 0.5")


def processes_at_once(environments: Environments, aws: FakeAws) -> None:
    """Report the second part."""
    taken: dict[str, list[float]] = {name: [] for name in environments}
    calls: dict[str, list[int]] = {name: [] for name in environments}
    for turn in range(3):
        for name in sorted(environments, reverse=bool(turn % 2)):
            before = aws.sts_calls
            taken[name].append(run(environments[name], AT_ONCE))
            calls[name].append(aws.sts_calls - before)
    static = taken.pop("static keys")
    print_figure(f"{AT_ONCE} processes at once, static keys", static, "s")
    for name, target in (("by the endpoint", "0.2 s at most"), ("by web identity", "")):
        print_figure(f"  {name}: more", differences(static, taken[name]), "s", target)
        print(f"    calls to STS besides the start's one: {calls[name]}")


def run(environment: Mapping[str, str], count: int) -> float:
    """Run processes that call S3, and return the seconds until all have ended.

    Raises:
        RuntimeError: if one fails.
    """
    began = time.perf_counter()
    command = [sys.executable, "-c", FIRST_CALL]
    processes = [subprocess.Popen(command, env=dict(environment)) for _ in range(count)]
    codes = [process.wait() for process in processes]
    took = time.perf_counter() - began
    if any(codes):
        raise RuntimeError(f"a process failed: {codes}")
    return took


def switches(server: Server) -> None:
    """Report the third part.

    Raises:
        RuntimeError: if a switch has no effect.
    """
    client = server.client()
    sessions = [start(server, role)[0] for role in (ENDPOINT, OTHER_ENDPOINT)]
    ask(client, "PUT", "/aws/default", {"session_id": sessions[0]})
    known = set(server.process.children(recursive=True))
    kernel_id = json.loads(ask(client, "POST", "/api/kernels", {"name": "python3"})[1])["id"]
    environment = new_environment(server, known)
    from_request, from_answer = [], []
    for turn in range(SWITCHES):
        which = (turn + 1) % 2
        began = time.perf_counter()
        ask(client, "PUT", f"/aws/assignments/{kernel_id}", {"session_id": sessions[which]})
        answered = time.perf_counter()
        while given_role(environment) != role_arn((ENDPOINT, OTHER_ENDPOINT)[which]):
            if time.perf_counter() - answered > DEADLINE:
                raise RuntimeError("the kernel did not get the other role")
        seen = time.perf_counter()
        from_request.append((seen - began) * 1000)
        from_answer.append((seen - answered) * 1000)
    ask(client, "DELETE", f"/api/kernels/{kernel_id}")
    print_figure("a switch: from the request to the other role", from_request, "ms", "50 ms")
    print_figure("  from its answer", from_answer, "ms")
    print(f"  the longest from the request: {max(from_request):.2f} ms")


def new_environment(server: Server, known: set[psutil.Process]) -> dict[str, str]:
    """Return the environment of the server's new child that has an endpoint token.

    Raises:
        RuntimeError: if there is none.
    """
    for child in set(server.process.children(recursive=True)) - known:
        environment = child.environ()
        if "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE" in environment:
            return environment
    raise RuntimeError("the kernel has no endpoint token")


def given_role(environment: Mapping[str, str]) -> str:
    """Return the ARN of the role whose credentials the endpoint gives to a process."""
    token = Path(environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]).read_text()
    url = environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
    with urlopen(Request(url, headers={"Authorization": token})) as answer:
        return str(json.load(answer)["RoleArn"])


if __name__ == "__main__":
    with folder() as temporary:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 15, temporary)
