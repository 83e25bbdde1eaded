"""Identity provider and roles as a CloudFormation template, for an organization's StackSet. Pure.

One template serves all accounts: its resources name the account that they are in by a pseudo-parameter, and a
role that only some of the accounts have has a condition. So a StackSet can target whole organizational units.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain, count
from typing import Any

from jupyter_wb_aws.hub.claims import ClaimSettings
from jupyter_wb_aws.hub.trust_policy import Trust, providers, trust
from jupyter_wb_aws.roles.role import Role

PROVIDER = "HubService"
ACCOUNT = "${AWS::AccountId}"
# CloudFormation's own limit on the conditions in one Fn::Or.
MAX_OR = 10
Template = dict[str, Any]


def stack_set_template(roles: Sequence[Role], settings: ClaimSettings) -> Template:
    """Return the template. Roles of a store, and roles without a trust policy, are not in it.

    Roles that have the same path, name and trust policy in several accounts are one resource.

    Args:
        roles: as the roles file describes them.
        settings: what the tokens have in common.
    """
    ours = [role for role in roles if _is_of_aws(trust(role, settings))]
    accounts = {role.arn.account_id for role in ours}
    audiences = sorted({name for each in providers(ours, settings) for name in each.client_ids})
    provider = {
        "Type": "AWS::IAM::OIDCProvider",
        "Properties": {"Url": settings.issuer, "ClientIdList": audiences},
    }
    resources: Template = {PROVIDER: provider}
    conditions: Template = {}
    for resource, found in _resources(ours, settings):
        name = _free_name(resource["Properties"]["RoleName"], resources)
        if found != accounts:
            conditions[f"Has{name}"] = _is_one_of(sorted(found))
            resources[name] = {"Condition": f"Has{name}", **resource}
        else:
            resources[name] = resource
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"Roles for users of the JupyterHub service {settings.issuer}, without permissions",
        "Metadata": {"Accounts": sorted(accounts)},
        **({"Conditions": conditions} if conditions else {}),
        "Resources": resources,
    }


def as_stack_set(trusts: Iterable[Trust], settings: ClaimSettings) -> str:
    """Return the template as JSON."""
    template = stack_set_template([each.role for each in trusts], settings)
    return json.dumps(template, indent=2, ensure_ascii=False)


def _is_of_aws(found: Trust) -> bool:
    return found.problem is None and found.store is None


def _resources(roles: Iterable[Role], settings: ClaimSettings) -> list[tuple[Template, set[str]]]:
    """Return the resource of each role, with the accounts that have it."""
    grouped: dict[str, tuple[Template, set[str]]] = {}
    for role in roles:
        anywhere = replace(role, arn=replace(role.arn, account_id=ACCOUNT))
        policy = trust(anywhere, settings, {"Fn::GetAtt": [PROVIDER, "Arn"]}).policy()
        resource = {
            "Type": "AWS::IAM::Role",
            # A deleted or changed stack must not delete what users work with.
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "RoleName": role.arn.name,
                "Path": role.arn.path,
                "AssumeRolePolicyDocument": _substituted(policy),
            },
        }
        _, found = grouped.setdefault(json.dumps(resource), (resource, set()))
        found.add(role.arn.account_id)
    return list(grouped.values())


def _substituted(value: Any) -> Any:
    """Let CloudFormation fill in the account."""
    if isinstance(value, dict):
        return {key: _substituted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_substituted(inner) for inner in value]
    return {"Fn::Sub": value} if isinstance(value, str) and ACCOUNT in value else value


def _is_one_of(accounts: Sequence[str]) -> Template:
    tests: list[Template] = [{"Fn::Equals": [{"Ref": "AWS::AccountId"}, each]} for each in accounts]
    while len(tests) > 1:
        groups = [tests[at : at + MAX_OR] for at in range(0, len(tests), MAX_OR)]
        tests = [{"Fn::Or": group} if len(group) > 1 else group[0] for group in groups]
    return tests[0]


def _free_name(role_name: str, taken: Template) -> str:
    """Return a logical id, which has letters and digits only."""
    name = "Role" + re.sub("[^A-Za-z0-9]", "", role_name.title())
    numbered = (f"{name}X{number}" for number in count(2))
    return next(each for each in chain([name], numbered) if each not in taken)
