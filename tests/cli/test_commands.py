"""What each command asks, prints and returns."""

from __future__ import annotations

import json
import re

import pytest

from tests.cli.contract_server import (
    CLAIMS,
    health,
    health_problem,
    problem,
    role,
    role_session,
    session_health,
    token_source,
)

ANALYST = "arn:aws:iam::111122223333:role/analyst"


# --- roles ---------------------------------------------------------------------------------


def test_roles_are_a_table_that_marks_the_default(server, run):
    server.roles[0]["description"] = "Reads and\nwrites"
    server.sessions = [role_session("analyst", default=True)]
    ran = run("roles")
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "   NAME     LABEL    ACCOUNT       REGION     DESCRIPTION",
        "*  analyst  Analyst  111122223333  us-east-2  Reads and writes",
        "   auditor  auditor  111122223333  us-east-2",
        "",
        "* default role: new notebooks, consoles and terminals get it",
    ]


def test_roles_with_their_deliveries_and_arns_on_request(server, run):
    header, *rows = run("roles", "--verbose").out.splitlines()
    assert header.endswith("DESCRIPTION  DELIVERY      ARN")
    assert rows[0].endswith(f"  web_identity  {ANALYST}")


def test_roles_without_a_default_say_how_to_start_one(server, run):
    assert "`jupyter wb-aws start NAME`" in run("roles").out


@pytest.mark.parametrize("no_roles", [False, True])
def test_roles_and_status_name_an_entry_of_the_roles_file_that_is_bad(server, run, no_roles):
    message = "The roles file /etc/roles.toml, line 7: the role x has the unknown key `lable`; it is left out."
    server.health = health(
        notices=[
            {"code": "roles_file_entry", "message": message},
            {"code": "kernels_elsewhere", "message": "Not of the roles file."},
        ]
    )
    server.roles = [] if no_roles else server.roles
    out = run("roles").out
    assert "/etc/roles.toml, line 7: the role x" in " ".join(out.split())
    assert "Not of the roles file" not in out
    assert "line 7: the role x" in " ".join(run("status").out.split())


def test_status_counts_several_bad_entries_and_lists_them_for_an_administrator(server, run):
    lines = [f"The roles file /etc/roles.toml, line {n}: no `arn`; it is left out." for n in (3, 9)]
    server.health = health(
        notices=[
            *({"code": "roles_file_entry", "message": line} for line in lines),
            {"code": "kernels_elsewhere", "message": "Not of the roles file."},
        ]
    )
    out = run("status").out
    assert "Note: 2 entries of the roles file can't be used;" in out
    assert "line 3" not in out
    assert "Not of the roles file." in out
    verbose = run("status", "--verbose").out
    assert all(line in verbose for line in lines)


def test_status_names_each_unknown_setting_in_a_line_after_what_is_missing(server, run):
    cause = "AWS roles are not set up on this server: set X.issuer."
    hints = ["`X.isuer` is not a setting.", "`X.audiense` is not a setting."]
    server.health = health(
        status="not_configured",
        message=" ".join([cause, *hints]),
        problems=[
            health_problem("not_configured", cause),
            *(health_problem("unknown_setting", hint) for hint in hints),
        ],
        notices=[{"code": "unknown_setting", "message": hint} for hint in hints],
    )
    ran = run("status")
    assert ran.code == 3
    assert ran.err.splitlines() == [
        f"jupyter wb-aws: {cause}",
        f"For your administrator: {' '.join(hints)}",
    ]


def test_exec_shows_where_the_dashes_go(run):
    ran = run("exec", "auditor", "ls", "my file")
    assert "jupyter wb-aws exec auditor -- ls 'my file'" in ran.err


def test_no_roles_at_all_is_said(server, run):
    server.roles, server.sessions = [], []
    assert "No role is offered to alice" in run("roles").out
    advice = "No AWS role is offered to you. Ask your administrator for one."
    for words in (["status"], ["start", "analyst"], ["identity"]):
        ran = run(*words)
        assert advice in ran.out + ran.err
        assert "start ROLE" not in ran.out + ran.err


