"""A server that others may use: the log says who did what, and who signs in knows of the others."""

from __future__ import annotations

import logging

import pytest
from jupyter_core.utils import ensure_async
from jupyter_server.auth.identity import IdentityProvider, User
from traitlets import Unicode

from jupyter_wb_aws.handlers import request_user
from tests.site import ANALYST

FORGED = "Bob\n[I] Role session x ended, by the Jupyter user 'alice'"


class HubUsers(IdentityProvider):
    """Knows each request's user by another name, as JupyterHub's does."""

    username = Unicode("bob", config=True)
    display_name = Unicode("Bob", config=True)

    async def get_user(self, handler):
        known = await ensure_async(super().get_user(handler))
        return User(self.username, name=self.display_name) if known else None


@pytest.fixture
def jp_server_config(site_config):
    site_config["ServerApp"]["identity_provider_class"] = HubUsers
    return site_config


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO)
    return lambda: [r.getMessage() for r in caplog.records if r.name == request_user.__name__]


async def test_the_log_names_the_requests_user_from_start_to_end(api, said):
    session = await api.start()
    kernel = (await api("POST", f"/aws/sessions/{session['id']}/kernels", {})).data["id"]
    await api("PUT", f"/aws/assignments/{kernel}", {"session_id": session["id"]})
    await api("DELETE", f"/aws/assignments/{kernel}")
    terminal = (await api("POST", f"/aws/sessions/{session['id']}/terminals")).data["name"]
    await api("PUT", "/aws/default", {"session_id": session["id"]})
    await api("PUT", "/aws/default", {"session_id": None})
    await api.start()
    await api("POST", f"/aws/sessions/{session['id']}/refresh")
    await api("DELETE", f"/aws/sessions/{session['id']}")
    by_bob = ", by the Jupyter user 'bob' (Bob)"
    assert said() == [
        f"{did}{by_bob}"
        for did in (
            f"Role session {session['id']} ({ANALYST}) started",
            f"Kernel {kernel} started with role session {session['id']}",
            f"Kernel {kernel} gets role session {session['id']} at its next start",
            f"Kernel {kernel} gets the default role session at its next start",
            f"Terminal {terminal} started with role session {session['id']}",
            f"Default role session chosen: {session['id']}",
            "Default role session chosen: no AWS role",
            f"Role session {session['id']} ({ANALYST}) found or refreshed",
            f"Role session {session['id']} refreshed",
            f"Role session {session['id']} ended",
        )
    ]


async def test_what_fails_is_not_logged_as_done(api, said):
    assert (await api("DELETE", "/aws/sessions/none")).status == 404
    assert (await api("PUT", "/aws/default", {"session_id": "none"})).status == 404
    assert said() == []


class TestNames:
    @pytest.fixture
    def jp_server_config(self, site_config):
        site_config["ServerApp"]["identity_provider_class"] = HubUsers
        site_config["HubUsers"] = {"username": f"b\x1b[2J{'o' * 200}", "display_name": FORGED}
        return site_config

    async def test_a_name_cannot_write_a_line_of_its_own(self, api, said):
        await api.start()
        [line] = said()
        assert line.isprintable()
        assert "by the Jupyter user 'b?[2Joo" in line
        assert line.count("'") == 2
        assert len(line) < 400


@pytest.mark.parametrize(
    ("user", "shown"),
    [
        pytest.param(User("alice"), "'alice'", id="without a name"),
        pytest.param(User("alice", name="alice"), "'alice'", id="with the same name"),
        pytest.param(User("a", name="A (B)"), "'a' (A ?B?)", id="with another name"),
        ("legacy", "'legacy'"),
    ],
)
def test_a_user_is_named_in_one_line(user, shown):
    handler = type("Handler", (), {"current_user": user})
    assert request_user.request_user(handler) == shown


# --- Signing in where others may use the server ------------------------------------------------

WORK_AS_YOU = "Everybody who may use this server can then work in AWS as you"


@pytest.fixture
def collaboration(site_config, tmp_path, monkeypatch):
    """Install a server extension of the name that real-time collaboration has."""

    def install(name):
        (tmp_path / f"{name}.py").write_text(
            f"def _jupyter_server_extension_points(): return [{{'module': '{name}'}}]\n"
            "def _load_jupyter_server_extension(app): pass\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        site_config["ServerApp"]["jpserver_extensions"][name] = True

    return install


async def notices(api):
    return (await api("GET", "/aws/sign-in")).data.get("notices", [])


async def test_a_server_of_ones_own_has_no_notice(api):
    assert await notices(api) == []


async def test_on_a_hub_it_is_said_before_the_sign_in(api, monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_USER", "alice")
    [notice] = await notices(api)
    assert notice["code"] == "server_shared"
    assert notice["message"].startswith(WORK_AS_YOU)
    assert "JupyterHub's administrators" in notice["message"]


class TestCollaboration:
    @pytest.fixture(params=["jupyter_server_ydoc", "jupyter_collaboration"])
    def jp_server_config(self, request, site_config, collaboration):
        collaboration(request.param)
        return site_config

    async def test_with_collaboration_it_is_said_too(self, api):
        [notice] = await notices(api)
        assert "anyone who works on its notebooks with you" in notice["message"]


class TestCollaborationSwitchedOff:
    @pytest.fixture
    def jp_server_config(self, site_config, collaboration):
        collaboration("jupyter_server_ydoc")
        site_config["YDocExtension"] = {"disable_rtc": True}
        return site_config

    async def test_collaboration_that_is_switched_off_does_not_count(self, api):
        assert await notices(api) == []
