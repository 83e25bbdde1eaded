"""When the process is gone that a role session was started for: at once, and never mistaken."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from jupyter_wb_aws.errors import ProcessNotFound
from jupyter_wb_aws.proc_stat import stat_of
from jupyter_wb_aws.role_sessions import owner_process
from jupyter_wb_aws.role_sessions.owner_process import Process, find, is_running, wait_for_exit

NOBODY = 2**22 + 1  # Linux's greatest pid_max is 2**22


@pytest.fixture
def sleeper():
    """A process that lives until it is killed, and stays a zombie then."""
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def system_stat(tmp_path, sleeper):
    """The /proc/stat that psutil reads: with the time of the boot, which a step of the system's clock moves."""
    (tmp_path / str(sleeper.pid)).symlink_to(f"/proc/{sleeper.pid}")
    psutil.PROCFS_PATH = str(tmp_path)
    yield tmp_path / "stat"
    psutil.PROCFS_PATH = "/proc"
    psutil.boot_time()  # an older psutil keeps it


def step_clock(system_stat, seconds):
    booted = next(
        int(line.split()[1])
        for line in Path("/proc/stat").read_text().splitlines()
        if line.startswith("btime")
    )
    system_stat.write_text(f"btime {booted + seconds}\n")


def leave_zombie(process):
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)


def test_a_process_is_found_with_its_start(sleeper):
    found = find(sleeper.pid)

    assert found == find(sleeper.pid) == Process(sleeper.pid, found.started)
    assert is_running(found)


def test_a_process_of_another_container_is_not_one_of_the_same_pid_here(sleeper):
    found = find(sleeper.pid)

    assert find(sleeper.pid, found.started) == found
    with pytest.raises(ProcessNotFound):
        find(sleeper.pid, "1")


@pytest.mark.parametrize("pid", [0, -1, NOBODY, 2**80])
def test_an_id_without_a_process_is_not_found(pid):
    with pytest.raises(ProcessNotFound, match=str(pid)):
        find(pid)


def test_a_process_that_waits_for_its_parent_is_gone(sleeper):
    found = find(sleeper.pid)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)

    assert not is_running(found)


def test_a_later_process_of_the_same_pid_is_another_one(sleeper):
    assert not is_running(Process(sleeper.pid, "1"))


def test_a_strange_name_does_no_harm(tmp_path):
    strange = tmp_path / "x) Z 1 (y"
    strange.symlink_to("/bin/sleep")
    with subprocess.Popen([strange, "600"]) as process:
        assert is_running(find(process.pid))
        process.kill()


async def test_an_end_is_noticed_at_once_without_the_clock(sleeper, clock):
    waiting = asyncio.create_task(wait_for_exit(find(sleeper.pid), clock))
    await asyncio.sleep(0.05)
    assert not waiting.done()

    sleeper.kill()

    async with asyncio.timeout(5):
        await waiting
    assert not clock.has_sleepers


async def test_a_wait_that_is_cancelled_leaves_no_descriptor(sleeper, clock):
    before = len(os.listdir("/proc/self/fd"))
    waiting = asyncio.create_task(wait_for_exit(find(sleeper.pid), clock))
    await asyncio.sleep(0.05)

    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    "process",
    [Process(NOBODY, "1"), Process(os.getpid(), "1")],
    ids=["no process", "another process"],
)
async def test_what_is_gone_already_is_reported_at_once(process, clock):
    async with asyncio.timeout(5):
        await wait_for_exit(process, clock)


@pytest.fixture
def no_descriptor(monkeypatch):
    def refused(pid):
        raise OSError(errno.ENOSYS, "a sandbox")

    monkeypatch.setattr(os, "pidfd_open", refused)


async def test_without_a_descriptor_it_is_looked_for_by_the_clock(sleeper, clock, no_descriptor):
    waiting = asyncio.create_task(wait_for_exit(find(sleeper.pid), clock))
    while not clock.has_sleepers:
        await asyncio.sleep(0.01)
    sleeper.kill()
    sleeper.wait()
    assert not waiting.done()

    clock.advance(owner_process.POLL_INTERVAL)

    async with asyncio.timeout(5):
        await waiting


def test_elsewhere_than_on_linux_the_start_is_a_time_since_the_epoch(sleeper, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    found = find(sleeper.pid)
    assert abs(float(found.started) - time.time()) < 600
    assert is_running(found)
    with pytest.raises(ProcessNotFound):
        find(NOBODY)

    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)

    assert not is_running(found)


