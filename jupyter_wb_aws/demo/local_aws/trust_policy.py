"""Evaluate a role's trust policy. Pure; what can't be evaluated never allows anything.

Source: IAM User Guide, "Policy evaluation logic", "IAM JSON policy elements: Condition operators"
and "Creating a condition with multiple keys or values".
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_KNOWN_ELEMENTS = {"Sid", "Effect", "Principal", "Action", "Condition"}
_OPERATOR = re.compile(
    r"(?:(?P<quantifier>ForAnyValue|ForAllValues):)?"
    r"String(?P<negated>Not)?(?P<test>Equals|EqualsIgnoreCase|Like)(?P<if_exists>IfExists)?"
)


class _CannotEvaluate(Exception):
    """The statement has an element that this module does not support."""


@dataclass(frozen=True, slots=True)
class TrustRequest:
    """The caller, and the values that conditions may check.

    Args:
        principal: the ARN of the identity provider that vouches for the caller.
        context: the values of each condition key (lower case). A supported key without a value in
            this request has an empty tuple; an unsupported key is missing.
    """

    principal: str
    context: Mapping[str, tuple[str, ...]]

    def values(self, key: str) -> tuple[str, ...]:
        """Return the values of a condition key, whose name is not case-sensitive.

        Raises:
            _CannotEvaluate: if the key is not supported.
        """
        key = key.lower()
        if key in self.context:
            return self.context[key]
        if key.startswith("aws:requesttag/"):
            return ()
        raise _CannotEvaluate(key)


def allows(policy: str, action: str, request: TrustRequest) -> bool:
    """Return whether `policy` allows `action`: some Allow applies and no Deny.

    A statement that can't be evaluated counts against the caller: an Allow does not apply, a Deny
    does.

    Args:
        policy: the trust policy, as JSON.
        action: such as `sts:AssumeRoleWithWebIdentity`.
        request: the caller and the values for the conditions.
    """
    allowed = False
    for statement in _statements(policy):
        effect = statement.get("Effect")
        try:
            applies = _applies(statement, action, request)
        except _CannotEvaluate:
            applies = effect != "Allow"
        if applies and effect != "Allow":
            return False
        allowed = allowed or applies
    return allowed


def _statements(policy: str) -> list[dict[str, Any]]:
    try:
        statements = json.loads(policy)["Statement"]
    except (ValueError, TypeError, KeyError):
        return []
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not all(isinstance(s, dict) for s in statements):
        return []
    return statements


def _applies(statement: dict[str, Any], action: str, request: TrustRequest) -> bool:
    if not statement.keys() <= _KNOWN_ELEMENTS:
        raise _CannotEvaluate("NotPrincipal, NotAction, or an unknown element")
    return (
        _principal_matches(statement.get("Principal"), request.principal)
        and any(_like(action.lower(), p.lower()) for p in _strings(statement.get("Action")))
        and _conditions_hold(statement.get("Condition", {}), request)
    )


def _principal_matches(principal: object, arn: str) -> bool:
    if principal in ("*", {"AWS": "*"}, {"AWS": ["*"]}):
        return True
    if not isinstance(principal, dict):
        raise _CannotEvaluate("Principal")
    return arn in _strings(principal.get("Federated", []))


def _conditions_hold(conditions: object, request: TrustRequest) -> bool:
    if not isinstance(conditions, dict):
        raise _CannotEvaluate("Condition")
    # A list, so that an unknown operator is noticed even after a condition that fails.
    results = [
        _condition_holds(operator, _strings(wanted), request.values(key))
        for operator, keys in conditions.items()
        for key, wanted in _items(keys)
    ]
    return all(results)


def _condition_holds(operator: str, wanted: list[str], values: tuple[str, ...]) -> bool:
    if any("${" in pattern for pattern in wanted):
        raise _CannotEvaluate("policy variables")
    if operator == "Null":
        return _null_holds(wanted, values)
    parsed = _OPERATOR.fullmatch(operator)
    if parsed is None:
        raise _CannotEvaluate(operator)
    if parsed["if_exists"] and not values:
        return True
    test, negated = _TESTS[parsed["test"]], bool(parsed["negated"])
    if parsed["quantifier"] is None:
        if len(values) > 1:
            raise _CannotEvaluate("a key with several values needs ForAnyValue or ForAllValues")
        # Without any value, a negated operator holds and a plain one does not.
        return any(test(v, w) for v in values for w in wanted) != negated
    results = (any(test(value, w) for w in wanted) != negated for value in values)
    return any(results) if parsed["quantifier"] == "ForAnyValue" else all(results)


def _null_holds(wanted: list[str], values: tuple[str, ...]) -> bool:
    if wanted not in (["true"], ["false"]):
        raise _CannotEvaluate("Null")
    return (not values) == (wanted == ["true"])


def _equals(value: str, wanted: str) -> bool:
    return value == wanted


def _equals_ignoring_case(value: str, wanted: str) -> bool:
    return value.casefold() == wanted.casefold()


def _like(value: str, pattern: str) -> bool:
    """Match IAM's wildcards: `*` for any characters, `?` for exactly one."""
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, value, re.DOTALL) is not None


_TESTS: dict[str, Callable[[str, str], bool]] = {
    "Equals": _equals,
    "EqualsIgnoreCase": _equals_ignoring_case,
    "Like": _like,
}


def _strings(value: object) -> list[str]:
    """Return a policy's value, which is a string or a list of strings, as a list."""
    values = value if isinstance(value, list) else [value]
    strings = [item for item in values if isinstance(item, str)]
    if len(strings) < len(values):
        raise _CannotEvaluate("something other than strings")
    return strings


def _items(value: object) -> Iterable[tuple[str, object]]:
    if not isinstance(value, dict):
        raise _CannotEvaluate("Condition")
    return value.items()
