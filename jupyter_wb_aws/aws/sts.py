"""The two calls of AWS STS that we make, and what they depend on.

`BlockingStsClient` makes them in this process, for code that needs boto3 there anyway. The start of a role session
makes them in a child process (`sts_subprocess`).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import urlsplit

from jupyter_wb_aws.aws.credential_options import CredentialOptions
from jupyter_wb_aws.aws.proxy_variables import variable_for
from jupyter_wb_aws.errors import StsUnavailable, WbAwsError
from jupyter_wb_aws.identity.redact import redact_userinfo
from jupyter_wb_aws.identity.token import WebIdentityToken
from jupyter_wb_aws.loopback import is_loopback
from jupyter_wb_aws.roles.partitions import partitions
from jupyter_wb_aws.roles.role import RoleArn

if TYPE_CHECKING:
    from botocore.session import Session
    from mypy_boto3_sts import STSClient

    from jupyter_wb_aws.aws.sts_operations import MakeClient

T = TypeVar("T")

# The second attempt is cut short if the start would take longer than its 20 s in all.
CONNECT_TIMEOUT, READ_TIMEOUT, MAX_ATTEMPTS = 3, 6, 2
# The region in which STS is called if a role names none: that of each partition's global endpoint.
# In China both regions have one; sites may have allowed this one in a firewall.
HOME_REGION = {name: each.home_region for name, each in partitions().items()} | {
    "aws-cn": "cn-north-1"
}
AWS_DOMAINS = tuple(f".{domain}" for each in partitions().values() for domain in each.domains)


@dataclass(frozen=True, slots=True)
class CallerIdentity:
    """Who AWS says we are, with the fields of `aws sts get-caller-identity`."""

    user_id: str
    account: str
    arn: str

    def as_json(self) -> dict[str, str]:
        """Return it with STS's field names."""
        return {"UserId": self.user_id, "Account": self.account, "Arn": self.arn}


@dataclass(frozen=True, slots=True)
class Credentials:
    """Temporary AWS credentials; no `repr` shows them."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(repr=False)
    expiration: datetime

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> Credentials:
        """Take over STS's ``Credentials``, with a `datetime` as ``Expiration``."""
        key_id, secret = given["AccessKeyId"], given["SecretAccessKey"]
        return cls(key_id, secret, given["SessionToken"], given["Expiration"])


@dataclass(frozen=True, slots=True)
class AssumedRole:
    """The result of a successful AssumeRoleWithWebIdentity; without the credentials unless they were asked for."""

    caller: CallerIdentity
    credentials_expire_at: datetime
    credentials: Credentials | None = None


@dataclass(frozen=True, slots=True)
class StsRequest:
    """Everything that one call depends on.

    `environment`: for `BlockingStsClient`, the role session's `extra_environment`, and nothing else is taken from
    `AWS_*` variables or `~/.aws`; for a child process, the whole environment that a kernel would get.
    `deadline`: when the caller stops waiting, in the event loop's time; None if it does not.
    `options`: what is asked of the credentials besides the role.
    `wants_credentials`: whether `assume` is to return them.
    """

    role: RoleArn
    region: str | None
    session_name: str
    token: WebIdentityToken
    environment: Mapping[str, str] = field(default_factory=dict)
    deadline: float | None = None
    options: CredentialOptions = field(default_factory=CredentialOptions)
    wants_credentials: bool = False


