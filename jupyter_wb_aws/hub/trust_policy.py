"""What IAM needs, so that the service's tokens are good for the roles of its roles file. Pure.

AWS reads the claim `https://aws.amazon.com/roles` and refuses a token for any other role. So a trust policy names
neither users nor roles: it requires that claim (`sts:RoleAuthorizedByIdp`), and the roles file decides who gets
such a token. Where the claim is not known, `sub` must name the role, and the policy compares it with a pattern.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from jupyter_wb_aws.hub.claims import ClaimSettings
from jupyter_wb_aws.hub.names import binds_role, subject_pattern
from jupyter_wb_aws.roles.partitions import partitions
from jupyter_wb_aws.roles.role import Role
from jupyter_wb_aws.variables import without_passwords

ASSUME = "sts:AssumeRoleWithWebIdentity"
# The others do not say whether their STS reads the claim. One that does binds the token all the same.
PARTITIONS_WITH_ROLES_CLAIM = frozenset({"aws"})
ENDPOINTS = ("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL")
Policy = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Provider:
    """The IAM identity provider that an account needs: its URL is the service's issuer."""

    partition: str
    account_id: str
    url: str
    client_ids: tuple[str, ...]

    @property
    def arn(self) -> str:
        """Its ARN, the principal of trust policies."""
        return (
            f"arn:{self.partition}:iam::{self.account_id}:oidc-provider/{without_scheme(self.url)}"
        )


@dataclass(frozen=True, slots=True)
class Trust:
    """One role, and the statements of its trust policy; none if `problem` says why there can't be any.

    `store` is the host of an STS that is not AWS's.
    """

    role: Role
    statements: tuple[Policy, ...]
    problem: str | None = None
    store: str | None = None

    def policy(self) -> Policy:
        """Return the trust policy."""
        return {"Version": "2012-10-17", "Statement": list(self.statements)}


def without_scheme(issuer: str) -> str:
    """Return the issuer as IAM names it; in every partition, condition keys begin with it."""
    return issuer.partition("://")[2]


def providers(roles: Iterable[Role], settings: ClaimSettings) -> list[Provider]:
    """Return the identity provider of each account, with the audiences of all its roles."""
    audiences: dict[tuple[str, str], set[str]] = {}
    for role in roles:
        account = role.arn.partition, role.arn.account_id
        audiences.setdefault(account, set()).add(_audience(role, settings))
    return [
        Provider(partition, account, settings.issuer, tuple(sorted(found)))
        for (partition, account), found in sorted(audiences.items())
    ]


def trust(role: Role, settings: ClaimSettings, principal: object = None) -> Trust:
    """Return the trust policy of a role.

    The actions are those that its tokens need, no others. `sts:RoleAuthorizedByIdp` is a condition key of
    `sts:AssumeRoleWithWebIdentity` alone, so the other actions have a statement of their own.

    Args:
        role: as the roles file describes it.
        settings: what the tokens have in common.
        principal: the identity provider, in the words of another format; its ARN if None.
    """
    store = _store(role)
    reads_claim = store is None and role.arn.partition in PARTITIONS_WITH_ROLES_CLAIM
    if not reads_claim and not binds_role(settings.subject_template):
        return Trust(role, (), _unbound(role, store), store)
    if principal is None:
        (provider,) = providers([role], settings)
        principal = provider.arn
    host = without_scheme(settings.issuer)
    common: Policy = {"StringEquals": {f"{host}:aud": _audience(role, settings)}}
    if binds_role(settings.subject_template):
        pattern = subject_pattern(settings.subject_template, role.arn)
        common["StringLike"] = {f"{host}:sub": pattern}
    claim = {"Bool": {"sts:RoleAuthorizedByIdp": "true"}} if reads_claim else {}
    statements = [_allow(principal, [ASSUME], {**common, **claim})]
    if more := _more_actions(role):
        statements.append(_allow(principal, more, common))
    return Trust(role, tuple(statements), store=store)


