"""The contents of the local AWS: moto's state, read and written through its Python classes.

moto keeps that state for the whole process, so this module has functions and no class. Everything
that depends on moto's internals, except the web server and the check of permissions
(`moto_permissions.py`), is in this module.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from moto import settings
from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.utils import utcnow
from moto.iam.models import iam_backends
from moto.s3.models import s3_backends
from moto.sts.models import sts_backends

from jupyter_wb_aws.demo.local_aws import moto_permissions
from jupyter_wb_aws.demo.local_aws.web_identity import Provider
from jupyter_wb_aws.demo.names import ACCOUNT_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jupyter_wb_aws.demo.local_aws.conditions import Context

_PARTITION = "aws"


def clear() -> None:
    """Delete everything, and ignore an account in the environment."""
    os.environ.pop("MOTO_ACCOUNT_ID", None)
    for backends in (iam_backends, sts_backends, s3_backends):
        for account in list(backends):
            backends[account].reset()


def enforce_policies(*, on: bool) -> None:
    """Turn the checks of signatures and of the roles' policies on or off."""
    moto_permissions.replace_check(on=on)
    ActionAuthenticatorMixin.request_count = 0
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0.0 if on else float("inf")


def register_provider(url: str, client_ids: Iterable[str]) -> str:
    """Register an OIDC provider in IAM, and return its ARN."""
    provider = iam_backends[ACCOUNT_ID][_PARTITION].create_open_id_connect_provider(
        url=url, thumbprint_list=[], client_id_list=list(client_ids), tags=[]
    )
    return str(provider.arn)


def providers() -> dict[str, Provider]:
    """Return the OIDC providers by their URL, which has no scheme."""
    registered = iam_backends[ACCOUNT_ID][_PARTITION].open_id_providers.values()
    return {p.url: Provider(p.arn, p.url, tuple(p.client_id_list)) for p in registered}


def add_role(
    name: str,
    trust: Mapping[str, Any],
    permissions: Mapping[str, Any] | None = None,
    max_session_duration: int = 3600,
) -> str:
    """Add an IAM role, and return its ARN.

    Args:
        name: the role's name.
        trust: the trust policy.
        permissions: the permissions policy; without it, the role may do nothing.
        max_session_duration: the longest life of its credentials, in seconds.
    """
    iam = iam_backends[ACCOUNT_ID][_PARTITION]
    role = iam.create_role(
        role_name=name,
        assume_role_policy_document=json.dumps(trust),
        path="/",
        permissions_boundary=None,
        description="",
        tags=[],
        max_session_duration=str(max_session_duration),
    )
    if permissions is not None:
        iam.put_role_policy(name, "permissions", json.dumps(permissions))
    return str(role.arn)


def put_permissions(role: str, name: str, permissions: Mapping[str, Any]) -> None:
    """Add a permissions policy to a role, or replace it; it counts for sessions that exist, too.

    Args:
        role: the role's name.
        name: the policy's name.
        permissions: the policy.
    """
    iam_backends[ACCOUNT_ID][_PARTITION].put_role_policy(role, name, json.dumps(permissions))


def add_bucket(name: str, region: str, objects: Mapping[str, bytes]) -> None:
    """Add an S3 bucket.

    Args:
        name: the bucket's name.
        region: its region.
        objects: the objects in it, by key.
    """
    s3 = s3_backends[ACCOUNT_ID][_PARTITION]
    s3.create_bucket(name, region)
    for key, content in objects.items():
        s3.put_object(name, key, content)


def find_role(arn: str) -> Any | None:
    """Return the role with that ARN in the demo's account, if there is one."""
    for role in iam_backends[ACCOUNT_ID][_PARTITION].get_roles():
        if role.arn == arn:
            return role
    return None


def issue_credentials(role: Any, session_name: str, lifetime: int, session: Context) -> Any:
    """Let moto issue credentials, and return them.

    Args:
        role: moto's role.
        session_name: the `RoleSessionName`.
        lifetime: the life of the credentials, in seconds.
        session: the values of condition keys that come with the session, such as its tags.
    """
    issued = sts_backends[ACCOUNT_ID][_PARTITION].assume_role_with_web_identity(
        region_name="us-east-1",
        role_session_name=session_name,
        role_arn=role.arn,
        policy=None,
        duration=lifetime,
        external_id=None,
    )
    moto_permissions.remember(
        issued,
        {
            **session,
            "aws:principalaccount": (ACCOUNT_ID,),
            "aws:principalarn": (role.arn,),
            "aws:principaltype": ("AssumedRole",),
            "aws:tokenissuetime": (f"{utcnow().isoformat()}Z",),
            "aws:userid": (issued.user_id,),
            "aws:username": (),
        },
    )
    return issued


def find_credentials(access_key_id: str) -> Any | None:
    """Return the credentials with that access key, even if they have expired."""
    sts = sts_backends[ACCOUNT_ID][_PARTITION]
    return sts.get_assumed_role_from_access_key(access_key_id)


def expired(credentials: Any) -> bool:
    """Return whether they have expired. moto does not check this."""
    return bool(utcnow() >= credentials.expiration)
