"""The REST contract against a real server, the demo's identity provider and its strict local AWS."""

from __future__ import annotations

import asyncio
import json
import stat
from datetime import datetime
from pathlib import Path

import pytest

from jupyter_wb_aws import __version__
from jupyter_wb_aws.demo.names import CLIENT_ID
from tests.site import ANALYST, AUDITOR, FINANCE, MISCONFIGURED


async def test_roles_are_those_of_the_user(api):
    answer = await api("GET", "/aws/roles")

    assert answer.data["user"]["subject"] == "alice"
    assert [role["name"] for role in answer.data["roles"]] == [
        "analyst",
        "auditor",
        "engineer",
        "misconfigured",
    ]


async def test_a_role_session_starts_and_is_shown(api):
    answer = await api("POST", "/aws/sessions", {"role_arn": ANALYST})

    session = answer.data
    assert answer.status == 201
    assert answer.headers["Location"].endswith(f"/aws/sessions/{session['id']}")
    assert (session["state"], session["default"], session["region"]) == (
        "active",
        True,
        "us-east-2",
    )
    assert session["identity"]["Arn"].startswith(
        "arn:aws:sts::111122223333:assumed-role/analyst/alice-"
    )
    assert (await api("GET", f"/aws/sessions/{session['id']}")).data == session
    assert (await api("GET", "/aws/sessions")).data["sessions"] == [session]


