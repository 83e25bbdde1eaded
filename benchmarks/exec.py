"""What `exec` adds to a command that runs under a role session of its own.

A real server, whose STS takes 100 ms, has a default role. The command `true` is started in turn directly
and by `jupyter-wb-aws exec`, in the environment of a terminal of the server:

1. the default role by its ARN: it has an active role session, so STS is not asked again;
2. the same by the role's label, which needs one more request to the server;
3. the same through the command `jupyter wb-aws`, whose own start is Jupyter's;
4. a role without a role session: STS is asked.

For comparison, a Python program runs the command and does nothing else.

CPU is the command line's own, which other load on the machine affects less than the time.

    python benchmarks/exec.py [ROUNDS]
"""

from __future__ import annotations

import sys
from pathlib import Path

from _commands import measured, milliseconds, terminal_environment
from _support import FakeAws, Server, ask, differences, folder, print_figure, role_arn, site

BIN = Path(sys.executable).parent
STS_DELAY = 0.1
DIRECT = [str(BIN / "jupyter-wb-aws"), "exec"]
WAYS: dict[str, list[str]] = {
    "bare": [],
    "a bare Python": [sys.executable, "-c", "import os, sys; os.execvp(sys.argv[1], sys.argv[1:])"],
    "exec, the default role": [*DIRECT, role_arn(0), "--"],
    "exec, by the role's label": [*DIRECT, "Role 0", "--"],
    "jupyter wb-aws exec": [str(BIN / "jupyter"), "wb-aws", "exec", role_arn(0), "--"],
    "exec, STS asked": [*DIRECT, role_arn(1), "--"],
}


def main(rounds: int) -> None:
    """Measure and report."""
    with folder() as base:
        aws = FakeAws(sts_delay=STS_DELAY)
        server = Server(base, site(base, aws, roles=2))
        try:
            server.first_answer()
            ask(server.client(), "POST", "/aws/sessions", {"role_arn": role_arn(0)})
            commands = {way: [*words, "true"] for way, words in WAYS.items()}
            found = measured(commands, terminal_environment(server, base), rounds)
        finally:
            server.end()
    wall = {way: milliseconds(figures) for way, figures in found.items()}
    print_figure("`true`, bare", wall["bare"], "ms")
    for way in list(WAYS)[1:]:
        target = "60 ms" if way == "exec, the default role" else ""
        print_figure(f"{way}: more than bare", differences(wall["bare"], wall[way]), "ms", target)
        print_figure(f"{way}: CPU of the command line", [cpu for _, cpu in found[way]], "ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
