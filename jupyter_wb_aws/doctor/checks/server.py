"""What the Jupyter server knows about this process's role session, tokens and roles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jupyter_wb_aws.clock import rfc3339
from jupyter_wb_aws.doctor.checks.remedies import SET_UP, SIGN_IN, get_role, switch
from jupyter_wb_aws.doctor.checks.token import token_in
from jupyter_wb_aws.doctor.codes import new_finding
from jupyter_wb_aws.doctor.facts import Facts, ServerFacts
from jupyter_wb_aws.doctor.finding import Finding, Severity
from jupyter_wb_aws.variables import ENDPOINT_TOKEN_FILE, ROLE_LABEL

STATES = {
    "degraded": "session_degraded",
    "expired": "session_expired",
    "sign_in_required": "sign_in_required",
}
FOLDER_NOTICES = frozenset(
    {"token_dir_fallback", "token_dir_exposed", "store_dir_exposed", "last_run_unknown"}
)


def check(facts: Facts) -> Iterator[Finding]:
    """Check what it answered, or why it did not answer."""
    server = facts.server
    if server is None:
        return
    if server.problem is not None:
        if not (facts.not_set_up and facts.lacks_role):  # otherwise it is reported before `no_role`
            yield _not_asked(facts, server.problem)
        return
    mine = own_session(facts)
    if _is_over(facts):
        yield new_finding(
            "session_over",
            f"This process was started with a role session of {facts.get(ROLE_LABEL)}, which has ended or"
            " belongs to another server.",
            get_role(facts),
        )
    if mine is not None:
        yield from _state(mine)
        yield from _default(facts, server, mine)
    yield from _owner(server)
    yield from _folders(server)
    of_session = mine is not None and mine["problem"] is not None
    yield from _parts(server, reported=of_session or _is_reported_first(facts))


def not_set_up(problem: Mapping[str, Any], severity: Severity | None = None) -> Finding:
    """Report that the server offers no AWS roles, and what to do."""
    detail, hint = (str(problem.get(key) or "") for key in ("detail", "hint"))
    return new_finding("server_not_set_up", detail, hint or SET_UP, severity=severity)


def _not_asked(facts: Facts, problem: Mapping[str, Any]) -> Finding:
    code, detail, hint = (str(problem.get(key) or "") for key in ("code", "detail", "hint"))
    if facts.not_set_up:
        return not_set_up(problem)
    if code == "no_server" and facts.get(ROLE_LABEL) and (token := token_in(facts)) is not None:
        return new_finding(
            "server_not_found",
            f"{detail} Nothing refreshes this process's token any longer. AWS calls work until the token expires at"
            f" {rfc3339(token.expires_at)}.",
            hint,
            severity=Severity.WARNING,
        )
    if code in {"no_server", "several_servers"}:
        return new_finding("server_not_found", detail, hint)
    return new_finding("server_unreachable", detail, hint)


def cause_first(facts: Facts) -> Iterator[Finding]:
    """Report why the server can give no role, before the findings whose remedies need one."""
    if not _is_reported_first(facts):
        return
    if (problem := facts.sign_in_problem) is not None:
        yield new_finding(
            "sign_in_required", problem["detail"], SIGN_IN, admin_hint=problem["admin_hint"]
        )
    elif facts.server and (failing := _source_problem(facts.server)):
        yield _failing(failing, Severity.ERROR)


def _is_reported_first(facts: Facts) -> bool:
    """Return whether the process gets no role before the user signs in, or the token source works again."""
    if facts.no_role_chosen or not (facts.lacks_role or _is_over(facts)):
        return False
    if facts.sign_in_problem is not None:
        return True
    return bool(facts.server and not facts.role_sessions and _source_problem(facts.server))


def _is_over(facts: Facts) -> bool:
    if facts.by_endpoint:  # the endpoint itself says so
        return False
    return bool(facts.get(ROLE_LABEL)) and own_session(facts) is None


def own_session(facts: Facts) -> Mapping[str, Any] | None:
    """Return the role session of this process, if the server has it."""
    if facts.by_endpoint:
        return _of_endpoint_token(facts)
    name = facts.get("AWS_ROLE_SESSION_NAME")
    return next((s for s in facts.role_sessions if _name(s) == name), None) if name else None


def _of_endpoint_token(facts: Facts) -> Mapping[str, Any] | None:
    """Return the role session of this process's endpoint token."""
    path, client = facts.get(ENDPOINT_TOKEN_FILE), facts.endpoint_client
    return next(
        (
            session
            for session in facts.role_sessions
            if (client is not None and session["id"] == client["session_id"])
            or session["environment"].get(ENDPOINT_TOKEN_FILE) == path
        ),
        None,
    )


