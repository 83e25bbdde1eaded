"""The hub service's command: settings that are refused in a sentence, start and stop, several processes at once."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import jwt
import psutil
import pytest
from traitlets import TraitError
from traitlets.config import Config

from jupyter_wb_aws.clock import SystemClock
from jupyter_wb_aws.hub.app import HubServiceApp
from jupyter_wb_aws.hub.key_changes import make_key
from jupyter_wb_aws.hub.key_files import as_file, file_name
from tests.hub_service.fake_hub import user
from tests.hub_service.running_service import (
    COMMAND,
    ROLES,
    RunningService,
    plain_environment,
    running_service,
    until,
)


@pytest.fixture
def settings(tmp_path):
    """Settings with which the service starts."""
    (tmp_path / "roles.toml").write_text(ROLES)
    return {
        "issuer": "https://hub.example.org/services/aws",
        "roles_file": str(tmp_path / "roles.toml"),
        "keys_dir": str(tmp_path / "keys"),
        "audit_log": str(tmp_path / "audit.jsonl"),
        "hub_api_url": "http://127.0.0.1:1/hub/api",
    }


@pytest.fixture
def run(tmp_path):
    """Runs the command to its end."""

    def run(*arguments, settings=None, **environment):
        if settings is not None:
            config = tmp_path / "config.json"
            config.write_text(json.dumps({"HubServiceApp": settings}))
            arguments = (f"--config={config}", *arguments)
        return subprocess.run(
            [*COMMAND, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
            env={**plain_environment(), **environment},
        )  # fmt: skip

    return run


def refused(done):
    """Return the sentence with which the command refuses to start."""
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if "[C " in line]
    assert len(lines) == 1, done.stderr
    return lines[0]


WRONG = {
    "issuer": ["hub.example.org", "http://hub.example.org/services/aws", "https://hub.example.org/aws?x=1", "https://hub.example.org/aws#x",
               "https://user:pw@hub.example.org", "https://", "https://hub.example.org//aws", "https://hub.example.org/a b", "https://hub.example.org/../x",
               f"https://hub.example.org/{'x' * 300}", 7],
    "audience": ["", "a b", "x" * 300],
    "token_lifetime": [0, 9, -1, 43201, "an hour"],
    "publish_lead": [-1, "soon"],
    "algorithm": ["HS256", "none", "RS512"],
    "subject_template": ["", "{role}", "{user}{role}", "{user", "{password}:{user}"],
    "tokens_per_minute": [0, -1], "hub_requests_per_second": [0, 1.5],
    "only_from_servers": ["yes"], "port": [0, 70000], "prefix": ["services/aws/", "/services/aws", "/a b/", "/a//"],
    "hub_api_url": ["hub", "ftp://hub/hub/api", "http://u:pw@hub/hub/api"],
}  # fmt: skip
UNUSABLE = {
    "issuer": ["", "http://user:pw@hub.example.org/services/aws"], "roles_file": [""], "keys_dir": [""], "hub_api_url": [""],
    "audit_log": ["", "/", "/nowhere/at/all"], "hub_ca_bundle": ["/nowhere.pem", "/dev/null"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in sorted(WRONG) for value in WRONG[name]]
)
def test_a_wrong_setting_is_refused_in_a_sentence_that_names_it(name, value):
    with pytest.raises(TraitError, match=name) as found:
        getattr(HubServiceApp(config=Config({"HubServiceApp": {name: value}})), name)
    assert "pw" not in str(found.value)


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in sorted(UNUSABLE) for value in UNUSABLE[name]]
)
def test_the_service_does_not_start_without_what_it_needs(run, settings, name, value):
    sentence = refused(run(settings={**settings, name: value}))
    assert name in sentence
    assert "pw" not in sentence


@pytest.mark.parametrize(
    "issuer",
    ["https://hub.example.org", "https://hub.example.org/", "https://hub.example.org:8443/services/aws", "http://127.0.0.1:8000/services/aws", "http://localhost/aws"],
)  # fmt: skip
def test_an_issuer_that_aws_or_a_store_can_reach_is_taken(issuer):
    assert HubServiceApp(issuer=issuer).issuer == issuer


def test_a_configuration_that_can_not_be_read_is_refused(run, tmp_path):
    assert "does not exist" in refused(run(f"--config={tmp_path / 'nowhere.py'}"))
    (tmp_path / "broken.py").write_text("c.HubServiceApp.issuer = \n")
    assert "SyntaxError" in refused(run(f"--config={tmp_path / 'broken.py'}"))
    (tmp_path / "broken.json").write_text("{")
    assert "broken.json" in refused(run(f"--config={tmp_path / 'broken.json'}"))
    (tmp_path / "other.conf").write_text("")
    assert ".py or .json" in refused(run(f"--config={tmp_path / 'other.conf'}"))
    assert "does not exist" in refused(run("rotate", f"--config={tmp_path / 'nowhere.py'}"))
    assert "nothing" in refused(run("--HubServiceApp.issuer=nothing"))


@pytest.mark.parametrize(("named", "other"), [("x.json", "x.py"), ("x.py", "x.json")])
def test_only_the_configuration_file_that_is_named_is_read(run, tmp_path, named, other):
    """traitlets' own reader goes by the name without its ending."""
    broken = "{ 'not': JSON, and no Python either"
    (tmp_path / other).write_text(broken)
    (tmp_path / named).write_text("{}" if named == "x.json" else "")
    assert "issuer is not set" in refused(run(f"--config={tmp_path / named}"))
    (tmp_path / named).write_text(broken)
    sentence = refused(run(f"--config={tmp_path / named}"))
    assert named in sentence
    assert other not in sentence


