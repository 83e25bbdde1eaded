"""The audit log: a line for each token, written whole before the token is handed out, or no token."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jwt
import pytest

from jupyter_wb_aws.hub import audit_file
from jupyter_wb_aws.hub.audit import AuditLog
from jupyter_wb_aws.hub.audit_file import AuditFile
from jupyter_wb_aws.hub.caller import Caller
from jupyter_wb_aws.hub.catalogue import open_catalogue
from jupyter_wb_aws.hub.claims import ClaimSettings
from jupyter_wb_aws.hub.errors import AuditUnavailable
from jupyter_wb_aws.hub.health import Health
from jupyter_wb_aws.hub.key_changes import Rotation
from tests.hub_service.fake_hub import user
from tests.hub_service.running_service import ANALYST, AUDITOR, ROLES, until

CLAIMS = {"sub": "user:alice", "aud": "sts.amazonaws.com", "jti": "1", "exp": 1}
APPENDS = """
import sys
from pathlib import Path
from jupyter_wb_aws.hub.audit_file import AuditFile
file = AuditFile(Path(sys.argv[1]))
for number in range(int(sys.argv[3])):
    file.append({"process": sys.argv[2], "number": number, "text": "x" * 300})
"""
FILLS = """
import resource, sys
from pathlib import Path
from jupyter_wb_aws.hub.audit_file import AuditFile
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
file, done = AuditFile(Path(sys.argv[1])), 0
try:
    while True:
        file.append({"number": done, "text": "x" * 300})
        done += 1
except OSError as error:
    print(done, error.strerror)
try:
    file.append({"number": "more"})
except OSError as error:
    print(error.strerror)
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "audit.jsonl"


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]
    if os.getuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def run(program, *arguments):
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True, text=True, check=True, timeout=120,
    ).stdout  # fmt: skip


# --- The file ---------------------------------------------------------------------------------------


def test_the_file_is_the_services_alone(path):
    old = os.umask(0)
    try:
        AuditFile(path).append({"a": 1})
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes() == b'{"a":1}\n'


def test_a_line_has_no_line_end_within_it(path):
    AuditFile(path).append({"user": "a\nb\r\u2028\u0085"})
    assert path.read_bytes().count(b"\n") == 1
    assert lines_of(path) == [{"user": "a\nb\r\u2028\u0085"}]


def test_half_a_line_spoils_no_other(path):
    file = AuditFile(path)
    file.append({"number": 1})
    with path.open("a") as other:
        other.write('{"number": 2, "te')
    file.append({"number": 3})
    first, half, third, rest = path.read_text().split("\n")
    assert (json.loads(first), json.loads(third), rest) == ({"number": 1}, {"number": 3}, "")
    assert half == '{"number": 2, "te'


def test_a_line_that_is_written_in_part_counts_as_failed_and_spoils_no_other(path):
    assert run(FILLS, path).splitlines() == [
        "3 only a part of the line could be written; the disk is full", "File too large",
    ]  # fmt: skip
    AuditFile(path).append({"number": "after"})

    *whole, half, after = path.read_text().splitlines()
    assert [json.loads(line)["number"] for line in whole] == [0, 1, 2]
    assert json.loads(after) == {"number": "after"}
    with pytest.raises(ValueError, match="."):
        json.loads(half)


def test_processes_that_write_at_once_break_no_line(path):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: run(APPENDS, path, name, 1000), "abcd"))

    seen = [(line["process"], line["number"]) for line in lines_of(path)]
    assert sorted(seen) == [(name, number) for name in "abcd" for number in range(1000)]


@pytest.mark.parametrize("kind", ["a folder", "a FIFO", "nowhere", "a link"])
def test_what_is_not_a_file_is_not_used(path, kind):
    if kind == "a folder":
        path.mkdir()
    elif kind == "a FIFO":
        os.mkfifo(path)
    elif kind == "a link":
        (path.parent / "theirs").write_text("theirs\n")
        path.symlink_to("theirs")
    else:
        path = path / "audit.jsonl"
    with pytest.raises(OSError, match="."):
        AuditFile(path).open()


def test_a_link_that_takes_the_files_place_is_not_followed(path):
    file = AuditFile(path)
    file.append({"number": 1})
    moved = path.rename(path.with_suffix(".1"))
    path.symlink_to(moved)
    with pytest.raises(OSError, match="symbolic link"):
        file.append({"number": 2})
    assert len(lines_of(moved)) == 1


def test_a_process_that_keeps_the_lock_makes_the_write_fail_in_time(path, monkeypatch):
    monkeypatch.setattr(audit_file, "AUDIT_LOCK_SECONDS", 0.2)
    file = AuditFile(path)
    file.append({"number": 1})
    with ThreadPoolExecutor(1) as pool:
        with path.open() as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            with pytest.raises(OSError, match="another process keeps its lock"):
                pool.submit(file.append, {"number": 2}).result(30)
        file.append({"number": 3})
    assert [line["number"] for line in lines_of(path)] == [1, 3]


