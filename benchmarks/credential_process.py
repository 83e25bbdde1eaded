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
import sys
from collections.abc import Sequence
from pathlib import Path

from _commands import measured, milliseconds, terminal_environment
from _support import FakeAws, Server, ask, differences, folder, print_figure, role_arn, site

import jupyter_wb_aws

STS_DELAY = 0.1
COMMAND = [str(Path(sys.executable).with_name("jupyter-wb-aws")), "credential-process"]
WAYS: dict[str, list[str]] = {
    "a bare Python": [sys.executable, "-c", "pass"],
    "by the endpoint": [*COMMAND, role_arn(0)],
    "by web identity": [*COMMAND, role_arn(1)],
}


def check(words: Sequence[str], printed: bytes) -> None:
    """Require that the command has printed credentials."""
    if words[0] == COMMAND[0] and not json.loads(printed)["SessionToken"]:
        raise RuntimeError("There are no credentials.")


def main(rounds: int) -> None:
    """Measure and report."""
    # As pip does when it installs: a checkout may have no compiled modules.
    compileall.compile_dir(Path(jupyter_wb_aws.__file__).parent, quiet=1)
    with folder() as base:
        aws = FakeAws(sts_delay=STS_DELAY)
        server = Server(base, site(base, aws, roles=2, by_endpoint={0}))
        try:
            server.first_answer()
            for role in (0, 1):
                ask(server.client(), "POST", "/aws/sessions", {"role_arn": role_arn(role)})
            found = measured(WAYS, terminal_environment(server, base), rounds, check)
        finally:
            server.end()
    wall = {way: milliseconds(figures) for way, figures in found.items()}
    for way, figures in found.items():
        print_figure(way, wall[way], "ms", "60 ms" if way == "by the endpoint" else "")
        print_figure(f"{way}: CPU of the command", [cpu for _, cpu in figures], "ms")
    saved = differences(wall["by the endpoint"], wall["by web identity"])
    print_figure("by web identity: more than by the endpoint", saved, "ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
