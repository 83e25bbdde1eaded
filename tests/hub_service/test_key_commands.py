"""The commands for keys: what they do, and what they say."""

import contextlib
import json
import os
import pwd
import re
import stat
import subprocess

import httpx
import jwt
import pytest

from jupyter_wb_aws.hub import key_commands
from jupyter_wb_aws.hub.errors import FileNotWritten, RotationRefused, UnknownKey
from tests.hub_service.running_service import COMMAND, RunningService, plain_environment, until
from tests.hub_service.signing_keys import (
    LEAD,
    kids,
    open_keys,
    private_files,
    sign,
    snapshot,
    verify,
)

ISSUER = "https://keys.example.com/hub/"


@pytest.fixture
def keys(tmp_path, clock):
    return open_keys(tmp_path / "keys", clock)


def test_a_rotation_says_which_key_signs_when(keys, clock):
    said = key_commands.rotate(keys, clock)

    assert said == f"The key {kids(keys)[1]} is published now, and signs from 2026-11-24T12:15:00Z."


def test_a_second_rotation_says_that_the_next_key_is_there_already(keys, clock):
    key_commands.rotate(keys, clock)
    before = kids(keys)
    said = key_commands.rotate(keys, clock)

    assert kids(keys) == before
    assert f"The key {before[1]} was made by an earlier rotation" in said
    assert said.endswith("so none was made. It signs from 2026-11-24T12:15:00Z.")


