"""Folders that a real server can't use, or that others can reach, as a user meets them."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from jupyter_wb_aws.role_sessions import registry
from jupyter_wb_aws.role_sessions.store import Store
from tests.site import ANALYST


def codes(health):
    return [notice["code"] for notice in health["notices"]]


@pytest.fixture
def runtime(site_config, tmp_path):
    """What XDG_RUNTIME_DIR names; not there yet."""
    return tmp_path / "run"


class TestMissing:
    @pytest.fixture(autouse=True)
    def dangling(self, runtime):
        runtime.symlink_to("/run/user/nobody-at-all")

    async def test_a_missing_runtime_folder_does_not_keep_a_role_from_starting(self, api, runtime):
        session = await api.start()
        health = (await api("GET", "/aws/health")).data

        token_file = Path(session["environment"]["AWS_WEB_IDENTITY_TOKEN_FILE"])
        assert token_file.exists()
        assert runtime not in token_file.parents
        assert (health["status"], codes(health)) == ("ok", ["token_dir_fallback"])
        assert "XDG_RUNTIME_DIR" in health["notices"][0]["message"]


class TestSetByTheSite:
    @pytest.fixture(autouse=True)
    def a_file(self, site_config, tmp_path):
        (tmp_path / "set").touch()
        site_config["WbAwsApp"]["token_dir"] = str(tmp_path / "set")

    async def test_a_folder_that_the_site_sets_is_never_replaced(self, api, tmp_path):
        refused = await api("POST", "/aws/sessions", {"role_arn": ANALYST})

        assert (refused.status, refused.data["code"]) == (503, "token_dir_refused")
        assert str(tmp_path / "set") in refused.data["detail"]
        assert "WbAwsApp.token_dir" in refused.data["admin_hint"]


class TestRoot:
    @pytest.fixture
    def jp_root_dir(self):
        return Path("/")

    async def test_with_the_root_folder_slash_a_role_works_and_the_browser_shows_no_token(
        self, api, jp_serverapp
    ):
        assert jp_serverapp.root_dir == "/"
        session = await api.start()
        token_file = Path(session["environment"]["AWS_WEB_IDENTITY_TOKEN_FILE"])
        assert token_file.exists()

        for path in (token_file, token_file.parent):
            shown = await api("GET", f"/api/contents{path}")
            assert shown.status == 404
        assert (await api("GET", f"/files{token_file}")).status == 404


class TestEmptyDir:
    @pytest.fixture(autouse=True)
    def empty_dir(self, runtime):
        runtime.mkdir()
        runtime.chmod(0o777)

    async def test_a_volume_that_all_can_write_to_is_reported_by_health_and_doctor(
        self, api, runtime
    ):
        await api.start()
        health = (await api("GET", "/aws/health")).data
        report = (await api("GET", "/aws/doctor")).data

        assert "token_dir_exposed" in codes(health)
        assert health["status"] == "ok"
        found = {finding["code"]: finding for finding in report["findings"]}
        assert str(runtime) in found["token_dir_exposed"]["message"]


class TestHanging:
    @pytest.fixture(autouse=True)
    def hanging(self, monkeypatch):
        may_go_on, real = threading.Event(), Store.load

        def load(store):
            assert may_go_on.wait(60)
            return real(store)

        monkeypatch.setattr(Store, "load", load)
        monkeypatch.setattr(registry, "READY_TIMEOUT", 0.2)
        yield may_go_on
        may_go_on.set()

    async def test_a_disk_that_hangs_is_an_explained_503_until_it_answers(self, api, hanging):
        refused = [
            await api("POST", "/aws/sessions", {"role_arn": ANALYST}),
            await api("GET", "/aws/default"),
            await api("PUT", "/aws/default", {"session_id": None}),
            await api("DELETE", "/aws/sessions/0123456789abcdef"),
        ]
        health = (await api("GET", "/aws/health")).data

        assert {(a.status, a.data["code"]) for a in refused} == {(503, "last_run_unknown")}
        assert all(int(answer.headers["Retry-After"]) > 0 for answer in refused)
        assert codes(health) == ["last_run_unknown"]
        assert (await api("GET", "/aws/sessions")).data["sessions"] == []

        hanging.set()
        await api.start()
        assert codes((await api("GET", "/aws/health")).data) == []


async def test_a_store_that_is_a_fifo_does_not_keep_a_role_from_starting(
    site_config, tmp_path, jp_configurable_serverapp
):
    store = tmp_path / "store"
    store.mkdir(mode=0o700)
    site_config["WbAwsApp"]["state_dir"] = str(store)
    os.mkfifo(store / "guard", 0o600)

    server = jp_configurable_serverapp(config=site_config)
    manager = server.extension_manager.extension_points["jupyter_wb_aws"].app.server_state.manager
    await manager.open()
    session, _ = await manager.starter.start(ANALYST)

    assert session.token_file.exists()
    assert "is not a regular file" in manager.records.problem
