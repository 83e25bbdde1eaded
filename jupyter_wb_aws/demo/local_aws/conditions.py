"""Conditions and policy variables, which trust policies and permissions share. Pure.

Source: IAM User Guide, "IAM JSON policy elements: Condition operators", "Creating a condition with
multiple keys or values", "IAM policy elements: Variables and tags".
"""

from __future__ import annotations

import operator as comparison
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Context = Mapping[str, tuple[str, ...]]
    """The values of each condition key (lower case). A supported key without a value in this
    request has an empty tuple; an unsupported key is missing, except for those of a family."""
    _Pieces = list[tuple[str, bool]]
    _Test = Callable[[str, _Pieces], bool]

_FAMILIES = ("aws:requesttag/", "aws:principaltag/")
"""Beginnings of keys of which a request has those that it has, and no others."""
_OPERATOR = re.compile(
    r"(?:(?P<quantifier>ForAnyValue|ForAllValues):)?"
    r"(?P<type>String|Bool|Date)(?P<negated>Not)?"
    r"(?P<test>|Equals|EqualsIgnoreCase|Like|LessThan|LessThanEquals|GreaterThan|GreaterThanEquals)"
    r"(?P<if_exists>IfExists)?"
)
_VARIABLE = re.compile(r"\$\{(?P<key>[^}',]*?)\s*(?:,\s*'(?P<default>[^']*)'\s*)?\}")
_ESCAPED = ("*", "?", "$")


class CannotEvaluate(Exception):
    """The statement has an element that the local AWS does not support."""


def values_of(key: str, context: Context) -> tuple[str, ...]:
    """Return the values of a condition key, whose name is not case-sensitive.

    Raises:
        CannotEvaluate: if the key is not supported.
    """
    key = key.lower()
    if key in context:
        return context[key]
    if key.startswith(_FAMILIES):
        return ()
    raise CannotEvaluate(key)


def conditions_hold(conditions: object, context: Context, *, variables: bool) -> bool:
    """Return whether all `conditions` of a statement hold.

    Args:
        conditions: the statement's `Condition`.
        context: the values of the condition keys.
        variables: whether `${…}` is a policy variable, as from version 2012-10-17 on.

    Raises:
        CannotEvaluate: if an operator, a key or a value is not supported.
    """
    # A list, so that an unknown operator is noticed even after a condition that fails.
    results = [
        _condition_holds(
            operator, _wanted(wanted, context, variables=variables), values_of(key, context)
        )
        for operator, keys in _items(conditions)
        for key, wanted in _items(keys)
    ]
    return all(results)


def strings(value: object) -> list[str]:
    """Return a policy's value, which is a string or a list of strings, as a list.

    Raises:
        CannotEvaluate: if it is something else.
    """
    return [_string(item) for item in (value if isinstance(value, list) else [value])]


def like(value: str, pattern: str) -> bool:
    """Match IAM's wildcards: `*` for any characters, `?` for exactly one."""
    return _like(value, [(pattern, False)])


def like_with_variables(value: str, pattern: str, context: Context) -> bool:
    """Match a pattern with wildcards and policy variables.

    Args:
        value: such as the ARN of a resource.
        pattern: a pattern without a value for one of its variables matches nothing.
        context: the values of the variables; wildcards in them have no meaning.

    Raises:
        CannotEvaluate: if a variable is not supported.
    """
    pieces = _expand(pattern, context)
    return pieces is not None and _like(value, pieces)


def _string(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        raise CannotEvaluate("something other than strings")
    return value


def _wanted(value: object, context: Context, *, variables: bool) -> list[_Pieces]:
    if not variables:
        return [[(text, False)] for text in strings(value)]
    expanded = [_expand(text, context) for text in strings(value)]
    return [pieces for pieces in expanded if pieces is not None]


def _expand(text: str, context: Context) -> _Pieces | None:
    """Return the text in pieces, each with whether it is a variable's value; None without one."""
    pieces: _Pieces = []
    end = 0
    for found in _VARIABLE.finditer(text):
        value = _value_of_variable(found, context)
        if value is None:
            return None
        pieces += [(text[end : found.start()], False), (value, True)]
        end = found.end()
    return [*pieces, (text[end:], False)]


def _value_of_variable(found: re.Match[str], context: Context) -> str | None:
    if found["key"] in _ESCAPED:
        return found["key"]
    values = values_of(found["key"], context)
    if len(values) > 1:
        raise CannotEvaluate("a variable with several values")
    return values[0] if values else found["default"]


def _condition_holds(operator: str, wanted: list[_Pieces], values: tuple[str, ...]) -> bool:
    if operator == "Null":
        return _null_holds(wanted, values)
    parsed = _OPERATOR.fullmatch(operator)
    test = parsed and _TESTS.get((parsed["type"], parsed["test"]))
    if parsed is None or test is None:
        raise CannotEvaluate(operator)
    if parsed["if_exists"] and not values:
        return True
    negated = bool(parsed["negated"])
    if parsed["quantifier"] is None:
        if len(values) > 1:
            raise CannotEvaluate("a key with several values needs ForAnyValue or ForAllValues")
        # Without any value, a negated operator holds and a plain one does not.
        return any(test(v, w) for v in values for w in wanted) != negated
    results = (any(test(value, w) for w in wanted) != negated for value in values)
    return any(results) if parsed["quantifier"] == "ForAnyValue" else all(results)


def _null_holds(wanted: list[_Pieces], values: tuple[str, ...]) -> bool:
    texts = [_text(pieces) for pieces in wanted]
    if texts not in (["true"], ["false"]):
        raise CannotEvaluate("Null")
    return (not values) == (texts == ["true"])


def _text(pieces: _Pieces) -> str:
    return "".join(text for text, _ in pieces)


def _equals(value: str, wanted: _Pieces) -> bool:
    return value == _text(wanted)


def _equals_ignoring_case(value: str, wanted: _Pieces) -> bool:
    return value.casefold() == _text(wanted).casefold()


def _like(value: str, wanted: _Pieces) -> bool:
    expression = "".join(
        re.escape(text) if literal else re.escape(text).replace(r"\*", ".*").replace(r"\?", ".")
        for text, literal in wanted
    )
    return re.fullmatch(expression, value, re.DOTALL) is not None


def _date(compare: Callable[[datetime, datetime], bool]) -> _Test:
    return lambda value, wanted: compare(_time(value), _time(_text(wanted)))


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise CannotEvaluate("a time that is not in ISO 8601") from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


_TESTS: dict[tuple[str, str], _Test] = {
    ("String", "Equals"): _equals,
    ("String", "EqualsIgnoreCase"): _equals_ignoring_case,
    ("String", "Like"): _like,
    ("Bool", ""): _equals_ignoring_case,
    ("Date", "Equals"): _date(comparison.eq),
    ("Date", "LessThan"): _date(comparison.lt),
    ("Date", "LessThanEquals"): _date(comparison.le),
    ("Date", "GreaterThan"): _date(comparison.gt),
    ("Date", "GreaterThanEquals"): _date(comparison.ge),
}


def _items(value: object) -> Iterable[tuple[str, object]]:
    if not isinstance(value, dict):
        raise CannotEvaluate("Condition")
    return value.items()
