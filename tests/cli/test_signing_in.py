"""`jupyter wb-aws sign-in` and `sign-out`: what they ask, print and return."""

from __future__ import annotations

import json

import pytest

from jupyter_wb_aws.cli import sign_in as command
from tests.cli.contract_server import problem, role_session, sign_in

COMPLETE = "https://idp.example.com/device?user_code=WDJB-MJHT"


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(command, "PAUSE", 0)


def test_a_code_is_shown_and_waited_for(server, run):
    server.sign_ins = [sign_in(s) for s in ("signed_out", "pending", "pending", "signed_in")]
    ran = run("sign-in")
    assert ran.code == 0
    assert "enter the code WDJB-MJHT:\n\n    https://idp.example.com/device\n" in ran.out
    assert ran.out.splitlines()[-2] == "You are signed in as alice."
    assert "`jupyter wb-aws roles`" in ran.out
    assert [asked.body for asked in server.asked if asked.method == "POST"] == [{"flow": "device"}]


def test_a_link_with_the_code_in_it_is_shown_where_there_is_one(server, run):
    server.sign_ins = [sign_in("signed_out"), sign_in("signed_in")]
    server.device = {"verification_uri_complete": COMPLETE}
    assert f"must show the code WDJB-MJHT:\n\n    {COMPLETE}\n" in run("sign-in").out


@pytest.mark.parametrize(
    ("words", "flows"), [(("--flow", "code"), ["code", "device"]), ((), ["code"])]
)
def test_the_code_flow_begins_on_a_page_of_the_server(server, run, words, flows):
    server.sign_ins = [sign_in("signed_out", flows=flows), sign_in("signed_in")]
    ran = run("sign-in", *words)
    assert f"\n    {server.url}aws/sign-in/start\n" in ran.out
    assert "signed in as alice" in ran.out
    assert {asked.method for asked in server.asked} == {"GET"}


@pytest.mark.parametrize("words", [(), ("--flow", "code")])
def test_that_others_may_use_the_server_is_said_before(server, run, words):
    shared = {"code": "server_shared", "message": "Others can work as you."}
    server.sign_ins = [sign_in("signed_out", notices=[shared]), sign_in("signed_in")]
    out = run("sign-in", *words).out
    assert out.startswith("Note: Others can work as you.\nOpen this in ")


def test_role_sessions_that_go_on_are_named(server, run):
    server.sign_ins = [sign_in("signed_out"), sign_in("signed_in")]
    server.sessions = [role_session("analyst")]
    assert run("sign-in").out.splitlines()[-1] == "Your role sessions continue: analyst."


def test_a_refusal_is_reported(server, run):
    why = problem("sign_in_failed", "The sign-in was refused.")
    server.sign_ins = [
        sign_in("signed_out"), sign_in("pending"), sign_in("signed_out", problem=why)
    ]  # fmt: skip
    ran = run("sign-in")
    assert ran.code == 1
    assert "The sign-in was refused." in ran.err


def test_the_reason_why_the_last_sign_in_ended_is_not_the_answer_to_this_one(server, run):
    why = problem("sign_in_required", "It was ended.")
    server.sign_ins = [
        sign_in("signed_out", problem=why), sign_in("signed_out", problem=why), sign_in("signed_in")
    ]  # fmt: skip
    assert run("sign-in", "--flow", "code").code == 0


@pytest.mark.parametrize("words", [(), ("--flow", "code")])
def test_the_same_refusal_twice_is_reported_twice(server, run, words):
    why = problem("sign_in_failed", "The sign-in was refused.")
    server.sign_ins = [
        sign_in("signed_out", problem=why),
        sign_in("pending"),
        sign_in("signed_out", problem=why),
    ]
    assert run("sign-in", *words).code == 1


def test_programs_learn_the_page_where_the_code_flow_begins(server, run):
    server.sign_ins = [sign_in("signed_out", flows=["code"])]
    said = json.loads(run("sign-in", "--json").out)
    assert said == {"flow": "code", "page": f"{server.url}aws/sign-in/start"}


