"""Times commands that a user runs in a terminal of a real server."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from _support import Server, server_environment


def terminal_environment(server: Server, base: Path) -> dict[str, str]:
    """Return the environment of a terminal of a server whose home folder is `base`."""
    return {
        **server_environment(base),
        "JUPYTER_SERVER_URL": f"http://127.0.0.1:{server.port}/",
        "PATH": os.environ["PATH"],
    }


def measured(
    ways: Mapping[str, Sequence[str]],
    environment: Mapping[str, str],
    rounds: int,
    check: Callable[[Sequence[str], bytes], None] = lambda _words, _printed: None,
) -> dict[str, list[tuple[float, float]]]:
    """Run commands in turn; return the ms that each run takes, and its CPU ms.

    Args:
        ways: the commands, by name.
        environment: of the commands.
        rounds: how often each is run, besides a first time that fills the disk's cache.
        check: raises an error if a command has not printed what it should.
    """
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for number in range(rounds + 1):
        for way, words in ways.items():
            figures = _took(words, environment, check)
            if number:
                found[way].append(figures)
    return found


def milliseconds(figures: Iterable[tuple[float, float]]) -> list[float]:
    """Return the times without the CPU."""
    return [ms for ms, _ in figures]


def _took(
    words: Sequence[str],
    environment: Mapping[str, str],
    check: Callable[[Sequence[str], bytes], None],
) -> tuple[float, float]:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(words, env=environment, stdin=subprocess.DEVNULL, stdout=-1, check=True)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    check(words, done.stdout)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall * 1000, cpu * 1000
