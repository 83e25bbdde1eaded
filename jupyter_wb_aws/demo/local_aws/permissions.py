"""Evaluate a role's permissions policies. Pure; what can't be evaluated never allows anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_wb_aws.demo.local_aws.conditions import (
    CannotEvaluate,
    conditions_hold,
    like,
    like_with_variables,
    strings,
)
from jupyter_wb_aws.demo.local_aws.statements import Statement, allow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jupyter_wb_aws.demo.local_aws.conditions import Context

_KNOWN_ELEMENTS = {"Sid", "Effect", "Action", "Resource", "Condition"}


def allows(policies: Iterable[str], action: str, resource: str, context: Context) -> bool:
    """Return whether the policies allow the action: some Allow applies and no Deny.

    Args:
        policies: the documents, as JSON.
        action: such as `s3:GetObject`.
        resource: the ARN of the resource.
        context: the values of condition keys and policy variables.
    """
    return allow(policies, lambda statement: _applies(statement, action, resource, context))


def _applies(statement: Statement, action: str, resource: str, context: Context) -> bool:
    elements = statement.elements
    if not elements.keys() <= _KNOWN_ELEMENTS:
        raise CannotEvaluate("NotAction, NotResource, or an unknown element")
    return (
        statement.applies_to_action(action)
        and any(
            like_with_variables(resource, pattern, context)
            if statement.variables
            else like(resource, pattern)
            for pattern in strings(elements.get("Resource"))
        )
        and conditions_hold(elements.get("Condition", {}), context, variables=statement.variables)
    )