async def test_the_token_file_is_private_and_holds_the_bare_token(api):
    session = await api.start()

    path = Path(session["environment"]["AWS_WEB_IDENTITY_TOKEN_FILE"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path.read_text().count(".") == 2
    assert not path.read_text().endswith("\n")


async def test_the_same_role_and_region_again_is_the_same_role_session(api):
    first = await api("POST", "/aws/sessions", {"role_arn": ANALYST})
    again = await api("POST", "/aws/sessions", {"role_arn": ANALYST, "region": "us-east-2"})
    elsewhere = await api("POST", "/aws/sessions", {"role_arn": ANALYST, "region": "eu-central-1"})

    assert (first.status, again.status, elsewhere.status) == (201, 200, 201)
    assert first.data["id"] == again.data["id"] != elsewhere.data["id"]


async def test_the_same_role_at_once_is_one_start(api):
    answers = await asyncio.gather(
        *(api("POST", "/aws/sessions", {"role_arn": ANALYST}) for _ in range(8))
    )

    assert sorted(answer.status for answer in answers) == [200] * 7 + [201]
    assert len({answer.data["id"] for answer in answers}) == 1


async def test_only_the_first_choice_makes_a_default_by_itself(api):
    await api.start(ANALYST)
    auditor = await api.start(AUDITOR)
    assert not auditor["default"]

    assert (await api.start(AUDITOR, default=True))["default"]
    assert not (await api.start(ANALYST, default=False))["default"]


async def test_a_role_outside_of_the_catalogue_is_refused_with_where_to_ask_for_it(api):
    answer = await api("POST", "/aws/sessions", {"role_arn": FINANCE})

    assert (answer.status, answer.data["code"]) == (403, "role_not_allowed")
    assert answer.data["request_url"] == "https://example.com/request-an-aws-role?team=finance"
    assert answer.data["request_url"] in answer.data["hint"]


async def test_a_trust_policy_that_refuses_is_explained_and_leaves_nothing(api, tmp_path):
    answer = await api("POST", "/aws/sessions", {"role_arn": MISCONFIGURED})

    assert (answer.status, answer.data["code"]) == (403, "trust_refused")
    assert "sub = 'alice'" in answer.data["admin_hint"]
    assert (await api("GET", "/aws/sessions")).data["sessions"] == []
    assert not list((tmp_path / "run").rglob("*.token"))


async def test_an_ended_role_session_leaves_no_file_and_says_until_when_credentials_live(api):
    session = await api.start()
    path = f"/aws/sessions/{session['id']}"

    first, again = await api("DELETE", path), await api("DELETE", path)

    assert first.status == again.status == 200
    assert first.data == again.data
    assert first.data["credentials_expire_at"] > session["started_at"]
    assert not Path(session["environment"]["AWS_WEB_IDENTITY_TOKEN_FILE"]).exists()
    shown = (await api("GET", path)).data
    assert (shown["state"], shown["end_reason"], shown["environment"]) == ("ended", "by_user", {})
    assert (await api("GET", "/aws/sessions")).data["sessions"] == []
    assert (await api("POST", f"{path}/refresh")).data["code"] == "role_session_ended"
    assert (await api("POST", f"{path}/kernels")).data["code"] == "role_session_ended"


async def test_a_role_that_left_the_roles_file_is_withdrawn_with_the_reason(api, roles_path):
    session = await api.start()
    path = f"/aws/sessions/{session['id']}"
    roles_path.write_text(f'[[roles]]\narn = "{AUDITOR}"\nallow = "everyone"\n')

    answer = await api("POST", f"{path}/refresh")

    assert answer.data["code"] == "role_session_ended"
    assert "the role is no longer in your list of roles" in answer.data["detail"]
    assert (await api("GET", path)).data["end_reason"] == "role_withdrawn"
    assert not Path(session["environment"]["AWS_WEB_IDENTITY_TOKEN_FILE"]).exists()


async def test_a_forced_refresh_writes_a_new_token(api):
    session = await api.start()
    path = Path(session["environment"]["AWS_WEB_IDENTITY_TOKEN_FILE"])
    before = path.read_text()

    answer = await api("POST", f"/aws/sessions/{session['id']}/refresh")

    assert answer.data["state"] == "active"
    assert path.read_text() != before


async def test_a_failed_refresh_is_reported_and_the_token_stays(api, client_file):
    session = await api.start()
    client_file.unlink()

    answer = await api("POST", f"/aws/sessions/{session['id']}/refresh")

    assert (answer.status, answer.data["code"]) == (503, "token_source_failed")
    assert int(answer.headers["Retry-After"]) > 0
    shown = (await api("GET", f"/aws/sessions/{session['id']}")).data
    assert (shown["state"], shown["problem"]["code"]) == ("degraded", "token_source_failed")
    assert Path(session["environment"]["AWS_WEB_IDENTITY_TOKEN_FILE"]).exists()


async def test_identity_has_the_keys_of_sts(api):
    session = await api.start()

    remembered = (await api("GET", "/aws/identity")).data
    asked_now = (await api("GET", "/aws/identity?verify=true")).data
    named = (await api("GET", f"/aws/identity?session_id={session['id']}")).data

    assert remembered == asked_now == named
    assert {k: remembered[k] for k in ("UserId", "Account", "Arn")} == session["identity"]
    assert remembered["user"]["name"] == "alice"


async def test_without_a_role_session_identity_says_who_and_how_to_start_one(api):
    answer = await api("GET", "/aws/identity")

    assert (answer.status, answer.data["code"]) == (404, "no_role_session")
    assert answer.data["user"]["name"] == "alice"
    assert "jupyter wb-aws start" in answer.data["hint"]


async def test_nothing_chosen_yet_differs_from_no_aws_role(api):
    async def default():
        return (await api("GET", "/aws/default")).data

    assert await default() == {"session_id": None, "chosen": False, "ended": None}
    session = await api.start()
    assert await default() == {"session_id": session["id"], "chosen": True, "ended": None}

    await api("PUT", "/aws/default", {"session_id": None})

    assert await default() == {"session_id": None, "chosen": True, "ended": None}


async def test_an_ended_default_role_session_differs_from_no_aws_role(api):
    session = await api.start()
    await api("DELETE", f"/aws/sessions/{session['id']}")
    assert (await api("GET", "/aws/default")).data["ended"] == "Analyst"
    answer = await api("GET", "/aws/identity")
    assert answer.data["detail"].startswith("The role session of Analyst has ended")

    await api("PUT", "/aws/default", {"session_id": None})
    assert (await api("GET", "/aws/default")).data["ended"] is None


async def test_no_role_can_be_chosen_and_ending_the_default_leaves_that_choice(api):
    session = await api.start()
    assert (await api("PUT", "/aws/default", {"session_id": None})).status == 204
    assert (await api("GET", "/aws/identity")).data["code"] == "no_role_session"
    assert (await api("PUT", "/aws/default", {"session_id": session["id"]})).status == 204
    assert (await api("GET", "/aws/identity")).status == 200

    await api("DELETE", f"/aws/sessions/{session['id']}")

    assert (await api("GET", "/aws/identity")).data["code"] == "no_role_session"
    # Chosen, so that the next role does not become the default by itself.
    assert not (await api.start(AUDITOR))["default"]


async def test_health_reports_states_and_versions(api):
    session = await api.start()

    health = (await api("GET", "/aws/health")).data

    assert health["status"] == "ok"
    assert health["catalogue"]["roles"] == 5
    assert health["token_source"]["subject"] == "alice"
    assert [(s["id"], s["state"]) for s in health["role_sessions"]] == [(session["id"], "active")]


async def test_health_names_the_version_that_runs_and_not_one_installed_since(api, monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", lambda name: "98.7")
    monkeypatch.setattr("jupyter_wb_aws.handlers.health.version", lambda name: "98.7")

    versions = (await api("GET", "/aws/health")).data["versions"]

    assert versions["jupyter_wb_aws"] == __version__


async def test_health_shows_the_claims_that_aws_will_see(api, idp):
    assert (await api("GET", "/aws/health")).data["token_source"]["claims"] is None
    await api("GET", "/aws/roles")

    source = (await api("GET", "/aws/health")).data["token_source"]

    assert source["claims"] == {
        "iss": idp.issuer,
        "aud": CLIENT_ID,
        "azp": None,
        "sub": "alice",
        "amr": None,
        "source_identity": "alice",
        "roles": None,
        "principal_tags": {"Team": "analytics", "CostCenter": "4711"},
    }
    assert source["warnings"] == []  # the demo's AWS has an STS of its own


@pytest.fixture
def odd_name(site_config):
    """Take an object for the user's name."""
    site_config["CommandTokenSource"]["name_claim"] = "https://aws.amazon.com/tags"


async def test_health_names_the_claims_that_cannot_be_used(odd_name, api):
    await api("GET", "/aws/roles")

    health = (await api("GET", "/aws/health")).data

    assert (health["status"], [n["code"] for n in health["notices"]]) == (
        "ok",
        ["name_claim_unusable"],
    )


@pytest.fixture
def at_aws(site_config):
    """Let STS be AWS's own; nothing is asked of it here."""
    site_config["WbAwsApp"]["extra_environment"] = {}


async def test_health_warns_of_what_iam_will_not_take(at_aws, api):
    await api("GET", "/aws/roles")

    source = (await api("GET", "/aws/health")).data["token_source"]

    assert [warning["code"] for warning in source["warnings"]] == [
        "issuer_not_https",
        "issuer_port",
        "issuer_not_public",
    ]


async def test_health_does_not_warn_where_every_role_is_in_a_store_of_its_own(
    at_aws, api, roles_path
):
    text = roles_path.read_text()
    own = '[[roles]]\nextra_environment = { AWS_ENDPOINT_URL = "https://s3.lab.example.com" }'
    roles_path.write_text(text.replace("[[roles]]", own))
    await api("GET", "/aws/roles")
    everywhere = (await api("GET", "/aws/health")).data["token_source"]
    roles_path.write_text(text.replace("[[roles]]", own, 1))

    once = (await api("GET", "/aws/health")).data["token_source"]

    assert everywhere["warnings"] == []
    assert once["warnings"]


async def test_a_broken_roles_file_keeps_the_last_good_one_and_says_where(api, roles_path):
    await api("GET", "/aws/roles")
    roles_path.write_text("\n\n[[roles]\n")

    roles, health = await api("GET", "/aws/roles"), await api("GET", "/aws/health")

    assert len(roles.data["roles"]) == 4
    assert health.data["status"] == "degraded"
    assert health.data["catalogue"]["problem"]["line"] == 3


async def test_a_bad_entry_takes_no_role_away_and_is_named_with_its_line(api, roles_path):
    before = (await api("GET", "/aws/roles")).data["roles"]
    roles_path.write_text(roles_path.read_text().replace("[[roles]]", "[[roles]]\nlable = 7", 1))

    roles, health = await api("GET", "/aws/roles"), await api("GET", "/aws/health")

    assert roles.data["roles"] == before
    assert health.data["status"] == "degraded"
    assert health.data["catalogue"]["problem"] is None
    (problem,) = health.data["catalogue"]["problems"]
    assert (problem["role_arn"], problem["effect"]) == (before[0]["arn"], "kept")
    (notice,) = [n for n in health.data["notices"] if n["code"] == "roles_file_entry"]
    assert f"{roles_path}, line {problem['line']}: " in notice["message"]
    assert "unknown key `lable`" in notice["message"]


async def test_bad_entries_are_counted_in_the_healths_message_and_not_beside_a_broken_file(
    api, roles_path
):
    text = roles_path.read_text()
    roles_path.write_text(text.replace("[[roles]]", "[[roles]]\nlable = 7"))
    count = text.count("[[roles]]")
    counted = (await api("GET", "/aws/health")).data["message"]
    roles_path.write_text("[[roles]")
    broken = (await api("GET", "/aws/health")).data["message"]

    assert counted == f"The roles file has {count} entries that can't be used."
    assert broken == "The roles file is broken; its last good version stays in force."


async def test_a_roles_file_that_others_can_write_is_a_notice(api, roles_path):
    roles_path.parent.chmod(0o755)
    roles_path.chmod(0o644)
    fine = (await api("GET", "/aws/health")).data["notices"]
    roles_path.chmod(0o666)

    notices = (await api("GET", "/aws/health")).data["notices"]

    assert "roles_file_exposed" not in [notice["code"] for notice in fine]
    (message,) = [n["message"] for n in notices if n["code"] == "roles_file_exposed"]
    assert f"{roles_path} can be written by every user of this machine" in message


async def test_no_answer_holds_a_token(api, caplog):
    caplog.set_level("DEBUG")
    session = await api.start()
    await api("POST", f"/aws/sessions/{session['id']}/refresh")
    path = Path(session["environment"]["AWS_WEB_IDENTITY_TOKEN_FILE"])
    signature = path.read_text().rpartition(".")[2]
    calls = [
        "roles",
        "sessions",
        f"sessions/{session['id']}",
        "identity?verify=true",
        "health",
        "assignments",
    ]

    texts = [(await api("GET", f"/aws/{call}")).raw.decode() for call in calls]

    assert not [text for text in texts if signature in text]
    assert signature not in caplog.text
    assert "SecretAccessKey" not in caplog.text


async def test_times_are_rfc_3339_in_utc(api):
    session = await api.start()

    for name in ("started_at", "token_expires_at", "next_refresh_at"):
        assert session[name].endswith("Z")
        datetime.fromisoformat(session[name])


async def test_the_contract_is_served(api):
    answer = await api("GET", "/aws/openapi.yaml")

    assert answer.headers["Content-Type"] == "application/yaml"
    assert answer.raw.startswith(b"openapi: 3.1")


async def test_events_say_what_happened_and_hold_nothing_secret(api, jp_serverapp):
    heard = []

    async def listen(logger, schema_id, data):
        heard.append((schema_id.rpartition(":")[2], data))

    for name in ("session-started", "session-ended", "default-changed", "role-denied"):
        jp_serverapp.event_logger.add_listener(
            schema_id=f"urn:jupyter-wb-aws:event:{name}", listener=listen
        )
    session = await api.start()
    token = Path(session["environment"]["AWS_WEB_IDENTITY_TOKEN_FILE"]).read_text()
    await api("POST", "/aws/sessions", {"role_arn": FINANCE})
    await api("DELETE", f"/aws/sessions/{session['id']}")
    await jp_serverapp.event_logger.gather_listeners()

    assert {name for name, _ in heard} == {
        "session-started",
        "session-ended",
        "default-changed",
        "role-denied",
    }
    assert token not in json.dumps([data for _, data in heard])


@pytest.fixture
def open_token_dir(site_config, tmp_path):
    """A folder for token files that others can write to."""
    folder = tmp_path / "run" / "jupyter_wb_aws"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    return folder


async def test_a_token_folder_that_is_not_safe_is_said_by_health_and_by_a_start(
    open_token_dir, api
):
    answer = await api("POST", "/aws/sessions", {"role_arn": ANALYST})
    health = (await api("GET", "/aws/health")).data

    assert (answer.status, answer.data["code"]) == (503, "token_dir_refused")
    assert health["status"] == "degraded"
    assert str(open_token_dir) in health["message"]

    open_token_dir.chmod(0o700)
    await api.start()
    assert (await api("GET", "/aws/health")).data["status"] == "ok"


@pytest.fixture
def policy(site_config):
    site_config["WbAwsApp"]["user_aws_files"] = "hide"


async def test_a_notice_says_that_own_aws_files_are_always_hidden(policy, api):
    session = await api.start()

    assert [notice["code"] for notice in session["notices"]] == ["own_aws_files_set_aside"]
    assert session["environment"]["AWS_CONFIG_FILE"].endswith(".config")


async def test_own_aws_files_that_would_override_the_role_are_hidden_with_a_notice(
    api, monkeypatch, tmp_path
):
    own = tmp_path / "credentials"
    own.write_text("[default]\naws_access_key_id = AKIA\naws_secret_access_key = x\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(own))

    session = await api.start()

    (notice,) = session["notices"]
    assert notice["code"] == "own_aws_files_set_aside"
    assert str(own) in notice["message"]
    assert Path(session["environment"]["AWS_SHARED_CREDENTIALS_FILE"]).exists()


@pytest.fixture
def proxy(site_config):
    site_config["WbAwsApp"]["extra_environment"]["HTTPS_PROXY"] = (
        "http://svc:S3cretPw@proxy.example.com:3128"
    )


async def test_a_proxys_password_is_in_no_answer(proxy, api):
    session = await api.start()

    assert session["environment"]["HTTPS_PROXY"] == "http://***@proxy.example.com:3128"


async def test_a_token_file_that_was_deleted_comes_back(api):
    session = await api.start()
    path = Path(session["environment"]["AWS_WEB_IDENTITY_TOKEN_FILE"])
    path.unlink()

    await api("POST", f"/aws/sessions/{session['id']}/refresh")

    assert path.exists()