def as_json(trusts: Sequence[Trust], settings: ClaimSettings) -> str:
    """Return identity providers and trust policies as one JSON document."""
    needed = providers((each.role for each in trusts if not each.problem), settings)
    document = {
        "providers": [
            {"arn": each.arn, "url": each.url, "client_ids": list(each.client_ids)}
            for each in needed
        ],
        "roles": [
            {"arn": str(each.role.arn), "trust_policy": each.policy()}
            for each in trusts
            if not each.problem
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def as_commands(trusts: Sequence[Trust], settings: ClaimSettings) -> str:
    """Return the commands of the AWS CLI that let the service's tokens into roles that exist, account by account."""
    return "\n".join([
        "# Read this before you run it. `update-assume-role-policy` replaces a role's whole trust policy: if others use",
        "# the role too, add the statements to its policy instead. For roles that don't exist yet, use",
        "# `trust-policy --format=new-roles`.",
        *_by_account(trusts, settings, _update_role),
    ])  # fmt: skip


def as_new_roles(trusts: Sequence[Trust], settings: ClaimSettings) -> str:
    """Return the commands of the AWS CLI that create identity providers and roles, account by account."""
    return "\n".join([
        "# Read this before you run it. For roles that exist, use `trust-policy --format=commands`. A new role may do",
        "# nothing yet: give it permissions with `put-role-policy` or `attach-role-policy`.",
        *_by_account(trusts, settings, _create_role),
    ])  # fmt: skip


def _by_account(
    trusts: Sequence[Trust], settings: ClaimSettings, command: Callable[[Trust], str]
) -> list[str]:
    lines = [
        "# If an account has the identity provider already, leave out its first command. Add audiences that it lacks",
        "# with `add-client-id-to-open-id-connect-provider`.",
    ]
    places: dict[tuple[str, str, str], list[Trust]] = {}
    for each in trusts:
        if each.problem is None:
            arn = each.role.arn
            places.setdefault((each.store or "", arn.partition, arn.account_id), []).append(each)
    for (store, *_), found in sorted(places.items()):
        (provider,) = providers((each.role for each in found), settings)
        lines += ["", _heading(provider, store), _create_provider(provider)]
        lines += map(command, found)
    return lines


def _heading(provider: Provider, store: str) -> str:
    if store:
        return (
            f"# The store at {store}, which knows account {provider.account_id}: give its --endpoint-url. Its condition"
            " keys may have other names."
        )
    return f"# Account {provider.account_id} ({provider.partition}), with credentials of an administrator of this account:"


def _create_provider(provider: Provider) -> str:
    return (
        f"aws iam create-open-id-connect-provider --url {shlex.quote(provider.url)}"
        f" --client-id-list {shlex.join(provider.client_ids)}"
    )


def _update_role(each: Trust) -> str:
    name = shlex.quote(each.role.arn.name)
    return (
        f"aws iam update-assume-role-policy --role-name {name} --policy-document {_document(each)}"
    )


def _create_role(each: Trust) -> str:
    name, path = shlex.quote(each.role.arn.name), shlex.quote(each.role.arn.path)
    return f"aws iam create-role --role-name {name} --path {path} --assume-role-policy-document {_document(each)}"


def _document(each: Trust) -> str:
    return shlex.quote(json.dumps(each.policy(), ensure_ascii=False))


def _audience(role: Role, settings: ClaimSettings) -> str:
    return role.token_content.audience or settings.audience


def _allow(principal: object, actions: list[str], conditions: Mapping[str, Any]) -> Policy:
    return {
        "Effect": "Allow",
        "Principal": {"Federated": principal},
        "Action": actions[0] if len(actions) == 1 else actions,
        "Condition": dict(conditions),
    }


def _more_actions(role: Role) -> list[str]:
    content = role.token_content
    return [
        *(["sts:TagSession"] if content.has_tags() else []),
        *(["sts:SetSourceIdentity"] if content.source_identity is not None else []),
    ]


def _store(role: Role) -> str | None:
    """Return the host of the STS that the role's processes call, if that is not AWS's."""
    shown = without_passwords(role.extra_environment)
    url = next((shown[name] for name in ENDPOINTS if shown.get(name)), None)
    if url is None:
        return None
    try:
        host = urlsplit(url).hostname or "an endpoint of its own"
    except ValueError:
        host = "an endpoint of its own"
    domains = partitions()[role.arn.partition].domains
    is_aws = any(host == domain or host.endswith(f".{domain}") for domain in domains)
    return None if is_aws else host


def _unbound(role: Role, store: str | None) -> str:
    where = f"the STS at {store}" if store else f"the partition {role.arn.partition}"
    return (
        f"There is no trust policy for {role.arn}: {where} may not know the claim that binds a token to its role."
        ' Set `subject_template = "user:{user}:role:{account}/{role}"`, so that `sub` binds it.'
    )
