"""Apps behind jupyter-server-proxy: a real one, with real processes, one of them R's."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import psutil
import pytest
from jupyter_server.auth.authorizer import Authorizer
from jupyter_server_proxy import handlers as proxy

from jupyter_wb_aws.injection import process_tree
from jupyter_wb_aws.injection.proxied_apps import app_id, rules_below
from tests.site import ANALYST, AUDITOR

APPS = Path(__file__).parent / "apps"
IN_PYTHON = [sys.executable, str(APPS / "show_environment.py")]


@pytest.fixture
def servers():
    return {
        "shiny": {"command": [*IN_PYTHON, "{port}"]},
        "on_socket": {"command": [*IN_PYTHON, "{unix_socket}"], "unix_socket": True},
        "with_site_environment": {
            "command": [*IN_PYTHON, "{port}"],
            "environment": {"SITE": "1", "AWS_PROFILE": "site", "AWS_CONTAINER_X": "pod"},
        },
        "stubborn": {"command": ["env", "STUBBORN=1", *IN_PYTHON, "{port}"]},
        "behind_a_shell": {"command": ["sh", "-c", f"{' '.join(IN_PYTHON)} {{port}}; true"]},
    }


@pytest.fixture
def jp_server_config(site_config, servers):
    site_config["ServerApp"]["jpserver_extensions"]["jupyter_server_proxy"] = True
    site_config["ServerProxy"] = {"servers": servers}
    return site_config


@pytest.fixture
def ask(api, jp_serverapp, jp_asyncio_loop):
    """Ask an app for its process id and environment; the request launches it if it is not running."""

    async def ask(name, path="environment"):
        answer = await api("GET", f"/{name}/{path}")
        assert answer.status == 200, answer.raw
        return answer.data

    yield ask
    apps = jp_serverapp.extension_manager.extension_points["jupyter_wb_aws"].app.server_state.apps
    for name in apps.running():
        jp_asyncio_loop.run_until_complete(apps.relaunch(name))


@pytest.fixture
def environment_of(ask):
    async def environment_of(name):
        return (await ask(name))["environment"]

    return environment_of


async def of_app(api, name):
    listed = (await api("GET", "/aws/assignments")).data["assignments"]
    return next((each for each in listed if (each["kind"], each["id"]) == ("app", name)), None)


async def test_an_app_gets_the_default_role_session_when_it_is_launched(api, environment_of):
    session = await api.start(ANALYST)

    for name in ("shiny", "on_socket", "with_site_environment", "behind_a_shell"):
        seen = await environment_of(name)
        assert session["environment"].items() <= seen.items(), name


async def test_the_sites_configuration_stays_without_conflicting_names(
    api, environment_of, monkeypatch
):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOFTHESERVER")
    await api.start(ANALYST)

    seen = await environment_of("with_site_environment")

    assert seen["SITE"] == "1"
    assert not {"AWS_PROFILE", "AWS_CONTAINER_X", "AWS_ACCESS_KEY_ID"} & seen.keys()
    assert os.environ["AWS_ACCESS_KEY_ID"] == "AKIAOFTHESERVER"


async def test_without_any_choice_an_app_is_unchanged(api, environment_of, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOFTHESERVER")

    seen = await environment_of("with_site_environment")

    assert seen == {
        **os.environ, "SITE": "1", "AWS_PROFILE": "site", "AWS_CONTAINER_X": "pod",
    } | {name: seen[name] for name in ("LC_CTYPE",) if name in seen}  # fmt: skip
    assert await of_app(api, "with_site_environment") == {
        "kind": "app", "id": "with_site_environment", "chosen": None, "running": None,
        "given": "untouched",
        "delivery": None, "next": {"given": "untouched", "session_id": None},
        "renewed_by": "relaunch",
    }  # fmt: skip


async def test_no_aws_role_removes_every_credential(api, environment_of, monkeypatch):
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/pod")
    await api("PUT", "/aws/default", {"session_id": None})

    seen = await environment_of("with_site_environment")

    assert not {"AWS_ROLE_ARN", "AWS_PROFILE", "AWS_CONTAINER_X"} & seen.keys()
    assert seen["AWS_EC2_METADATA_DISABLED"] == "true"
    assert (await of_app(api, "with_site_environment"))["given"] == "no_role"


async def test_a_role_session_that_has_ended_leaves_no_role(api, environment_of):
    session = await api.start(ANALYST)
    await api("DELETE", f"/aws/sessions/{session['id']}")

    seen = await environment_of("shiny")

    assert "AWS_ROLE_ARN" not in seen
    assert seen["AWS_EC2_METADATA_DISABLED"] == "true"


async def test_a_crashed_app_is_launched_with_the_current_default_role(api, ask):
    await api.start(ANALYST)
    before = await ask("shiny")
    await api.start(AUDITOR, default=True)

    await api("GET", "/shiny/crash")  # jupyter-server-proxy starts it again by itself

    async with asyncio.timeout(30):
        while (answer := await api("GET", "/shiny/environment")).status != 200:
            await asyncio.sleep(0.05)
    assert answer.data["pid"] != before["pid"]
    assert answer.data["environment"]["AWS_ROLE_ARN"] == AUDITOR


async def test_the_default_role_and_an_apps_own_role_are_distinguished(api, ask):
    analyst = await api.start(ANALYST)
    assert await of_app(api, "shiny") is None  # nobody has asked for it yet
    await ask("shiny")

    auditor = await api.start(AUDITOR, default=True)

    assert await of_app(api, "shiny") == {
        "kind": "app",
        "id": "shiny",
        "chosen": {"session_id": auditor["id"], "how": "by_default"},
        "running": {"session_id": analyst["id"], "role_arn": ANALYST, "label": "Analyst"},
        "given": "role",
        "delivery": "web_identity",
        "next": {"given": "role", "session_id": auditor["id"]},
        "renewed_by": "relaunch",
    }


async def test_an_apps_role_session_is_in_use(api, ask, jp_serverapp):
    app = jp_serverapp.extension_manager.extension_points["jupyter_wb_aws"].app
    in_use = app.server_state.role_sessions_in_use
    session = await api.start(ANALYST)
    assert in_use() == set()

    await ask("shiny")
    assert in_use() == {session["id"]}

    await api("POST", "/aws/apps/shiny/relaunch")
    assert in_use() == set()


def process_of(jp_serverapp, name):
    """Return the process that jupyter-server-proxy keeps for an app."""
    base_url = jp_serverapp.web_app.settings["base_url"]
    rules = rules_below(jp_serverapp.web_app.default_router)
    apps = [rule for rule in rules if "proc" in (rule.target_kwargs.get("state") or {})]
    (rule,) = {
        id(rule.target_kwargs["state"]): rule
        for rule in apps
        if app_id(rule.matcher.regex.pattern, base_url) == name
    }.values()
    return rule.target_kwargs["state"]["proc"]


def lives(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def relaunch(api, name):
    answer = await api("POST", f"/aws/apps/{name}/relaunch")
    assert answer.status == 204, answer.data


@pytest.mark.parametrize("name", ["shiny", "on_socket", "behind_a_shell"])
async def test_a_relaunched_app_has_the_current_default_role(api, ask, name):
    await api.start(ANALYST)
    before = await ask(name)
    auditor = await api.start(AUDITOR, default=True)
    assert (await ask(name)) == before  # a running one keeps its role

    await relaunch(api, name)

    assert await of_app(api, name) is None
    after = await ask(name)
    assert auditor["environment"].items() <= after["environment"].items()
    assert not lives(before["pid"])


async def test_a_request_during_a_relaunch_waits_for_the_new_one(api, ask):
    before = await ask("shiny")
    relaunching = asyncio.ensure_future(relaunch(api, "shiny"))
    while psutil.pid_exists(before["pid"]) and not relaunching.done():
        await asyncio.sleep(0)  # until it is under way

    after = await ask("shiny")

    await relaunching
    assert after["pid"] != before["pid"]


async def test_a_relaunch_during_the_automatic_one_leaves_no_second_process(
    api, ask, jp_serverapp, monkeypatch
):
    apps = jp_serverapp.extension_manager.extension_points["jupyter_wb_aws"].app.server_state.apps
    await ask("shiny")
    process = process_of(jp_serverapp, "shiny")
    under_way, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(app_id, command, environment):
        under_way.set()
        await go_on.wait()
        return command

    monkeypatch.setattr(apps.r_sessions, "command_for", slowly)
    await api("GET", "/shiny/crash")
    await under_way.wait()
    crashed = process.pid
    await relaunch(api, "shiny")

    go_on.set()
    await process._restart_process_future

    assert (process.pid, process.running) == (crashed, False)
    assert await of_app(api, "shiny") is None


async def test_relaunching_an_app_that_does_not_run_does_nothing(api, ask):
    await relaunch(api, "shiny")
    await ask("shiny")
    await relaunch(api, "shiny")
    await relaunch(api, "shiny")

    assert await ask("shiny")


async def test_an_app_that_ends_by_itself_can_be_relaunched(api, ask):
    before = await ask("shiny", "end")
    async with asyncio.timeout(30):
        while await of_app(api, "shiny"):
            await asyncio.sleep(0.05)

    await relaunch(api, "shiny")

    assert (await ask("shiny"))["pid"] != before["pid"]


async def test_an_app_that_ignores_sigterm_is_killed(api, ask, monkeypatch):
    monkeypatch.setattr(process_tree, "TERMINATE_TIMEOUT", 0.1)
    before = await ask("stubborn")

    await relaunch(api, "stubborn")

    assert not lives(before["pid"])
    assert (await ask("stubborn"))["pid"] != before["pid"]


async def test_relaunching_an_unknown_app_is_404(api):
    answer = await api("POST", "/aws/apps/nothing/relaunch")

    assert (answer.status, answer.data["code"]) == (404, "app_not_found")


class OnlyAws(Authorizer):
    def is_authorized(self, handler, user, action, resource):
        return resource == "aws"


class TestRights:
    @pytest.fixture
    def jp_server_config(self, jp_server_config):
        jp_server_config["ServerApp"]["authorizer_class"] = OnlyAws
        return jp_server_config

    async def test_relaunching_needs_the_right_to_the_proxied_servers(self, api):
        answer = await api("POST", "/aws/apps/shiny/relaunch")

        assert (answer.status, answer.data["code"]) == (403, "forbidden")


async def test_events_report_a_launch_and_a_relaunch(api, ask, jp_serverapp):
    heard = []

    async def listener(logger, schema_id, data):
        heard.append(data)

    jp_serverapp.event_logger.add_listener(
        schema_id="urn:jupyter-wb-aws:event:assignment-changed", listener=listener
    )

    await ask("shiny")
    await relaunch(api, "shiny")

    await jp_serverapp.event_logger.gather_listeners()
    assert [data["app_id"] for data in heard] == ["shiny", "shiny"]


class TestR:
    @pytest.fixture
    def servers(self):
        program = str(APPS / "show_environment.R")
        return {"r": {"command": ["Rscript", "--vanilla", program, "{port}"], "timeout": 30}}

    @pytest.mark.long  # Debian's R, which `make test-long` installs
    async def test_an_r_program_has_the_role(self, api, ask):
        session = await api.start(ANALYST)

        answer = await api("GET", "/r/environment")

        seen = dict(line.partition("=")[::2] for line in answer.raw.decode().splitlines())
        assert session["environment"].items() <= seen.items()
        await api("POST", "/aws/apps/r/relaunch")


class OfItsOwn(proxy.SuperviseAndProxyHandler):
    """As packages did before jupyter-server-proxy had a configuration."""

    def get_cmd(self):
        return [*IN_PYTHON, str(self.port)]

    def get_env(self):
        return {"OF_ITS_OWN": "1"}


async def test_an_app_with_its_own_handler_gets_the_role_too(api, ask, jp_serverapp):
    session = await api.start(ANALYST)
    rule = (rf"{jp_serverapp.base_url}of-its-own/(.*)", OfItsOwn, {"state": {}})
    jp_serverapp.web_app.add_handlers(".*", [rule])
    jp_serverapp.extension_manager.extension_points[
        "jupyter_wb_aws"
    ].app.server_state.apps.install()

    seen = (await ask("of-its-own"))["environment"]

    assert seen["OF_ITS_OWN"] == "1"
    assert session["environment"].items() <= seen.items()


async def test_an_app_with_an_endpoint_token_is_switched_while_it_runs(api, ask, roles_path):
    by_endpoint = roles_path.read_text().replace('label = "A', 'delivery = "endpoint"\nlabel = "A')
    roles_path.write_text(by_endpoint)
    analyst, auditor = await api.start(ANALYST), await api.start(AUDITOR)
    first = await ask("shiny")
    token_file = Path(first["environment"]["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"])
    assert token_file.exists()
    assert str(token_file) != analyst["environment"]["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]
    assert "AWS_ROLE_ARN" not in first["environment"]

    switched = await api("PUT", "/aws/assignments/shiny", {"session_id": auditor["id"]})

    assert (switched.data["applies"], switched.data["at_restart"]) == ("now", [])
    assert (await of_app(api, "shiny"))["running"]["role_arn"] == AUDITOR
    # It keeps that, and its endpoint token, when it is launched again.
    await api("POST", "/aws/apps/shiny/relaunch")
    second = await ask("shiny")
    assert second["environment"]["JUPYTER_WB_AWS_ROLE"] == "Auditor"
    assert (await of_app(api, "shiny"))["chosen"]["how"] == "by_user"
    assert (await api("DELETE", "/aws/assignments/shiny")).data["applies"] == "now"
    assert (await of_app(api, "shiny"))["running"]["role_arn"] == ANALYST


async def test_a_choice_for_an_app_with_web_identity_waits_for_its_next_launch(api, ask):
    await api.start(ANALYST)
    auditor = await api.start(AUDITOR)
    await ask("shiny")

    chosen = await api("PUT", "/aws/assignments/shiny?kind=app", {"session_id": auditor["id"]})

    assert chosen.data["applies"] == "at_restart"
    assert "AWS_ROLE_ARN" in chosen.data["at_restart"]
    assert (await of_app(api, "shiny"))["running"]["role_arn"] == ANALYST
    await api("POST", "/aws/apps/shiny/relaunch")
    assert (await ask("shiny"))["environment"]["AWS_ROLE_ARN"] == AUDITOR
    assert (await api("PUT", "/aws/assignments/shiny?kind=x", {"session_id": None})).status == 400
