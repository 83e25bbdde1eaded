"""The check of a role's permissions, in the place of moto's.

moto takes a statement whose conditions don't hold for a refusal, ignores all operators but
StringEquals, and knows no policy variables (`moto/iam/access_control.py`). We still learn from it
which action a request is, and on which resource.
"""
# ruff: noqa: SLF001 - moto's request keeps what it knows in private attributes

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import xmltodict
from moto.iam.access_control import IAMRequestBase
from moto.sts.models import sts_backends

from jupyter_wb_aws.demo.local_aws import permissions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_wb_aws.demo.local_aws.conditions import Context

_ALWAYS_ALLOWED = "sts:GetCallerIdentity"
_S3 = "arn:aws:s3:::"
_motos_check = IAMRequestBase.check_action_permitted


def replace_check(*, on: bool) -> None:
    """Put our check in the place of moto's, or moto's back."""
    check: Any = _check if on else _motos_check
    IAMRequestBase.check_action_permitted = check  # type: ignore[method-assign]


def remember(issued: Any, session: Context) -> None:
    """Keep the values of a session's condition keys with moto's credentials for it."""
    issued.condition_values = session


def _check(request: Any, resource: str) -> None:
    if request._action == _ALWAYS_ALLOWED:
        return
    context = _context(request)
    policies = [_document(policy) for policy in request._access_key.collect_policies()]
    for action, wanted in _needed(request, resource):
        if not permissions.allows(policies, action, wanted, context):
            request._raise_access_denied()


def _context(request: Any) -> Context:
    sessions = sts_backends[request.account_id]["aws"]
    issued: Any = sessions.get_assumed_role_from_access_key(request._access_key._access_key_id)
    query = parse_qs(urlsplit(request._path).query, keep_blank_values=True)
    asked = {f"s3:{name}": tuple(query.get(name, ())) for name in ("prefix", "delimiter")}
    return {**issued.condition_values, **asked}


def _document(policy: Any) -> str:
    """Return the text of an inline policy, or of the default version of an attached one."""
    if isinstance(policy, str):
        return policy
    return next(str(version.document) for version in policy.versions if version.is_default)


def _needed(request: Any, resource: str) -> Iterator[tuple[str, str]]:
    """Yield the actions and resources that a request needs; moto asks for one of each."""
    source = request._headers.get("x-amz-copy-source")
    if source:
        yield "s3:GetObject", _S3 + unquote(source).lstrip("/").partition("?versionId=")[0]
    if request._action == "s3:DeleteObject" and "/" not in resource:
        # DeleteObjects: moto checks the bucket only.
        for key in _keys(request._body):
            yield request._action, f"{resource}/{key}"
    else:
        yield request._action, resource


def _keys(body: bytes) -> list[str]:
    """Return the keys of a call to DeleteObjects, read as moto will read them."""
    objects = xmltodict.parse(body, strip_whitespace=False)["Delete"].get("Object", [])
    return [item["Key"] for item in (objects if isinstance(objects, list) else [objects])]
