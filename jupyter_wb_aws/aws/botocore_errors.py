"""Explains botocore's exceptions, by way of `StsFailure`. Imports botocore.

Messages of botocore and urllib3 about a connection are not passed on: they quote the URL of a proxy or an
endpoint, and with it a password, or the part of one before a `#`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from botocore import exceptions as boto

from jupyter_wb_aws.aws.proxy_variables import urls_in
from jupyter_wb_aws.aws.sts_errors import StsFailure, explain_failure, failure_from_response
from jupyter_wb_aws.errors import WbAwsError
from jupyter_wb_aws.identity.redact import redact_secrets, redact_userinfo
from jupyter_wb_aws.roles.role import RoleArn

MAX_MESSAGE_LENGTH = 400
HOST = re.compile(r"[A-Za-z0-9.:_-]{1,253}")


def explain_exception(
    error: Exception, role: RoleArn, claims: Mapping[str, Any], *, is_aws_sts: bool = True
) -> WbAwsError:
    """Turn a botocore exception into the error that the user sees.

    Args:
        error: what a call to STS raised.
        role: the role that was requested.
        claims: of the web identity token that was sent; only those of `claims_for_aws` are shown.
        is_aws_sts: whether AWS STS was called, not the STS of an S3-compatible store.
    """
    return explain_failure(failure_from_exception(error), role, claims, is_aws_sts=is_aws_sts)


def failure_from_exception(
    error: Exception, *, url: str = "", proxy: str | None = None, sent: bool = True
) -> StsFailure:
    """Return what went wrong, as a kind and a few fields.

    Args:
        error: the exception that botocore raised.
        url: the endpoint that was called; empty if it is not known.
        proxy: the variable that names the proxy of this URL, if it has one.
        sent: whether a request was sent; if not, botocore rejected the settings.
    """
    name = type(error).__name__
    if isinstance(error, boto.ClientError):
        failure = failure_from_response(error.response)
    elif not sent:
        return StsFailure("settings", name, message=_sentence(error, url))
    elif isinstance(error, boto.ReadTimeoutError):
        failure = StsFailure("slow", name)
    elif isinstance(error, boto.HTTPClientError | boto.ConnectionError):
        failure = StsFailure("unreachable", name, host=_host(error))
    else:
        return StsFailure("bad_answer", name)
    return replace(failure, proxy=proxy)


def _host(error: boto.HTTPClientError | boto.ConnectionError) -> str:
    """Return the host that could not be reached; empty if the URL may contain a user or password."""
    try:
        parts = urlsplit(str(error.kwargs.get("endpoint_url") or ""))
        host = parts.hostname or ""
    except ValueError:
        return ""
    return "" if "@" in parts.geturl() or not HOST.fullmatch(host) else host


def _sentence(error: Exception, url: str) -> str:
    """Return botocore's message about settings, without anything secret."""
    if isinstance(error, boto.ParamValidationError):  # the token is a parameter
        return ""
    if isinstance(error, boto.ConfigParseError):  # quotes lines of the file, which may hold a key
        return f"{error.kwargs.get('path')} can't be parsed as a profile file."
    return redact_secrets(
        redact_userinfo(str(error), url, *urls_in(os.environ)), MAX_MESSAGE_LENGTH
    )
