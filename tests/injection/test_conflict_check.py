"""The user's own files on a disk that hangs: they are hidden, and nobody waits long."""

from __future__ import annotations

import asyncio
import threading

import pytest

from jupyter_wb_aws.injection import conflict_check
from jupyter_wb_aws.injection.conflict_check import NOT_READ_IN_TIME, ConflictCheck
from jupyter_wb_aws.injection.environment import InjectionSettings
from jupyter_wb_aws.injection.sts_environment import sts_environment
from tests.role_sessions.support import make_session


@pytest.fixture
def hanging(monkeypatch):
    gate = threading.Event()
    monkeypatch.setattr(conflict_check, "find_conflict", lambda *_: gate.wait(60))
    monkeypatch.setattr(conflict_check, "CHECK_TIMEOUT", 0.01)
    monkeypatch.setattr(conflict_check, "BLOCKING_CHECK_TIMEOUT", 0.01)
    yield
    gate.set()


async def test_files_that_cannot_be_read_in_time_are_a_conflict(hanging, caplog):
    files = ConflictCheck()

    assert await asyncio.gather(*(files.find({}) for _ in range(10))) == [NOT_READ_IN_TIME] * 10
    assert files.find_now({}) == NOT_READ_IN_TIME
    assert "does not answer" in caplog.text


async def test_a_start_does_not_wait_for_a_disk_that_hangs(hanging):
    files = [ConflictCheck() for _ in range(40)]  # more than asyncio has threads

    environments = await asyncio.gather(
        *(
            sts_environment(make_session(), site=InjectionSettings(), conflict_check=one)
            for one in files
        )
    )

    assert all("AWS_CONFIG_FILE" in environment for environment in environments)
    assert await asyncio.to_thread(lambda: "free") == "free"


async def test_files_that_can_be_read_are_checked(tmp_path):
    (tmp_path / ".aws").mkdir()
    environment = {"HOME": str(tmp_path)}
    assert await ConflictCheck().find(environment) is None

    (tmp_path / ".aws" / "credentials").write_text("[default]\naws_access_key_id = x\n")

    assert "aws_access_key_id" in await ConflictCheck().find(environment)
    assert "aws_access_key_id" in ConflictCheck().find_now(environment)


CONFLICT = "[default]\naws_access_key_id = x\n"


async def test_a_check_that_was_begun_is_not_made_again(tmp_path):
    check, environment = ConflictCheck(), {"HOME": str(tmp_path), "JPY_SESSION_NAME": "a"}
    begun = check.begin(environment)
    assert await check.find(environment, begun=begun) is None
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(CONFLICT)

    assert await check.find({**environment, "JPY_SESSION_NAME": "b"}, begun=begun) is None
    assert await check.find(environment) is not None


@pytest.mark.parametrize("change", ["HOME", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
async def test_a_check_that_was_begun_is_made_again_for_other_files(change, tmp_path):
    check, environment = ConflictCheck(), {"HOME": str(tmp_path / "empty")}
    begun = check.begin(environment)
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(CONFLICT)
    other = tmp_path if change == "HOME" else tmp_path / ".aws" / "credentials"

    assert await check.find({**environment, change: str(other)}, begun=begun) is not None


async def test_a_check_that_was_begun_never_waits_long(hanging):
    check = ConflictCheck()

    assert await check.find({}, begun=check.begin({})) == NOT_READ_IN_TIME


async def test_a_relative_path_is_checked_when_the_folder_is_known(tmp_path):
    check, environment = ConflictCheck(), {"HOME": str(tmp_path), "AWS_CONFIG_FILE": "config"}
    begun = check.begin(environment)
    assert await check.find(environment, str(tmp_path), begun=begun) is None
    (tmp_path / "config").write_text(CONFLICT)

    assert await check.find(environment, str(tmp_path), begun=begun) is not None