@pytest.mark.skipif(os.geteuid() != 0, reason="gives the folder to another account")
@pytest.mark.parametrize("command", [["rotate"], ["export", "public"]], ids=" ".join)
def test_a_command_of_the_wrong_account_says_so_and_leaves_nothing_behind(tmp_path, keys, command):
    """A lock of root's would keep the service's own account from its keys."""
    folder = tmp_path / "keys"
    (folder / ".lock").unlink()
    before = snapshot(folder)
    os.chown(folder, 65534, -1)
    ended = subprocess.run(
        [*COMMAND, *command, f"--HubServiceApp.keys_dir={folder}",
         f"--HubServiceApp.issuer={ISSUER}"],
        cwd=tmp_path, env=plain_environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert (ended.returncode, ended.stdout) == (1, "")
    assert "belongs to another user" in ended.stderr
    assert "own " in ended.stderr.splitlines()[-1]  # the service's own account, or user
    assert snapshot(folder) == before
    assert not (folder / ".lock").exists()


def test_a_lock_that_can_not_be_opened_is_named(tmp_path, keys, monkeypatch):
    """Of an account that may not open another's, as root may."""
    opened = os.open

    def refuse(path, *args, **more):
        if str(path).endswith(".lock"):
            raise PermissionError(13, "Permission denied")
        return opened(path, *args, **more)

    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(RotationRefused, match=r"its file \.lock is not this account's"):
        keys.rotate()


def test_a_rotation_of_a_compromised_key_says_that_its_tokens_are_refused(keys, clock):
    (stolen,) = kids(keys)
    said = key_commands.rotate(keys, clock, stolen)

    (new,) = kids(keys)
    assert f"The key {stolen} is no longer published" in said
    assert said.endswith(f"again. The key {new} signs now.")


def test_a_next_key_that_goes_with_a_compromised_one_is_named(keys, clock):
    (stolen,) = kids(keys)
    waiting = keys.rotate().kid
    said = key_commands.rotate(keys, clock, stolen)

    (new,) = kids(keys)
    assert said.startswith(f"The key {stolen} is no longer published")
    assert f" With it, {waiting} was withdrawn, which waited beside it. The key {new} signs" in said


def test_a_rotation_of_an_unknown_key_is_refused(keys, clock):
    with pytest.raises(UnknownKey):
        key_commands.rotate(keys, clock, "unknown")


def test_a_rotation_has_a_line_in_the_audit_log(tmp_path, keys, clock):
    (stolen,) = kids(keys)
    path = tmp_path / "audit.jsonl"
    for compromised in (None, None, stolen):
        key_commands.rotate(keys, clock, compromised, audit_log=path)

    new = keys.signing_key().kid
    planned, again, withdrawn = [json.loads(line) for line in path.read_text().splitlines()]
    assert (planned["event"], planned["compromised"]) == ("keys_rotated", None)
    assert (planned["was_made"], again["was_made"]) == (True, False)
    assert again["kid"] == planned["kid"]
    assert withdrawn == {
        "time": "2026-11-24T12:00:00Z", "event": "keys_rotated", "kind": "command",
        "user": pwd.getpwuid(os.geteuid()).pw_name, "server": None, "hub_token_id": None,
        "kid": new, "was_made": True, "compromised": stolen, "withdrawn": [stolen, planned["kid"]],
    }  # fmt: skip
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_rotation_goes_on_without_an_audit_log_and_says_so(tmp_path, keys, clock):
    """A full disk must not keep a stolen key in use."""
    (stolen,) = kids(keys)
    said = key_commands.rotate(keys, clock, stolen, audit_log=tmp_path)

    assert stolen not in kids(keys)
    assert f"The audit log has no line of it: {tmp_path} can't be written (" in said


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_a_new_key_is_written_for_a_secret(tmp_path, clock, algorithm):
    out = tmp_path / "not" / "there" / "yet"
    said = key_commands.new_key(out, algorithm, LEAD, clock)
    (path,) = out.iterdir()

    assert str(path) in said
    assert "2026-11-24T12:15:00Z" in said
    assert "PRIVATE KEY" not in said
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    assert re.fullmatch(r"[-._a-zA-Z0-9]+", path.name)  # what Kubernetes takes as the name of data
    assert not path.name.startswith("-")
    keys = open_keys(out, clock)
    assert keys.signing_key().kid == path.stem
    assert keys.problems == []


def test_the_folder_for_a_new_key_keeps_its_mode(tmp_path, clock):
    """It may be the administrator's own."""
    tmp_path.chmod(0o755)
    key_commands.new_key(tmp_path, "ES256", LEAD, clock)

    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_a_new_key_that_can_not_be_written_is_named(tmp_path, clock):
    (tmp_path / "file").touch()

    with pytest.raises(
        FileNotWritten, match=r"file/[\w-]+\.json can't be written: Not a directory"
    ):
        key_commands.new_key(tmp_path / "file", "ES256", LEAD, clock)


def test_the_public_files_are_those_that_the_service_publishes(tmp_path, keys, clock):
    said = key_commands.export(tmp_path / "keys", ISSUER, tmp_path / "public", clock)
    public = tmp_path / "public"
    configuration = json.loads((public / ".well-known/openid-configuration").read_text())
    published = json.loads((public / "keys").read_text())

    assert ISSUER in said
    assert configuration["issuer"] == ISSUER
    assert configuration["jwks_uri"] == "https://keys.example.com/hub/keys"
    assert configuration["id_token_signing_alg_values_supported"] == ["ES256"]
    assert published == keys.public_keys()
    assert verify(sign(keys.signing_key(), sub="user:alice"), published)
    assert sorted(path.name for path in public.rglob("*")) == [
        ".well-known",
        "keys",
        "openid-configuration",
    ]


def test_the_public_files_are_replaced_after_a_rotation_and_everybody_can_read_them(
    tmp_path, keys, clock
):
    for _ in range(2):
        key_commands.export(tmp_path / "keys", ISSUER, tmp_path / "public", clock)
        keys.rotate()
        key_commands.export(tmp_path / "keys", ISSUER, tmp_path / "public", clock)
    path = tmp_path / "public/keys"

    assert len(json.loads(path.read_text())["keys"]) == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_an_export_writes_through_no_link_of_others(tmp_path, keys, clock):
    """A web root that others write to: they lay links where they expect files of ours."""
    theirs = tmp_path / "theirs"
    theirs.write_text("a file of the administrator's")
    public = tmp_path / "public"
    public.mkdir()
    for name in ("keys", f".keys.{os.getpid()}"):
        (public / name).symlink_to(theirs)
    key_commands.export(tmp_path / "keys", ISSUER, public, clock)

    assert theirs.read_text() == "a file of the administrator's"
    assert json.loads((public / "keys").read_text()) == keys.public_keys()
    assert not (public / "keys").is_symlink()


def test_public_files_that_can_not_be_written_are_named(tmp_path, keys, clock):
    (tmp_path / "public").touch()

    with pytest.raises(FileNotWritten, match="openid-configuration can't be written"):
        key_commands.export(tmp_path / "keys", ISSUER, tmp_path / "public", clock)


@pytest.mark.parametrize("name", ["not/there", "empty"])
@pytest.mark.parametrize("command", [["rotate"], ["rotate", "--compromised", "KID"], ["export", "public"]], ids=" ".join)  # fmt: skip
def test_a_command_for_a_mistyped_folder_makes_no_key(tmp_path, command, name):
    """Files with the public half of a key that no service signs with would make AWS refuse every token."""
    (tmp_path / "empty").mkdir(mode=0o700)
    ended = subprocess.run(
        [*COMMAND, *command, f"--HubServiceApp.keys_dir={name}",
         f"--HubServiceApp.issuer={ISSUER}"],
        cwd=tmp_path, env=plain_environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert (ended.returncode, ended.stdout) == (1, "")
    (sentence,) = ended.stderr.splitlines()
    assert str(tmp_path / name) in sentence
    assert "Is HubServiceApp.keys_dir that of the service?" in sentence
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]


def test_an_export_changes_nothing_in_the_folder_with_the_keys(tmp_path, keys, clock):
    """Not even what the service is about to change: a replaced key that still has its private half."""
    keys.rotate()
    clock.advance(LEAD)
    before = snapshot(tmp_path / "keys")
    key_commands.export(tmp_path / "keys", ISSUER, tmp_path / "public", clock)

    assert len(private_files(tmp_path / "keys")) == 2
    assert snapshot(tmp_path / "keys") == before


# --- Beside a service that runs -----------------------------------------------------------------------


def run(service, *arguments):
    """Run a command with the settings of the service."""
    return subprocess.run(
        [*COMMAND, *arguments, f"--config={service.folder / 'config.json'}"],
        cwd=service.folder, env=plain_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip


def published(service):
    return [key["kid"] for key in service.ask("GET", "keys").json()["keys"]]


def signed_by(service):
    token = service.token().json()["token"]
    assert verify(token, service.ask("GET", "keys").json())
    return jwt.get_unverified_header(token)["kid"]


def test_a_running_service_follows_a_rotation_without_a_restart(start_service):
    with start_service(publish_lead=1, tokens_per_minute=10_000) as service:
        old = signed_by(service)
        rotated = run(service, "rotate")
        (first, new) = published(service)

        assert first == old
        assert rotated.stdout.startswith(f"The key {new} is published now, and signs from 20")
        assert (rotated.returncode, rotated.stderr) == (0, "")
        until(lambda: signed_by(service) == new, lambda: service.log)
        assert published(service) == [old, new]
        assert private_files(service.folder / "keys") == [f"{new}.json"]


def test_services_that_share_their_keys_accept_each_others_tokens_while_they_rotate(hub, tmp_path):
    """They started at the same moment, on an empty folder."""
    settings = {
        "keys_dir": str(tmp_path / "keys"),
        "hub_api_url": hub.api_url,
        "publish_lead": 1,
        "tokens_per_minute": 10_000,
    }
    services = []
    try:
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            services.append(RunningService(tmp_path / name, **settings))
            services[-1].launch()
        for service in services:
            until(lambda service=service: is_healthy(service), lambda service=service: service.log)
        first = accepted_by_all(services)
        assert len(first) == 1
        run(services[0], "rotate")
        until(lambda: accepted_by_all(services).isdisjoint(first), lambda: services[0].log)
    finally:
        for service in services:
            service.stop()


def is_healthy(service):
    with contextlib.suppress(httpx.TransportError):
        return service.ask("GET", "health").status_code == 200


def accepted_by_all(services):
    """Ask each service for a token, check it with the keys of each, and return the keys that signed."""
    tokens = [service.token().json()["token"] for service in services]
    for service in services:
        published = service.ask("GET", "keys").json()
        assert all(verify(token, published) for token in tokens)
    return {jwt.get_unverified_header(token)["kid"] for token in tokens}


def test_a_running_service_no_longer_publishes_a_compromised_key(start_service):
    with start_service() as service:
        stolen = signed_by(service)
        rotated = run(service, "rotate", "--compromised", stolen)

        assert f"The key {stolen} is no longer published" in rotated.stdout
        (new,) = published(service)
        (line,) = (line for line in service.audit if line["event"] == "keys_rotated")
        assert (line["kind"], line["kid"], line["compromised"]) == ("command", new, stolen)
        assert signed_by(service) == new != stolen


@pytest.mark.parametrize(
    "arguments",
    [
        ["rotate", "--compromized=KID"],
        ["rotate", "--compromized", "KID"],
        ["rotate", "KID"],
        ["rotates"],
        ["export"],
        ["export", "one", "two"],
        ["new-key"],
        ["rotate", "--compromised", "unknown"],
    ],
    ids=" ".join,
)
def test_a_misspelt_command_changes_nothing_and_ends_with_one_sentence(service, arguments):
    """`rotate` without the misspelt option would be another command, and no command at all the service."""
    before = published(service)
    ended = run(service, *arguments)

    assert ended.returncode == 1
    assert ended.stdout == ""
    assert len(ended.stderr.splitlines()) == 1
    assert published(service) == before


def test_the_exported_files_are_what_the_service_answers(service):
    assert run(service, "export", "public").returncode == 0
    for path in (".well-known/openid-configuration", "keys"):
        exported = json.loads((service.folder / "public" / path).read_text())
        assert exported == service.ask("GET", path).json()


def test_commands_that_need_a_setting_name_it(tmp_path):
    for name, missing in (("rotate", "keys_dir"), ("export", "issuer")):
        ended = subprocess.run(
            [*COMMAND, name], cwd=tmp_path, env=plain_environment(), capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip
        assert ended.returncode == 1
        assert f"HubServiceApp.{missing} is not set" in ended.stderr
