"""Evaluate a role's trust policy. Pure; what can't be evaluated never allows anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jupyter_wb_aws.demo.local_aws.conditions import CannotEvaluate, conditions_hold, strings
from jupyter_wb_aws.demo.local_aws.statements import Statement, allow

if TYPE_CHECKING:
    from collections.abc import Mapping

_KNOWN_ELEMENTS = {"Sid", "Effect", "Principal", "Action", "Condition"}


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


def allows(policy: str, action: str, request: TrustRequest) -> bool:
    """Return whether `policy` allows `action`: some Allow applies and no Deny.

    Args:
        policy: the trust policy, as JSON.
        action: such as `sts:AssumeRoleWithWebIdentity`.
        request: the caller and the values for the conditions.
    """
    return allow([policy], lambda statement: _applies(statement, action, request))


def _applies(statement: Statement, action: str, request: TrustRequest) -> bool:
    elements = statement.elements
    if not elements.keys() <= _KNOWN_ELEMENTS:
        raise CannotEvaluate("NotPrincipal, NotAction, or an unknown element")
    return (
        _principal_matches(elements.get("Principal"), request.principal)
        and statement.applies_to_action(action)
        and conditions_hold(
            elements.get("Condition", {}), request.context, variables=statement.variables
        )
    )


def _principal_matches(principal: object, arn: str) -> bool:
    if principal in ("*", {"AWS": "*"}, {"AWS": ["*"]}):
        return True
    if not isinstance(principal, dict):
        raise CannotEvaluate("Principal")
    return arn in strings(principal.get("Federated", []))
