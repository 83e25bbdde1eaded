"""Short-lived child processes of ours: `python -m MODULE` in an environment that the server does not have.

boto3 reads `os.environ`, `~/.aws` and the proxy variables by itself, and botocore stays in memory once it
is imported. A child with the environment of a kernel goes where the kernel's boto3 goes, and takes its
memory with it. See docs/decisions/0010-child-processes.md.

1. One JSON document goes in by standard input, so that no token stands on a command line or in an
   environment; one comes back by standard output, of a bounded size. Standard error is discarded.
2. The child has a session and process group of its own: a SIGINT that is meant for the server does not
   reach it, and what it has started ends with it.
3. It is killed at its deadline, and when the caller is cancelled. Waiting for a free place counts.
4. Nothing runs in the thread pool that the whole server shares.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_wb_aws.errors import HelperProcessFailed, StartTimeout

MAX_PROCESSES = 4
BUSY = "This server was busy with other roles, and did not get to this request in time."
WHY_BUSY = (
    f"Each start of a role, `identity --verify` and `doctor` runs a helper process, at most {MAX_PROCESSES} at once."
    " They take long where AWS STS does not answer, or the machine is slow."
)
# The longest answer is the doctor's report, some ten KiB.
MAX_ANSWER_BYTES = 1024 * 1024
# A process that was killed is gone at once, unless the kernel of the machine holds it (a disk that hangs).
KILL_TIMEOUT = 1.0
# These decide how Python itself starts and which libraries it loads; a kernel's own may be of another Python.
INTERPRETER_PREFIXES = ("PYTHON", "LD_", "DYLD_", "__PYVENV")
# The flags by which the server's Python may have been told to ignore some of them (`python -I` and the like).
FLAGS = {"isolated": "-I", "ignore_environment": "-E", "no_user_site": "-s"}


class ChildProcesses:
    """Runs them, at most `max_processes` at once; the rest wait for their turn."""

    def __init__(self, max_processes: int = MAX_PROCESSES) -> None:
        self._places = asyncio.Semaphore(max_processes)

    async def ask(
        self,
        module: str,
        environment: Mapping[str, str],
        question: object,
        *,
        timeout: float,
        slot_deadline: float | None = None,
    ) -> Any:
        """Run a module of ours in this environment, and return what it answers to the question.

        Args:
            module: its name; its answer is one JSON document.
            environment: the child's; the variables of the interpreter itself are the server's own.
            question: goes to its standard input, as JSON.
            timeout: seconds until it is killed, the time that it waits for a place included.
            slot_deadline: until when it waits for a place, of the event loop's time; None is as long as `timeout`.

        Raises:
            TimeoutError: at the deadline.
            StartTimeout: if it has no place in time.
            HelperProcessFailed: if it can't be started, is killed, or gives no answer.
        """
        async with asyncio.timeout(timeout):
            await self._take_place(slot_deadline)
            try:
                return await _run(module, environment, json.dumps(question, default=str).encode())
            finally:
                self._places.release()

    async def _take_place(self, by: float | None) -> None:
        try:
            async with asyncio.timeout_at(by):
                await self._places.acquire()
        except TimeoutError:
            raise StartTimeout(BUSY, admin_hint=WHY_BUSY) from None


async def _run(module: str, environment: Mapping[str, str], question: bytes) -> Any:
    process = await _started(module, environment)
    try:
        answer = await _talk(process, question)
        status = None if answer is None else await process.wait()
    finally:
        await _end(process)
    if answer is None:
        raise HelperProcessFailed(
            f"The helper process {module} wrote more than {MAX_ANSWER_BYTES} bytes, and was ended.",
            admin_hint=_by_hand(module),
        )
    if status:
        raise _failed(module, status)
    try:
        return json.loads(answer)
    except ValueError:  # not JSON, or not even text
        raise HelperProcessFailed(
            f"The helper process {module} gave no answer that can be read.",
            admin_hint=_by_hand(module),
        ) from None


async def _started(module: str, environment: Mapping[str, str]) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            # -P: nothing in a folder that happens to be the current one is imported.
            sys.executable, *_flags(), "-P", "-m", module,
            env=child_environment(environment, os.environ), cwd="/", start_new_session=True,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
    # ValueError: a NUL in a variable; RuntimeError: no thread for asyncio to wait in (Python 3.11).
    except (OSError, ValueError, RuntimeError) as error:
        raise _not_started(error) from None


def _flags() -> list[str]:
    return [option for flag, option in FLAGS.items() if getattr(sys.flags, flag)]


def child_environment(wanted: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a child: `wanted`, with the interpreter's variables of `own`.

    Our package and boto3 are then found where the server finds them. A relative folder in PYTHONPATH is
    one of the server's current folder, which is not the child's; an empty one is that folder itself,
    which holds notebooks and no packages.
    """
    environment = {n: v for n, v in wanted.items() if not n.startswith(INTERPRETER_PREFIXES)}
    environment |= {n: v for n, v in own.items() if n.startswith(INTERPRETER_PREFIXES)}
    if path := own.get("PYTHONPATH"):
        environment["PYTHONPATH"] = os.pathsep.join(
            str(Path(folder).absolute()) for folder in path.split(os.pathsep) if folder
        )
    return environment


async def _talk(process: asyncio.subprocess.Process, question: bytes) -> bytes | None:
    """Send the question, and read the whole answer; None where it is too long."""
    assert process.stdin is not None
    assert process.stdout is not None
    # Written as the child reads, while its answer is read: neither side may wait for the other.
    process.stdin.write(question)
    process.stdin.close()
    answer = bytearray()
    while part := await process.stdout.read(65536):
        answer += part
        if len(answer) > MAX_ANSWER_BYTES:
            return None
    return bytes(answer)


async def _end(process: asyncio.subprocess.Process) -> None:
    """End it with all that it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for a zombie
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(KILL_TIMEOUT):
            await process.wait()


def _not_started(error: OSError | ValueError | RuntimeError) -> HelperProcessFailed:
    number = errno.EAGAIN if isinstance(error, RuntimeError) else getattr(error, "errno", None)
    remedy = {
        errno.EAGAIN: "Raise the limit of processes: `ulimit -u`, or the container's pids limit.",
        errno.ENOMEM: "Give the server's machine or container more memory.",
        errno.EMFILE: "Raise the server's limit of open files: `ulimit -n`.",
        errno.ENFILE: "Raise the machine's limit of open files.",
        errno.E2BIG: "Make `extra_environment` and the server's environment smaller.",
        errno.ENOENT: f"The server's Python, {sys.executable}, is gone: restart the server after an update.",
    }
    why = os.strerror(number) if number else "an environment variable can't be passed on"
    return HelperProcessFailed(
        f"The server could not start a helper process: {why}.",
        admin_hint=remedy.get(number or 0, f"It is {sys.executable} that the server starts."),
    )


def _failed(module: str, status: int) -> HelperProcessFailed:
    if status == -signal.SIGKILL:
        return HelperProcessFailed(
            f"The helper process {module} was killed.",
            admin_hint="Memory was most likely short: give the server's machine or container some 60 MiB more.",
        )
    how = f"ended by signal {-status}" if status < 0 else f"ended with status {status}"
    return HelperProcessFailed(f"The helper process {module} {how}.", admin_hint=_by_hand(module))


def _by_hand(module: str) -> str:
    return f"To see why, run as the server's user: {sys.executable} -P -m {module} < /dev/null"
