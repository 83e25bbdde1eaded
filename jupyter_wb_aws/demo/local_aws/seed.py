"""The initial contents of the demo's AWS account: a bucket, and roles."""

from __future__ import annotations

from typing import Any

from jupyter_wb_aws.demo.local_aws import accounts
from jupyter_wb_aws.demo.names import ACCOUNT_ID, BUCKET, CLIENT_ID, HUB_AUDIENCE, REGION

_README = (
    b"Projects of the Colorado team.\n2025/rainfall.csv: monthly rainfall in Boulder, in mm.\n"
)
_RAINFALL = b"""month,mm
Jan,18
Feb,20
Mar,47
Apr,64
May,77
Jun,52
Jul,48
Aug,44
Sep,42
Oct,35
Nov,27
Dec,20
"""
_READ = [
    "s3:ListBucket",
    "s3:HeadBucket",
    "s3:GetBucketLocation",
    "s3:ListBucketVersions",
    "s3:ListBucketMultipartUploads",
    "s3:ListMultipartUploadParts",
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:GetObjectTagging",
    "s3:GetObjectAcl",
]
_WRITE = [
    "s3:PutObject",
    "s3:PutObjectTagging",
    "s3:DeleteObject",
    "s3:AbortMultipartUpload",
]


def seed(issuer: str) -> None:
    """Fill the account; its OIDC provider is `issuer`."""
    host = _provider_and_bucket(issuer, CLIENT_ID)
    accounts.add_role("analyst", trust(host, "alice"), _permissions(_READ + _WRITE))
    accounts.add_role("auditor", trust(host, "alice", "bob"), _permissions(_READ))
    accounts.add_role("engineer", trust(host, "alice"), _permissions(_READ + _WRITE))
    # A typical mistake: the directory's old spelling of the same user.
    accounts.add_role("misconfigured", trust(host, "CORP\\alice"), _permissions(_READ))
    accounts.add_role("finance-admin", trust(host, "bob", "frank"), _permissions(_READ + _WRITE))


def seed_for_hub(issuer: str) -> None:
    """Fill the account; its OIDC provider is a hub service, which alone decides who gets a role."""
    host = _provider_and_bucket(issuer, HUB_AUDIENCE)
    tagged = _trust_hub(host, HUB_AUDIENCE, "sts:TagSession")
    accounts.add_role("analyst", tagged, _permissions(_READ + _WRITE))
    accounts.add_role("auditor", _trust_hub(host, HUB_AUDIENCE), _permissions(_READ))
    accounts.add_role("engineer", _trust_hub(host, HUB_AUDIENCE), _permissions(_READ + _WRITE))
    # A typical mistake: another provider's audience.
    accounts.add_role("misconfigured", _trust_hub(host, CLIENT_ID), _permissions(_READ))


def _trust_hub(host: str, audience: str, *more_actions: str) -> dict[str, Any]:
    """Return a trust policy as `jupyter-wb-aws-hub trust-policy` prints it."""
    for_us = {"StringEquals": {f"{host}:aud": audience}}
    authorized = {"Bool": {"sts:RoleAuthorizedByIdp": "true"}}
    return _policy(
        _allow(host, "sts:AssumeRoleWithWebIdentity", {**for_us, **authorized}),
        *(_allow(host, action, for_us) for action in more_actions),
    )


def _provider_and_bucket(issuer: str, audience: str) -> str:
    """Register the provider, add the bucket, and return the provider's name in IAM."""
    accounts.register_provider(issuer, [audience])
    accounts.add_bucket(BUCKET, REGION, {"README.txt": _README, "2025/rainfall.csv": _RAINFALL})
    return issuer.partition("://")[2]


def trust(host: str, *subjects: str) -> dict[str, Any]:
    """Return a trust policy that lets in only these users of the issuer at `host`."""
    actions = ["sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"]
    condition = {"StringEquals": {f"{host}:aud": CLIENT_ID, f"{host}:sub": list(subjects)}}
    return _policy(_allow(host, actions, condition))


def _allow(host: str, action: str | list[str], condition: dict[str, Any]) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT_ID}:oidc-provider/{host}"},
        "Action": action,
        "Condition": condition,
    }


def _policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _permissions(actions: list[str]) -> dict[str, Any]:
    """Return a permissions policy for `actions` in the project's bucket, and for listing buckets."""
    resources = [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]
    return _policy(
        {"Effect": "Allow", "Action": actions, "Resource": resources},
        {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"},
    )
