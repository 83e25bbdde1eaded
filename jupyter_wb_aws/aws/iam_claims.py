"""What IAM reads in a web identity token, and what it does not accept. Pure.

Sources: IAM User Guide, "Create an OpenID Connect (OIDC) identity provider in IAM", "Available keys
for AWS OIDC federation" (`azp` before `aud`), "Pass session tags in AWS STS"; botocore's service
models of STS and IAM (limits and patterns).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from jupyter_wb_aws.identity.claims import AWS_ROLES
from jupyter_wb_aws.identity.token import MAX_TOKEN_LENGTH, WebIdentityToken, largest_claim
from jupyter_wb_aws.loopback import is_loopback_host
from jupyter_wb_aws.roles.role import RoleArn
from jupyter_wb_aws.roles.session_tags import (
    MAX_KEY_LENGTH,
    MAX_TAGS,
    MAX_VALUE_LENGTH,
    SOURCE_IDENTITY,
    SOURCE_IDENTITY_FORM,
    TAGS,
)

# The same tags for providers that can't nest claims; STS reads both forms.
FLAT_TAG = f"{TAGS}/principal_tags/"
MAX_ISSUER_LENGTH = 255
# IAM knows these issuers without an identity provider in the account.
BUILT_IN = frozenset({"accounts.google.com"})
# Names that public DNS never has: RFC 6761, 6762 and 8375, and ICANN's name for private use.
PRIVATE_ZONES = ("localhost", "local", "internal", "home.arpa", "test", "invalid")
# How much of a token's value is shown; IAM takes issuers and audiences of up to 255 characters.
MAX_SHOWN = 255
# Warn from this part of STS's limit on, because groups and tags grow.
NEAR_LIMIT = 0.8
# The file is refreshed when a fifth of the life is left; a program may read it just before.
MIN_LIFETIME = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class ClaimWarning:
    """Something that will not, or may not, work with IAM; `code` is stable."""

    code: str
    message: str


def audience_of(claims: Mapping[str, Any]) -> str | None:
    """Return the audience that AWS compares: `azp` if there is one, otherwise the only `aud`."""
    audience = claims.get("azp") or claims.get("aud")
    if isinstance(audience, list) and len(audience) == 1:
        (audience,) = audience
    return audience if isinstance(audience, str) and audience else None


def issuer_without_scheme(claims: Mapping[str, Any]) -> str | None:
    """Return the issuer without its scheme, as IAM names it; condition keys begin with it."""
    issuer = claims.get("iss")
    name = issuer.rpartition("://")[2] if isinstance(issuer, str) else ""
    return printable(name) or None


def principal_of(claims: Mapping[str, Any], role: RoleArn) -> str | None:
    """Return the `Federated` principal for this issuer in trust policies of `role`'s account."""
    name = issuer_without_scheme(claims)
    if name is None or name in BUILT_IN:
        return name
    return f"arn:{role.partition}:iam::{role.account_id}:oidc-provider/{name}"


def tags_of(claims: Mapping[str, Any]) -> dict[str, str]:
    """Return the session tags that can be read; see `TAGS` and `FLAT_TAG`."""
    nested = claims.get(TAGS)
    found = nested.get("principal_tags") if isinstance(nested, Mapping) else None
    flat = {
        name.removeprefix(FLAT_TAG): value
        for name, value in claims.items()
        if name.startswith(FLAT_TAG)
    }
    listed = {**(found if isinstance(found, Mapping) else {}), **flat}
    single = {k: v[0] if isinstance(v, list) and len(v) == 1 else v for k, v in listed.items()}
    return {key: value for key, value in single.items() if isinstance(value, str)}


def roles_of(claims: Mapping[str, Any]) -> list[str]:
    """Return the role ARNs in the claim `AWS_ROLES`: a list, or one text with semicolons between them."""
    claim = claims.get(AWS_ROLES)
    listed = claim.split(";") if isinstance(claim, str) else claim
    return [arn for arn in listed if isinstance(arn, str)] if isinstance(listed, list) else []


