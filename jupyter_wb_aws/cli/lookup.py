"""Find the role or role session that the user means by a word."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jupyter_wb_aws.cli.closest import nearest
from jupyter_wb_aws.cli.errors import CliError, ExitCode, local_problem

Thing = Mapping[str, Any]

NO_ROLE_OFFERED = "No AWS role is offered to you. Ask your administrator for one."
NOT_SHARED = "for one program"


def find_role_arn(word: str, roles: Callable[[], Sequence[Thing]]) -> str:
    """Return the ARN for ROLE, which is an ARN, a unique name or a unique label.

    Args:
        word: what the user typed.
        roles: returns the roles offered to the user; not called for an ARN.

    Raises:
        CliError: if no role matches, or several do.
    """
    if word.startswith("arn:"):
        return word
    offered = roles()
    found = _first_match(word, offered, [_key("name"), _key("label")])
    arns = {str(role["arn"]): role for role in found}
    if not arns:
        raise _no_role(word, offered)
    if len(arns) > 1:
        raise _ambiguous(word, [f"{arn} ({role['label']})" for arn, role in arns.items()])
    return next(iter(arns))


def find_role_session(word: str, sessions: Sequence[Thing]) -> Thing:
    """Return the role session with this id, or else the only one of this role.

    One that is shared comes before those that are not: a role means the role session that the user
    started, and not one that a command has to itself.

    Raises:
        CliError: if none matches, or several do.
    """
    named = [session for session in sessions if session["id"] == word]
    by_role = [_key("role_arn"), role_name, _key("label")]
    shared = [session for session in sessions if session["shared"]]
    found = named or _first_match(word, shared, by_role)
    found = found or _first_match(word, sessions, by_role)
    if not found:
        raise _no_session(word)
    if len(found) > 1:
        raise _ambiguous(word, [f"{one['id']} ({describe(one)})" for one in found])
    return found[0]


def role_name(session: Thing) -> str:
    """Return the role's name, from the role's ARN."""
    return str(session["role_arn"]).rpartition("/")[2]


def describe(session: Thing) -> str:
    """Describe a role session by its role and region, and say so if it is not shared."""
    words = [session["label"], session.get("region"), None if session["shared"] else NOT_SHARED]
    return ", ".join(str(word) for word in words if word)


def _key(name: str) -> Callable[[Thing], str]:
    return lambda thing: str(thing[name])


def _first_match(
    word: str, things: Sequence[Thing], keys: Sequence[Callable[[Thing], str]]
) -> list[Thing]:
    """Try the keys in their order, then all of them without regard to case; stop at the first match."""
    for key in keys:
        if exact := [thing for thing in things if key(thing) == word]:
            return exact
    folded = word.casefold()
    return [thing for thing in things if folded in {key(thing).casefold() for key in keys}]


def _no_role(word: str, offered: Sequence[Thing]) -> CliError:
    names = ", ".join(str(role["name"]) for role in offered[:10])
    more = ", …" if len(offered) > 10 else ""
    near = nearest(word, [str(role[key]) for key in ("label", "name") for role in offered])
    guess = f"Did you mean “{near}”? " if near else ""
    return local_problem(
        "role_unknown",
        "No such role",
        detail=f"None of your roles is called “{word}”.",
        hint=f"{guess}Your roles are: {names}{more} (`jupyter wb-aws roles` has the details)."
        if names
        else NO_ROLE_OFFERED,
        exit_code=ExitCode.CANNOT_ASK,
    )


def _no_session(word: str) -> CliError:
    return local_problem(
        "role_session_not_found",
        "No such role session",
        detail=f"No role session has the id or the role “{word}”.",
        hint="`jupyter wb-aws status` lists your role sessions.",
        exit_code=ExitCode.NO_ROLE_SESSION,
    )


def _ambiguous(word: str, candidates: Sequence[str]) -> CliError:
    return local_problem(
        "ambiguous",
        "More than one matches",
        detail=f"“{word}” can mean: {'; '.join(candidates)}.",
        hint="Use the ARN or id at the beginning of the right one.",
        exit_code=ExitCode.CANNOT_ASK,
    )