def test_the_command_line_counts_more_than_the_configuration_file(run, settings):
    sentence = refused(run("--HubServiceApp.audit_log=/nowhere/at/all", settings=settings))
    assert "/nowhere/at/all" in sentence


def test_a_missing_setting_is_asked_for_in_the_file_that_was_named(run, tmp_path):
    (tmp_path / "mine.py").write_text("")
    assert f"Set it in {tmp_path / 'mine.py'}" in refused(run(f"--config={tmp_path / 'mine.py'}"))
    for command in ([], ["trust-policy"], ["export", "public"]):
        assert "name the configuration file with --config=FILE" in run(*command).stderr


def test_a_missing_folder_of_the_audit_log_is_named(run, settings, tmp_path):
    sentence = refused(run(settings={**settings, "audit_log": str(tmp_path / "log/audit.jsonl")}))
    assert f"there is no folder {tmp_path / 'log'}. Make it" in sentence
    (tmp_path / "log").mkdir(mode=0o700)
    (tmp_path / "log/audit.jsonl").mkdir()
    sentence = refused(run(settings={**settings, "audit_log": str(tmp_path / "log/audit.jsonl")}))
    assert "Is a directory. The service's own account" in sentence


def test_an_issuer_with_a_slash_at_its_end_is_warned_of(run, settings):
    """The settings are read before what can't be used ends the service."""
    for issuer, is_warned in ((settings["issuer"], False), (settings["issuer"] + "/", True)):
        done = run(settings={**settings, "issuer": issuer, "audit_log": "/nowhere/at/all"})
        assert ("ends with a slash" in done.stderr) is is_warned


@pytest.mark.parametrize(
    ("changed", "environment", "sentence"),
    [
        ({"prefix": "/deep/services/cloud-creds/", "issuer": "https://hub.example.org/deep/services/cloud-creds"}, {},
         "calls the service cloud-creds, set service_name"),
        ({"issuer": "https://hub.example.org/aws"}, {}, "The path of the issuer https://hub.example.org/aws is not"),
        ({}, {"JUPYTERHUB_SERVICE_URL": "https://127.0.0.1:10101"}, "is an https URL, but the service answers plain"),
    ],
    ids=["no service_name", "another path of the issuer", "https"],
)  # fmt: skip
def test_settings_that_do_not_fit_together_are_warned_of(
    run, settings, changed, environment, sentence
):
    nowhere = {"audit_log": "/nowhere/at/all"}
    assert sentence in run(settings={**settings, **nowhere, **changed}, **environment).stderr
    assert "[W" not in run(settings={**settings, **nowhere}).stderr


