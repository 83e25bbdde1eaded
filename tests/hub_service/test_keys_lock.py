"""Another process holds the lock of the hub service's folder of keys, and does not go on."""

import asyncio
import contextlib
import dataclasses
import fcntl
import json
import threading

import httpx
import pytest

from jupyter_wb_aws.hub import deadline, key_commands
from jupyter_wb_aws.hub.async_keys import AsyncKeys
from jupyter_wb_aws.hub.audit import AuditLog
from jupyter_wb_aws.hub.caller import AccessRules, Caller
from jupyter_wb_aws.hub.claims import ClaimSettings
from jupyter_wb_aws.hub.errors import KeysUnavailable, RotationRefused
from jupyter_wb_aws.hub.key_changes import StillPublished
from jupyter_wb_aws.hub.key_folder import KeyFolder
from jupyter_wb_aws.hub.keys import SigningKeys
from jupyter_wb_aws.hub.token_service import TokenService
from tests.hub_service.fake_hub import user
from tests.hub_service.running_service import until
from tests.hub_service.signing_keys import LEAD, LIFETIME, codes, kids, open_keys

ROTATOR = Caller("user", "root", (), frozenset({"custom:jupyter-wb-aws:keys"}), "a7")
# What a rotation does not need is missing.
SERVICE = TokenService(
    ClaimSettings("https://hub.example.org/services/aws"), AccessRules("aws"),
    roles_file=None, keys=None, audit=None, limit=None, clock=None,
)  # fmt: skip


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
    goes_on, noted = threading.Event(), []

    class OnAHangingDisk(SigningKeys):
        def rotate(self, *args):
            goes_on.wait(30)
            return super().rotate(*args)

    keys = AsyncKeys(OnAHangingDisk(tmp_path / "keys", "ES256", LIFETIME, LEAD, clock))
    before = await keys.public_keys()
    with monkeypatch.context() as patched:
        patched.setattr(deadline, "DISK_SECONDS", 0.1)
        with pytest.raises(KeysUnavailable, match="not known whether they have changed"):
            await keys.rotate(before["keys"][0]["kid"], noted.append)
    goes_on.set()

    assert await keys.public_keys() == before
    await keys.finish()
    assert noted == []


@pytest.mark.parametrize("compromised", [False, True])
async def test_a_rotation_that_ends_after_its_caller_was_refused_is_in_the_audit_log(
    tmp_path, clock, monkeypatch, compromised
):
    goes_on = threading.Event()

    class OnASlowDisk(SigningKeys):
        def rotate(self, *args):
            rotated = super().rotate(*args)
            goes_on.wait(30)
            return rotated

    keys = AsyncKeys(OnASlowDisk(tmp_path / "keys", "ES256", LIFETIME, LEAD, clock))
    path = tmp_path / "audit.jsonl"
    service = dataclasses.replace(SERVICE, keys=keys, audit=AuditLog(path, clock))
    (before,) = (await keys.public_keys())["keys"]
    stolen = before["kid"] if compromised else None
    with monkeypatch.context() as patched:
        patched.setattr(deadline, "DISK_SECONDS", 0.1)
        with pytest.raises(KeysUnavailable):
            await service.rotate(ROTATOR, stolen)
    goes_on.set()
    await keys.finish()

    (line,) = [json.loads(line) for line in path.read_text().splitlines()]
    assert (line["event"], line["user"], line["compromised"]) == ("keys_rotated", "root", stolen)
    after = {key["kid"] for key in (await keys.public_keys())["keys"]}
    assert line["kid"] in after - {before["kid"]}


def test_a_caller_who_left_has_a_line_for_the_rotation(hub, start_service):
    hub.tokens["rotating"] = user("root", scopes=["custom:jupyter-wb-aws:keys"])

    def answers_later(handler):
        hub.released.wait(30)
        handler.answer(200, hub.tokens["rotating"])

    with start_service() as service:
        before, hub.misbehave = published(service), answers_later
        with pytest.raises(httpx.ReadTimeout), httpx.Client(trust_env=False, timeout=0.5) as client:
            client.post(service.url + "keys", json={}, headers={"Authorization": "token rotating"})
        until(lambda: hub.asked_for_users, "the hub is not asked")
        hub.released.set()

        until(lambda: service.audit_log.exists() and service.audit, "the rotation has no line")
        (line,) = service.audit
        assert (line["event"], line["user"]) == ("keys_rotated", "root")
        assert set(published(service)) == {*before, line["kid"]}


def test_a_rotation_that_leaves_the_stolen_key_published_is_in_the_audit_log(
    tmp_path, clock, monkeypatch
):
    keys = open_keys(tmp_path / "keys", clock)
    (stolen,) = kids(keys)
    path = tmp_path / "audit.jsonl"
    service = dataclasses.replace(SERVICE, keys=AsyncKeys(keys), audit=AuditLog(path, clock))

    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(KeyFolder, "remove", refuse)
    with pytest.raises(StillPublished, match="still published"):
        asyncio.run(service.rotate(ROTATOR, stolen))
    with pytest.raises(StillPublished, match="still published"):
        key_commands.rotate(keys, clock, keys.signing_key().kid, path)

    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["user", "command"]
    for line in lines:
        assert (line["event"], line["still_published"]) == ("keys_rotated", True)
        assert {line["kid"], line["compromised"]} <= set(kids(keys))
