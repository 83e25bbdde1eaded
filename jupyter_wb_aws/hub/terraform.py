"""Identity providers and roles as a Terraform configuration. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from itertools import chain, count

from jupyter_wb_aws.hub.claims import ClaimSettings
from jupyter_wb_aws.hub.trust_policy import Provider, Trust, providers, trust
from jupyter_wb_aws.roles.partitions import partitions

HEADER = """\
# Identity providers and roles for the hub service, printed from its roles file. This was not run: look at
# `terraform plan` first. What is there already has to be imported, such as
#   terraform import aws_iam_role.LABEL ROLE
#   terraform import aws_iam_openid_connect_provider.LABEL ARN
# The roles have no permissions: attach your own policies.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}
"""


class Reference(str):
    """An expression of Terraform, which is printed without quotes."""

    __slots__ = ()


def as_terraform(trusts: Sequence[Trust], settings: ClaimSettings) -> str:
    """Return the configuration. Roles of a store, and roles without a trust policy, are not in it.

    Args:
        trusts: the roles with their trust policies.
        settings: what the tokens have in common.
    """
    ours = [each for each in trusts if each.problem is None and each.store is None]
    needed = providers((each.role for each in ours), settings)
    blocks = [HEADER, *map(_account, needed)]
    taken: set[str] = set()
    for each in ours:
        label = _free_label(each, taken)
        taken.add(label)
        blocks.append(_role(label, each, settings))
    blocks += [
        f"# {each.role.arn} is at {each.store}: see the command `trust-policy`.\n"
        for each in trusts
        if each.store
    ]
    return "\n".join(blocks).rstrip()


def _account(provider: Provider) -> str:
    account = provider.account_id
    region = partitions()[provider.partition].home_region
    return f"""\
# Add how Terraform gets credentials of this account, such as `profile` or `assume_role`.
provider "aws" {{
  alias               = "account_{account}"
  region              = {_quoted(region)}
  allowed_account_ids = [{_quoted(account)}]
}}

resource "aws_iam_openid_connect_provider" "hub_{account}" {{
  provider       = aws.account_{account}
  url            = {_quoted(provider.url)}
  client_id_list = [{", ".join(map(_quoted, provider.client_ids))}]
}}
"""


def _role(label: str, each: Trust, settings: ClaimSettings) -> str:
    arn = each.role.arn
    principal = Reference(f"aws_iam_openid_connect_provider.hub_{arn.account_id}.arn")
    policy = trust(each.role, settings, principal).policy()
    return f"""\
resource "aws_iam_role" {_quoted(label)} {{
  provider           = aws.account_{arn.account_id}
  name               = {_quoted(arn.name)}
  path               = {_quoted(arn.path)}
  assume_role_policy = jsonencode({_expression(policy, "  ")})
}}
"""


def _expression(value: object, indent: str) -> str:
    """Return a value in Terraform's language.

    Raises:
        TypeError: if a policy can't have such a value.
    """
    inner = indent + "  "
    if isinstance(value, Mapping):
        lines = [f"{inner}{_quoted(k)} = {_expression(v, inner)}" for k, v in value.items()]
        return "\n".join(["{", *lines, f"{indent}}}"])
    if isinstance(value, list):
        items = [f"{inner}{_expression(item, inner)}," for item in value]
        return "\n".join(["[", *items, f"{indent}]"])
    if isinstance(value, Reference):
        return str(value)
    if isinstance(value, str):
        return _quoted(value)
    raise TypeError(f"A policy has no {type(value).__name__}.")


def _quoted(text: str) -> str:
    """Return a string of Terraform's language, in which `${` and `%{` begin templates."""
    escaped = json.dumps(text, ensure_ascii=False)
    return escaped.replace("${", "$${").replace("%{", "%%{")


def _free_label(each: Trust, taken: set[str]) -> str:
    arn = each.role.arn
    name = f"{re.sub('[^A-Za-z0-9_-]', '_', arn.name)}_{arn.account_id}"
    name = name if name[0].isalpha() or name[0] == "_" else f"_{name}"
    numbered = (f"{name}_{number}" for number in count(2))
    return next(each for each in chain([name], numbered) if each not in taken)
