"""`GET /aws/doctor`, and the command in a real kernel: what is wrong, and who wins."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from jupyter_wb_aws.doctor.codes import CODES
from jupyter_wb_aws.handlers import doctor
from tests.contract import CONTRACT
from tests.handlers.doctor_site import DOCTOR, STATIC, codes, make_home, set_environment
from tests.site import ANALYST, AUDITOR

WEB = "assume-role-with-web-identity"


@pytest.fixture
def home(tmp_path):
    return make_home(tmp_path)


@pytest.fixture
def jp_server_config(site_config, home, aws, monkeypatch):
    set_environment(monkeypatch, home, aws)
    return site_config


async def ask(api, query=""):
    answer = await api("GET", f"/aws/doctor{query}")
    assert answer.status == 200, answer.raw
    return answer.data


async def test_what_starts_next_is_well_and_works_as_the_default_role(api):
    session = await api.start()
    report = await ask(api)
    assert codes(report, "error", "warning") == []
    assert report["call"]["provider"] == WEB
    assert report["call"]["identity"] == session["identity"]
    assert report["token"]["claims"]["sub"] == "alice"


async def test_the_doctor_reports_that_no_role_was_chosen_yet(api):
    report = await ask(api)
    assert codes(report, "error", "warning") == ["no_role"]
    assert "no_credentials" in codes(report, "info")


async def test_no_role_on_purpose_is_not_an_error(api):
    await api("PUT", "/aws/default", {"session_id": None})
    kernel_id = (await api("POST", "/api/kernels", {"name": "python3"})).data["id"]
    for query in ("", f"?kernel_id={kernel_id}"):
        report = await ask(api, query)
        assert {"no_role", "no_credentials"} <= set(codes(report, "info"))
        assert codes(report, "error") == []


async def test_no_role_because_its_role_session_has_ended_is_an_error(api):
    session = await api.start()
    await api("DELETE", f"/aws/sessions/{session['id']}")
    assert codes(await ask(api), "error") == ["no_role"]


async def test_a_role_session_other_than_the_default_can_be_examined(api):
    await api.start(ANALYST)
    auditor = await api.start(AUDITOR, default=False)
    report = await ask(api, f"?session_id={auditor['id']}")
    assert report["call"]["identity"] == auditor["identity"]


async def test_a_kernel_is_examined_as_it_was_started(api):
    analyst = await api.start(ANALYST)
    kernel_id = (await api("POST", "/api/kernels", {"name": "python3"})).data["id"]
    await api.start(AUDITOR, default=True)
    report = await ask(api, f"?kernel_id={kernel_id}")
    assert report["call"]["identity"] == analyst["identity"]
    assert codes(report, "info")[-1] == "other_default"


async def test_a_kernelspecs_variables_are_filled_in_as_for_the_kernel(
    api, monkeypatch, tmp_path, jp_serverapp
):
    monkeypatch.setenv("SITE_BUNDLE", str(tmp_path / "site.pem"))
    spec = jp_serverapp.kernel_spec_manager.get_kernel_spec("python3")
    of_site = json.dumps({**spec.to_dict(), "env": {"NODE_EXTRA_CA_CERTS": "${SITE_BUNDLE}"}})
    folder = tmp_path / "spec/kernels/site"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(of_site)
    jp_serverapp.kernel_spec_manager.kernel_dirs.append(str(folder.parent))
    kernel_id = (await api("POST", "/api/kernels", {"name": "site"})).data["id"]
    report = await ask(api, f"?kernel_id={kernel_id}")
    (finding,) = [f for f in report["findings"] if f["code"] == "ca_bundle_missing"]
    assert str(tmp_path / "site.pem") in finding["message"]


async def test_the_users_files_are_set_aside_and_without_that_they_are_found(api, home):
    (home / ".aws/credentials").write_text(STATIC)
    await api.start()
    report = await ask(api)
    assert codes(report, "error") == []
    assert "files_set_aside" in codes(report, "info")


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (b"\xef\xbb\xbf[default]\nregion = eu-west-1\n", "profile_file_broken", 1),
        (b"[default]\nregion = eu-west-1\nmax_attempts = x\n", "profile_setting_unusable", 3),
        (b"[default]\nregion = eu-west-1\nlogin_session = x\n", "profile_login", 3),
    ],
)
@pytest.mark.parametrize("name", [None, "$HOME/work.cfg"])
async def test_what_is_wrong_with_files_that_are_set_aside_is_named_with_its_line(
    api, home, monkeypatch, name, content, code, line
):
    file = home / ("work.cfg" if name else ".aws/config")
    file.write_bytes(content)
    if name:
        monkeypatch.setenv("AWS_CONFIG_FILE", name)
    await api.start()

    report = await ask(api)

    assert codes(report, "error") == codes(report, "warning") == []
    (finding,) = [f for f in report["findings"] if f["code"] == code]
    assert f"{file}:{line}" in finding["message"]
    assert str(file) in finding["remedy"]


class TestWithoutStandIns:
    @pytest.fixture
    def jp_server_config(self, jp_server_config):
        jp_server_config["WbAwsApp"]["user_aws_files"] = "keep"
        return jp_server_config

    async def test_a_shadowed_home_is_found(self, api, home):
        (home / ".aws/credentials").write_text(STATIC)
        await api.start()
        answer = await api("GET", "/aws/doctor")
        assert codes(answer.data, "error") == ["profile_static_keys"]
        assert b"user-secret" not in answer.raw


async def test_a_role_session_that_fails_now_is_explained(api):
    session = await api.start()
    token = Path(session["environment"]["AWS_WEB_IDENTITY_TOKEN_FILE"])
    token.write_text("no token")
    report = await ask(api)
    assert {"token_malformed", "call_failed"} <= set(codes(report, "error"))


async def test_what_can_not_be_looked_at_is_refused(api):
    await api.start()
    for query, status, code in [
        ("?session_id=no", 404, "role_session_not_found"),
        ("?kernel_id=no", 404, "kernel_not_found"),
        ("?kernel_id=a&session_id=b", 400, "bad_request"),
    ]:
        answer = await api("GET", f"/aws/doctor{query}")
        assert (answer.status, answer.data["code"]) == (status, code)


async def test_a_doctor_that_does_not_end_is_ended(api, home, monkeypatch):
    (home / ".aws/config").write_text("[default]\ncredential_process = sleep 77\n")
    monkeypatch.setattr(doctor, "CHECK_TIMEOUT", 0.5)
    report = await ask(api)
    assert "call_slow" in codes(report, "error")
    monkeypatch.setattr(doctor, "CHECK_TIMEOUT", 60)
    monkeypatch.setattr(doctor, "ANSWER_TIMEOUT", 2.0)
    assert (await api("GET", "/aws/doctor")).data["code"] == "doctor_timeout"
    assert not running("sleep 77")


async def test_a_kernels_own_python_variables_do_not_keep_the_doctor_from_looking(
    api, tmp_path, home, jp_serverapp
):
    (tmp_path / "decoy").mkdir()
    (tmp_path / "decoy/json.py").write_text("raise SystemExit(7)")
    spec = jp_serverapp.kernel_spec_manager.get_kernel_spec("python3")
    env = {"PYTHONPATH": str(tmp_path / "decoy"), "PYTHONHOME": "/nowhere", "LD_PRELOAD": ""}
    folder = tmp_path / "spec/kernels/odd"
    folder.mkdir(parents=True)
    # With a Python of its own, as a conda kernel has.
    argv = ["env", "-u", "PYTHONPATH", "-u", "PYTHONHOME", *spec.argv]
    (folder / "kernel.json").write_text(json.dumps({**spec.to_dict(), "argv": argv, "env": env}))
    jp_serverapp.kernel_spec_manager.kernel_dirs.append(str(folder.parent))
    (home / ".aws/config").write_text(
        f"[default]\ncredential_process = sh -c 'echo $PYTHONHOME > {tmp_path}/seen; exit 1'\n"
    )
    kernel_id = (await api("POST", "/api/kernels", {"name": "odd"})).data["id"]
    assert "call_failed" in codes(await ask(api, f"?kernel_id={kernel_id}"), "error")
    assert (tmp_path / "seen").read_text() == "/nowhere\n"


async def test_a_doctor_that_can_not_run_is_explained(api, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    answer = await api("GET", "/aws/doctor")
    assert (answer.status, answer.data["code"]) == (503, "helper_process_failed")


def running(command):
    lines = (p.read_bytes() for p in Path("/proc").glob("[0-9]*/cmdline") if p.exists())
    return [line for line in lines if line.replace(b"\0", b" ").strip() == command.encode()]


async def test_the_command_in_a_kernel_looks_at_that_kernel(api, run):
    session = await api.start()
    kernel_id = (await api("POST", "/api/kernels", {"name": "python3"})).data["id"]
    report = json.loads(await run(kernel_id, DOCTOR))
    assert codes(report, "error") == []
    assert report["call"]["identity"] == session["identity"]
    await run(kernel_id, "import os; os.environ['AWS_PROFILE'] = 'missing'")
    report = json.loads(await run(kernel_id, DOCTOR))
    assert codes(report, "error") == ["profile_missing", "call_failed"]
    assert 'os.environ.pop("AWS_PROFILE", None)' in report["findings"][0]["remedy"]


async def test_the_doctor_does_not_count_as_use_of_the_role_session(api, jp_serverapp):
    """Else a page that asks now and then would keep an idle one from its end."""
    await api.start()
    manager = (
        jp_serverapp.extension_manager.extension_apps["jupyter_wb_aws"].pop().server_state.manager
    )
    (session,) = manager.sessions.living()
    before = session.last_used
    await ask(api)
    assert session.last_used == before


async def test_every_code_is_in_the_contract():
    assert CONTRACT["components"]["schemas"]["DoctorCode"]["enum"] == list(CODES)