def test_no_warning_is_about_settings_of_the_docs(run, settings):
    """A hub with a base URL, and a service at the root of a host of its own."""
    for changed in (
        {"prefix": "/jupyter/services/cloud/", "service_name": "cloud",
         "issuer": "https://hub.example.org/jupyter/services/cloud"},
        {"prefix": "/", "issuer": "https://tokens.example.org"},
    ):  # fmt: skip
        done = run(settings={**settings, "audit_log": "/nowhere/at/all", **changed})
        assert "[W" not in done.stderr


def test_a_token_lifetime_that_is_for_tests_is_warned_of(run, settings):
    for seconds, is_warned in ((299, True), (900, False)):
        done = run(settings={**settings, "token_lifetime": seconds, "audit_log": "/nowhere/at/all"})
        assert ("So short an outage" in done.stderr) is is_warned


def test_a_folder_of_keys_that_is_a_file_is_named_once_with_its_setting(settings, tmp_path, hub):
    keys_dir = tmp_path / "a_file"
    keys_dir.touch()
    with running_service(
        tmp_path, **{**settings, "hub_api_url": hub.api_url, "keys_dir": str(keys_dir)}
    ) as service:
        until(lambda: "answers at port" in service.log, lambda: service.log)
        problems = [x for x in service.log.splitlines() if "folder with the keys is not used" in x]
        assert len(problems) == 1
        assert f"HubServiceApp.keys_dir is {keys_dir}." in problems[0]
        assert service.ask("GET", "health").status_code == 503


def test_the_default_configuration_file_is_that_of_the_docs_and_may_be_missing(run):
    assert HubServiceApp().config_file == "/etc/jupyterhub/jupyter_wb_aws_hub_config.py"
    assert "issuer is not set. There is no /nowhere/hub_config.py" in refused(run())


@pytest.mark.parametrize("command", [[], ["rotate"], ["export", "x"], ["new-key"], ["terraform"]])
def test_no_program_in_the_current_folder_is_run(run, tmp_path, command):
    """Another user may have put it there, for an administrator who types a command."""
    for name in ("jupyter_wb_aws_hub_config.py", "jupyter_config.py"):
        (tmp_path / name).write_text("import pathlib; pathlib.Path('was-run').touch()\n")
    run(*command)
    assert not (tmp_path / "was-run").exists()


def test_a_new_key_needs_no_configuration_and_takes_the_algorithm_of_one_that_is_named(
    run, tmp_path
):
    assert run("new-key", "--out=keys").returncode == 0
    (tmp_path / "of_hub.py").write_text('c.HubServiceApp.algorithm = "ES256"\n')
    assert run("new-key", "--out=others", "--config=of_hub.py").returncode == 0
    kinds = [
        json.loads(next((tmp_path / folder).iterdir()).read_text())["public_key"]["alg"]
        for folder in ("keys", "others")
    ]
    assert kinds == ["RS256", "ES256"]


def test_an_unknown_setting_is_named_with_one_that_is_like_it(run, tmp_path):
    (tmp_path / "hub.py").write_text(
        'c.HubServiceApp.issuer = "https://hub.example.org/services/aws"\nc.HubServiceApp.isuer = "x"\n'
    )
    done = run(f"--config={tmp_path / 'hub.py'}")
    assert "roles_file is not set" in refused(done)
    assert "isuer" in done.stderr
    assert "`HubServiceApp.issuer`" in done.stderr


def test_a_port_that_is_taken_is_refused(run, settings):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert str(port) in refused(run(settings={**settings, "port": port}))