def test_a_label_cannot_steer_the_terminal(server, run):
    server.roles[0]["label"] = "\x1b[31mred\x07"
    assert "\x1b" not in run("roles").out


# --- start ---------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["analyst", "Analyst", "ANALYST", ANALYST])
def test_a_role_is_started_by_name_label_or_arn_and_is_the_default(server, run, word):
    ran = run("start", word)
    assert ran.code == 0
    assert server.asked[-1].body == {"role_arn": ANALYST, "default": True}


def test_start_says_who_until_when_and_what_gets_it(server, run):
    out = run("start", "analyst").out
    assert "  arn:aws:sts::111122223333:assumed-role/analyst/alice-analyst" in out.splitlines()
    assert "which is refreshed until you run\n`jupyter wb-aws end`" in out
    assert "A kernel that runs without a role gets it at its next restart." in out


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ({"JPY_PARENT_PID": "1"}, "This notebook gets it with Kernel > Restart Kernel."),
        ({"JUPYTER_SERVER_URL": "URL"}, "This terminal does not change: open a new one."),
        ({"AWS_ROLE_SESSION_NAME": "alice-analyst"}, "This process already has it."),
    ],
)
def test_start_says_what_becomes_of_the_place_where_it_is_typed(
    server, run, monkeypatch, place, said
):
    session = role_session(
        "analyst", default=True, environment={"AWS_ROLE_SESSION_NAME": "alice-analyst"}
    )
    server.answers["POST /aws/sessions"] = (200, "application/json", json.dumps(session).encode())
    for name, value in place.items():
        monkeypatch.setenv(name, server.url if value == "URL" else value)

    assert said in run("start", "analyst").out


def test_started_in_a_notebook_it_is_the_choice_for_this_notebook_too(server, run, monkeypatch):
    monkeypatch.setenv("JUPYTER_WB_AWS_KERNEL_ID", "kernel-1")

    run("start", "analyst")
    run("start", "auditor", "--no-default")

    chosen = [(c.target, c.body) for c in server.asked if c.method == "PUT"]
    path = "/user/alice/aws/assignments/kernel-1?kind=kernel"
    assert chosen == [(path, {"session_id": "id-analyst"})]


def named(name, **more):
    """A role session with its RoleSessionName."""
    return role_session(name, environment={"AWS_ROLE_SESSION_NAME": f"alice-{name}"}, **more)


KERNEL, TERMINAL = {"JPY_PARENT_PID": "1"}, {"JUPYTER_SERVER_URL": "URL"}
AUDITOR = {"AWS_ROLE_SESSION_NAME": "alice-auditor", "JUPYTER_WB_AWS_ROLE": "auditor"}
DEFAULT_LEGEND = named("analyst", default=True)


@pytest.mark.parametrize(
    ("sessions", "here", "said"),
    [
        ([DEFAULT_LEGEND, named("auditor")], TERMINAL | AUDITOR, "This terminal has the role auditor; a new one gets analyst."),
        ([DEFAULT_LEGEND, named("auditor")], KERNEL | AUDITOR, "This kernel has the role auditor and keeps it when it restarts. `!jupyter wb-aws start ROLE` in a cell, or the notebook's toolbar, changes it"),
        ([DEFAULT_LEGEND, named("auditor", shared=False)], TERMINAL | AUDITOR, "This process has the role auditor."),
        ([DEFAULT_LEGEND], TERMINAL | AUDITOR, "of auditor, which this terminal was started with, has ended. Open a new terminal: it gets analyst."),
        ([DEFAULT_LEGEND], KERNEL | AUDITOR, "of auditor, which this kernel was started with, has ended. `!jupyter wb-aws start auditor` in a cell, or the notebook's toolbar, gives it auditor"),
        ([DEFAULT_LEGEND], TERMINAL, "This terminal has no AWS role. Open a new terminal: it gets analyst."),
        ([DEFAULT_LEGEND], KERNEL, "This kernel has no AWS role. `!jupyter wb-aws start analyst` in a cell"),
    ],
)  # fmt: skip
def test_what_this_place_has_and_what_changes_it_is_said(
    server, run, monkeypatch, sessions, here, said
):
    server.sessions = sessions
    for name, value in here.items():
        monkeypatch.setenv(name, server.url if value == "URL" else value)

    for command in ("status", "identity"):
        out = run(command).out
        assert said in out
        assert "restart it" not in out