def subject_pattern_of(claims: Mapping[str, Any], role: RoleArn) -> str | None:
    """Return a pattern for the `sub` of all users, if this one names both its user and this role.

    Args:
        claims: the token's.
        role: the role that the token was used for.
    """
    subject, user = claims.get("sub"), claims.get("preferred_username")
    if not isinstance(subject, str) or not isinstance(user, str) or not user:
        return None
    encoded = _encoded(user)
    for name in (_encoded(f"{role.path}{role.name}".removeprefix("/")), role.name):
        named = f"{role.account_id}/{name}"
        before, found, after = subject.rpartition(named)
        if found and encoded in before:
            return f"{before.replace(encoded, '*', 1)}{named}{after}"
    return None


def _encoded(text: str) -> str:
    return quote(text, safe="@+=,", errors="replace").replace("~", "%7E")


def claims_for_aws(claims: Mapping[str, Any]) -> dict[str, object]:
    """Return the claims that IAM reads, None for those that the token lacks. None of them is secret."""
    return {
        **{name: _shortened(claims.get(name)) for name in ("iss", "aud", "azp", "sub")},
        "amr": _listed(claims.get("amr")),
        "source_identity": _shortened(claims.get(SOURCE_IDENTITY)),
        "roles": _shortened(roles_of(claims)) if claims.get(AWS_ROLES) else None,
        "principal_tags": {printable(k): printable(v) for k, v in tags_of(claims).items()} or None,
    }


def issuer_problems(claims: Mapping[str, Any]) -> list[ClaimWarning]:
    """Return why IAM can't accept the issuer; an empty list if it can."""
    issuer = claims.get("iss")
    if not isinstance(issuer, str) or not issuer:
        return [ClaimWarning("issuer_missing", "The token has no issuer (`iss`).")]
    if issuer in BUILT_IN:
        return []
    try:
        parts = urlsplit(issuer)
        host, has_port = parts.hostname or "", ":" in parts.netloc.rpartition("]")[2]
    except ValueError:  # not a URL
        return [
            ClaimWarning(
                "issuer_not_https", f"The issuer {printable(issuer)!r} is not an https URL."
            )
        ]
    seen = f"The issuer {printable(issuer)!r}"
    wrong = []
    if parts.scheme != "https":
        wrong.append(
            ClaimWarning("issuer_not_https", f"{seen} is not an https URL, which IAM requires.")
        )
    if has_port:
        wrong.append(ClaimWarning("issuer_port", f"{seen} has a port, which IAM does not allow."))
    if parts.query or parts.fragment:
        text = f"{seen} has a query or a fragment, which IAM does not allow."
        wrong.append(ClaimWarning("issuer_query", text))
    if _is_private(host):
        text = f"{seen} is in a private network, but AWS fetches its keys from the internet."
        wrong.append(ClaimWarning("issuer_not_public", text))
    if len(issuer) > MAX_ISSUER_LENGTH:
        text = f"The issuer has {len(issuer)} characters; IAM allows {MAX_ISSUER_LENGTH}."
        wrong.append(ClaimWarning("issuer_too_long", text))
    return wrong


def audience_problems(claims: Mapping[str, Any]) -> list[ClaimWarning]:
    """Return what is wrong with the audience, as AWS reads it."""
    aud, azp = claims.get("aud"), claims.get("azp")
    if not aud:
        text = "The token has no audience (`aud`), which AWS requires. Id tokens have one; some providers' access tokens don't."
        return [ClaimWarning("audience_missing", text)]
    if isinstance(aud, list) and len(aud) > 1 and not azp:
        text = f"The token has {len(aud)} audiences (`aud`) and no `azp` that says which one counts. AWS may refuse it."
        return [ClaimWarning("several_audiences", text)]
    if isinstance(azp, str) and azp and azp not in (aud if isinstance(aud, list) else [aud]):
        text = f"AWS compares `azp`, {printable(azp)!r}, and not `aud`, {printable(aud)!r}. Register the value of `azp` with IAM, and use it as the audience in the trust policy."
        return [ClaimWarning("azp_counts", text)]
    return []


