"""How long `jupyter-wb-aws credential-process` takes: by the credential endpoint, and by web identity.

A real server, whose STS takes 100 ms, has a role session of one role by each delivery. The command is run
in turn for both by the role's ARN, in the environment of a terminal of the server, as an SDK runs it for a
profile. A bare Python of the same environment is run, too, for comparison.

CPU is that of the command, which other load on the machine affects less than the time.

    python benchmarks/credential_process.py [ROUNDS]
"""

from __future__ import annotations

import compileall
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

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

import jupyter_wb_aws

STS_DELAY = 0.1
COMMAND = [str(Path(sys.executable).with_name("jupyter-wb-aws")), "credential-process"]
WAYS: dict[str, list[str]] = {
    "a bare Python": [sys.executable, "-c", "pass"],
    "by the endpoint": [*COMMAND, role_arn(0)],
    "by web identity": [*COMMAND, role_arn(1)],
}


def took(words: Sequence[str], environment: Mapping[str, str]) -> tuple[float, float]:
    """Run a command, and check what it prints; return the ms that it takes, and its CPU ms."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(words, env=environment, stdin=subprocess.DEVNULL, stdout=-1, check=True)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if words[0] == COMMAND[0] and not json.loads(done.stdout)["SessionToken"]:
        raise RuntimeError("There are no credentials.")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall * 1000, cpu * 1000


def settings(base: Path, aws: FakeAws) -> dict[str, dict[str, object]]:
    """Return those of a site whose first role is delivered by the endpoint."""
    config = site(base, aws, roles=2)
    roles = Path(config["WbAwsApp"]["roles_file"])
    first = 'label = "Role 0"\n'
    roles.write_text(roles.read_text().replace(first, f'{first}delivery = "endpoint"\n'))
    return config


def main(rounds: int) -> None:
    """Measure and report."""
    # As pip does when it installs: a checkout may have no compiled modules.
    compileall.compile_dir(Path(jupyter_wb_aws.__file__).parent, quiet=1)
    with folder() as base:
        aws = FakeAws(sts_delay=STS_DELAY)
        server = Server(base, settings(base, aws))
        try:
            server.first_answer()
            for role in (0, 1):
                ask(server.client(), "POST", "/aws/sessions", {"role_arn": role_arn(role)})
            environment = {
                **server_environment(base),
                "JUPYTER_SERVER_URL": f"http://127.0.0.1:{server.port}/",
                "PATH": os.environ["PATH"],
            }
            measured: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
            for number in range(rounds + 1):
                for way, words in WAYS.items():
                    figures = took(words, environment)
                    if number:  # the first one fills the disk's cache
                        measured[way].append(figures)
        finally:
            server.end()
    wall = {way: [ms for ms, _ in figures] for way, figures in measured.items()}
    for way, figures in measured.items():
        print_figure(way, wall[way], "ms", "60 ms" if way == "by the endpoint" else "")
        print_figure(f"{way}: CPU of the command", [cpu for _, cpu in figures], "ms")
    saved = differences(wall["by the endpoint"], wall["by web identity"])
    print_figure("by web identity: more than by the endpoint", saved, "ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
