"""Problems of the claims that `groups_claim` and `name_claim` name, explained to an administrator."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from jupyter_wb_aws.identity.claims import EMPTY, claim_by_path

# How many names of claims a message lists, and how many characters of each.
MAX_NAMES, MAX_NAME_LENGTH = 5, 100
ClaimCode = Literal[
    "groups_claim_unusable",
    "groups_left_out",
    "groups_claim_missing",
    "groups_written_otherwise",
    "name_claim_unusable",
]


@dataclass(frozen=True, slots=True)
class ClaimProblem:
    """What is wrong with a claim; `code` is stable, and `message` quotes no value of the token."""

    code: ClaimCode
    message: str


def claim_problems(
    claims: Mapping[str, Any], name_claim: str, groups_claim: str, groups_in_rules: Collection[str]
) -> list[ClaimProblem]:
    """List the problems of the claims with the user's name and groups.

    Args:
        claims: the token's.
        name_claim: the claim with the name; may be a path.
        groups_claim: the claim with the groups; may be a path.
        groups_in_rules: the groups that the roles file names; if there are none, a missing claim does no harm.
    """
    name = claim_by_path(claims, name_claim)
    found = [] if name in EMPTY or isinstance(name, str) else [_unusable_name(name_claim, name)]
    groups = claim_by_path(claims, groups_claim)
    if groups in EMPTY:
        if _left_out(claims, groups_claim):
            return [*found, _groups_left_out(groups_claim)]
        if groups is None and groups_in_rules:
            found.append(_groups_missing(claims, groups_claim))
        return found
    if why := _unusable_groups(groups_claim, groups):
        text = f"The token's claim `{groups_claim}` (`groups_claim`) {why}"
        return [*found, ClaimProblem("groups_claim_unusable", text)]
    listed = [groups] if isinstance(groups, str) else groups
    if why := _written_otherwise(listed, groups_in_rules):
        text = f"None of the groups in the token's claim `{groups_claim}` is in the roles file's rules, but {why}"
        found.append(ClaimProblem("groups_written_otherwise", text))
    return found


def _unusable_name(name_claim: str, value: object) -> ClaimProblem:
    return ClaimProblem(
        "name_claim_unusable",
        f"The token's claim `{name_claim}` (`name_claim`) is {_kind(value)}, not text: the user's `sub` is shown instead."
        f"{_members(name_claim, value, str)}",
    )


def _groups_left_out(groups_claim: str) -> ClaimProblem:
    return ClaimProblem(
        "groups_left_out",
        f"The identity provider left `{groups_claim}` out of the token, most often because the user is in too many"
        " groups: rules with `groups` match nothing. Have it send only the groups that are assigned to this"
        " application, or application roles, and name their claim in `groups_claim`.",
    )


def _groups_missing(claims: Mapping[str, Any], groups_claim: str) -> ClaimProblem:
    others = [name for name, value in claims.items() if name != "aud" and _is_list_of_text(value)]
    instead = f" Its claims that are lists: {_names(others)}." if others else ""
    return ClaimProblem(
        "groups_claim_missing",
        f"The token has no claim `{groups_claim}` (`groups_claim`), so the roles file's rules with `groups` match"
        f" nothing: the user is in no group, or the identity provider does not send the claim.{instead}",
    )


def _unusable_groups(groups_claim: str, value: object) -> str | None:
    """Explain why it is not a list of names, or one name; None if it is."""
    if isinstance(value, list):
        wrong = [item for item in value if not isinstance(item, str)]
        if not wrong:
            return None
        return (
            f"is a list in which {len(wrong)} of {len(value)} items are not text, such as {_kind(wrong[0])}: they are"
            " ignored. Have the identity provider send the groups' names."
        )
    if isinstance(value, str):
        return None
    return (
        f"is {_kind(value)}, not a list of names: rules with `groups` match nothing."
        f"{_members(groups_claim, value, list)}"
    )


def _written_otherwise(groups: Sequence[str], wanted: Collection[str]) -> str | None:
    """Explain how the token spells groups that the rules spell in another way; None if it does not."""
    if not wanted or not set(groups).isdisjoint(wanted):
        return None
    lowered = {group.casefold() for group in wanted}
    if any(group.casefold() in lowered for group in groups):
        return "some have the same name in other capitals: spell the rules as the token does."
    if any(not lowered.isdisjoint(_short_names(group)) for group in groups):
        return (
            "some have the same name with their directory or domain: spell the rules as the token does, or have the"
            " identity provider send plain names."
        )
    if any(group.rstrip("/").rpartition("/")[2] in wanted for group in groups):
        return (
            "some have the same name as a path (with `/`): spell the rules as the token does, or have the identity"
            " provider send plain names."
        )
    if any(not set(re.split(r"[\s,;\[\]\"']+", group)).isdisjoint(wanted) for group in groups):
        return "some texts contain several of the names: have the identity provider send a list."
    return None


def _short_names(group: str) -> set[str]:
    """Return the names within `CN=name,OU=…` (RFC 4514), `name@domain` or a Windows domain, in lower case."""
    text = group.casefold()
    parts = [part.strip() for part in text.split(",") if "=" in part]
    return {
        *(part.partition("=")[2].strip() for part in parts),
        *([text.rpartition("\\")[2]] if "\\" in text else []),
        *([text.partition("@")[0]] if "@" in text else []),
    }


def _left_out(claims: Mapping[str, Any], groups_claim: str) -> bool:
    """Whether the provider says that the claim is elsewhere.

    Sources: OIDC Core 5.6.2 (distributed claims); "Configure group claims" of Entra ID (groups overage).
    """
    elsewhere = claims.get("_claim_names")
    return (isinstance(elsewhere, Mapping) and groups_claim in elsewhere) or (
        groups_claim == "groups" and claims.get("hasgroups") in (True, "true")
    )


def _members(claim: str, value: object, kind: type) -> str:
    """Return a sentence with the members of an object that could be named instead."""
    if not isinstance(value, Mapping):
        return ""
    fitting = [
        f"{claim}.{name}"
        for name, inner in value.items()
        if (_is_list_of_text(inner) if kind is list else isinstance(inner, str))
    ]
    return f" You can name one of its members instead: {_names(fitting)}." if fitting else ""


def _names(names: Sequence[str]) -> str:
    printable = ["".join(c if c.isprintable() else "?" for c in n[:MAX_NAME_LENGTH]) for n in names]
    return ", ".join(f"`{name}`" for name in printable[:MAX_NAMES])


def _is_list_of_text(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(i, str) for i in value)


def _kind(value: object) -> str:
    kinds: dict[type, str] = {
        type(None): "null",
        Mapping: "an object",
        list: "a list",
        bool: "true or false",
        str: "text",
    }
    return next((said for kind, said in kinds.items() if isinstance(value, kind)), "a number")
