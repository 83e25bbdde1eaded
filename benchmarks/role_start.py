"""What starting a role costs: time, with STS at 100 ms, and memory for a server's first role session.

Real servers, one for each token source without a sign-in. STS is in this process.

1. The time of `POST /aws/sessions`, each for another role, one at a time. Between them, a bare Python and
   `python -c "import botocore.session"` show how fast the machine is at the moment. A start is such an
   import, STS's 100 ms, and little else.
2. Ten starts at once, of which four run at a time.
3. RSS and USS before the first role session and after it.

    python benchmarks/role_start.py [ROUNDS]
"""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from _support import FakeAws, Server, ask, folder, print_figure, role_arn, site

STS_DELAY = 0.1
AT_ONCE = 10
SETTLED = 3


def main(rounds: int, base: Path) -> None:
    """Measure and report."""
    aws = FakeAws(sts_delay=STS_DELAY)
    for source in ("file", "command"):
        print(f"--- token source {source}")
        config = site(base / source, aws, roles=rounds + AT_ONCE + 1)
        if source == "file":
            token = base / source / "token"
            token.write_text(aws.token())
            config["WbAwsApp"]["token_source"] = "file"
            config["FileTokenSource"] = {"path": str(token)}
        server = Server(base / source, config)
        try:
            server.first_answer()
            measure(server, rounds)
        finally:
            server.end()


def measure(server: Server, rounds: int) -> None:
    """Report the figures of one server."""
    time.sleep(SETTLED)
    before = server.memory()
    start(server, 0)
    time.sleep(SETTLED)
    after = server.memory()
    for column, what in ((0, "RSS"), (1, "USS")):
        print_figure(
            f"the first role session: {what}", [after[column] - before[column]], "MiB", "12 at most"
        )
    pythons, imports, starts = [], [], []
    for number in range(rounds):
        pythons.append(took([sys.executable, "-c", "pass"]))
        imports.append(took([sys.executable, "-c", "import botocore.session"]))
        starts.append(start(server, number + 1))
    print_figure("a bare Python", pythons, "s")
    print_figure("Python that imports botocore", imports, "s")
    print_figure("a start, STS at 100 ms", starts, "s", "0.6 s at most")
    print_figure(
        "  more than the import of botocore",
        [b - a for a, b in zip(imports, starts, strict=True)],
        "s",
    )
    began = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as threads:
        each = list(threads.map(lambda n: start(server, rounds + 1 + n), range(AT_ONCE)))
    print_figure(f"{AT_ONCE} starts at once: each", each, "s")
    print_figure("  all of them", [time.perf_counter() - began], "s")


def start(server: Server, number: int) -> float:
    """Start a role, and return the seconds that it takes."""
    began = time.perf_counter()
    ask(server.client(), "POST", "/aws/sessions", {"role_arn": role_arn(number)})
    return time.perf_counter() - began


def took(command: list[Any]) -> float:
    """Run a command, and return the seconds that it takes."""
    began = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    with folder() as temporary:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 10, temporary)