def _name(session: Mapping[str, Any]) -> object:
    return session["environment"].get("AWS_ROLE_SESSION_NAME")


def _state(session: Mapping[str, Any]) -> Iterator[Finding]:
    code = STATES.get(session["state"])
    if code is None:
        return
    problem = session["problem"] or {}
    detail = problem.get("detail") or "The token could not be refreshed."
    hint = SIGN_IN if code == "sign_in_required" else str(problem.get("hint") or "")
    yield new_finding(
        code,
        f"The role session of {session['label']} is {session['state'].replace('_', ' ')}: {detail}",
        hint,
        admin_hint=problem.get("admin_hint"),
    )


def _default(facts: Facts, server: ServerFacts, mine: Mapping[str, Any]) -> Iterator[Finding]:
    default = next((s for s in server.sessions if s["default"]), None)
    if (
        facts.process_kind in {"kernel", "terminal"}
        and default is not None
        and default["id"] != mine["id"]
    ):
        yield new_finding(
            "other_default",
            f"This {facts.process_kind} has the role {mine['label']}. New processes get the default role, {default['label']}.",
            _use_default(facts, default),
        )


def _use_default(facts: Facts, default: Mapping[str, Any]) -> str:
    if facts.can_switch and default["delivery"] == "endpoint":
        return f"To use the default role: {switch(facts, default['label'])}"
    if facts.process_kind == "kernel":
        return "Run in the notebook: !jupyter wb-aws start ROLE, then restart the kernel."
    return "To use the default role, open a new terminal."


def _owner(server: ServerFacts) -> Iterator[Finding]:
    """Report that the token is not that of the server's owner on the hub."""
    for notice in server.notices:
        if notice["code"] == "hub_user_differs":
            remedy = (
                "If you are not that user: jupyter wb-aws sign-out, then jupyter wb-aws sign-in"
            )
            yield new_finding(notice["code"], notice["message"], remedy)


def _folders(server: ServerFacts) -> Iterator[Finding]:
    """Report the server's notices about the folders that it keeps token files and records in."""
    for notice in server.notices:
        if notice["code"] in FOLDER_NOTICES:
            yield new_finding(
                notice["code"],
                notice["message"],
                'Hand this to your administrator: "Where things are kept" in the administration guide has the remedies.',
            )


def _source_problem(server: ServerFacts) -> Mapping[str, Any] | None:
    """Return why the token source gives no token, or the server knows no roles, unless the roles file is the reason."""
    problem: Mapping[str, Any] | None = (server.token_source or {}).get("problem")
    broken = (server.catalogue or {}).get("problem")
    return problem if problem or broken else server.roles_problem


def _failing(source: Mapping[str, Any], severity: Severity | None = None) -> Finding:
    signed_out = source["code"] == "sign_in_required"
    return new_finding(
        "token_source_failing",
        source["detail"] if signed_out else f"{source['title']}: {source['detail']}",
        SIGN_IN if signed_out else str(source["hint"]),
        severity=severity,
        admin_hint=source.get("admin_hint"),
    )


def _parts(server: ServerFacts, *, reported: bool) -> Iterator[Finding]:
    source = _source_problem(server)
    if source and not reported:
        yield _failing(source)
    broken = (server.catalogue or {}).get("problem")
    if broken:
        line = f":{broken['line']}" if broken["line"] else ""
        path = (server.catalogue or {}).get("path")
        yield new_finding(
            "roles_file_broken",
            f"{path}{line}: {broken['reason']}",
            f"Hand this to your administrator: correct {path}{line}",
        )
    for bad in (server.catalogue or {}).get("problems") or ():
        line = f":{bad['line']}" if bad["line"] else ""
        path = (server.catalogue or {}).get("path")
        yield new_finding(
            "roles_file_entry",
            f"{path}{line}: {bad['reason']}",
            f"Hand this to your administrator: correct {path}{line}",
        )