def claim_warnings(token: WebIdentityToken, *, is_aws_sts: bool) -> list[ClaimWarning]:
    """List what in a token will not, or may not, work with IAM.

    Args:
        token: the token.
        is_aws_sts: whether AWS STS checks it, not the STS of an S3-compatible store, which has its own rules.
    """
    found = list(_limits(token))
    if is_aws_sts:
        claims = token.claims
        found = [
            *issuer_problems(claims),
            *audience_problems(claims),
            *_times(claims),
            *_session(claims),
            *found,
        ]
    return found


def printable(value: object, max_length: int = MAX_SHOWN) -> str:
    """Return a token's value as one printable line of at most `max_length` characters."""
    whole = value if isinstance(value, str) else repr(value)
    text = "".join(c if c.isprintable() else "?" for c in whole[: max_length + 1])
    return text if len(text) <= max_length else f"{text[: max_length - 1]}…"


def _times(claims: Mapping[str, Any]) -> Iterator[ClaimWarning]:
    broken = [name for name in ("exp", "iat", "nbf") if isinstance(claims.get(name), float)]
    if broken:
        names = ", ".join(f"`{name}`" for name in broken)
        text = f"AWS requires whole seconds in {names}, but the token has fractions."
        yield ClaimWarning("times_not_whole", text)


def _session(claims: Mapping[str, Any]) -> Iterator[ClaimWarning]:
    source = claims.get(SOURCE_IDENTITY)
    if source is not None and not SOURCE_IDENTITY_FORM.fullmatch(str(source)):
        text = f"AWS does not accept the source identity {printable(source)!r}; it allows 2 to 256 letters, digits and _+=,.@-"
        yield ClaimWarning("source_identity_unfit", text)
    tags = tags_of(claims)
    named = claims.get(TAGS)
    wanted = named.get("principal_tags") if isinstance(named, Mapping) else None
    readable = isinstance(wanted, Mapping) and all(
        isinstance(value, list) and key in tags for key, value in wanted.items()
    )
    fit = all(len(k) <= MAX_KEY_LENGTH and len(v) <= MAX_VALUE_LENGTH for k, v in tags.items())
    if (named is not None and not readable) or not fit or len(tags) > MAX_TAGS:
        text = (
            f"AWS does not accept the session tags (`{TAGS}`): `principal_tags` may have up to {MAX_TAGS} keys of up to"
            f" {MAX_KEY_LENGTH} characters, each with a list of one string of up to {MAX_VALUE_LENGTH} characters."
        )
        yield ClaimWarning("tags_unfit", text)


def _limits(token: WebIdentityToken) -> Iterator[ClaimWarning]:
    life = token.expires_at - token.issued_at
    if life < MIN_LIFETIME:
        text = f"The token lives for {life.total_seconds():.0f} s, so AWS may refuse a program that reads it late."
        yield ClaimWarning("short_life", text)
    if token.size > NEAR_LIMIT * MAX_TOKEN_LENGTH:
        name, size = largest_claim(token.claims)
        text = (
            f"The token has {token.size} of the {MAX_TOKEN_LENGTH} characters that AWS allows. Its largest claim is"
            f" `{printable(name)}` ({size})."
        )
        yield ClaimWarning("near_size_limit", text)


def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:  # a name
        zoned = host.rstrip(".")
        return (
            is_loopback_host(zoned)
            or "." not in zoned
            or zoned.endswith(tuple(f".{zone}" for zone in PRIVATE_ZONES))
        )


def _shortened(value: object) -> object:
    if isinstance(value, list):
        return [printable(item) for item in value[:MAX_TAGS]]
    return None if value is None else printable(value)


def _listed(value: object) -> object:
    return _shortened(value if isinstance(value, list) or value is None else [value])
