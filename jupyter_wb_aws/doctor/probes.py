"""Checks by a plain GET, without credentials, whether STS and the identity provider answer.

Requests go as boto3's would, through the process's proxies and with its CA bundle. They follow no redirect,
and never go to the machine's metadata service, under any name.
"""

from __future__ import annotations

import json
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from jupyter_wb_aws.doctor.addresses import (
    masked,
    proxy_for,
    sts_url,
    without_secrets,
)
from jupyter_wb_aws.doctor.facts import ProbeResult
from jupyter_wb_aws.doctor.metadata import leads_to_metadata
from jupyter_wb_aws.doctor.profiles import Profile
from jupyter_wb_aws.doctor.redirects import NoRedirect
from jupyter_wb_aws.identity.redact import redact_secrets
from jupyter_wb_aws.loopback import is_loopback

TIMEOUT = 3.0
MAX_DOCUMENT_SIZE = 256 * 1024
MAX_MESSAGE_LENGTH = 200


def probe_sts(environment: Mapping[str, str], profile: Profile | None) -> ProbeResult:
    """Call the STS that boto3 would call. Any answer will do; its `Date` is compared with our clock."""
    url = sts_url(environment, profile)
    bundle = environment.get("AWS_CA_BUNDLE") or environment.get("REQUESTS_CA_BUNDLE")
    of_profile = profile.text("ca_bundle") if profile else None
    return _ask(url, environment, bundle or of_profile or _botocores_bundle())


def probe_idp(issuer: str, environment: Mapping[str, str]) -> ProbeResult:
    """Fetch the discovery document of a token's issuer (OpenID Connect Discovery, section 4)."""
    url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    return _ask(url, environment, None, reads_issuer=True)


def _botocores_bundle() -> str | None:
    try:
        import certifi
    except ImportError:
        return None
    return certifi.where()


def _ask(
    url: str, environment: Mapping[str, str], bundle: str | None, *, reads_issuer: bool = False
) -> ProbeResult:
    shown = without_secrets(url)
    if not url.startswith(("http://", "https://")):
        return ProbeResult(shown, "unreachable", "it is not an http(s) URL")
    try:
        parts = urlsplit(url)
    except ValueError:
        return ProbeResult(shown, "unreachable", "it is not an http(s) URL")
    # As boto3 does; urllib would take the user for a part of the host name.
    url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    proxy = None if reads_issuer and is_loopback(url) else proxy_for(url, environment)
    try:
        if (reason := leads_to_metadata(url, proxy)) is not None:
            return ProbeResult(shown, "metadata", reason)
        opener = urllib.request.build_opener(
            NoRedirect,
            urllib.request.ProxyHandler({urlsplit(url).scheme: proxy} if proxy else {}),
            *_https(url, bundle),
        )
        return _asked(opener, url, shown, reads_issuer=reads_issuer)
    except Exception as error:  # noqa: BLE001 - a name, a proxy or a certificate may cause anything
        return _failed(shown, error, proxy, environment)


def _https(url: str, bundle: str | None) -> list[urllib.request.BaseHandler]:
    if not url.startswith("https://"):
        return []
    return [urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=bundle))]


def _asked(
    opener: urllib.request.OpenerDirector, url: str, shown: str, *, reads_issuer: bool
) -> ProbeResult:
    before = datetime.now(UTC)
    try:
        answer: Any = opener.open(url, timeout=TIMEOUT)
    except urllib.error.HTTPError as refusal:
        answer = refusal  # an error is an answer too
    with answer:
        middle = before + (datetime.now(UTC) - before) / 2
        content = answer.read(MAX_DOCUMENT_SIZE) if reads_issuer and answer.status == 200 else b""
    if reads_issuer and answer.status != 200:
        return ProbeResult(shown, "unreachable", f"it answers with status {answer.status}")
    return ProbeResult(
        shown,
        ahead=_ahead(answer.headers.get("Date"), middle),
        issuer=_issuer(content) if reads_issuer else None,
    )


def _ahead(date: str | None, now: datetime) -> Any:
    try:
        return parsedate_to_datetime(date or "") - now
    except (ValueError, TypeError):
        return None


def _issuer(content: bytes) -> str:
    try:
        return str(json.loads(content)["issuer"])
    except (ValueError, KeyError, TypeError):
        return ""


def _failed(
    shown: str, error: Exception, proxy: str | None, environment: Mapping[str, str]
) -> ProbeResult:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        return ProbeResult(
            shown, "certificate", f"its certificate is not trusted ({reason.verify_message})"
        )
    if isinstance(reason, ssl.SSLError | FileNotFoundError):
        return ProbeResult(
            shown, "certificate", "the CA bundle can't be used, or the server does not speak TLS"
        )
    if isinstance(reason, TimeoutError):
        why = f"no answer within {TIMEOUT:g} s"
    elif isinstance(reason, socket.gaierror):
        why = "the name can't be resolved"
    else:
        text = getattr(reason, "strerror", None) or str(reason)
        why = redact_secrets(masked(text, environment), MAX_MESSAGE_LENGTH) or type(reason).__name__
    through = f" (through the proxy {without_secrets(proxy)})" if proxy else ""
    return ProbeResult(shown, "unreachable", f"{why}{through}")
