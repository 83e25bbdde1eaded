"""Every status of `GET /aws/health` but `ok` has its reason, by a stable code."""

from __future__ import annotations

import errno
import os
import re
import threading
from pathlib import Path

import pytest

from jupyter_wb_aws import wiring
from jupyter_wb_aws.role_sessions import registry
from jupyter_wb_aws.role_sessions.store import Store
from tests.contract import CONTRACT
from tests.openid import CLIENT, OpenIdProvider, failing
from tests.site import ANALYST

CODES = CONTRACT["components"]["schemas"]["HealthCode"]["enum"]
ADMINISTRATION = Path(__file__).parents[2] / "docs/administration.md"


@pytest.fixture
def health(api):
    async def health(status="degraded"):
        """Return the problems by their codes."""
        document = (await api("GET", "/aws/health")).data
        assert document["status"] == status
        assert bool(document["problems"]) == (status != "ok")
        assert all(problem["detail"] in document["message"] for problem in document["problems"])
        return {problem["code"]: problem for problem in document["problems"]}

    return health


@pytest.fixture
def notices(api):
    async def notices():
        """Return the codes of the notices."""
        return [notice["code"] for notice in (await api("GET", "/aws/health")).data["notices"]]

    return notices


async def test_a_server_where_all_is_well_has_no_problem(api, health):
    await api.start()
    assert await health("ok") == {}


# --- Not set up ------------------------------------------------------------------------------


class TestNotSetUp:
    @pytest.fixture
    def site_config(self, site_config):
        del site_config["WbAwsApp"]["roles_file"]
        site_config["WbAwsApp"]["role_file"] = "roles.toml"
        return site_config

    async def test_the_missing_setting_comes_first_and_then_what_nothing_reads(self, api, health):
        problems = await health("not_configured")

        assert list(problems) == ["not_configured", "unknown_setting"]
        assert "set WbAwsApp.roles_file" in problems["not_configured"]["detail"]
        assert "administrator" in problems["not_configured"]["hint"]
        assert "`WbAwsApp.role_file`" in problems["unknown_setting"]["detail"]

    async def test_a_call_that_needs_the_setting_says_the_same(self, api, health):
        problems = await health("not_configured")
        refused = (await api("GET", "/aws/roles")).data

        assert refused["code"] == "not_configured"
        assert refused["detail"] == problems["not_configured"]["detail"]
        assert refused["hint"] == problems["not_configured"]["hint"]
        assert refused["admin_hint"] == problems["unknown_setting"]["detail"]


class TestRootOfAnother:
    @pytest.fixture
    def site_config(self, site_config, monkeypatch):
        monkeypatch.setattr(wiring, "runs_as_root_for_another", lambda: "Root, at alice's.")
        return site_config

    async def test_root_with_anothers_home_has_a_code_of_its_own(self, health):
        assert list(await health("not_configured")) == ["runs_as_root"]


# --- Folders and disks -----------------------------------------------------------------------


class TestTokenFolder:
    @pytest.fixture
    def site_config(self, site_config, tmp_path):
        folder = tmp_path / "run" / "jupyter_wb_aws"
        folder.mkdir(parents=True)
        folder.chmod(0o777)
        return site_config

    async def test_a_token_folder_that_is_not_safe(self, api, health):
        # The folder is looked at in the background when the server starts; a start waits for that.
        refused = await api("POST", "/aws/sessions", {"role_arn": ANALYST})
        assert refused.data["code"] == "token_dir_refused"

        problems = await health()
        assert list(problems) == ["token_dir_refused"]
        assert problems["token_dir_refused"]["admin_hint"]


class TestStore:
    @pytest.fixture
    def site_config(self, site_config, tmp_path):
        (tmp_path / "state").touch()  # a file where a folder should be
        site_config["WbAwsApp"]["state_dir"] = str(tmp_path / "state")
        return site_config

    async def test_records_that_cannot_be_kept_are_a_notice(self, api, health, notices):
        await api.start()
        assert await health("ok") == {}
        assert "store_failed" in await notices()


class TestHangingDisk:
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

    async def test_a_disk_that_does_not_answer_is_a_notice_until_it_does(
        self, api, health, notices, hanging
    ):
        assert (await api("GET", "/aws/default")).status == 503
        assert await health("ok") == {}
        assert "last_run_unknown" in await notices()
        hanging.set()
        await api.start()
        assert await health("ok") == {}
        assert "last_run_unknown" not in await notices()


# --- Roles file ------------------------------------------------------------------------------


async def test_a_roles_file_that_was_never_good(api, health, roles_path):
    roles_path.write_text("\n\n[[roles]\n")
    problems = await health()
    assert list(problems) == ["catalogue_unavailable"]
    assert problems["catalogue_unavailable"]["admin_hint"].startswith(f"{roles_path}, line 3: ")


