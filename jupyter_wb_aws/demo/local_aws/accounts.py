"""What the local AWS holds: moto's state, read and written through its Python classes.

moto keeps that state for the whole process, hence functions. Everything that leans on moto's
insides, other than the web server, is in this module.
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

from jupyter_wb_aws.demo.local_aws.web_identity import Provider
from jupyter_wb_aws.demo.names import ACCOUNT_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PARTITION = "aws"


def clear() -> None:
    """Forget everything, and let nobody's environment choose the account."""
    os.environ.pop("MOTO_ACCOUNT_ID", None)
    for backends in (iam_backends, sts_backends, s3_backends):
        for account in list(backends):
            backends[account].reset()


def enforce_policies(*, on: bool) -> None:
    """Make moto check signatures and the roles' policies from the next call on, or not at all."""
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
    """Add an IAM role, and return its ARN."""
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


def add_bucket(name: str, region: str, objects: Mapping[str, bytes]) -> None:
    """Add an S3 bucket with something in it."""
    s3 = s3_backends[ACCOUNT_ID][_PARTITION]
    s3.create_bucket(name, region)
    for key, content in objects.items():
        s3.put_object(name, key, content)


def find_role(arn: str) -> Any | None:
    """Return the role with that ARN; none is to be found outside the demo's account."""
    for role in iam_backends[ACCOUNT_ID][_PARTITION].get_roles():
        if role.arn == arn:
            return role
    return None


def issue_credentials(role: Any, session_name: str, lifetime: int) -> Any:
    """Have moto issue credentials, which it then knows by their access key."""
    return sts_backends[ACCOUNT_ID][_PARTITION].assume_role_with_web_identity(
        region_name="us-east-1",
        role_session_name=session_name,
        role_arn=role.arn,
        policy=None,
        duration=lifetime,
        external_id=None,
    )


def find_credentials(access_key_id: str) -> Any | None:
    """Return the credentials with that access key, expired ones too."""
    sts = sts_backends[ACCOUNT_ID][_PARTITION]
    return sts.get_assumed_role_from_access_key(access_key_id)


def expired(credentials: Any) -> bool:
    """Say whether their time is over. moto does not look."""
    return bool(utcnow() >= credentials.expiration)
