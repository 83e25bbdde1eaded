"""The statements of a policy document, and the decision that follows from them. Pure.

Source: IAM User Guide, "Policy evaluation logic".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_wb_aws.demo.local_aws.conditions import CannotEvaluate, like, strings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

_VERSION_WITH_VARIABLES = "2012-10-17"


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement of a policy.

    Args:
        elements: its elements by name.
        variables: whether `${…}` is a policy variable in it.
    """

    elements: Mapping[str, Any]
    variables: bool

    def applies_to_action(self, action: str) -> bool:
        """Return whether its `Action` names the action; case does not matter.

        Raises:
            CannotEvaluate: if it is something other than strings.
        """
        patterns = strings(self.elements.get("Action"))
        return any(like(action.lower(), pattern.lower()) for pattern in patterns)


def allow(policies: Iterable[str], applies: Callable[[Statement], bool]) -> bool:
    """Return whether some Allow of the policies applies and no Deny.

    A statement that can't be evaluated counts against the caller: an Allow does not apply, a Deny
    does.

    Args:
        policies: the documents, as JSON.
        applies: decides whether a statement applies to the request; may raise CannotEvaluate.
    """
    allowed = False
    for statement in (statement for policy in policies for statement in _statements(policy)):
        effect = statement.elements.get("Effect")
        try:
            hit = applies(statement)
        except CannotEvaluate:
            hit = effect != "Allow"
        if hit and effect != "Allow":
            return False
        allowed = allowed or hit
    return allowed


def _statements(policy: str) -> Iterator[Statement]:
    try:
        document = json.loads(policy)
        statements = document["Statement"]
    except (ValueError, TypeError, KeyError):
        return
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not all(isinstance(s, dict) for s in statements):
        return
    variables = document.get("Version") == _VERSION_WITH_VARIABLES
    for elements in statements:
        yield Statement(elements, variables)
