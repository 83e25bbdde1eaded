"""An IAM role that a user may start, and its ARN."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from jupyter_wb_aws.errors import InvalidRegion, InvalidRoleArn
from jupyter_wb_aws.roles.delivery import Delivery
from jupyter_wb_aws.roles.partitions import partitions
from jupyter_wb_aws.roles.token_content import NO_CONTENT, TokenContent

ACCOUNT = re.compile(r"[0-9]{12}")
# Source: IAM User Guide, "IAM and AWS STS quotas": role names and paths.
MAX_NAME_LENGTH = 64
NAME = re.compile(rf"[A-Za-z0-9+=,.@_-]{{1,{MAX_NAME_LENGTH}}}")
PATH = re.compile(r"/([!-.0-~]+/)*")
MAX_PATH_LENGTH = 512
# S3-compatible stores choose the names of their regions freely, within a DNS label.
REGION_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class RoleArn:
    """An IAM role's Amazon Resource Name. Source: IAM User Guide, "IAM identifiers"."""

    partition: str
    account_id: str
    path: str
    name: str

    @classmethod
    def parse(cls, text: str) -> RoleArn:
        """Parse ``arn:aws:iam::111122223333:role/path/name``.

        Raises:
            InvalidRoleArn: if `text` is anything else; the message says which part.
        """
        parts = text.split(":", 5)
        if len(parts) != 6 or parts[0] != "arn":
            raise InvalidRoleArn("An ARN has six parts, joined by colons, and begins with `arn`.")
        _, partition, service, region, account, resource = parts
        if partition not in partitions():
            known = ", ".join(partitions())
            raise InvalidRoleArn(
                f"The ARN's partition is not one of {known} (those that the installed botocore knows)."
            )
        if service != "iam" or region:
            raise InvalidRoleArn("A role's ARN continues with `iam` and an empty region.")
        if not ACCOUNT.fullmatch(account):
            raise InvalidRoleArn("The ARN's account is not twelve digits.")
        kind, slash, rest = resource.partition("/")
        if kind != "role" or not slash:
            raise InvalidRoleArn("The ARN is not the ARN of a role: `role/` is missing.")
        head, _, name = rest.rpartition("/")
        path = f"/{head}/" if head else "/"
        if not NAME.fullmatch(name):
            raise InvalidRoleArn("The ARN's role name has characters that IAM does not accept.")
        if not PATH.fullmatch(path) or len(path) > MAX_PATH_LENGTH or rest.startswith("/"):
            raise InvalidRoleArn("The ARN's path has characters that IAM does not accept.")
        return cls(partition, account, path, name)

    def __str__(self) -> str:
        return f"arn:{self.partition}:iam::{self.account_id}:role{self.path}{self.name}"


@dataclass(frozen=True, slots=True)
class Role:
    """A role as the catalogue offers it.

    `extra_environment` holds further variables for its role sessions. It may also name the STS endpoint,
    which our own calls then use too. `token_content` is empty, unless the hub service reads the roles file.
    `delivery` is None for the site's. `lease` and `credential_lifetime`, in seconds, only go with the endpoint;
    None stands for the site's lease, and for the lifetime that AWS STS gives.
    """

    arn: RoleArn
    label: str
    description: str = ""
    region: str | None = None
    color: str | None = None
    default: bool = False
    request_url: str | None = None
    extra_environment: Mapping[str, str] = field(default_factory=dict)
    token_content: TokenContent = NO_CONTENT
    delivery: Delivery | None = None
    lease: int | None = None
    credential_lifetime: int | None = None

    def region_for(self, asked: str | None) -> str | None:
        """Return the region of a role session: the one asked for, else the role's own.

        Args:
            asked: the user's choice; None for none.

        Raises:
            InvalidRegion: if the one asked for is not in the role's partition.
        """
        if asked is None or asked == self.region:
            return self.region
        partition = partitions()[self.arn.partition]
        if not REGION_LABEL.fullmatch(asked) or not partition.has_region(asked):
            raise InvalidRegion(
                f"{asked[:40]!r} is not a region of AWS (partition {self.arn.partition})."
            )
        return asked

    def as_json(self) -> dict[str, object]:
        """Return the role as in `GET /aws/roles`, where the site's delivery stands for None."""
        return {
            "arn": str(self.arn),
            "name": self.arn.name,
            "account_id": self.arn.account_id,
            "label": self.label,
            "description": self.description,
            "region": self.region,
            "color": self.color,
            "default": self.default,
            "request_url": self.request_url,
            "delivery": self.delivery,
        }