@pytest.mark.parametrize("command", ["--help-all", "trust-policy", "terraform"])
def test_a_reader_of_the_output_may_leave_early(settings, tmp_path, command):
    """`jupyter-wb-aws-hub trust-policy | head`: a pipe that nobody reads any more."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"HubServiceApp": settings}))
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [*COMMAND, command, f"--config={config}"], stdout=writing, stderr=subprocess.PIPE, text=True,
            check=False, timeout=60, env=plain_environment(),
        )  # fmt: skip
    finally:
        os.close(writing)
    assert done.stderr == ""
    assert done.returncode == 128 + signal.SIGPIPE


def test_help_describes_every_setting(run):
    shown = run("--help-all").stdout
    for name, trait in HubServiceApp.class_own_traits(config=True).items():
        if trait.this_class is HubServiceApp:
            assert f"--HubServiceApp.{name}=" in shown
            assert trait.help
    assert run("--version").stdout.strip()


def test_a_service_that_the_hub_manages_finds_its_place_in_the_environment(monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_SERVICE_NAME", "tokens")
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/base/services/tokens/")
    monkeypatch.setenv("JUPYTERHUB_SERVICE_URL", "http://127.0.0.1:12345")
    monkeypatch.setenv("JUPYTERHUB_API_URL", "http://127.0.0.1:8081/base/hub/api")
    app = HubServiceApp()
    assert (app.service_name, app.prefix) == ("tokens", "/base/services/tokens/")
    assert (app.ip, app.port) == ("127.0.0.1", 12345)
    assert app.hub_api_url == "http://127.0.0.1:8081/base/hub/api"
    assert HubServiceApp(port=1, service_name="x").port == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_service_cleanly_once_its_calls_are_answered(hub, start_service, number):
    def slow(handler):
        handler.server.hub.released.wait(2)
        handler.answer(200, user())

    with start_service() as service, ThreadPoolExecutor(1) as pool:
        hub.misbehave = slow
        answer = pool.submit(service.token)
        until(lambda: hub.asked_for_users, "the call has not come")
        service.process.send_signal(number)
        hub.released.set()

        assert answer.result().status_code == 201
        assert service.process.wait(20) == 0
        assert "Traceback" not in service.log


def test_several_processes_need_nothing_from_one_another(hub, tmp_path):
    """Started at once on an empty folder: each signs with a key that both publish, and the audit is one."""
    both = [
        RunningService(
            tmp_path, hub_api_url=hub.api_url, issuer="https://hub.example.org/services/aws"
        )
        for _ in range(2)
    ]
    try:
        for service in both:
            service.launch(f"--HubServiceApp.port={service.port}")
        for service in both:
            service.wait_until_it_answers()
        tokens = [service.token().json()["token"] for service in both * 10]
        key_sets = [jwt.PyJWKSet.from_dict(service.ask("GET", "keys").json()) for service in both]
    finally:
        for service in both:
            service.stop()

    for token in tokens:
        for keys in key_sets:
            key = keys[jwt.get_unverified_header(token)["kid"]]
            jwt.decode(token, key, audience="sts.amazonaws.com")
    assert len(both[0].audit) == 20


def test_the_health_names_what_is_wrong_with_the_parts(start_service, tmp_path):
    with start_service() as service:
        assert service.ask("GET", "health").json() == {"status": "ok", "problems": []}
        keys = Path(service.settings["keys_dir"])
        (keys / f"{'A' * 43}.json").write_text("not a key")
        (keys / f"{'A' * 43}.json").chmod(0o600)
        service.roles_file.write_text("[[roles]\n")
        found = service.ask("GET", "health")
        assert (found.status_code, found.json()["status"]) == (200, "degraded")
        assert {problem["code"] for problem in found.json()["problems"]} == {
            "key_file_refused", "roles_file",
        }  # fmt: skip
        assert service.token().status_code == 201


def test_the_health_names_no_file_of_the_keys_and_the_log_does(start_service, tmp_path):
    """Anybody may ask for the health."""
    with start_service() as service:
        keys = Path(service.settings["keys_dir"])
        for number in range(30):
            (keys / f"file-{number:02}").touch()
        (problem,) = service.ask("GET", "health").json()["problems"]
        assert problem["code"] == "key_file_refused"
        assert problem["detail"] == (
            "Files in the folder with the keys that are not used: 30. The log says why."
        )
        assert "file-00 in the folder with the keys is not used: it is not a key" in service.log

        keys.chmod(0o777)
        found = {p["code"]: p["detail"] for p in service.ask("GET", "health").json()["problems"]}
        assert (
            found["keys_dir_refused"] == "The folder with the keys is not used. The log says why."
        )
        assert "can be written to by others" in service.log


def test_the_health_names_neither_the_roles_file_nor_who_could_change_it(start_service):
    with start_service() as service:
        service.roles_file.chmod(0o666)
        until(lambda: service.ask("GET", "health").json()["problems"], "there is no problem")
        (problem,) = service.ask("GET", "health").json()["problems"]
        assert problem == {
            "code": "roles_permissions",
            "detail": "Other users of this machine could change the roles file. The log says how.",
        }
        assert f"{service.roles_file} can be written by every user of this machine" in service.log


def test_without_a_roles_file_there_is_no_role(start_service, tmp_path):
    (tmp_path / "roles.toml").write_text("[[roles]\n")
    with start_service() as service:
        for answer in (service.token(), service.roles()):
            assert (answer.status_code, answer.json()["code"]) == (503, "roles_unavailable")
            assert str(tmp_path) not in answer.text
            assert "line 1" not in answer.text
            assert "The log of the hub service says what is wrong" in answer.json()["admin_hint"]
        assert service.ask("GET", "health").json()["status"] == "unavailable"
        assert f"The roles file {tmp_path / 'roles.toml'} can't be used (line 1" in service.log


def test_without_a_key_there_is_no_token_and_the_service_comes_back(start_service, tmp_path):
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o777)
    keys.chmod(0o777)
    with start_service() as service:
        for answer in (service.token(), service.ask("GET", "keys")):
            assert (answer.status_code, answer.json()["code"]) == (503, "keys_unavailable")
        assert "keys_unavailable" in {p["code"] for p in service.ask("GET", "health").json()["problems"]}  # fmt: skip
        keys.chmod(0o700)
        until(lambda: service.token().status_code == 201, "there is no token", 30)


def test_metrics_count_calls_and_name_nobody(hub, start_service):
    hub.tokens["bob-token"] = user("bob", groups=[])
    with start_service() as service:
        service.token()
        service.token()
        service.token("bob-token")
        service.token("unknown-token")
        service.ask("GET", "nothing/alice")
        text = service.ask("GET", "metrics").text
    counted = dict(re.findall(r"^(jupyter_wb_aws_hub_\w+_total\S*) (\S+)$", text, re.MULTILINE))
    name = "jupyter_wb_aws_hub_requests_total"
    assert counted[f'{name}{{call="tokens",code="ok",status="201"}}'] == "2.0"
    assert counted[f'{name}{{call="tokens",code="role_not_allowed",status="403"}}'] == "1.0"
    assert counted[f'{name}{{call="tokens",code="not_authenticated",status="401"}}'] == "1.0"
    assert counted["jupyter_wb_aws_hub_tokens_total"] == "2.0"
    assert float(counted['jupyter_wb_aws_hub_hub_requests_total{outcome="200"}']) >= 3
    assert "jupyter_wb_aws_hub_signing_key_age_seconds" in text
    assert not re.search(r"alice|bob|analyst|token-|eyJ|/nothing", text)


def test_the_metrics_have_the_age_of_the_key_that_signs(start_service, tmp_path):
    (tmp_path / "keys").mkdir(mode=0o700)
    days = timedelta(days=90)
    made = make_key("ES256", SystemClock().now() - days, SystemClock().now() - days)
    path = tmp_path / "keys" / file_name(made.kid)
    path.touch(mode=0o600)
    path.write_bytes(as_file(made))
    with start_service() as service:
        least = (SystemClock().now() - made.made_at).total_seconds()
        age = key_age(service)
        assert least <= age <= (SystemClock().now() - made.made_at).total_seconds()
        path.chmod(0o644)  # there is no other key
        assert math.isnan(key_age(service))


def key_age(service):
    text = service.ask("GET", "metrics").text
    return float(
        re.search(r"^jupyter_wb_aws_hub_signing_key_age_seconds (\S+)$", text, re.MULTILINE)[1]
    )


def test_neither_log_nor_command_line_has_a_token(hub, start_service):
    with start_service(log_level="DEBUG") as service:
        web_identity = service.token().json()["token"]
        service.ask("GET", "roles?token=alice-token", "alice-token")
        service.ask("GET", "roles", headers={"Authorization": "token alice-token x"})
        service.raw(b"GET /services/aws/roles HTTP/1.1\r\nAuthorization token alice-token\r\n\r\n")
        service.raw(
            b"GET /services/aws/roles HTTP/1.1\r\nHost: x\r\nAuthorization: token alice-token\x00\r\n\r\n"
        )
        process = psutil.Process(service.process.pid)
        assert "alice-token" not in str([process.cmdline(), process.environ()])
    assert "alice" in service.log
    assert "alice-token" not in service.log
    assert web_identity not in service.log
    assert "PRIVATE" not in service.log