# --- What is written --------------------------------------------------------------------------------


@pytest.fixture
def audit(path, clock):
    return AuditLog(path, clock, lambda: clock.now().timestamp())


def caller(name="alice"):
    return Caller("user", name, (), frozenset(), "a7", "")


async def test_refusals_are_one_line_a_minute_for_each_user_and_code(audit, path, clock):
    for _ in range(5):
        await audit.refused(caller(), "role_not_allowed", AUDITOR)
        await audit.refused(caller(), "name_not_allowed", None)
        await audit.refused(caller("bob"), "role_not_allowed", AUDITOR)
    seen = [(line["user"], line["code"], line["role"]) for line in lines_of(path)]
    assert seen == [
        ("alice", "role_not_allowed", AUDITOR), ("alice", "name_not_allowed", None), ("bob", "role_not_allowed", AUDITOR),
    ]  # fmt: skip
    clock.advance(61)
    await audit.refused(caller(), "role_not_allowed", AUDITOR)
    assert len(lines_of(path)) == 4


async def test_a_refusal_that_can_not_be_written_is_a_refusal_nevertheless(audit, path):
    path.mkdir()
    await audit.refused(caller(), "role_not_allowed", None)
    assert await audit.check() is not None
    path.rmdir()
    await audit.refused(caller(), "role_not_allowed", None)
    assert [line["event"] for line in lines_of(path)][-1] == "refused"


async def test_the_log_is_found_to_be_well_again_without_a_token(audit, path, clock):
    path.mkdir()
    with pytest.raises(AuditUnavailable):
        await audit.token_issued(caller(), ANALYST, CLAIMS, "kid")
    clock.advance(10)
    assert "directory" in (await audit.check())
    path.rmdir()
    clock.advance(10)
    assert await audit.check() is None
    assert [line["event"] for line in lines_of(path)] == ["audit_available"]


async def test_rotations_that_could_not_be_written_are_written_once_it_is_possible(
    audit, path, clock
):
    path.mkdir()
    for kid in ("first", "second"):
        await audit.keys_rotated(caller(), Rotation(kid, clock.now()), "stolen")
    assert await audit.check() is not None
    path.rmdir()
    clock.advance(60)
    await audit.token_issued(caller(), ANALYST, CLAIMS, "kid")
    await audit.token_issued(caller(), ANALYST, CLAIMS, "kid")

    lines = lines_of(path)
    assert [line["event"] for line in lines] == ["token", "keys_rotated", "keys_rotated", "token"]
    first, second = lines[1:3]
    assert (first["kid"], second["kid"], first["compromised"]) == ("first", "second", "stolen")
    assert first["time"] < lines[0]["time"]


def test_every_token_has_exactly_one_line_and_401s_have_none(hub, service):
    before = len(service.audit)
    tokens = [service.token().json()["token"] for _ in range(5)]
    for _ in range(3):
        assert service.token("unknown-token").status_code == 401
    service.token(role_arn=AUDITOR)
    service.token(role_arn=AUDITOR)

    lines = service.audit[before:]
    claims = [jwt.decode(token, options={"verify_signature": False}) for token in tokens]
    assert [line["event"] for line in lines] == ["token"] * 5 + ["refused"]
    assert [line.get("jti") for line in lines[:5]] == [one["jti"] for one in claims]
    assert [line["exp"] for line in lines[:5]] == [one["exp"] for one in claims]
    line = lines[0]
    assert line["kid"] == jwt.get_unverified_header(tokens[0])["kid"]
    assert (line["user"], line["server"], line["hub_token_id"]) == ("alice", "", "a7")
    assert (line["role"], line["sub"]) == (ANALYST, "user:alice")
    assert lines[5]["code"] == "role_not_allowed"
    text = service.audit_log.read_text()
    assert "alice-token" not in text
    assert not [token for token in tokens if token.rpartition(".")[2] in text]


def test_session_tags_and_source_identity_are_in_the_line(start_service, tmp_path):
    (tmp_path / "roles.toml").write_text(
        f'[[roles]]\narn = "{ANALYST}"\ntags = {{ Team = "analytics" }}\nsource_identity = "{{user}}"\n'
        'allow = [{ groups = ["analysts"] }]\n'
    )
    with start_service() as service:
        assert service.token().status_code == 201, service.log
        (line,) = service.audit
    assert line["tags"]["principal_tags"] == {"Team": ["analytics"]}
    assert line["source_identity"] == "alice"


