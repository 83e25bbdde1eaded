"""When the process is gone that a role session was started for: at once, and never mistaken."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
import time

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


async def test_without_a_descriptor_it_is_looked_for_by_the_clock(sleeper, clock, monkeypatch):
    def refused(pid):
        raise OSError(errno.ENOSYS, "a sandbox")

    monkeypatch.setattr(os, "pidfd_open", refused)
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
