"""Turns botocore's exceptions into `StsFailure`s. Imports botocore.

Messages of botocore and urllib3 about a connection are not passed on: they quote the URL of a proxy or an
endpoint, and with it a password, or the part of one before a `#`.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from urllib.parse import urlsplit

from botocore import exceptions as boto

from jupyter_wb_aws.aws.proxies import urls_in
from jupyter_wb_aws.aws.sts_errors import StsFailure, failure_from_response
from jupyter_wb_aws.identity.redact import redact_secrets, redact_userinfo

MAX_MESSAGE_LENGTH = 400
HOST = re.compile(r"[A-Za-z0-9.:_-]{1,253}")


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
