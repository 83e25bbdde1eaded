"""Which processes belong to an app, among all those of a machine."""

from __future__ import annotations

import os
import subprocess

import pytest

from jupyter_wb_aws.injection.process_tree import descendants


@pytest.fixture
def strange(tmp_path):
    """A process whose name is no UTF-8, and looks like the end of one."""
    program = tmp_path / os.fsdecode(b"\xff) Z 1 (")
    program.symlink_to("/bin/sleep")
    process = subprocess.Popen([program, "600"])
    yield process
    process.kill()
    process.wait()


def test_a_strange_name_is_no_hindrance(strange):
    assert strange.pid in descendants(os.getpid())
