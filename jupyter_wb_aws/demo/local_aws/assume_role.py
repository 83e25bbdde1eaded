"""`AssumeRoleWithWebIdentity` as in AWS; moto would accept any token for any role.

How a call is decided: the parameters, the token, its roles claim, the role's trust policy. Each
decision about a token that is genuine is a line of the trail (`trail.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from jupyter_wb_aws.demo.local_aws import accounts, trail, trust_policy
from jupyter_wb_aws.demo.local_aws.answers import Answer, AwsError, sts_answer
from jupyter_wb_aws.demo.local_aws.web_identity import WebIdentity, verify

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_wb_aws.demo.local_aws.conditions import Context

ACTION = "AssumeRoleWithWebIdentity"
_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\x21-\x7e]+", re.ASCII)
_SESSION_NAME = r"[\w+=,.@-]*"
_MIN_DURATION, _DEFAULT_DURATION, _MAX_DURATION = 900, 3600, 43200


@dataclass(frozen=True, slots=True)
class _Call:
    role_arn: str
    session_name: str
    token: str = field(repr=False)
    duration: int

    @classmethod
    def parse(cls, parameters: Mapping[str, str]) -> _Call:
        _refuse_unsupported(parameters)
        role_arn = _parameter(parameters, "roleArn", 20, 2048)
        session_name = _parameter(parameters, "roleSessionName", 2, 64)
        if not re.fullmatch(_SESSION_NAME, session_name, re.ASCII):
            raise _unfit(
                "roleSessionName",
                session_name,
                f"satisfy regular expression pattern: {_SESSION_NAME}",
            )
        token = _parameter(parameters, "webIdentityToken", 4, 20000)
        duration = _duration(parameters.get("DurationSeconds", str(_DEFAULT_DURATION)))
        if not _ROLE_ARN.fullmatch(role_arn):
            raise AwsError("ValidationError", f"{role_arn} is invalid")
        return cls(role_arn, session_name, token, duration)


def assume_role_with_web_identity(
    parameters: Mapping[str, str],
    credential_lifetime: int | None,
    *,
    reads_roles_claim: bool = True,
) -> Answer:
    """Check everything that AWS checks, then let moto issue credentials.

    Args:
        parameters: the form of the call.
        credential_lifetime: seconds that override the requested duration. AWS requires at least
            900; tests need less, to see credentials expire.
        reads_roles_claim: False for an AWS, or a store, that does not know the claim, and so ignores it.

    Raises:
        AwsError: if AWS would refuse the call.
    """
    call = _Call.parse(parameters)
    identity = verify(call.token, accounts.providers())
    if not reads_roles_claim:
        identity = replace(identity, roles=None)
    with trail.recorded(call.role_arn, call.session_name, identity):
        issued = _issue(call, identity, credential_lifetime or call.duration)
    return sts_answer(ACTION, _result(issued, identity))


def _issue(call: _Call, identity: WebIdentity, lifetime: int) -> Any:
    if identity.roles is not None and call.role_arn not in identity.roles:
        raise AwsError(
            "InvalidIdentityToken",
            "The target role ARN is not present in the roles claim of the identity token",
        )
    role = accounts.find_role(call.role_arn)
    if role is None:
        raise _not_authorized(ACTION)
    _check_trust(role.assume_role_policy_document, call, identity)
    if call.duration > int(role.max_session_duration):
        raise AwsError(
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        )
    return accounts.issue_credentials(role, call.session_name, lifetime, _session(identity))


def _check_trust(policy: str, call: _Call, identity: WebIdentity) -> None:
    request = trust_policy.TrustRequest(identity.provider.arn, _context(call, identity))
    actions = [ACTION]
    if identity.tags.values:
        actions.append("TagSession")
    if identity.source_identity is not None:
        actions.append("SetSourceIdentity")
    for action in actions:
        if not trust_policy.allows(policy, f"sts:{action}", request):
            raise _not_authorized(action)


def _context(call: _Call, identity: WebIdentity) -> Context:
    """Return what a trust policy may check: of the call, the same for each of its actions."""
    url, source = identity.provider.url.lower(), identity.source_identity
    tags = identity.tags.values
    return {
        f"{url}:aud": (identity.audience,),
        f"{url}:sub": (identity.subject,),
        f"{url}:amr": identity.authentication_methods,
        "aws:federatedprovider": (identity.provider.arn,),
        "aws:tagkeys": tuple(tags),
        "sts:roleauthorizedbyidp": ("false" if identity.roles is None else "true",),
        "sts:rolesessionname": (call.session_name,),
        "sts:sourceidentity": () if source is None else (source,),
        "sts:transitivetagkeys": identity.tags.transitive_keys,
        **{f"aws:requesttag/{key.lower()}": (value,) for key, value in tags.items()},
    }


def _session(identity: WebIdentity) -> Context:
    """Return what the session carries into the permissions policies."""
    source, tags = identity.source_identity, identity.tags.values
    return {
        "aws:federatedprovider": (identity.provider.arn,),
        "aws:sourceidentity": () if source is None else (source,),
        **{f"aws:principaltag/{key.lower()}": (value,) for key, value in tags.items()},
    }


def _result(issued: Any, identity: WebIdentity) -> dict[str, object]:
    return {
        "SubjectFromWebIdentityToken": identity.subject,
        "Audience": identity.audience,
        # An OIDC provider of the account appears as its ARN, a built-in one as its host.
        "Provider": identity.provider.arn,
        "AssumedRoleUser": {"AssumedRoleId": issued.user_id, "Arn": issued.arn},
        "Credentials": {
            "AccessKeyId": issued.access_key_id,
            "SecretAccessKey": issued.secret_access_key,
            "SessionToken": issued.session_token,
            "Expiration": issued.expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
        "PackedPolicySize": identity.tags.packed_size,
        "SourceIdentity": identity.source_identity,
    }


def _refuse_unsupported(parameters: Mapping[str, str]) -> None:
    if any(name == "Policy" or name.startswith("PolicyArns") for name in parameters):
        raise AwsError(
            "ValidationError",
            "The local AWS of the demo can't enforce a session policy (Policy, PolicyArns), "
            "so it refuses the call instead of granting more than was requested.",
        )
    if "ProviderId" in parameters:
        raise AwsError("ValidationError", "ProviderId is for OAuth 2.0 access tokens only")


def _parameter(parameters: Mapping[str, str], name: str, shortest: int, longest: int) -> str:
    value = parameters.get(name[0].upper() + name[1:])
    if value is None:
        raise AwsError(
            "ValidationError",
            f"1 validation error detected: Value null at '{name}' failed to satisfy constraint: "
            "Member must not be null",
        )
    if len(value) < shortest:
        raise _unfit(name, value, f"have length greater than or equal to {shortest}")
    if len(value) > longest:
        raise _unfit(name, value, f"have length less than or equal to {longest}")
    return value


def _duration(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,9}", text):
        raise AwsError("MalformedInput", "DurationSeconds must be a whole number")
    value = int(text)
    if value < _MIN_DURATION:
        raise _unfit(
            "durationSeconds", text, f"have value greater than or equal to {_MIN_DURATION}"
        )
    if value > _MAX_DURATION:
        raise _unfit("durationSeconds", text, f"have value less than or equal to {_MAX_DURATION}")
    return value


def _unfit(name: str, value: str, must: str) -> AwsError:
    shown = "***Sensitive***" if name == "webIdentityToken" else value
    return AwsError(
        "ValidationError",
        f"1 validation error detected: Value '{shown}' at '{name}' failed to satisfy constraint: "
        f"Member must {must}",
    )


def _not_authorized(action: str) -> AwsError:
    return AwsError("AccessDenied", f"Not authorized to perform sts:{action}", 403)
