"""Asks the credential endpoint as an SDK does, and throws the credentials away; finds SDKs that can't ask it."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jupyter_wb_aws.aws.iam_claims import printable
from jupyter_wb_aws.aws.safe_read import read_file
from jupyter_wb_aws.doctor.addresses import is_metadata
from jupyter_wb_aws.doctor.facts import EndpointAnswer
from jupyter_wb_aws.doctor.redirects import NoRedirect
from jupyter_wb_aws.loopback import is_loopback
from jupyter_wb_aws.variables import ENDPOINT_TOKEN_FILE, ENDPOINT_URI

# Seconds: SDKs give up after 1 to 2.
TIMEOUT, VERSION_TIMEOUT = 3.0, 5.0
MAX_BODY = 16 * 1024
AWS_VERSION = re.compile(r"aws-cli/(\d+\.\d+\.\d+)")


def ask_endpoint(environment: Mapping[str, str]) -> EndpointAnswer | None:
    """Ask for credentials with this process's endpoint token; None if it has neither, or the address is elsewhere.

    No proxy is used and no redirect is followed: the endpoint token goes to this machine only.
    """
    uri, token_file = environment.get(ENDPOINT_URI, ""), environment.get(ENDPOINT_TOKEN_FILE)
    token = _token(token_file) if token_file else None
    if token is None or not uri.startswith("http://") or not is_loopback(uri):
        return None
    if is_metadata(urlsplit(uri).hostname or ""):
        return None
    opener = urllib.request.build_opener(NoRedirect, urllib.request.ProxyHandler({}))
    request = urllib.request.Request(uri, headers={"Authorization": token})  # noqa: S310 - http, see above
    try:
        with opener.open(request, timeout=TIMEOUT) as answer:
            return EndpointAnswer("answers" if answer.status == 200 else "unreachable")
    except urllib.error.HTTPError as refusal:
        return _refusal(refusal, token)
    except (OSError, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        text = getattr(reason, "strerror", None) or type(reason).__name__
        return EndpointAnswer("unreachable", message=str(text))


def _token(name: str) -> str | None:
    """Return the content of the token file, as SDKs send it; None if they can't."""
    file = read_file(Path(name))
    text = file.content.decode("latin-1")
    return text if file.problem is None and text and text.isprintable() else None


def _refusal(refusal: urllib.error.HTTPError, token: str) -> EndpointAnswer:
    with refusal:
        try:
            body: Any = json.loads(refusal.read(MAX_BODY))
            code, message = str(body["code"]), str(body["message"])
        except (OSError, ValueError, KeyError, TypeError):
            return EndpointAnswer(
                "unreachable", message=f"another program answers there, with status {refusal.code}"
            )
    shown = printable(code), printable(message.replace(token, "***"))
    return EndpointAnswer("not_ready" if refusal.code == 503 else "refused", *shown)


def sdk_versions(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the versions of botocore here, and of the `aws` that this environment runs, by their names."""
    versions = {}
    with contextlib.suppress(metadata.PackageNotFoundError):
        versions["botocore"] = metadata.version("botocore")
    program = shutil.which("aws", path=environment.get("PATH", ""))
    if program and (found := AWS_VERSION.search(_says(program, environment))):
        versions["aws"] = found[1]
    return versions


def _says(program: str, environment: Mapping[str, str]) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - the user's own `aws`
            [program, "--version"],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=VERSION_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace")
