"""Which role or role session the user means by a word."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jupyter_wb_aws.cli.errors import CliError, ExitCode, local_problem

Thing = Mapping[str, Any]

NOT_SHARED = "for one program"


def role_arn(word: str, roles: Callable[[], Sequence[Thing]]) -> str:
    """Turn ROLE into an ARN: one already, else a unique name, else a unique label.

    Args:
        word: what the user typed.
        roles: asks for the roles offered to the user; not called for an ARN.

    Raises:
        CliError: if no role fits, or several do.
    """
    if word.startswith("arn:"):
        return word
    offered = roles()
    found = _first_that_fit(word, offered, [_key("name"), _key("label")])
    arns = {str(role["arn"]): role for role in found}
    if not arns:
        raise _no_role(word, offered)
    if len(arns) > 1:
        raise _ambiguous(word, [f"{arn} ({role['label']})" for arn, role in arns.items()])
    return next(iter(arns))


def role_session(word: str, sessions: Sequence[Thing]) -> Thing:
    """Find the role session with this id, else the only one of this role.

    Raises:
        CliError: if none fits, or several do.
    """
    named = [session for session in sessions if session["id"] == word]
    # By its role, the one is meant that the user has picked, and not what a command has to itself.
    by_role = [_key("role_arn"), role_name, _key("label")]
    picked = [session for session in sessions if session["shared"]]
    found = named or _first_that_fit(word, picked, by_role)
    found = found or _first_that_fit(word, sessions, by_role)
    if not found:
        raise _no_session(word)
    if len(found) > 1:
        raise _ambiguous(word, [f"{one['id']} ({describe(one)})" for one in found])
    return found[0]


def role_name(session: Thing) -> str:
    """Read a role's name off the role session's ARN."""
    return str(session["role_arn"]).rpartition("/")[2]


def describe(session: Thing) -> str:
    """Name a role session by its role, with the region where it has one, and whether it is shared."""
    words = [session["label"], session.get("region"), None if session["shared"] else NOT_SHARED]
    return ", ".join(str(word) for word in words if word)


def _key(name: str) -> Callable[[Thing], str]:
    return lambda thing: str(thing[name])


def _first_that_fit(
    word: str, things: Sequence[Thing], keys: Sequence[Callable[[Thing], str]]
) -> list[Thing]:
    """Go from the strictest reading of `word` to the loosest, and stop at the first that fits."""
    for key in keys:
        if exact := [thing for thing in things if key(thing) == word]:
            return exact
    folded = word.casefold()
    return [thing for thing in things if folded in {key(thing).casefold() for key in keys}]


def _no_role(word: str, offered: Sequence[Thing]) -> CliError:
    names = ", ".join(str(role["name"]) for role in offered[:10])
    more = ", …" if len(offered) > 10 else ""
    return local_problem(
        "role_unknown",
        "No such role",
        detail=f"No role that is offered to you is called “{word}”.",
        hint=f"Yours: {names}{more} (`jupyter wb-aws roles` has the details)."
        if names
        else "No role is offered to you; ask your administrator for one.",
        exit_code=ExitCode.CANNOT_ASK,
    )


def _no_session(word: str) -> CliError:
    return local_problem(
        "role_session_not_found",
        "No such role session",
        detail=f"No role session has the id or the role “{word}”.",
        hint="`jupyter wb-aws status` lists the role sessions there are.",
        exit_code=ExitCode.NO_ROLE_SESSION,
    )


def _ambiguous(word: str, candidates: Sequence[str]) -> CliError:
    return local_problem(
        "ambiguous",
        "More than one fits",
        detail=f"“{word}” can be: {'; '.join(candidates)}.",
        hint="Say which by the ARN or id that stands first.",
        exit_code=ExitCode.CANNOT_ASK,
    )