@pytest.mark.skipif(sys.platform != "linux", reason="the command line knows it on Linux only")
def test_the_start_is_the_one_that_the_command_line_sends(sleeper):
    assert find(sleeper.pid).started == stat_of(sleeper.pid).started


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
@pytest.mark.parametrize("content", [None, "cpu 0 0 0 0\n"], ids=["no file", "no boot time"])
def test_a_process_is_found_although_the_system_hides_when_it_was_booted(
    sleeper, system_stat, content
):
    if content is not None:
        system_stat.write_text(content)

    found = find(sleeper.pid)

    assert found.started == stat_of(sleeper.pid).started
    assert is_running(found)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_step_of_the_clock_does_not_move_a_start(sleeper, system_stat):
    step_clock(system_stat, 0)
    found = find(sleeper.pid)

    step_clock(system_stat, 3600)

    assert find(sleeper.pid) == found


async def test_elsewhere_than_on_linux_a_step_of_the_clock_ends_no_watch(
    sleeper, clock, system_stat, no_descriptor, monkeypatch
):
    monkeypatch.setattr(sys, "platform", "darwin")
    step_clock(system_stat, 0)
    waiting = asyncio.create_task(wait_for_exit(find(sleeper.pid), clock))
    while not clock.has_sleepers:
        await asyncio.sleep(0.01)

    step_clock(system_stat, 3600)
    clock.advance(owner_process.POLL_INTERVAL)
    while not (clock.has_sleepers or waiting.done()):
        await asyncio.sleep(0.01)
    assert not waiting.done()

    leave_zombie(sleeper)
    clock.advance(owner_process.POLL_INTERVAL)
    async with asyncio.timeout(5):
        await waiting


def test_elsewhere_than_on_linux_a_start_may_differ_by_what_the_clock_was_corrected(
    sleeper, monkeypatch
):
    monkeypatch.setattr(sys, "platform", "darwin")
    found = find(sleeper.pid)

    assert is_running(Process(sleeper.pid, f"{float(found.started) + 1:.6f}"))
    assert not is_running(Process(sleeper.pid, f"{float(found.started) + 60:.6f}"))
    assert not is_running(Process(sleeper.pid, "not a time"))


def test_elsewhere_than_on_linux_a_process_that_may_not_be_read_is_not_found(sleeper, monkeypatch):
    def refused(process):
        raise psutil.AccessDenied(process.pid)

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(psutil.Process, "create_time", refused)

    with pytest.raises(ProcessNotFound):
        find(sleeper.pid)


async def test_elsewhere_than_on_linux_a_refused_look_ends_no_watch(
    sleeper, clock, no_descriptor, monkeypatch
):
    def refused(process):
        raise psutil.AccessDenied(process.pid)

    monkeypatch.setattr(sys, "platform", "darwin")
    waiting = asyncio.create_task(wait_for_exit(find(sleeper.pid), clock))
    while not clock.has_sleepers:
        await asyncio.sleep(0.01)
    monkeypatch.setattr(psutil.Process, "status", refused)

    clock.advance(owner_process.POLL_INTERVAL)
    while not (clock.has_sleepers or waiting.done()):
        await asyncio.sleep(0.01)
    assert not waiting.done()

    sleeper.kill()
    sleeper.wait()
    clock.advance(owner_process.POLL_INTERVAL)
    async with asyncio.timeout(5):
        await waiting


@pytest.mark.parametrize("platform", ["linux", "darwin"])
async def test_a_process_that_has_ended_before_is_not_watched(
    sleeper, clock, no_descriptor, monkeypatch, platform
):
    monkeypatch.setattr(sys, "platform", platform)
    found = find(sleeper.pid)
    sleeper.kill()
    sleeper.wait()

    async with asyncio.timeout(5):
        await wait_for_exit(found, clock)
    assert not clock.has_sleepers


async def test_elsewhere_than_on_linux_a_process_that_ends_while_it_is_looked_at_has_ended(
    sleeper, clock, no_descriptor, monkeypatch
):
    def gone(process):
        raise psutil.NoSuchProcess(process.pid)

    monkeypatch.setattr(sys, "platform", "darwin")
    found = find(sleeper.pid)
    monkeypatch.setattr(psutil.Process, "status", gone)

    async with asyncio.timeout(5):
        await wait_for_exit(found, clock)