@pytest.mark.parametrize(
    ("here", "said"),
    [
        (TERMINAL, "Run `jupyter wb-aws start auditor`, then open a new terminal."),
        (KERNEL, "`!jupyter wb-aws start auditor` in a cell"),
    ],
)
def test_status_says_what_to_do_where_the_role_session_of_this_place_was_the_last(
    server, run, monkeypatch, here, said
):
    for name, value in (here | AUDITOR).items():
        monkeypatch.setenv(name, server.url if value == "URL" else value)
    assert said in run("status").out


@pytest.mark.parametrize("more", [{}, {"JUPYTER_SERVER_URL": "URL"}])
def test_without_a_default_role_identity_is_that_of_the_process(server, run, monkeypatch, more):
    server.sessions = [named("analyst"), named("auditor")]
    for name, value in (AUDITOR | more).items():
        monkeypatch.setenv(name, server.url if value == "URL" else value)

    ran = run("identity")

    assert ran.code == 0
    assert "assumed-role/auditor/alice-auditor" in ran.out
    assert "This is the identity of this process. You have no default role." in ran.out
    assert json.loads(run("identity", "--json").out)["session_id"] == "id-auditor"


def test_start_without_default_picks_nothing(server, run):
    out = run("start", "analyst", "--no-default").out
    assert out.startswith("Started analyst, us-east-2 (role session id-analyst).")


def test_start_prints_the_notices(server, run):
    session = role_session("analyst", notices=[{"code": "x", "message": "~/.aws is hidden."}])
    server.answers["POST /aws/sessions"] = (
        200, "application/json", json.dumps(session).encode()
    )  # fmt: skip
    assert "Note: ~/.aws is hidden." in run("start", "analyst").out


def test_start_takes_a_region(server, run):
    run("start", ANALYST, "--region", "eu-west-1")
    assert server.asked[-1].body["region"] == "eu-west-1"


def test_start_without_default_leaves_the_default_as_it_is(server, run):
    ran = run("start", "analyst", "--no-default")
    assert server.asked[-1].body["default"] is False
    assert "not your default role" in ran.out


def test_default_and_no_default_exclude_each_other(server, run):
    ran = run("start", "analyst", "--default", "--no-default")
    assert ran.code == 2
    assert server.asked == []


def test_an_ambiguous_name_lists_the_candidates(server, run):
    server.roles.append(role("analyst", account_id="444455556666", label="Other"))
    ran = run("start", "analyst")
    assert ran.code == 2
    assert f"{ANALYST} (Analyst)" in ran.err
    assert "arn:aws:iam::444455556666:role/analyst (Other)" in ran.err
    assert [call.method for call in server.asked] == ["GET"]


def test_an_exact_name_wins_over_another_roles_label(server, run):
    server.roles.append(role("other", label="analyst"))
    assert run("start", "analyst").code == 0


def test_an_ambiguous_label_lists_the_candidates(server, run):
    server.roles += [role("one", label="Lake"), role("two", label="Lake")]
    ran = run("start", "Lake")
    assert ran.code == 2
    assert "role/one" in ran.err
    assert "role/two" in ran.err


@pytest.mark.parametrize("word", ["anlyst", "ANALIST"])
def test_a_misspelt_role_is_answered_with_the_one_most_like_it(server, run, word):
    ran = run("start", word)
    assert ran.code == 2
    assert "Did you mean “analyst”? Your roles are: analyst" in ran.err


def test_an_unknown_name_lists_what_there_is(server, run):
    ran = run("start", "finance-admin")
    assert ran.code == 2
    assert "“finance-admin”" in ran.err
    assert "analyst, auditor" in ran.err


