"""How long `make demo` takes in a fresh clone, and the next times.

This clones the checkout's HEAD into a temporary folder, runs `make demo` there until `GET /aws/health`
answers, and ends it with Ctrl-C, three times. It uses this machine's cache of uv. With --empty-cache the
cache is empty, as on a newcomer's machine, and everything is downloaded from the package index.

    python benchmarks/demo_start.py [--empty-cache]
"""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
from _support import TOKEN, folder, free_port

CHECKOUT = Path(__file__).resolve().parents[1]
START_TIMEOUT = 600


def answers(port: int) -> bool:
    """Return whether the extension of the demo's server answers."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        client.request("GET", "/aws/health", headers={"Authorization": f"token {TOKEN}"})
        return client.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        client.close()


def run(clone: Path, environment: dict[str, str]) -> tuple[float, float]:
    """Start the demo and end it; return the seconds that each takes.

    Raises:
        RuntimeError: if the demo ends, or does not answer in time.
    """
    port = free_port()
    began = time.perf_counter()
    with (clone.parent / "demo.log").open("wb") as log:
        demo = subprocess.Popen(
            ["make", "demo", f"ARGS=--no-browser --port {port} --token {TOKEN}"],
            cwd=clone, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    while not answers(port):
        if demo.poll() is not None or time.perf_counter() - began > START_TIMEOUT:
            raise RuntimeError((clone.parent / "demo.log").read_text()[-2000:])
        time.sleep(0.02)
    up = time.perf_counter() - began
    started = psutil.Process(demo.pid).children(recursive=True)
    began = time.perf_counter()
    os.killpg(demo.pid, signal.SIGINT)  # as a terminal does
    demo.wait(60)
    ended = time.perf_counter() - began
    if left := [process for process in started if process.is_running()]:
        print(f"left over after Ctrl-C: {left}")
    return up, ended


def main(base: Path, *, empty_cache: bool) -> None:
    """Measure and report."""
    subprocess.run(["git", "clone", "--quiet", CHECKOUT, base / "clone"], check=True)
    environment = {k: v for k, v in os.environ.items() if k not in {"VIRTUAL_ENV", "MAKEFLAGS"}}
    if empty_cache:
        environment |= {"UV_CACHE_DIR": str(base / "uv"), "PIP_NO_CACHE_DIR": "1"}
    for which in ("on a fresh clone", "again", "a third time"):
        up, ended = run(base / "clone", environment)
        print(f"make demo {which}: {up:.1f} s until it answers, {ended:.1f} s to end", flush=True)


if __name__ == "__main__":
    with folder() as temporary:
        main(temporary, empty_cache="--empty-cache" in sys.argv)
