"""What an administrator has to change if a token does not work with IAM. Pure.

STS has one code for most problems of a token, so its message must be read as well. AWS documents none of
these messages; those here are quoted by people in public. An unknown one gets a general hint.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from jupyter_wb_aws.aws.iam_claims import (
    BUILT_IN,
    audience_of,
    audience_problems,
    issuer_problems,
    issuer_without_scheme,
    principal_of,
    printable,
    roles_of,
    subject_pattern_of,
    tags_of,
)
from jupyter_wb_aws.identity.claims import AWS_ROLES
from jupyter_wb_aws.identity.token import MAX_TOKEN_LENGTH, largest_claim
from jupyter_wb_aws.roles.role import RoleArn
from jupyter_wb_aws.roles.session_tags import SOURCE_IDENTITY, TAGS

PACKED = "PackedPolicyTooLarge"
# How much of a claim is shown; in commands, claims are shown in full.
MAX_CLAIM_LENGTH = 200
Claims = Mapping[str, Any]


def claims_seen(claims: Claims) -> str:
    """Return the public claims that IAM compares, so that an administrator can find the mismatch."""
    named = ("iss", "aud", "azp", "sub") if claims.get("azp") else ("iss", "aud", "sub")
    return ", ".join(f"{name} = {_seen(claims.get(name))}" for name in named)


def _seen(value: object) -> str:
    return (
        repr(printable(value, MAX_CLAIM_LENGTH))
        if isinstance(value, str)
        else printable(value, MAX_CLAIM_LENGTH)
    )


def token_hint(code: str, message: str, role: RoleArn, claims: Claims, *, is_aws_sts: bool) -> str:
    """Return what to change, from STS's code and message.

    Args:
        code: STS's code.
        message: STS's message.
        role: the role that was requested.
        claims: of the token that was sent.
        is_aws_sts: whether AWS STS was called. AWS's messages are recognized anywhere, but limits of AWS are
            mentioned only if AWS was called.
    """
    hint = _BY_CODE.get(code) or next(
        (hint for sentence, hint in _BY_SENTENCE if re.search(sentence, message, re.IGNORECASE)),
        _general if is_aws_sts else _store,
    )
    impossible = issuer_problems(claims) if is_aws_sts and hint in _ABOUT_THE_ISSUER else []
    if not impossible:
        return hint(role, claims)
    why = " ".join(problem.message for problem in impossible)
    return (
        f"{why} Use tokens of another issuer with AWS, or use a store with its own STS"
        f" (`AWS_ENDPOINT_URL` in `extra_environment`). Seen: {claims_seen(claims)}."
    )


def trust_hint(message: str, role: RoleArn, claims: Claims, *, is_aws_sts: bool = True) -> str:
    """Return what the role's trust policy must contain to accept this token.

    Args:
        message: STS's message.
        role: the role that was requested.
        claims: of the token that was sent.
        is_aws_sts: whether AWS STS was called, not the STS of an S3-compatible store.
    """
    if not is_aws_sts and "Not authorized to perform" not in message:  # AWS's message
        return (
            f"The store does not allow this token to use {role}: the role's trust policy requires another (the store's"
            " condition keys may have other names than IAM's), the store does not know the token's issuer, or the"
            f" role does not exist.{_for_all_users(claims, role)} Seen: {claims_seen(claims)}."
        )
    needed, by_idp = _actions(claims), bool(roles_of(claims))
    for action in needed[1:]:
        if action in message:
            where = f"Add it in a statement of its own. {_PRINTED}" if by_idp else _ADD
            return (
                f"The trust policy of {role} lacks the action {action}, which a token with"
                f" {_WHY[action]} needs. {where} Seen: {claims_seen(claims)}."
            )
    principal = principal_of(claims, role)
    subject = "A `sub` that is not listed is refused"
    if by_idp:  # the message is AWS's, so the condition is known, whoever has answered
        subject = (
            "The second is `Bool` and needs no `sub`: it requires the token's claim"
            f" `{AWS_ROLES}`, so that the issuer decides who gets this role. It is a condition of"
            f" sts:AssumeRoleWithWebIdentity alone: other actions need a statement of their own. {_PRINTED}"
            " A `sub` in the conditions must still match"
        )
    return (
        f"The trust policy of {role} must have a statement with the action{'s' if len(needed) > 1 else ''}"
        f' {", ".join(needed)}, the principal {{"Federated": {_json(principal)}}}, and conditions that hold'
        f" for {', '.join(_conditions(claims, by_idp=by_idp))}. {subject}, and a role that does not exist is refused,"
        f" too.{_for_all_users(claims, role)} Seen: {claims_seen(claims)}."
    )


def _for_all_users(claims: Claims, role: RoleArn) -> str:
    """Return a sentence for an issuer that puts the role into `sub`: then one pattern serves all users."""
    pattern = subject_pattern_of(claims, role)
    if pattern is None:
        return ""
    key = f"{issuer_without_scheme(claims)}:sub"
    return f' The `sub` names the role: for all users, use "StringLike" {{{_json(key)}: {_json(pattern)}}}.'


def _actions(claims: Claims) -> list[str]:
    return [
        "sts:AssumeRoleWithWebIdentity",
        *(["sts:TagSession"] if tags_of(claims) or claims.get(TAGS) else []),
        *(["sts:SetSourceIdentity"] if claims.get(SOURCE_IDENTITY) else []),
    ]


_ADD = "Add it to the statement's Action."
_PRINTED = (
    "`jupyter-wb-aws-hub trust-policy` prints the whole policy for tokens of the hub service."
)
_WHY = {"sts:TagSession": "session tags", "sts:SetSourceIdentity": "a source identity"}


def _conditions(claims: Claims, *, by_idp: bool) -> list[str]:
    """Return the token's claims as lines of a policy's Condition.

    Args:
        claims: the token's.
        by_idp: whether the roles claim says who may have the role, so that `sub` need not.
    """
    name = issuer_without_scheme(claims)
    values = {f"{name}:aud": audience_of(claims)}
    values |= {"sts:RoleAuthorizedByIdp": "true"} if by_idp else {f"{name}:sub": claims.get("sub")}
    values |= {f"aws:RequestTag/{printable(key)}": value for key, value in tags_of(claims).items()}
    return [f"{_json(key)}: {_json(value)}" for key, value in list(values.items())[:5]]


def _no_provider(role: RoleArn, claims: Claims) -> str:
    issuer = printable(claims.get("iss"))
    slash = (
        "This issuer ends with a slash; a provider that was created without the slash does not match it."
        if issuer.endswith("/")
        else "This issuer has no slash at its end; a provider that was created with one does not match it."
    )
    return (
        f"Account {role.account_id} has no IAM identity provider for the token's issuer, {issuer!r}."
        f" {slash} Create it: aws iam create-open-id-connect-provider --url {shlex.quote(issuer)}"
        f" --client-id-list {_quoted(audience_of(claims))}. Seen: {claims_seen(claims)}."
    )


def _wrong_audience(role: RoleArn, claims: Claims) -> str:
    odd = "".join(f"{problem.message} " for problem in audience_problems(claims))
    audience = audience_of(claims)
    if audience is None:
        return f"{odd}Configure the identity provider to put one audience into the token. Seen: {claims_seen(claims)}."
    if issuer_without_scheme(claims) in BUILT_IN:
        return (
            f"{odd}The trust policy of {role} must name this audience. Seen: {claims_seen(claims)}."
        )
    return (
        f"{odd}The IAM identity provider of account {role.account_id} does not list the audience"
        f" {printable(audience)!r}. Add it: aws iam add-client-id-to-open-id-connect-provider"
        f" --open-id-connect-provider-arn {_quoted(principal_of(claims, role))}"
        f" --client-id {_quoted(audience)}. Seen: {claims_seen(claims)}."
    )


def _no_key(role: RoleArn, claims: Claims) -> str:  # noqa: ARG001 - as all of these
    discovery = f"{printable(claims.get('iss')).rstrip('/')}/.well-known/openid-configuration"
    return (
        f"AWS could not get the key that signed the token. From the internet, and within 5 s, it must be"
        f" able to fetch {discovery} and the `jwks_uri` in it, and find the token's `kid` there."
        f" Check firewalls and lists of allowed addresses; try curl {shlex.quote(discovery)} from outside"
        f" your network. Seen: {claims_seen(claims)}."
    )


def _thumbprint(role: RoleArn, claims: Claims) -> str:
    return (
        "The IAM identity provider does not know the certificate of the identity provider's web server, which"
        " may have been replaced. Set it: aws iam update-open-id-connect-provider-thumbprint"
        f" --open-id-connect-provider-arn {_quoted(principal_of(claims, role))} --thumbprint-list"
        f" THUMBPRINT (of the top certificate authority). Seen: {claims_seen(claims)}."
    )


def _other_roles(role: RoleArn, claims: Claims) -> str:
    return (
        f"The token's claim `{AWS_ROLES}` lists the only roles that it is valid for, and"
        f" {role} is not among them. Configure the identity provider to add it. Seen: {claims_seen(claims)}."
    )


def _no_id_token(role: RoleArn, claims: Claims) -> str:  # noqa: ARG001
    return (
        "AWS requires an id token, signed with RS256, RS384, RS512, ES256, ES384 or ES512, with `iss`, `sub`,"
        " `aud`, `iat` and `exp`, the times in whole seconds. An access token often lacks one of them: configure"
        f" the token source to return the id token. Seen: {claims_seen(claims)}."
    )


def _unfit(role: RoleArn, claims: Claims) -> str:  # noqa: ARG001
    name, size = largest_claim(claims)
    return (
        f"AWS accepts tokens of up to {MAX_TOKEN_LENGTH} characters. The token's largest claim is `{printable(name)}`, with"
        f" about {size} of them. Configure the identity provider to omit or shorten it."
    )


def _too_many_tags(role: RoleArn, claims: Claims) -> str:  # noqa: ARG001
    sizes = {key: len(key) + len(value) for key, value in tags_of(claims).items()}
    if not sizes:
        return f"Session tags and policies are packed into a limited space. Seen: {claims_seen(claims)}."
    largest = max(sizes, key=sizes.__getitem__)
    return (
        f"The token's {len(sizes)} session tags (`{TAGS}`) do not fit into the space that AWS packs them into,"
        f" which can be less than its other limits allow. The largest is `{printable(largest)}`, with"
        f" {sizes[largest]} characters. Configure the identity provider to send fewer or shorter tags."
    )


def _general(role: RoleArn, claims: Claims) -> str:
    return (
        f"Account {role.account_id} needs an IAM identity provider whose URL is exactly the token's issuer"
        f" (a trailing slash counts) and whose audiences include the token's: {claims_seen(claims)}."
    )


def _store(role: RoleArn, claims: Claims) -> str:
    return (
        f"The store's STS must know exactly the token's issuer (a trailing slash counts), its audience and its"
        f" keys, and allow it to use {role}. Seen: {claims_seen(claims)}."
    )


def _withdrawn(role: RoleArn, claims: Claims) -> str:  # noqa: ARG001
    return f"The identity provider has withdrawn this token: {claims_seen(claims)}."


def _expired(role: RoleArn, claims: Claims) -> str:  # noqa: ARG001
    try:
        at = f"{datetime.fromtimestamp(claims['exp'], UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        at = printable(claims.get("exp"))
    return (
        f"The token had expired when AWS saw it (`exp`: {at}): compare the clocks of the identity provider"
        f" and this machine. {claims_seen(claims)}."
    )


def _quoted(value: str | None) -> str:
    return shlex.quote(printable(value)) if value else "CLIENT_ID"


def _json(value: object) -> str:
    return json.dumps(printable(value) if isinstance(value, str) else value, ensure_ascii=False)


Hint = Callable[[RoleArn, Claims], str]
_BY_CODE: dict[str, Hint] = {
    PACKED: _too_many_tags,
    "IDPCommunicationError": _no_key,
    "IDPRejectedClaim": _withdrawn,
    "ExpiredTokenException": _expired,
    "ValidationError": _unfit,
}
_BY_SENTENCE: list[tuple[str, Hint]] = [
    ("No OpenIDConnect provider found", _no_provider),
    ("Incorrect token audience", _wrong_audience),
    ("Couldn't retrieve verification key", _no_key),
    ("doesn't match configured thumbprint", _thumbprint),
    ("roles claim", _other_roles),
    ("Missing a required claim|not a valid JWT", _no_id_token),
]
_ABOUT_THE_ISSUER = {_no_provider, _no_key, _general}