def test_a_refusal_says_what_why_and_what_to_do(server, run):
    server.fail(
        "POST /aws/sessions", "trust_refused", "No, says the trust policy.",
        title="AWS refused to let you use this role", hint="Pick another role.",
        admin_hint="Allow sub = alice.",
    )  # fmt: skip
    ran = run("start", "analyst")
    assert ran.code == 1
    assert ran.out == ""
    assert ran.err.splitlines() == [
        "jupyter wb-aws: No, says the trust policy.",
        "Pick another role.",
        "For your administrator: Allow sub = alice.",
    ]


# --- status --------------------------------------------------------------------------------


def test_status_lists_the_role_sessions_and_their_problems(server, run):
    degraded = problem("token_source_failed", "The command failed.", admin_hint="See the log.")
    server.sessions = [
        role_session("analyst", default=True),
        role_session(
            "auditor",
            state="sign_in_required",
            problem=degraded,
            token_expires_at="2000-01-01T00:00:00Z",
        ),
    ]
    ran = run("status")
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "   ROLE     STATE             REGION     TOKEN                    ID",
        "*  analyst  active            us-east-2  refreshed automatically  id-analyst",
        "   auditor  sign in required  us-east-2  until 2000-01-01 00:00   id-auditor",
        "",
        "* default role: new notebooks, consoles and terminals get it",
        "",
        "auditor, us-east-2:",
        "  The command failed.",
        "  Do this.",
        "  For your administrator: See the log.",
    ]


def test_status_without_a_role_session_says_how_to_start_one(server, run):
    ran = run("status")
    assert ran.code == 0
    assert "jupyter wb-aws start ROLE" in ran.out


def test_status_without_a_default_says_so(server, run):
    server.sessions = [role_session("analyst")]
    assert "None of these is your default role" in run("status").out


def test_status_says_in_one_sentence_what_to_configure(server, run):
    message = "Set WbAwsApp.token_source and WbAwsApp.roles_file."
    missing = health_problem("not_configured", message)
    server.health = health(status="not_configured", message=message, problems=[missing])
    ran = run("status")
    assert ran.code == 3
    assert message in ran.err


def test_status_explains_a_broken_roles_file_and_a_failing_token_source(server, run):
    server.health = health(
        status="degraded",
        message="The roles file is broken; the last good one is used. It failed.",
        problems=[
            health_problem(
                "roles_file_broken",
                "The roles file is broken; the last good one is used.",
                admin_hint="/etc/roles.toml, line 7: no value",
            ),
            health_problem("token_source_failed", "It failed.", hint="Try again."),
        ],
    )
    ran = run("status")
    assert ran.code == 1
    assert ran.out.splitlines()[:4] == [
        "The roles file is broken; the last good one is used.",
        "For your administrator: /etc/roles.toml, line 7: no value",
        "It failed.",
        "Try again.",
    ]


def test_status_prints_once_why_no_roles_are_known(server, run):
    why = server.fail(
        "GET /aws/roles", "identity_provider_unavailable", "The hub service can't be reached."
    )
    failed = health_problem("identity_provider_unavailable", why["detail"])
    server.health = health(status="degraded", message=why["detail"], problems=[failed])

    ran = run("status")
    as_json = run("status", "--json")

    assert (ran.code, (ran.out + ran.err).count(why["detail"])) == (1, 1)
    assert "You have no role sessions." in ran.out
    assert json.loads(as_json.out) == {"sessions": []}
    assert (as_json.code, as_json.err.count(why["detail"])) == (1, 1)


def test_status_shows_what_aws_will_see_only_if_it_is_verbose(server, run):
    server.health = health(token_source=token_source(claims=CLAIMS))
    server.sessions = [role_session("analyst", default=True)]
    assert "AWS will see" not in run("status").out
    out = run("status", "--verbose").out
    assert out.endswith(
        "\n\nFor your administrator, to compare with a role's trust policy:\n"
        "AWS will see: iss https://idp.example.com, aud jupyter, sub alice\n"
    )


def test_status_without_a_role_session_shows_it_after_it_has_fetched_a_token(server, run):
    server.health = health(token_source=token_source(claims=CLAIMS))
    out = run("status", "--verbose").out
    assert "AWS will see: iss https://idp.example.com" in out
    asked = [call.target.rpartition("/")[2] for call in server.asked]
    assert asked[-2:] == ["roles", "health"]


