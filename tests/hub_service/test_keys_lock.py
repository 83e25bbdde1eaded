"""Another process holds the lock of the hub service's folder of keys, and does not go on."""

import contextlib
import fcntl
import threading

import pytest

from jupyter_wb_aws.hub import disk
from jupyter_wb_aws.hub.async_keys import AsyncKeys
from jupyter_wb_aws.hub.errors import KeysUnavailable, RotationRefused
from jupyter_wb_aws.hub.keys import SigningKeys
from tests.conftest import FakeClock
from tests.hub_service.fake_hub import user
from tests.hub_service.signing_keys import LEAD, LIFETIME, codes, kids, open_keys


@pytest.fixture
def clock():
    return FakeClock()


@contextlib.contextmanager
def held(folder):
    """Hold the lock, as a process does that was suspended while it rotated."""
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def published(service):
    return [key["kid"] for key in service.ask("GET", "keys").json()["keys"]]


def test_a_rotation_is_refused_and_does_not_happen_later(hub, start_service):
    hub.tokens["rotating"] = user("root", scopes=["custom:jupyter-wb-aws:keys"])
    with start_service() as service:
        before = published(service)
        with held(service.folder / "keys"):
            answer = service.ask("POST", "keys", "rotating", {"compromised": before[0]})
            assert (answer.status_code, answer.json()["code"]) == (503, "rotation_refused")
            assert "another process holds the lock" in answer.json()["detail"]
            assert "Nothing has changed" in answer.json()["detail"]
            assert service.token().status_code == 201
            assert published(service) == before

        assert service.token().status_code == 201
        assert published(service) == before
        assert "keys_rotated" not in {line["event"] for line in service.audit}


def test_a_start_on_an_empty_folder_names_the_lock_and_recovers_alone(tmp_path, clock):
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    with held(folder):
        keys = open_keys(folder, clock)
        with pytest.raises(KeysUnavailable):
            keys.signing_key()
        assert codes(keys) == ["keys_dir_not_written", "keys_unavailable"]
        assert "another process holds the lock" in keys.problems[0].detail
        clock.advance(60)
        with pytest.raises(KeysUnavailable):
            keys.signing_key()
    clock.advance(60)

    assert keys.signing_key().kid in kids(keys)
    assert keys.problems == []


def test_a_rotation_that_nobody_awaits_any_more_changes_nothing(tmp_path, clock):
    keys = open_keys(tmp_path / "keys", clock)
    before = kids(keys)
    for compromised in (None, *before):
        with pytest.raises(RotationRefused, match="Nothing has changed"):
            keys.rotate(compromised, is_awaited=lambda: False)
    assert kids(keys) == before


async def test_a_rotation_on_a_disk_that_hangs_does_not_happen_later(tmp_path, clock, monkeypatch):
    goes_on = threading.Event()

    class OnAHangingDisk(SigningKeys):
        def rotate(self, *args):
            goes_on.wait(30)
            return super().rotate(*args)

    keys = AsyncKeys(OnAHangingDisk(tmp_path / "keys", "ES256", LIFETIME, LEAD, clock))
    before = await keys.public_keys()
    with monkeypatch.context() as patched:
        patched.setattr(disk, "DEADLINE", 0.1)
        with pytest.raises(KeysUnavailable, match="not known whether they have changed"):
            await keys.rotate(before["keys"][0]["kid"])
    goes_on.set()

    assert await keys.public_keys() == before
