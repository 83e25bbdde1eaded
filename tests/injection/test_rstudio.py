"""RStudio: a substitute for its server starts R sessions as RStudio does, with a real R."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from jupyter_wb_aws.injection import rstudio
from jupyter_wb_aws.injection.environment import InjectionSettings, process_environment
from jupyter_wb_aws.injection.rstudio import RStudioSessions, rsession_of, script_text
from jupyter_wb_aws.role_sessions.assignments import NO_AWS_ROLE, UNTOUCHED, ProcessRole
from jupyter_wb_aws.role_sessions.endpoint_access import EndpointAccess
from tests.conftest import FakeClock
from tests.role_sessions.support import asleep, make_role, make_session
from tests.site import ANALYST, AUDITOR

BIN = Path(__file__).parent / "apps" / "rstudio" / "bin"
RSERVER = str(BIN / "rserver")
ARGUMENTS = ["--session-root-path", "/a b/", "--launcher-token", "1'\"$HOME"]

needs_r = pytest.mark.long  # Debian's R, which `make test-long` installs


class RSession(NamedTuple):
    rserver: int
    command: list[str]
    arguments: list[str]
    environment: dict[str, Any]


@pytest.fixture
def command():
    return [RSERVER, "--auth-none=1", "--www-port={port}"]


@pytest.fixture
def jp_server_config(site_config, command):
    site_config["ServerApp"]["jpserver_extensions"]["jupyter_server_proxy"] = True
    site_config["ServerProxy"] = {"servers": {"rstudio": {"command": command}}}
    return site_config


@pytest.fixture
def extension(jp_serverapp):
    return jp_serverapp.extension_manager.extension_points["jupyter_wb_aws"].app


@pytest.fixture
def start_r_session(api, extension, jp_asyncio_loop):
    """Start an R session in RStudio; the request launches RStudio if it is not running."""

    async def start_r_session():
        answer = await api("GET", "/rstudio/new")
        assert answer.status == 200, answer.raw
        arguments, _, seen = answer.data["said"].partition("--\n")
        return RSession(
            answer.data["pid"],
            answer.data["command"],
            arguments.splitlines(),
            dict(line.split("=", 1) for line in seen.splitlines() if "=" in line),
        )

    yield start_r_session
    jp_asyncio_loop.run_until_complete(extension.server_state.apps.relaunch("rstudio"))


@needs_r
async def test_each_r_session_has_the_current_default_role(api, start_r_session):
    before = await start_r_session()
    analyst = await api.start(ANALYST)
    first = await start_r_session()
    auditor = await api.start(AUDITOR, default=True)
    second = await start_r_session()
    await api("PUT", "/aws/default", {"session_id": None})
    third = await start_r_session()

    assert before.environment["RS_SECRET"] == "s"
    assert not [name for name in before.environment if name.startswith("AWS_")]
    assert analyst["environment"].items() <= first.environment.items()
    assert auditor["environment"].items() <= second.environment.items()
    assert "AWS_ROLE_ARN" not in third.environment
    assert third.environment["AWS_EC2_METADATA_DISABLED"] == "true"
    assert len({each.rserver for each in (before, first, second, third)}) == 1


@needs_r
async def test_the_real_rsession_gets_its_arguments_unchanged(start_r_session):
    session = await start_r_session()

    assert session.arguments[-4:] == ARGUMENTS
    assert not [word for word in session.command if "AWS" in word]


@needs_r
async def test_an_r_session_has_no_role_once_the_role_session_has_ended(api, start_r_session):
    session = await api.start(ANALYST)
    await start_r_session()
    await api("DELETE", f"/aws/sessions/{session['id']}")

    seen = (await start_r_session()).environment

    assert "AWS_ROLE_ARN" not in seen
    assert seen["AWS_EC2_METADATA_DISABLED"] == "true"


@needs_r
async def test_assignments_say_that_a_new_r_session_is_enough(api, start_r_session, extension):
    analyst = await api.start(ANALYST)
    await start_r_session()
    auditor = await api.start(AUDITOR, default=True)

    (entry,) = (await api("GET", "/aws/assignments")).data["assignments"]

    assert (entry["id"], entry["renewed_by"]) == ("rstudio", "r_session")
    # An R session of before may still run.
    assert extension.server_state.role_sessions_in_use() == {analyst["id"], auditor["id"]}


@needs_r
async def test_r_sessions_of_two_default_roles_keep_them_until_the_user_switches_rstudio(
    api, start_r_session, roles_path
):
    by_endpoint = roles_path.read_text().replace('label = "A', 'delivery = "endpoint"\nlabel = "A')
    roles_path.write_text(by_endpoint)
    await api.start(ANALYST)
    first = (await start_r_session()).environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]
    again = (await start_r_session()).environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]
    auditor = await api.start(AUDITOR, default=True)
    second = (await start_r_session()).environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]

    async def roles():
        listed = (await api("GET", "/aws/endpoint/clients")).data["clients"]
        return [client["role_arn"] for client in listed if client["name"] == "rstudio"]

    assert first == again != second
    assert Path(first).exists()
    assert await roles() == [ANALYST, ANALYST, AUDITOR]  # of rserver, and of the R sessions
    switched = await api("PUT", "/aws/assignments/rstudio", {"session_id": auditor["id"]})
    assert switched.data["applies"] == "now"
    assert await roles() == [AUDITOR, AUDITOR, AUDITOR]


@needs_r
async def test_a_new_r_session_has_access_although_that_of_an_older_one_was_ended(
    api, start_r_session, roles_path, extension
):
    by_endpoint = roles_path.read_text().replace('label = "A', 'delivery = "endpoint"\nlabel = "A')
    roles_path.write_text(by_endpoint)
    await api.start(ANALYST)
    first = (await start_r_session()).environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]
    ended = Path(first).stem.partition("_")[2]

    assert (await api("DELETE", f"/aws/endpoint/clients/{ended}")).status == 204
    await extension.server_state.apps.r_sessions.follow()

    second = (await start_r_session()).environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]
    assert second != first


@needs_r
async def test_only_the_user_can_read_the_script_and_it_goes_with_the_server(
    start_r_session, extension
):
    session = await start_r_session()
    script = Path(session.command[1].partition("=")[2])
    assert stat.S_IMODE(script.stat().st_mode) == 0o700

    await extension.stop_extension()

    assert not script.exists()


@needs_r
async def test_a_folder_in_which_nothing_can_be_executed_is_reported(
    api, start_r_session, monkeypatch, caplog
):
    monkeypatch.setattr(rstudio.os, "access", lambda path, mode: Path(path).suffix != ".script")

    session = await start_r_session()

    assert session.command[1] == "--auth-none=1"
    assert "set WbAwsApp.token_dir" in caplog.text


class TestSiteWrapper:
    @pytest.fixture
    def command(self, tmp_path):
        wrapper = tmp_path / "site's wrapper"
        wrapper.write_text(f'#!/bin/sh\nexport SITE=1\nexec {BIN}/rsession "$@"\n')
        wrapper.chmod(0o755)
        return [
            "env",
            "A=1",
            RSERVER,
            "--www-port={port}",
            "--rsession-path",
            str(wrapper),
            "--x=1",
        ]

    @needs_r
    async def test_a_wrapper_of_the_site_s_own_is_called_by_ours(self, api, start_r_session):
        session = await api.start(ANALYST)

        r = await start_r_session()

        assert r.environment["SITE"] == "1"
        assert session["environment"].items() <= r.environment.items()
        assert [word.partition("=")[0] for word in r.command[1:]] == [
            "--rsession-path", "--www-port", "--x",
        ]  # fmt: skip


class TestFindingTheRealRsession:
    @pytest.fixture
    def etc(self, tmp_path):
        (tmp_path / "rstudio").mkdir()
        return tmp_path

    def test_it_lies_beside_rserver_wherever_that_is_called(self, tmp_path):
        (tmp_path / "rserver").symlink_to(RSERVER)

        assert rsession_of(["rserver"], {"PATH": str(tmp_path)}) == BIN / "rsession"
        assert rsession_of([RSERVER], {}) == BIN / "rsession"

    def test_a_relative_path_is_below_where_rstudio_is_installed(self):
        assert (
            rsession_of([RSERVER, "--rsession-path=bin/rserver"], {}) == BIN.parent / "bin/rserver"
        )

    @pytest.mark.parametrize("variable", ["RSTUDIO_CONFIG_DIR", "XDG_CONFIG_DIRS"])
    def test_the_site_s_rserver_conf_names_it(self, etc, variable):
        (etc / "rstudio" / "rserver.conf").write_text("www-port=1\nrsession-path = /bin/sh\n")
        folder = etc / "rstudio" if variable == "RSTUDIO_CONFIG_DIR" else etc
        environment = {variable: str(folder)}

        assert rsession_of([RSERVER], environment) == Path("/bin/sh")
        assert rsession_of([RSERVER, "--rsession-path=/bin/cat"], environment) == Path("/bin/cat")

    @pytest.mark.parametrize("command", [["rserver"], [RSERVER, "--rsession-path=/nowhere"]])
    def test_without_one_the_command_stays_as_it_is(self, command):
        assert rsession_of(command, {"PATH": "/nowhere"}) is None


HOSTILE = 'it\'s "quoted" $HOME `id` \\ \n and a second line'


ACCESS = EndpointAccess("http://127.0.0.1:40123/credentials", Path("/run/wb/slot_ab.endpoint"))


@pytest.mark.parametrize("given", ["untouched", "no_role", "role", "endpoint"])
@pytest.mark.parametrize(
    ("has_conflict", "no_proxy"),
    [
        (True, {}),
        (False, {"NO_PROXY": "a b, 127.0.0.10"}),
        (False, {"NO_PROXY": "*", "no_proxy": "x"}),
        (False, {"no_proxy": "127.0.0.1", "NO_PROXY": ""}),
    ],
)
def test_the_script_changes_an_environment_as_process_environment_does(
    tmp_path, given, has_conflict, no_proxy
):
    given = {
        "untouched": UNTOUCHED,
        "no_role": NO_AWS_ROLE,
        "role": ProcessRole(
            "role", make_session(role=make_role(extra_environment={"EXTRA": HOSTILE}))
        ),
        "endpoint": ProcessRole("role", make_session(delivery="endpoint")),
    }[given]
    base = {
        "PATH": os.environ["PATH"], "AWS_ACCESS_KEY_ID": "AKIA", "AWS_PROFILE": "", "KEPT": HOSTILE,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://x", "AWS_BEARER_TOKEN_BEDROCK": "x",
        "AWS_ROLE_ARN": "pod", "BOTO_CONFIG": "x", "AWS_REGION": "eu-west-1",
        "MULTI": "x\nAWS_CONTAINER_=y", "AWS_CREDENTIAL_FILE": "y", **no_proxy,
    }  # fmt: skip
    site = InjectionSettings({"HTTPS_PROXY": "http://user:p'w@proxy"})
    script = tmp_path / "script"
    env = Path("/usr/bin/env")
    script.write_text(script_text(given, site, env, has_conflict=has_conflict, access=ACCESS))

    said = subprocess.run(
        ["/bin/sh", script, "-0"], env=base, capture_output=True, check=True
    ).stdout.decode()

    seen = dict(entry.split("=", 1) for entry in said.split("\0") if entry)
    shells_own = {"PWD", "_", "SHLVL", "OLDPWD"}
    assert {name: seen[name] for name in seen.keys() - shells_own} == process_environment(
        base, given, site, has_conflict=has_conflict, access=ACCESS
    )


class FakeManager:
    """Has a default role that a test changes, and writes scripts as slowly as `gate` allows."""

    def __init__(self, folder):
        self.folder = folder
        self.files = self
        self.clock = FakeClock()
        self.now = NO_AWS_ROLE
        self.choices = SimpleNamespace(followers=[], next_role_of_app=lambda _: self.now)
        self.written = []
        self.gate = asyncio.Event()
        self.gate.set()

    def script_path(self, name):
        return self.folder / name

    async def write_script(self, path, content):
        await self.gate.wait()
        self.written.append(content)
        path.write_text(content)
        path.chmod(0o700)

    async def looked_again(self):
        await asleep(self.clock)
        self.clock.advance(rstudio.CHECK_INTERVAL)
        await asleep(self.clock)


@pytest.fixture
def manager(tmp_path):
    return FakeManager(tmp_path)


@pytest.fixture
def r_sessions(manager, jp_asyncio_loop):
    made = RStudioSessions(manager, InjectionSettings())
    yield made
    jp_asyncio_loop.run_until_complete(made.close())


async def test_changes_without_a_choice_are_noticed_too(manager, r_sessions):
    """Such as the roles file, the user's own ~/.aws, or a default role that did not start."""
    await r_sessions.command_for("rstudio", [RSERVER], {})
    await manager.looked_again()
    assert len(manager.written) == 1

    manager.now = UNTOUCHED
    await manager.looked_again()

    assert "METADATA" in manager.written[0]
    assert len(manager.written) == 2
    assert "METADATA" not in manager.written[1]


