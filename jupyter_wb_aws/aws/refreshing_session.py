"""A `boto3.Session` that refreshes its credentials and ignores the machine's own AWS settings."""

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

from jupyter_wb_aws.aws.botocore_session import (
    isolated_session,
    make_with_proxies,
    silence_botocore,
)
from jupyter_wb_aws.aws.sts import Credentials

METHOD = "jupyter-wb-aws"
LONG_AGO = datetime.fromtimestamp(0, UTC)
# Time before expiry. From the first on, botocore tries to refresh; from the second on, a request fails if its
# refresh fails. botocore's own values are 15 and 10 minutes, for credentials of any lifetime: a role with
# sessions of 15 minutes would cost a call to STS for each request.
ADVISORY_REFRESH, MANDATORY_REFRESH = timedelta(minutes=15), timedelta(minutes=1)


class Boto3Session(boto3.session.Session):
    """A session with the settings of `environment`; several threads may make clients at once.

    Args:
        credentials: what requests are signed with.
        environment: replaces the process's `AWS_*` and proxy variables.
        region: the default region of clients.
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
            return make_with_proxies(make, environment)


class RefreshingCredentials(RefreshableCredentials):
    """Credentials that are fetched when they are first needed, and again before they expire.

    Args:
        fetch: fetches them from STS.
        check: called before each request is signed; its exceptions reach the code that makes the request.
        lifetime: how long they are expected to live.
        now: returns the current time.
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
        """Return the credentials for one request."""
        self._check()
        return RedactedCredentials(*super().get_frozen_credentials())


class RedactedCredentials(ReadOnlyCredentials):
    """Credentials whose `repr` does not show them; the base class is a tuple."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "RedactedCredentials()"


class _OneProvider(CredentialProvider):
    """The only provider of its chain: if it fails, no other is asked."""

    METHOD = METHOD

    def __init__(self, credentials: RefreshableCredentials) -> None:
        super().__init__()
        self._credentials = credentials

    def load(self) -> RefreshableCredentials:
        return self._credentials


def _metadata(fetched: Credentials) -> dict[str, str]:
    """Return credentials in the form that botocore's refresh needs."""
    return {
        "access_key": fetched.access_key_id,
        "secret_key": fetched.secret_access_key,
        "token": fetched.session_token or "",
        "expiry_time": fetched.expiration.isoformat(),
    }


def _signed_by_key(service: str) -> dict[str, Any]:
    """Keep the server's own AWS_BEARER_TOKEN_BEDROCK from overriding the role.

    Source: botocore.handlers, which reads `os.environ` unless a client's configuration says how to sign;
    older versions know neither.
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
