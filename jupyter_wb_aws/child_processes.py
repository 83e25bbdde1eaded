"""Runs short-lived child processes: `python -m MODULE` in an environment other than the server's.

boto3 reads `os.environ`, `~/.aws` and the proxy variables itself, and botocore stays in memory once it is
imported. A child with the environment of a kernel calls AWS as the kernel's boto3 does, and frees its memory
when it ends. See docs/decisions/0010-child-processes.md.

1. The child reads one JSON document from standard input, so that no token is on a command line or in an
   environment. It writes one of limited size to standard output. Standard error is discarded.
2. The child has its own session and process group: a SIGINT for the server does not reach it, and the
   processes that it has started end with it.
3. It is killed at its deadline, and when the caller is cancelled. Waiting for a free slot counts.
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
BUSY = "This server was busy with other roles and could not start this request in time."
WHY_BUSY = (
    f"Each start of a role, `identity --verify` and `doctor` runs a helper process, at most {MAX_PROCESSES} at once."
    " They take long if AWS STS does not answer or the machine is slow."
)
# The longest answer is the doctor's report, about ten KiB.
MAX_ANSWER_BYTES = 1024 * 1024
# Seconds. A killed process ends at once, unless it waits for a disk that hangs.
KILL_TIMEOUT = 1.0
# These variables decide how Python starts and which libraries it loads; a kernel's may be for another Python.
INTERPRETER_PREFIXES = ("PYTHON", "LD_", "DYLD_", "__PYVENV")
# The flags with which the server's Python may ignore some of them (`python -I` and the like).
FLAGS = {"isolated": "-I", "ignore_environment": "-E", "no_user_site": "-s"}


class ChildProcesses:
    """Runs at most `max_processes` child processes at once; the others wait."""

    def __init__(self, max_processes: int = MAX_PROCESSES) -> None:
        self._slots = asyncio.Semaphore(max_processes)

    async def ask(
        self,
        module: str,
        environment: Mapping[str, str],
        question: object,
        *,
        timeout: float,
        slot_deadline: float | None = None,
    ) -> Any:
        """Run a module of ours in an environment, and return its answer to the question.

        Args:
            module: its name, as in `python -m`.
            environment: the child's; the interpreter's own variables are the server's.
            question: sent to its standard input as JSON.
            timeout: seconds until it is killed; includes waiting for a free slot.
            slot_deadline: when to stop waiting for a free slot, in the event loop's time; None means until `timeout`.

        Raises:
            TimeoutError: at the deadline.
            StartTimeout: if no slot is free in time.
            HelperProcessFailed: if it can't be started, is killed, or gives no answer.
        """
        async with asyncio.timeout(timeout):
            await self._acquire_slot(slot_deadline)
            try:
                return await _run(module, environment, json.dumps(question, default=str).encode())
            finally:
                self._slots.release()

    async def _acquire_slot(self, deadline: float | None) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await self._slots.acquire()
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
            f"The helper process {module} wrote more than {MAX_ANSWER_BYTES} bytes and was killed.",
            admin_hint=_by_hand(module),
        )
    if status:
        raise _failed(module, status)
    try:
        return json.loads(answer)
    except ValueError:  # not JSON, or not even text
        raise HelperProcessFailed(
            f"The helper process {module} gave an answer that can't be read.",
            admin_hint=_by_hand(module),
        ) from None


async def _started(module: str, environment: Mapping[str, str]) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            # -P: import nothing from the current folder.
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

    The child then finds our package and boto3 where the server finds them. Relative folders in PYTHONPATH are
    made absolute, because the child starts in another folder. An empty entry is dropped: it means the current
    folder, which holds notebooks and no packages.
    """
    environment = {n: v for n, v in wanted.items() if not n.startswith(INTERPRETER_PREFIXES)}
    environment |= {n: v for n, v in own.items() if n.startswith(INTERPRETER_PREFIXES)}
    if path := own.get("PYTHONPATH"):
        environment["PYTHONPATH"] = os.pathsep.join(
            str(Path(folder).absolute()) for folder in path.split(os.pathsep) if folder
        )
    return environment


async def _talk(process: asyncio.subprocess.Process, question: bytes) -> bytes | None:
    """Send the question, and return the whole answer; None if it is too long."""
    assert process.stdin is not None
    assert process.stdout is not None
    # Writing does not wait for the child, so neither side blocks the other.
    process.stdin.write(question)
    process.stdin.close()
    answer = bytearray()
    while part := await process.stdout.read(65536):
        answer += part
        if len(answer) > MAX_ANSWER_BYTES:
            return None
    return bytes(answer)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill it, with all processes that it has started."""
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
        errno.ENOENT: f"The server's Python, {sys.executable}, no longer exists: restart the server after an update.",
    }
    why = os.strerror(number) if number else "an environment variable can't be passed on"
    return HelperProcessFailed(
        f"The server could not start a helper process: {why}.",
        admin_hint=remedy.get(number or 0, f"The server tried to start {sys.executable}."),
    )


def _failed(module: str, status: int) -> HelperProcessFailed:
    if status == -signal.SIGKILL:
        return HelperProcessFailed(
            f"The helper process {module} was killed.",
            admin_hint="Memory was most likely short: give the server's machine or container about 60 MiB more.",
        )
    how = f"ended by signal {-status}" if status < 0 else f"ended with status {status}"
    return HelperProcessFailed(f"The helper process {module} {how}.", admin_hint=_by_hand(module))


def _by_hand(module: str) -> str:
    return f"To see why, run as the server's user: {sys.executable} -P -m {module} < /dev/null"