async def test_an_unreadable_folder_does_not_stop_the_updates(
    manager, r_sessions, monkeypatch, caplog
):
    def refused(path):
        raise PermissionError(13, "Permission denied", str(path))

    await r_sessions.command_for("rstudio", [RSERVER], {})
    monkeypatch.setattr(Path, "exists", refused)
    await r_sessions.follow()
    await manager.looked_again()
    monkeypatch.undo()

    manager.now = UNTOUCHED
    await manager.looked_again()

    assert "R sessions get the previous default role" in caplog.text
    assert len(manager.written) == 2


async def test_a_slow_disk_does_not_stop_the_server(manager, r_sessions, monkeypatch):
    threads = set()
    looks = {"access": os.access, "exists": Path.exists}

    def look(name):
        def looked(*what):
            threads.add(threading.current_thread())
            return looks[name](*what)

        return looked

    monkeypatch.setattr(rstudio.os, "access", look("access"))
    monkeypatch.setattr(Path, "exists", look("exists"))
    await r_sessions.command_for("rstudio", [RSERVER], {})
    await r_sessions.follow()

    assert threads
    assert threading.main_thread() not in threads


async def test_an_older_default_never_overwrites_a_newer_one(manager, r_sessions, monkeypatch):
    looking, go_on = threading.Event(), threading.Event()
    monkeypatch.setattr(rstudio, "CHECK_INTERVAL", 600)
    await r_sessions.command_for("rstudio", [RSERVER], {})
    manager.now = ProcessRole("role", make_session())

    def slowly(_environment, _cwd):
        if not looking.is_set():
            looking.set()
            go_on.wait(10)

    monkeypatch.setattr(rstudio, "find_conflict", slowly)
    former = asyncio.ensure_future(r_sessions.follow())
    await asyncio.to_thread(looking.wait, 10)
    manager.now = UNTOUCHED
    later = asyncio.ensure_future(r_sessions.follow())
    await asyncio.wait({later}, timeout=0.2)

    go_on.set()
    await asyncio.gather(former, later)

    assert "AWS" not in manager.written[-1].replace("AWS role", "")


async def test_a_late_write_is_overwritten_even_by_the_previous_default(
    manager, r_sessions, monkeypatch
):
    monkeypatch.setattr(rstudio, "WRITE_TIMEOUT", 0.05)
    await r_sessions.command_for("rstudio", [RSERVER], {})
    manager.gate.clear()
    manager.now = UNTOUCHED
    await r_sessions.follow()  # the disk does not answer

    manager.gate.set()
    manager.now = NO_AWS_ROLE
    await r_sessions.follow()

    assert len(manager.written) == 2
    assert "METADATA" in manager.written[-1]
