"""What a request may ask of the credentials besides the role: how long they live, and what narrows them.

Source: AssumeRoleWithWebIdentity and AssumeRole in the AWS STS API Reference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from jupyter_wb_aws.roles.role import RoleArn

DURATION = range(900, 43201)
# AssumeRole gives credentials that were themselves assumed ("role chaining") at most an hour.
CHAINED_DURATION = range(900, 3601)
MAX_POLICY_LENGTH, MAX_POLICY_ARNS, MAX_TAGS = 2048, 10, 50
TAG = re.compile(r"[\w .:/=+\-@]*")
MAX_TAG_KEY, MAX_TAG_VALUE = 128, 256
EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SecondHop:
    """A role that is assumed by AssumeRole with the credentials of the first.

    Args:
        role: the role whose credentials are the result.
        external_id: what its trust policy expects, if anything.
    """

    role: RoleArn
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class CredentialOptions:
    """What a request asks of the credentials; what is not set, is not sent. A policy and tags go with the last hop.

    Args:
        duration: how many seconds they live; None for STS's own choice, an hour.
        policy: a session policy, in JSON.
        policy_arns: managed policies that narrow them.
        tags: session tags, as (key, value), for a second hop. Without one, they come in the web identity token.
        second_hop: the role to assume with the credentials of the first.

    Raises:
        ValueError: if STS would refuse one of them; the message says which.
    """

    duration: int | None = None
    policy: str | None = None
    policy_arns: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    second_hop: SecondHop | None = None

    def __post_init__(self) -> None:
        """Validate them, so that a mistake is found before STS is called."""
        allowed = DURATION if self.second_hop is None else CHAINED_DURATION
        if self.duration is not None and self.duration not in allowed:
            raise ValueError(
                f"The duration must be {allowed[0]} to {allowed[-1]} s, not {self.duration}."
            )
        if self.policy is not None and not 0 < len(self.policy) <= MAX_POLICY_LENGTH:
            raise ValueError(f"A session policy has 1 to {MAX_POLICY_LENGTH} characters.")
        if len(self.policy_arns) > MAX_POLICY_ARNS:
            raise ValueError(f"At most {MAX_POLICY_ARNS} managed policies are possible.")
        if self.tags and self.second_hop is None:
            raise ValueError("AssumeRoleWithWebIdentity takes session tags in the token only.")
        if len(self.tags) > MAX_TAGS or not all(_is_tag(*tag) for tag in self.tags):
            raise ValueError(f"The session tags are more than {MAX_TAGS}, too long or malformed.")
        external_id = self.second_hop.external_id if self.second_hop else None
        if external_id is not None and not EXTERNAL_ID.fullmatch(external_id):
            raise ValueError("The external id has characters that STS does not accept.")

    def as_question(self) -> dict[str, Any]:
        """Return them for the child process that calls STS."""
        hop = self.second_hop
        return {
            "duration": self.duration,
            "policy": self.policy,
            "policy_arns": list(self.policy_arns),
            "tags": [list(tag) for tag in self.tags],
            "second_hop": hop and {"role": str(hop.role), "external_id": hop.external_id},
        }


def _is_tag(key: str, value: str) -> bool:
    lengths = 0 < len(key) <= MAX_TAG_KEY and len(value) <= MAX_TAG_VALUE
    return lengths and all(TAG.fullmatch(text) for text in (key, value))
