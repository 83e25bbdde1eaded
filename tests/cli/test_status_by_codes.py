"""`status` goes by the codes of `GET /aws/health`: its sentences may be any."""

from __future__ import annotations

import pytest

from tests.cli.contract_server import health, health_problem, problem, role_session, sign_in

# As of another version of the server, or one that speaks another language.
SENTENCES = {
    "sign_in_required": "Melden Sie sich an.",
    "role_session_needs_attention": "Eine Sitzung braucht Hilfe.",
    "token_source_failed": "Kein Token.",
    "roles_file_broken": "Die Datei ist kaputt.",
    "last_run_unknown": "Die Platte antwortet nicht.",
}


def degraded(*codes, **more):
    problems = [health_problem(code, SENTENCES[code], hint=f"Rat: {code}.") for code in codes]
    message = " ".join(SENTENCES[code] for code in codes)
    return health(status="degraded", message=message, problems=problems, **more)


def test_what_follows_from_a_missing_sign_in_is_not_repeated(server, run):
    server.sign_ins = [sign_in("signed_out")]
    server.health = degraded(
        "sign_in_required", "role_session_needs_attention", "roles_file_broken"
    )
    ran = run("status")
    assert ran.code == 1
    assert ran.out.splitlines() == [
        "You are not signed in.",
        "Sign in with `jupyter wb-aws sign-in`.",
        "",
        SENTENCES["roles_file_broken"],
        "Rat: roles_file_broken.",
        "You have no role sessions.",
    ]


def test_why_nobody_can_sign_in_is_printed_once(server, run):
    why = problem("token_source_failed", SENTENCES["token_source_failed"])
    server.sign_ins = [sign_in("signed_out", problem=why, flows=[])]
    server.health = degraded("token_source_failed")
    assert run("status").out.count(SENTENCES["token_source_failed"]) == 1


def test_a_degraded_role_session_is_announced_and_explained_below(server, run):
    server.health = degraded("role_session_needs_attention")
    failed = problem("token_source_failed", SENTENCES["token_source_failed"])
    server.sessions = [role_session("analyst", state="degraded", problem=failed)]
    ran = run("status")
    assert ran.code == 1
    assert ran.out.splitlines()[0] == SENTENCES["role_session_needs_attention"]
    assert "Rat: role_session_needs_attention." not in ran.out
    assert SENTENCES["token_source_failed"] in ran.out


def test_a_notice_of_a_problem_is_not_printed_beside_it(server, run):
    notice = {"code": "last_run_unknown", "message": SENTENCES["last_run_unknown"]}
    server.health = degraded("last_run_unknown", notices=[notice])
    assert run("status").out.count(SENTENCES["last_run_unknown"]) == 1


@pytest.mark.parametrize("code", ["not_configured", "runs_as_root"])
def test_a_server_that_is_not_set_up_is_known_by_its_status(server, run, code):
    reason = health_problem(code, "Nichts eingestellt.", hint="Fragen Sie.")
    server.health = health(
        status="not_configured", message="Nichts eingestellt.", problems=[reason]
    )
    ran = run("status")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.splitlines() == ["jupyter wb-aws: Nichts eingestellt.", "Fragen Sie."]