class BlockingStsClient:
    """Calls AWS STS from this process. Its methods block; several threads may call them at once.

    All calls share one botocore session. A session of its own for each would load AWS's endpoint data again,
    which takes 40 ms and some MiB, and botocore's reference cycles keep it for long.
    """

    def __init__(self) -> None:
        self._session: Session | None = None
        self._making = threading.Lock()  # botocore's clients are thread-safe, its sessions are not

    def assume(self, request: StsRequest) -> AssumedRole:
        """Call AssumeRoleWithWebIdentity, and GetCallerIdentity if the answer does not name the caller.

        Raises:
            WbAwsError: STS's error, explained by `sts_errors`.
        """
        from jupyter_wb_aws.aws.sts_operations import find_caller

        def call() -> AssumedRole:
            assumed = self._assume(request)
            caller = caller_from(find_caller(self._maker(request), assumed), request)
            credentials = Credentials.parse(assumed["Credentials"])
            wanted = credentials if request.wants_credentials else None
            return AssumedRole(caller, credentials.expiration, wanted)

        return _explained(request, call)

    def credentials(self, request: StsRequest) -> Credentials:
        """Call AssumeRoleWithWebIdentity and return the credentials.

        Raises:
            WbAwsError: STS's error, explained by `sts_errors`.
        """
        return Credentials.parse(_explained(request, lambda: self._assume(request))["Credentials"])

    def verify(self, request: StsRequest) -> CallerIdentity:
        """Ask STS again who the role session is: AssumeRoleWithWebIdentity, then GetCallerIdentity.

        Raises:
            WbAwsError: STS's error, explained by `sts_errors`.
        """
        from jupyter_wb_aws.aws.sts_operations import verify_caller

        def call() -> CallerIdentity:
            return caller_from(verify_caller(self._maker(request), self._assume(request)), request)

        return _explained(request, call)

    def _assume(self, request: StsRequest) -> dict[str, Any]:
        from jupyter_wb_aws.aws.sts_operations import assume

        role, token = str(request.role), request.token.reveal()
        options = request.options.as_question()
        return assume(self._maker(request), role, request.session_name, token, options)

    def _maker(self, request: StsRequest) -> MakeClient:
        return lambda credentials: self.client(request, credentials)

    def client(
        self, request: StsRequest, credentials: Mapping[str, Any] | None = None
    ) -> STSClient:
        """Make a boto3 client of STS.

        Args:
            request: its region, and its environment's endpoint, proxies and CA bundle, are used.
            credentials: STS's ``Credentials``; None for unsigned requests.

        Raises:
            StsUnavailable: if the endpoint is not an http(s) URL.
        """
        from botocore import UNSIGNED
        from botocore.config import Config

        from jupyter_wb_aws.aws.botocore_session import (
            isolated_session,
            make_with_proxies,
            silence_botocore,
        )
        from jupyter_wb_aws.aws.sts_operations import TolerantParsers

        silence_botocore()
        environment, keys = request.environment, credentials or {}
        endpoint = configured_endpoint(environment)
        if endpoint and not endpoint.startswith(("https://", "http://")):
            raise StsUnavailable(
                f"The STS endpoint {redact_userinfo(endpoint, endpoint)!r} is not an http(s) URL.",
                admin_hint="It is AWS_ENDPOINT_URL_STS or AWS_ENDPOINT_URL in `extra_environment`.",
            )

        def make(proxies: Mapping[str, str] | None) -> Any:
            config = Config(
                connect_timeout=CONNECT_TIMEOUT,
                read_timeout=READ_TIMEOUT,
                retries={"total_max_attempts": MAX_ATTEMPTS, "mode": "standard"},
                proxies=proxies,
                ignore_configured_endpoint_urls=True,  # type: ignore[call-arg]  # the stubs lack it
                **({} if credentials else {"signature_version": UNSIGNED}),
            )
            assert self._session is not None
            return self._session.create_client(
                "sts",
                region_name=request.region or HOME_REGION.get(request.role.partition, "us-east-1"),
                endpoint_url=endpoint,
                verify=environment.get("AWS_CA_BUNDLE")
                or environment.get("REQUESTS_CA_BUNDLE")
                or None,
                aws_access_key_id=keys.get("AccessKeyId"),
                aws_secret_access_key=keys.get("SecretAccessKey"),
                aws_session_token=keys.get("SessionToken"),
                config=config,
            )

        with self._making:
            if self._session is None:
                self._session = isolated_session()
                self._session.register_component("response_parser_factory", TolerantParsers())
            return cast("STSClient", make_with_proxies(make, environment))


def configured_endpoint(environment: Mapping[str, str]) -> str | None:
    """Return the STS endpoint that a role session's variables name, if any."""
    if environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return None
    return environment.get("AWS_ENDPOINT_URL_STS") or environment.get("AWS_ENDPOINT_URL") or None


def is_aws_endpoint(endpoint: str | None) -> bool:
    """Return whether an STS endpoint (None: that of the region) is AWS's own, not a store's."""
    try:
        host = urlsplit(endpoint or "").hostname or ""
    except ValueError:  # not a URL
        return False
    return not endpoint or f".{host}".endswith(AWS_DOMAINS)


def _explained(request: StsRequest, call: Callable[[], T]) -> T:
    from jupyter_wb_aws.aws.botocore_errors import failure_from_exception
    from jupyter_wb_aws.aws.sts_errors import explain_failure

    try:
        return call()
    except WbAwsError:
        raise
    except Exception as error:  # noqa: BLE001 - a strange answer makes botocore's parsers raise anything
        endpoint = configured_endpoint(request.environment)
        url = endpoint or "https://sts.amazonaws.com"  # or one beside it
        proxy = None
        if not is_loopback(url):
            proxy = variable_for(url, {**os.environ, **request.environment})
        failure = failure_from_exception(error, url=url, proxy=proxy)
        role, claims, is_aws_sts = request.role, request.token.claims, is_aws_endpoint(endpoint)
        # `from None`: botocore's exceptions may carry the request, and with it the token.
        raise explain_failure(failure, role, claims, is_aws_sts=is_aws_sts) from None


def caller_from(named: Mapping[str, str] | None, request: StsRequest) -> CallerIdentity:
    """Return the caller identity that an answer names.

    If it names none, return the one that AWS would give to the request, without an id: no later call depends on
    it, and users see as whom they asked.
    """
    hop = request.options.second_hop
    role = hop.role if hop else request.role
    if named is None:
        arn = f"arn:{role.partition}:sts::{role.account_id}:assumed-role/{role.name}/{request.session_name}"
        return CallerIdentity("", role.account_id, arn)
    account = named["Account"] or _account(named["Arn"], role)
    return CallerIdentity(named["UserId"], account, named["Arn"])


def _account(arn: str, role: RoleArn) -> str:
    parts = arn.split(":")
    return parts[4] if len(parts) > 5 and parts[4] else role.account_id
