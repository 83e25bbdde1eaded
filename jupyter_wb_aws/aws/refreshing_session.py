"""A `boto3.Session` whose credentials renew themselves, and which knows nothing of the machine's own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3.session
from botocore.config import Config
from botocore.credentials import (
    CredentialProvider,
    CredentialResolver,
    ReadOnlyCredentials,
    RefreshableCredentials,
)
from botocore.utils import CLIENT_NAME_TO_HYPHENIZED_SERVICE_ID_OVERRIDES, SERVICE_NAME_ALIASES

from jupyter_wb_aws.aws.botocore_session import isolated_session, proxied, silence_botocore
from jupyter_wb_aws.aws.sts import Credentials

METHOD = "jupyter-wb-aws"
LONG_AGO = datetime.fromtimestamp(0, UTC)
# botocore tries a renewal from the first on, and fails a request whose renewal fails from the second
# on. Its own are 15 and 10 minutes, however short the credentials' life is: a role whose sessions
# last 15 minutes would cost a call of STS for each request.
ADVISORY_REFRESH, MANDATORY_REFRESH = timedelta(minutes=15), timedelta(minutes=1)


class Boto3Session(boto3.session.Session):
    """As its base; settings are `environment`'s, and clients may be made in several threads.

    Args:
        credentials: what requests are signed with.
        environment: what stands in for the `AWS_*` and proxy variables.
        region: of clients for which none is named.
    """

    def __init__(
        self,
        credentials: RefreshableCredentials,
        environment: Mapping[str, str],
        region: str | None,
    ) -> None:
        session = isolated_session(environment, region)
        provider = _OneProvider(credentials)
        session.register_component("credential_provider", CredentialResolver([provider]))
        self._environment = environment
        self._making = threading.Lock()  # botocore's clients are thread-safe, its sessions are not
        super().__init__(botocore_session=session)

    def client(self, service_name: str, *args: Any, **settings: Any) -> Any:
        """Make a client of an AWS service, as `boto3.Session.client` does."""
        silence_botocore()
        environment = self._environment
        endpoint = settings.get("endpoint_url") or _endpoint_of(service_name, environment)
        wanted = settings.get("config")
        if not environment.get("AWS_CA_BUNDLE") and environment.get("REQUESTS_CA_BUNDLE"):
            settings.setdefault("verify", environment["REQUESTS_CA_BUNDLE"])

        def make(proxies: dict[str, str] | None) -> Any:
            config = Config(
                proxies=proxies,
                ignore_configured_endpoint_urls=True,  # type: ignore[call-arg]  # the stubs lack it
                **_signed_by_key(service_name),
            )
            config = config.merge(wanted) if wanted is not None else config
            ours = {**settings, "endpoint_url": endpoint, "config": config}
            return super(Boto3Session, self).client(service_name, *args, **ours)

        with self._making:
            return proxied(make, environment)


class RefreshingCredentials(RefreshableCredentials):
    """Credentials that are fetched when they are first needed, and again before they expire.

    Args:
        fetch: asks for them.
        check: called before each request is signed; what it raises goes to whoever makes the request.
        lifetime: how long they are expected to live.
        now: tells the time.
    """

    def __init__(
        self,
        fetch: Callable[[], Credentials],
        check: Callable[[], object],
        lifetime: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self._check = check
        super().__init__(
            access_key="",
            secret_key="",
            token="",
            expiry_time=LONG_AGO,
            refresh_using=lambda: _metadata(fetch()),
            method=METHOD,
            time_fetcher=now,
            advisory_timeout=int(min(ADVISORY_REFRESH, lifetime / 4).total_seconds()),
            mandatory_timeout=int(min(MANDATORY_REFRESH, lifetime / 8).total_seconds()),
        )

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Return what one request is signed with."""
        self._check()
        return RedactedCredentials(*super().get_frozen_credentials())


class RedactedCredentials(ReadOnlyCredentials):
    """As its base, which is a tuple and would show its items."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "RedactedCredentials()"


class _OneProvider(CredentialProvider):
    """The only provider of its chain: where it fails, no other is asked."""

    METHOD = METHOD

    def __init__(self, credentials: RefreshableCredentials) -> None:
        super().__init__()
        self._credentials = credentials

    def load(self) -> RefreshableCredentials:
        return self._credentials


def _metadata(fetched: Credentials) -> dict[str, str]:
    """Shape credentials as botocore's refresh wants them."""
    return {
        "access_key": fetched.access_key_id,
        "secret_key": fetched.secret_access_key,
        "token": fetched.session_token or "",
        "expiry_time": fetched.expiration.isoformat(),
    }


def _signed_by_key(service: str) -> dict[str, Any]:
    """Keep AWS_BEARER_TOKEN_BEDROCK of the server's own from winning over the role.

    Source: botocore.handlers, which looks into `os.environ` unless a client's configuration says how
    to sign; older versions know neither.
    """
    known = "auth_scheme_preference" in Config.OPTION_DEFAULTS
    return {"auth_scheme_preference": "sigv4"} if known and service.startswith("bedrock") else {}


def _endpoint_of(service: str, environment: Mapping[str, str]) -> str | None:
    """Return the endpoint that the variables name for a service, as botocore would find it.

    Source: AWS SDKs and Tools Reference Guide, "Service-specific endpoints".
    """
    service = SERVICE_NAME_ALIASES.get(service, service)
    service_id = CLIENT_NAME_TO_HYPHENIZED_SERVICE_ID_OVERRIDES.get(service, service)
    if environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return None
    own = f"AWS_ENDPOINT_URL_{service_id.replace('-', '_').upper()}"
    return environment.get(own) or environment.get("AWS_ENDPOINT_URL") or None