@pytest.mark.parametrize("words", [("--no-wait",), ("--json",)])
def test_a_server_that_begins_the_code_flow_is_answered_with_the_page(server, run, words):
    server.sign_ins = [sign_in("signed_out", flows=[])]
    begun = {"flow": "code", "authorization_url": "https://idp.example.com/authorize?x"}
    content = json.dumps(begun).encode()
    server.answers["POST /aws/sign-in"] = (202, "application/json", content)
    assert f"{server.url}aws/sign-in/start" in run("sign-in", *words).out


def test_it_does_not_wait_for_ever(server, run, monkeypatch):
    monkeypatch.setattr(command, "SIGN_IN_TIMEOUT", 0.3)
    server.sign_ins = [sign_in("signed_out"), sign_in("pending")]
    ran = run("sign-in")
    assert ran.code == 1
    assert "within ten minutes" in ran.err


def test_it_need_not_wait(server, run):
    server.sign_ins = [sign_in("signed_out")]
    assert "Waiting" not in run("sign-in", "--no-wait").out
    assert [asked.method for asked in server.asked] == ["GET", "POST"]


def test_programs_get_the_servers_answer(server, run):
    server.sign_ins = [sign_in("signed_out")]
    assert json.loads(run("sign-in", "--json").out)["user_code"] == "WDJB-MJHT"
    assert json.loads(run("sign-out", "--json").out) == server.signed_out
    server.sign_ins = [sign_in("signed_in")]
    assert json.loads(run("sign-in", "--json").out)["user"]["name"] == "alice"


def test_where_there_is_no_way_the_server_says_why(server, run):
    server.sign_ins = [sign_in("signed_out", flows=[])]
    server.fail("POST /aws/sign-in", "flow_not_available", "Neither flow works.")
    ran = run("sign-in")
    assert ran.code == 1
    assert "Neither flow works." in ran.err


@pytest.mark.parametrize(
    ("state", "said"),
    [("not_needed", "This server needs no sign-in"), ("signed_in", "signed in as alice")],
)
def test_there_may_be_nothing_to_do(server, run, state, said):
    server.sign_ins = [sign_in(state)]
    ran = run("sign-in")
    assert (ran.code, said in ran.out) == (0, True)
    assert [asked.method for asked in server.asked] == ["GET"]


@pytest.mark.parametrize("states", [["signed_in"], ["signed_out", "pending", "signed_in"]])
def test_a_users_name_is_one_line(server, run, states):
    user = {"name": "alice.\nRun this:\r\u2028now", "subject": "a", "groups": []}
    server.sign_ins = [sign_in(s, **({"user": user} if s == "signed_in" else {})) for s in states]
    assert "signed in as alice. Run this: now." in run("sign-in").out


def test_signing_out_when_nobody_is_signed_in_says_so(server, run):
    server.sign_ins = [sign_in("signed_out")]
    assert run("sign-out").out == "Nobody was signed in.\n"
    assert server.asked[-1].method == "DELETE"  # it may have been begun


def test_status_leads_to_the_sign_in(server, run):
    server.sign_ins = [sign_in("signed_out")]
    server.sessions = [
        role_session(
            "analyst", state="sign_in_required", problem=problem("sign_in_required", "Ended.")
        )
    ]
    ran = run("status")
    assert ran.code == 1
    assert ran.out.splitlines()[:2] == [
        "You are not signed in.",
        "Sign in with `jupyter wb-aws sign-in`.",
    ]
    assert "Ended." not in ran.out


def test_status_says_why_one_cannot_sign_in(server, run):
    why = problem("identity_provider_unavailable", "It is down.", admin_hint="Look at `issuer`.")
    server.sign_ins = [sign_in("signed_out", problem=why, flows=[])]
    out = run("status").out
    assert "It is down." in out
    assert "For your administrator: Look at `issuer`." in out


def test_signing_out_says_until_when_credentials_live(server, run):
    server.sign_ins = [sign_in("signed_in")]
    ran = run("sign-out")
    assert ran.code == 0
    assert "already have AWS credentials can use them until" in ran.out
    assert "browser" not in ran.out


def test_signing_out_says_what_is_left_to_do(server, run):
    server.sign_ins = [sign_in("signed_in")]
    server.signed_out = {
        "credentials_expire_at": None, "clients_stop_by": None, "revoked": False, "end_session_url": "https://idp.example.com/out"
    }  # fmt: skip
    out = run("sign-out").out
    assert "could not be reached" in out
    assert "    https://idp.example.com/out" in out.splitlines()
    assert "can use them until" not in out