def test_status_reports_what_is_wrong_with_a_token_fetched_just_now(server, run):
    known = {"code": "kernels_elsewhere", "message": "Known before."}
    news = {"code": "groups_claim_unusable", "message": "The claim is an object."}
    server.health = health(notices=[known])
    server.health_after_roles = {"notices": [known, news]}
    out = run("status", "--verbose").out
    assert out.count("Note: Known before.") == 1
    assert "Note: The claim is an object." in out


def test_status_shows_the_claims_that_iam_checks_and_those_that_it_refuses(server, run):
    claims = CLAIMS | {
        "aud": ["a", "b"],
        "azp": "b\x1b[31m",
        "source_identity": "alice",
        "roles": None,
        "principal_tags": {"Team": "analytics", "Cost": "7"},
    }
    warning = {"code": "issuer_port", "message": "The issuer has a port."}
    server.health = health(token_source=token_source(claims=claims, warnings=[warning]))
    assert "For your administrator: The issuer has a port." in run("status").out
    out = run("status", "--verbose").out
    assert "aud a and b, azp b\ufffd[31m, sub alice, source identity" in out
    assert "tags Team=analytics Cost=7" in out.replace("\n", " ")
    assert "For your administrator: The issuer has a port." in out
    assert max(map(len, out.splitlines())) <= 96


def test_status_shows_the_claims_of_each_token_where_each_role_has_its_own(server, run):
    roles = [f"arn:aws:iam::111122223333:role/{name}" for name in ("analyst", "auditor")]
    of_each = [CLAIMS | {"roles": [role]} for role in roles]
    server.sessions = [role_session("analyst", default=True), role_session("auditor")]
    server.health = health(
        token_source=token_source(claims=None, binds_role=True),
        role_sessions=[
            session_health("analyst", claims=of_each[0]),
            session_health("auditor", claims=of_each[1]),
            session_health("expired", claims=None),
        ],
    )
    out = " ".join(run("status", "--verbose").out.split())
    assert (
        f"AWS will see for analyst: iss https://idp.example.com, aud jupyter, sub alice, roles {roles[0]}"
        in out
    )
    assert (
        f"AWS will see for auditor: iss https://idp.example.com, aud jupyter, sub alice, roles {roles[1]}"
        in out
    )
    assert out.count("AWS will see") == 2


def test_status_shows_no_claims_without_a_token(server, run):
    server.health = health(token_source=token_source())
    assert "AWS will see" not in run("status", "--verbose").out


# --- identity ------------------------------------------------------------------------------


def test_identity_is_that_of_the_default_role_session(server, run):
    server.sessions = [role_session("auditor"), role_session("analyst", default=True)]
    assert run("identity").out.splitlines() == [
        "Arn           arn:aws:sts::111122223333:assumed-role/analyst/alice-analyst",
        "Account       111122223333",
        "UserId        AROA:alice-analyst",
        "Role session  id-analyst",
        "User          alice",
    ]


@pytest.mark.parametrize("word", ["id-auditor", "auditor"])
def test_identity_takes_the_id_or_role_of_another_role_session(server, run, word):
    server.sessions = [role_session("auditor"), role_session("analyst", default=True)]
    assert "assumed-role/auditor" in run("identity", "--session", word).out


def test_identity_can_be_verified(server, run):
    server.sessions = [role_session("analyst", default=True)]
    run("identity", "--verify")
    assert server.asked[-2].target.endswith("/aws/identity?verify=true")


def test_identity_without_a_role_session_has_an_exit_code_of_its_own(server, run):
    ran = run("identity")
    assert ran.code == 4
    assert "You, alice, have no role session." in ran.err


# --- end -----------------------------------------------------------------------------------


def ended(server):
    return [call.target.rpartition("/")[2] for call in server.asked if call.method == "DELETE"]


def test_end_ends_the_default_role_session_and_says_what_lives_on(server, run):
    server.sessions = [role_session("auditor"), role_session("analyst", default=True)]
    ran = run("end")
    assert ended(server) == ["id-analyst"]
    assert "Ended analyst, us-east-2 (role session id-analyst)." in ran.out
    assert re.search(r"can use them until .*16:00", ran.out)
    assert "New notebooks and terminals have no AWS role." in ran.out


