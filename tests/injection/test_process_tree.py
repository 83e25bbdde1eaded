"""Which processes belong to an app, and how they are terminated."""

from __future__ import annotations

import asyncio
import builtins
import os
import signal
import subprocess
import sys

import psutil
import pytest

from jupyter_wb_aws.injection.process_tree import descendants, terminate_tree

IGNORES_SIGTERM = "trap '' TERM; while :; do sleep 600; done"
WITH_A_WORKER = f'sh -c "{IGNORES_SIGTERM}" & echo $!; wait'
# Its child has ended, and it never asks for the child's exit status.
WITH_A_ZOMBIE = (
    "import os, subprocess, time; child = subprocess.Popen(['true']);"
    "os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT); print(child.pid, flush=True); time.sleep(600)"
)


@pytest.fixture
def strange(tmp_path):
    """A process whose name is not UTF-8, and looks like the end of one."""
    program = tmp_path / os.fsdecode(b"\xff) Z 1 (")
    program.symlink_to("/bin/sleep")
    process = subprocess.Popen([program, "600"])
    yield process
    process.kill()
    process.wait()


class Supervised:
    """A process as simpervisor shows it to us."""

    def __init__(self, command, signal="terminate"):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        self.child = int(self.process.stdout.readline())
        self._signal = signal

    async def terminate(self):
        if self._signal is not None:
            getattr(self.process, self._signal)()
            await asyncio.to_thread(self.process.wait)


@pytest.fixture
def supervised():
    started = []

    def start(command, **how):
        started.append(Supervised(command, **how))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()
        one.process.stdout.close()


@pytest.fixture
def unreadable(monkeypatch):
    """Make files of /proc unreadable, as `hidepid` and a sandbox do; psutil reads them all by this function."""
    refused = {}

    def refuse(path, error=PermissionError):
        refused[path] = error

    def open_unless_refused(path, *args, **kwargs):
        if path in refused:
            raise refused[path](path)
        return builtins.open(path, *args, **kwargs)

    monkeypatch.setattr("psutil._common.open", open_unless_refused, raising=False)
    return refuse


def is_running(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def end_of(pid):
    """Wait for a process that was killed: the signal takes a moment to reach it."""
    async with asyncio.timeout(20):
        while is_running(pid):
            await asyncio.sleep(0.01)


def test_a_strange_name_does_no_harm(strange):
    assert strange.pid in {process.pid for process in descendants(os.getpid())}


def test_what_a_child_has_started_is_found_too(supervised):
    shell = supervised(["sh", "-c", f"({WITH_A_WORKER}) & wait"])
    assert shell.child in {process.pid for process in descendants(shell.pid)}
    for process in descendants(shell.pid):
        process.kill()


def test_a_process_that_does_not_exist_has_no_descendants():
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert descendants(ended.pid) == []


async def test_a_worker_that_ignores_sigterm_is_killed_after_its_parent(supervised):
    app = supervised(["sh", "-c", WITH_A_WORKER])
    assert is_running(app.child)

    await terminate_tree(app, 0.2)

    await end_of(app.child)


async def test_a_parent_that_ignores_sigterm_is_killed(supervised):
    app = supervised(["sh", "-c", f"sleep 600 & echo $!; {IGNORES_SIGTERM}"])

    await terminate_tree(app, 0.2)

    await end_of(app.pid)
    await end_of(app.child)


async def test_nobody_waits_for_a_zombie(supervised):
    app = supervised([sys.executable, "-c", WITH_A_ZOMBIE], signal=None)
    assert psutil.Process(app.child).status() == psutil.STATUS_ZOMBIE

    async with asyncio.timeout(20):
        await terminate_tree(app, 60)


async def test_a_process_that_may_not_be_read_does_not_hide_the_others(supervised, unreadable):
    app = supervised(["sh", "-c", WITH_A_WORKER])
    unreadable("/proc/1/stat")
    assert app.child in {process.pid for process in descendants(app.pid)}

    await terminate_tree(app, 0.2)

    await end_of(app.pid)
    await end_of(app.child)


async def test_an_app_is_terminated_although_its_worker_may_not_be_read(supervised, unreadable):
    app = supervised(["sh", "-c", f"sleep 600 & echo $!; {IGNORES_SIGTERM}"])
    unreadable(f"/proc/{app.child}/stat")

    await terminate_tree(app, 0.2)

    await end_of(app.pid)
    os.kill(app.child, signal.SIGKILL)


@pytest.mark.parametrize("error", [PermissionError, FileNotFoundError, RuntimeError])
async def test_an_app_is_terminated_although_it_may_not_be_read(supervised, unreadable, error):
    app = supervised(["sh", "-c", f"echo $$; {IGNORES_SIGTERM}"])
    unreadable(f"/proc/{app.pid}/stat", error)

    await terminate_tree(app, 0.2)

    assert app.process.returncode is not None


async def test_an_app_is_terminated_although_the_system_hides_when_it_was_booted(
    supervised, unreadable, monkeypatch
):
    monkeypatch.setattr(
        "psutil._pslinux.BOOT_TIME", None, raising=False
    )  # an older psutil keeps it
    app = supervised(["sh", "-c", f"echo $$; {IGNORES_SIGTERM}"])
    unreadable("/proc/stat", FileNotFoundError)

    await terminate_tree(app, 0.2)

    assert app.process.returncode is not None


def test_without_a_list_of_processes_there_are_no_descendants(monkeypatch, tmp_path):
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path / "none"))
    assert descendants(os.getpid()) == []


@pytest.mark.parametrize("error", [psutil.AccessDenied, PermissionError])
async def test_a_worker_whose_state_is_refused_counts_as_running(supervised, monkeypatch, error):
    def refuse(process):
        raise error(process.pid)

    app = supervised(["sh", "-c", WITH_A_WORKER])
    with monkeypatch.context() as patched:
        patched.setattr(psutil.Process, "status", refuse)
        await terminate_tree(app, 0.2)

    await end_of(app.child)


async def test_a_worker_that_ends_while_it_is_looked_at_has_ended(supervised, monkeypatch):
    def gone(process):
        raise psutil.NoSuchProcess(process.pid)

    app = supervised(["sh", "-c", WITH_A_WORKER])
    monkeypatch.setattr(psutil.Process, "status", gone)

    async with asyncio.timeout(20):
        await terminate_tree(app, 60)
    os.kill(app.child, signal.SIGKILL)