@pytest.mark.parametrize("how", ["renamed", "removed", "truncated"])
def test_after_logrotate_lines_go_to_the_new_file(service, how):
    service.token()
    path = service.audit_log
    kept = path.with_name(f"audit.{how}")
    if how == "renamed":
        path.rename(kept)
    elif how == "removed":
        path.unlink()
    else:
        os.truncate(path, 0)

    assert service.token().status_code == 201

    assert [line["event"] for line in service.audit] == ["token"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    if how == "renamed":
        assert lines_of(kept)


def test_a_full_disk_refuses_tokens_and_what_comes_after_is_whole(hub, start_service, small_disk):
    path = small_disk / "audit.jsonl"
    with start_service(audit_log=str(path), tokens_per_minute=10_000) as service:
        filler = small_disk / "filler"
        filler.write_bytes(b"x" * 58_000)

        handed_out = []
        answer = service.token()
        while answer.status_code == 201:
            handed_out.append(answer.json()["token"])
            answer = service.token()

        assert (answer.status_code, answer.json()["code"]) == (503, "audit_unavailable")
        assert "retry-after" in answer.headers
        assert service.token().json()["code"] == "audit_unavailable"
        assert service.roles().status_code == 200
        health = service.ask("GET", "health")
        assert health.status_code == 503
        assert [problem["code"] for problem in health.json()["problems"]] == ["audit_unavailable"]
        filler.unlink()
        until(lambda: service.ask("GET", "health").status_code == 200, "the health is not back")
        handed_out.append(service.token().json()["token"])

    lines = []
    for line in path.read_text().splitlines():
        with contextlib.suppress(ValueError):
            lines.append(json.loads(line))
    audited = [line["jti"] for line in lines if line["event"] == "token"]
    handed = [jwt.decode(one, options={"verify_signature": False})["jti"] for one in handed_out]
    assert audited == handed
    assert len(handed) > 2


def test_a_disk_that_hangs_holds_up_tokens_only_and_they_come_back(hub, service):
    service.token()
    before = len(service.audit)
    with service.audit_log.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        answer = service.token()
        assert (answer.status_code, answer.json()["code"]) == (503, "audit_unavailable")
        assert service.roles().status_code == 200
        assert service.ask("GET", "keys").status_code == 200
        health = service.ask("GET", "health").json()
        assert health["status"] == "unavailable"
        assert "another process keeps its lock" in health["problems"][0]["detail"]
    until(lambda: service.token().status_code == 201, "there is no token")
    assert len(service.audit) > before


async def test_a_disk_that_hangs_is_in_the_health_and_holds_up_no_other_call(
    audit, path, tmp_path, clock, monkeypatch
):
    class Well:
        async def check(self):
            return None

        async def problems(self):
            return []

    (tmp_path / "roles.toml").write_text(ROLES)
    roles = open_catalogue(tmp_path / "roles.toml", clock, ClaimSettings("https://hub.example.org"))
    gate, looked, real = threading.Event(), asyncio.Event(), Path.stat
    loop = asyncio.get_running_loop()

    def hang(one, **kwargs):
        if one == path:
            loop.call_soon_threadsafe(looked.set)
            gate.wait(30)
        return real(one, **kwargs)

    audit.open()
    monkeypatch.setattr(Path, "stat", hang)
    asking = asyncio.create_task(Health(Well(), Well(), roles, audit).problems())
    began = time.monotonic()
    await looked.wait()
    assert time.monotonic() - began < 20
    (problem,) = await asking
    gate.set()
    assert (problem.code, problem.stops_tokens) == ("audit_unavailable", True)
    assert "has not answered in time" in problem.detail


def test_a_stolen_key_is_withdrawn_although_the_audit_log_can_not_be_written(hub, start_service):
    hub.tokens["rotating"] = user("root", scopes=["custom:jupyter-wb-aws:keys"])
    with start_service() as service:
        stolen = jwt.get_unverified_header(service.token().json()["token"])["kid"]
        service.audit_log.unlink()
        service.audit_log.mkdir()
        assert service.token().json()["code"] == "audit_unavailable"

        assert service.ask("POST", "keys", "rotating", {"compromised": stolen}).status_code == 201

        assert stolen not in {key["kid"] for key in service.ask("GET", "keys").json()["keys"]}
        assert "'root' has rotated the keys" in service.log


def test_what_a_refused_caller_writes_is_cut(hub, service):
    hub.tokens["their-token"] = user(scopes=[])
    service.token("their-token", "x" * 10_000)
    assert len(service.audit[-1]["role"]) == 600


def test_a_log_that_others_may_read_is_reported(hub, start_service, tmp_path):
    path = tmp_path / "audit.jsonl"
    path.touch(mode=0o644)
    path.chmod(0o644)
    with start_service() as service:
        health = service.ask("GET", "health")
        assert (health.status_code, health.json()["status"]) == (200, "degraded")
        assert [problem["code"] for problem in health.json()["problems"]] == ["audit_permissions"]
        assert service.token().status_code == 201


def test_a_user_whose_name_has_line_ends_makes_one_line(hub, service):
    hub.tokens["their-token"] = user('x\n{"event": "token"}\r\n')
    before = len(service.audit)
    assert service.token("their-token").status_code == 201
    assert len(service.audit) == before + 1
    assert "\n{" not in service.log