def test_end_in_a_terminal_that_has_the_role_says_that_its_prompt_does_not_know(
    server, run, monkeypatch
):
    monkeypatch.setenv("AWS_ROLE_SESSION_NAME", "alice-analyst")
    names = {"AWS_ROLE_SESSION_NAME": "alice-analyst"}
    server.sessions = [
        role_session("analyst", default=True, environment=names),
        role_session("auditor"),
    ]
    assert "its prompt may still show it. Open a new terminal" in run("end", "analyst").out
    assert "prompt" not in run("end", "auditor").out


def test_end_in_a_notebook_that_has_the_role_says_how_it_gets_one_again(server, run, monkeypatch):
    monkeypatch.setenv("AWS_ROLE_SESSION_NAME", "alice-analyst")
    monkeypatch.setenv("JPY_PARENT_PID", "1")
    names = {"AWS_ROLE_SESSION_NAME": "alice-analyst"}
    server.sessions = [role_session("analyst", default=True, environment=names)]
    assert "`!jupyter wb-aws start ROLE` here" in run("end", "analyst").out


@pytest.mark.parametrize(
    "word", ["id-auditor", "auditor", "arn:aws:iam::111122223333:role/auditor"]
)
def test_end_ends_the_role_session_that_is_named(server, run, word):
    server.sessions = [role_session("auditor"), role_session("analyst", default=True)]
    run("end", word)
    assert ended(server) == ["id-auditor"]


def test_end_all_ends_all(server, run):
    server.sessions = [role_session("auditor"), role_session("analyst")]
    assert run("end", "--all").code == 0
    assert ended(server) == ["id-auditor", "id-analyst"]


def test_end_all_without_any_is_done(server, run):
    ran = run("end", "--all")
    assert (ran.code, ran.out) == (0, "You have no role sessions.\n")


def test_end_without_a_default_names_the_others(server, run):
    server.sessions = [role_session("auditor")]
    ran = run("end")
    assert ran.code == 4
    assert "id-auditor (auditor, us-east-2)" in ran.err


def test_end_of_an_unknown_role_session_has_an_exit_code_of_its_own(server, run):
    assert run("end", "nobody").code == 4


def test_end_of_a_role_in_two_regions_lists_the_candidates(server, run):
    server.sessions = [
        role_session("analyst", id="one"),
        role_session("analyst", id="two", region="eu-west-1"),
    ]
    ran = run("end", "analyst")
    assert ran.code == 2
    assert "one (analyst, us-east-2); two (analyst, eu-west-1)" in ran.err


# --- --json --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["roles"], {"user", "roles"}),
        (["start", "analyst"], {"id", "state", "notices"}),
        (["status"], {"sessions"}),
        (["identity"], {"UserId", "Account", "Arn", "session_id", "user"}),
        (["end"], {"credentials_expire_at"}),
        (["end", "--all"], {"sessions"}),
    ],
)
def test_json_is_the_servers_answer(server, run, words, expected):
    server.sessions = [role_session("analyst", default=True)]
    ran = run(*words, "--json")
    assert (ran.code, ran.err) == (0, "")
    assert expected <= json.loads(ran.out).keys()


def test_json_is_not_changed_by_a_byte(server, run):
    content = '{"UserId": "AROA",  "später": "\\u00fc"}'
    server.answers["GET /aws/identity"] = (200, "application/json", content.encode())
    assert run("identity", "--json").out == f"{content}\n"


def test_a_refusal_is_the_servers_problem_in_json(server, run):
    reported = server.fail("POST /aws/sessions", "role_not_allowed", "Not yours.", request_url=None)
    ran = run("start", ANALYST, "--json")
    assert ran.code == 1
    assert json.loads(ran.out) == reported
    assert ran.err == ""


def test_a_failure_of_the_command_itself_is_a_problem_in_json_too(run):
    ran = run("status", "--json")
    assert ran.code == 2
    assert json.loads(ran.out)["code"] == "no_server"
    assert ran.err == ""