async def test_a_roles_file_whose_last_good_version_is_in_force(api, health, roles_path):
    assert await health("ok") == {}
    roles_path.write_text("\n\n[[roles]\n")
    problems = await health()
    assert list(problems) == ["roles_file_broken"]
    assert problems["roles_file_broken"]["admin_hint"].startswith(f"{roles_path}, line 3: ")


async def test_entries_of_the_roles_file_that_cannot_be_used(api, health, roles_path):
    roles_path.write_text(roles_path.read_text().replace("[[roles]]", "[[roles]]\nlable = 7", 1))
    problems = await health()
    assert list(problems) == ["roles_file_entries_unusable"]
    assert "unknown key `lable`" in problems["roles_file_entries_unusable"]["admin_hint"]


async def test_the_first_three_bad_entries_are_described_and_the_others_counted(
    api, health, roles_path
):
    entry = '\n[[roles]]\narn = "arn:aws:iam::111122223333:role/r{0}"\nallow = "everyone"\nlable{0} = 7\n'
    roles_path.write_text(roles_path.read_text() + "".join(map(entry.format, range(5))))
    hint = (await health())["roles_file_entries_unusable"]["admin_hint"]
    assert [name in hint for name in ("lable0", "lable2", "lable3")] == [True, True, False]
    assert hint.endswith("; and 2 more")


# --- Tokens ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "code"),
    [("exit 1", "token_source_failed"), ("exit 77", "sign_in_required"), ("echo x", "token_invalid")],
)  # fmt: skip
class TestTokenSource:
    @pytest.fixture
    def site_config(self, site_config, script):
        site_config["CommandTokenSource"]["command"] = ["/bin/sh", "-c", script]
        return site_config

    async def test_a_token_source_that_fails_is_named_by_the_code_of_its_failure(
        self, api, health, code
    ):
        refused = (await api("GET", "/aws/roles")).data
        problems = await health()
        assert list(problems) == [code] == [refused["code"]]
        assert problems[code]["detail"] == refused["detail"]
        assert problems[code]["hint"] == refused["hint"]


async def test_a_role_session_whose_token_cannot_be_refreshed(api, health, client_file):
    session = await api.start()
    client_file.unlink()
    await api("POST", f"/aws/sessions/{session['id']}/refresh")
    problems = await health()
    assert list(problems) == ["token_source_failed", "role_session_needs_attention"]
    assert problems["role_session_needs_attention"]["detail"] == "A role session needs attention."


class TestSignIn:
    @pytest.fixture
    def provider(self):
        with OpenIdProvider() as provider:
            yield provider

    @pytest.fixture
    def site_config(self, site_config, provider):
        site_config["WbAwsApp"]["token_source"] = "oidc"
        site_config["OidcTokenSource"] = {"issuer": provider.issuer, "client_id": CLIENT}
        return site_config

    async def test_nobody_signed_in_yet_is_a_message_and_not_a_problem(self, api, health):
        assert await health("ok") == {}
        assert "sign-in" in (await api("GET", "/aws/health")).data["message"]

    async def test_why_nobody_can_sign_in(self, api, health, provider):
        provider.faults["/device"] = [failing(401, {"error": "invalid_client"})]
        refused = (await api("POST", "/aws/sign-in", {"flow": "device"})).data
        problems = await health()
        assert list(problems) == ["identity_provider_bad_answer"] == [refused["code"]]
        assert "client_id" in problems["identity_provider_bad_answer"]["admin_hint"]


# --- The credential endpoint -----------------------------------------------------------------


class TestTheCredentialEndpoint:
    @pytest.fixture
    def site_config(self, site_config):
        site_config["WbAwsApp"]["delivery"] = "endpoint"
        return site_config

    @pytest.mark.parametrize(
        ("number", "code"),
        [
            (errno.EADDRNOTAVAIL, "endpoint_not_running"),
            (errno.EADDRINUSE, "endpoint_port_taken"),
        ],
    )
    async def test_no_role_starts_while_it_cannot_listen(
        self, api, health, monkeypatch, number, code
    ):
        def bind(*_):
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as patch:
            patch.setattr("jupyter_wb_aws.endpoint.server.socket.socket.bind", bind)
            refused = await api("POST", "/aws/sessions", {"role_arn": ANALYST})
            assert (refused.status, refused.data["code"]) == (503, "endpoint_unavailable")
            assert list(await health()) == [code]

        await api.start(ANALYST)
        assert await health("ok") == {}


# --- The codes -------------------------------------------------------------------------------


def test_every_code_of_healths_own_is_tested_here():
    assert [code for code in CODES if f'"{code}"' not in Path(__file__).read_text()] == []


def test_the_administration_guide_explains_every_code_of_healths_own():
    table = ADMINISTRATION.read_text().partition("| code | what is wrong |")[2].partition("\n\n")[0]
    listed = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert set(CODES) <= set(listed)
    assert set(listed) - set(CODES) <= set(CONTRACT["x-codes"])
