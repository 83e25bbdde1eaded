"""The hub that the other tests run is a real one, and nothing of it is left behind."""

from __future__ import annotations

import os
import pwd
import subprocess

import psutil
import pytest

from tests.hub.running_hub import running_hub
from tests.hub.system_users import can_make_users
from tests.running_demo import TESTED

pytestmark = [pytest.mark.long, pytest.mark.hub5]


@pytest.fixture(scope="module")
def hub(start_hub):
    return start_hub(groups={"analysts": ["alice"]}, base_url="/hubs/one/")


@pytest.fixture(scope="module")
def servers(hub):
    started = hub.start_servers("alice", "bob")
    return {
        ("alice", ""): started["alice"],
        ("alice", "training"): hub.start_server("alice", "training"),
        ("bob", ""): started["bob"],
    }


def test_the_hub_is_that_of_the_tested_virtual_environment(hub):
    code = "import importlib.metadata as m; print(m.version('jupyterhub'))"
    shown = subprocess.run(
        [TESTED / "bin/python", "-c", code], capture_output=True, text=True, check=True
    )
    assert hub.api("GET", "").json()["version"] == shown.stdout.strip()


def test_users_have_default_and_named_servers_with_the_extension(servers):
    for server in servers.values():
        assert server("GET", "/aws/health")["status"] == "not_configured"
        assert server.run(server.kernel(), "print(6 * 7)") == "42\n"


def test_each_user_has_a_home_and_where_root_runs_the_tests_a_uid(servers, hub):
    uids = {user: psutil.Process(server.pid).uids().real for (user, _), server in servers.items()}
    assert hub.homes["alice"] != hub.homes["bob"]
    assert (len(set(uids.values())) == 2) == hub.own_uids
    for (user, _), server in servers.items():
        assert server.environment["HOME"] == str(hub.homes[user])
        shown = server.run(
            server.kernel(), "import os; print(os.getuid(), os.path.expanduser('~'))"
        )
        assert shown.split() == [str(uids[user]), str(hub.homes[user])]


def test_a_user_has_the_commands_of_the_tested_jupyter(servers, hub):
    said = servers["alice", ""].terminal(f"{hub.bin}/jupyter wb-aws status")
    assert "set WbAwsApp.token_source" in said


def test_a_user_cannot_ask_the_server_of_another(servers):
    mine, hers = servers["bob", ""], servers["alice", ""]
    assert hers.fetch("GET", "/api/contents", token=mine.token).status_code == 403
    assert hers.fetch("GET", "/api/contents").status_code == 200


def test_a_stopped_server_takes_its_token_along(hub):
    server = hub.start_server("bob", "short")
    token = server.api_token
    assert hub.api("GET", "/user", token=token).json()["name"] == "bob"

    server.stop()

    assert hub.api("GET", "/user", token=token).status_code == 403
    assert "Interrupted" in server.log or "interrupted" in server.log


def test_a_group_is_joined_and_left(hub):
    def groups():
        return hub.api("GET", "/user", token=hub.token("bob")).json()["groups"]

    hub.join("analysts", "bob")
    assert groups() == ["analysts"]
    hub.leave("analysts", "bob")
    assert groups() == []


def test_a_browser_logs_in_and_sees_its_own_server(hub, servers):
    with hub.log_in("alice") as browser:
        page = browser.get("user/alice/lab")
    assert page.status_code == 200
    assert page.url.path == "/hubs/one/user/alice/lab"


def test_nothing_is_left_also_when_the_test_fails():
    seen = {}

    def fails_with_a_job_left_running():
        with running_hub(users=["alice"]) as hub:
            server = hub.start_server("alice")
            server.run(server.kernel(), "import subprocess; subprocess.Popen(['sleep', '600'])")
            uid = psutil.Process(server.pid).uids().real
            seen.update(hub=hub, processes=hub.processes(), uid=uid)
            pytest.fail("as a test may")

    with pytest.raises(pytest.fail.Exception, match="as a test may"):
        fails_with_a_job_left_running()

    assert len(seen["processes"]) >= 5  # hub, proxy, server, kernel, job
    assert not any(process.is_running() for process in seen["processes"])
    assert not seen["hub"].folder.exists()
    if seen["hub"].own_uids:
        assert seen["uid"] not in {entry.pw_uid for entry in pwd.getpwall()}


@pytest.mark.skipif(not can_make_users(), reason="root's: others have one uid only")
def test_root_can_run_all_servers_under_one_uid():
    with running_hub(users=["alice"], own_uids=False) as hub:
        server = hub.start_server("alice")
        assert psutil.Process(server.pid).uids().real == os.getuid()
        assert server.environment["HOME"] == str(hub.homes["alice"])
