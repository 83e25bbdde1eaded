"""Token source `jupyterhub`: the hub service says who the user is, and signs a token for each role.

What is trusted: the service at `service_url`, which gets the server's own API token, says who the user is, which
roles they have, and who the issuer is. The tokens are verified with the keys that this issuer publishes, so a token
that AWS would refuse never reaches a kernel. This does not prove that the service is the right one: the name of the
issuer comes from the service as well. AWS knows the right issuer, and `issuer` pins it here too.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from traitlets import Float, TraitError, Unicode, validate
from traitlets.utils.bunch import Bunch

from jupyter_wb_aws.errors import IdpBadAnswer, TokenInvalid, TokenSourceFailed
from jupyter_wb_aws.identity.claims import AWS_ROLES, optional_member
from jupyter_wb_aws.identity.http.client import HttpClient, HttpSettings
from jupyter_wb_aws.identity.hub_environment import (
    API_TOKEN,
    SERVICE_URL,
    service_urls,
    with_slash,
)
from jupyter_wb_aws.identity.hub_service import HubService, ServiceAnswer
from jupyter_wb_aws.identity.provider import (
    Provider,
    is_http_url,
    may_hold_userinfo,
    quoted_value,
)
from jupyter_wb_aws.identity.source import (
    FETCH_TIMEOUT,
    IdentityAndRoles,
    TokenRequest,
    TokenSource,
)
from jupyter_wb_aws.identity.token import Identity, SecretStr, WebIdentityToken, header_of
from jupyter_wb_aws.identity.token_verifier import TokenVerifier

# The claim with the hub user; the form of `sub` is the service's to choose.
USER_CLAIM = "preferred_username"
BY_VARIABLE = f"the variable {SERVICE_URL} (c.Spawner.environment in the hub's configuration)"


class ServiceIssuer(Provider):
    """The issuer that the hub service names: where its documents are wrong, the service's own setting is."""

    async def metadata(self, *, refetch: bool = False) -> Mapping[str, Any]:
        """Return the issuer's metadata.

        Raises:
            TokenInvalid, IdpBadAnswer: if what is at the issuer's URL is not its metadata.
            TokenSourceFailed: if it can't be fetched.
        """
        try:
            return await super().metadata(refetch=refetch)
        except (IdpBadAnswer, TokenInvalid) as error:
            error.admin_hint = (
                f"The hub service says that its issuer is {self.issuer}, from where AWS fetches the keys. Correct"
                " HubServiceApp.issuer of the hub service: it must lead to the service, with the hub's base URL in it,"
                " or to the files that `export` writes. If JupyterHubTokenSource.issuer is set, change it as well."
            )
            raise


class JupyterHubTokenSource(TokenSource):
    """The hub service of JupyterHub: identity, roles and tokens come from it, without a sign-in."""

    short_name: ClassVar[str] = "jupyterhub"
    binds_role: ClassVar[bool] = True
    knows_roles: ClassVar[bool] = True

    service_url = Unicode(
        "",
        config=True,
        help=f"""The URL of the hub service, such as https://hub.example.com/services/aws/. The server's own
        API token is sent there. Empty: `{SERVICE_URL}` in the server's environment; without it, found
        at the hub's public URL or beside the hub's API, if the hub says where those are.""",
    )
    service_name = Unicode(
        "aws",
        config=True,
        help="""The name of the service in the hub's configuration, by which it is found if `service_url` is
        empty.""",
    )
    check_every = Float(
        300.0,
        min=1.0,
        max=86_400.0,
        config=True,
        help="""Seconds from one look at the user's roles to the next, while there are role sessions. Each
        server spreads them by up to a fifth. A role that is gone ends its role session.""",
    )
    timeout = Float(
        5.0,
        min=0.1,
        max=FETCH_TIMEOUT / 3,
        config=True,
        help="Seconds for each request to the hub service or the issuer, until its whole response has arrived.",
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # Read now: code in the server may change its environment later.
        self._token = SecretStr(os.environ.get(API_TOKEN, ""))
        named = self.service_url or _checked_url(os.environ.get(SERVICE_URL, ""), SERVICE_URL)
        self._urls = [with_slash(named)] if named else service_urls(os.environ, self.service_name)
        self._http = HttpClient(self.http_settings())
        named_by = "JupyterHubTokenSource.service_url" if self.service_url else BY_VARIABLE
        self._service = HubService(self._urls, self._token, self._http, named_by if named else None)
        self._answer: ServiceAnswer | None = None
        self._asked_at: datetime | None = None
        self._issuer_verifier: TokenVerifier | None = None

    @property
    def where(self) -> str:
        """The service's URL, for messages."""
        return self._service.where

    def missing_setting(self) -> str | None:
        """Require a URL, and the API token that the hub gives to each server."""
        if not self._urls:
            return "JupyterHubTokenSource.service_url"
        return None if self._token else f"{API_TOKEN} (JupyterHub sets it for each server)"

    def http_settings(self) -> HttpSettings:
        """Return how the hub service and the issuer are reached."""
        return HttpSettings(self.proxy, self.ca_bundle, self.timeout, plain_is_direct=True)

    async def identity_and_roles(self) -> IdentityAndRoles:
        """Ask the hub service who the user is now, and which roles they may have.

        Raises:
            RoleNotAllowed: if the hub gives this server no access to the service.
            TokenInvalid: if the service has another issuer than `issuer`.
            TokenSourceFailed: if the service gives no answer that can be used.
        """
        answer = await self._ask()
        return IdentityAndRoles(
            answer.identity, answer.roles, answer.request_url, answer.withheld, answer.incomplete
        )

    async def fetch(self, request: TokenRequest) -> WebIdentityToken:
        """Have the hub service sign a token for one role.

        Raises:
            RoleNotAllowed: if the user may not have this role.
            TokenSourceFailed: if the service gives no token now.
            TokenInvalid: if what it gives is not a token.
        """
        if request.role_arn is None:
            raise TokenSourceFailed(
                "The hub service gives tokens for one role each, and none was named."
            )
        text, ahead = await self._service.token(request.role_arn)
        return WebIdentityToken.parse(text, self.clock.now(), ahead)

    def identity_of(self, token: WebIdentityToken) -> Identity:
        """Return the hub user whom a token names; the form of its `sub` does not matter."""
        user = optional_member(token.claims, USER_CLAIM, token.claims["sub"])
        issuer = str(optional_member(token.claims, "iss", ""))
        named = Identity(issuer, str(user), str(user), (), token.claims)
        known = self._answer.identity if self._answer else None
        # The groups are not in the token.
        return known if known is not None and known.same_user(named) else named

    async def verify(self, token: WebIdentityToken, request: TokenRequest) -> None:
        """Verify a token against the issuer's keys, and that it is for this user and this role.

        Raises:
            TokenInvalid: if it is not; the message says what is wrong.
            TokenSourceFailed: if the service or the issuer's keys can't be asked.
        """
        answer = self._answer
        if answer is None or not self._fits(token, answer, request):
            answer = await self._ask()  # the service may have changed
        verifier = self._verifier_of(answer.issuer)
        await verifier.verify(token, self._audience(answer, request))
        user = token.claims.get(USER_CLAIM)
        if user != answer.identity.subject:
            raise TokenInvalid(
                f"The hub service's token is for the user {quoted_value(user)}, but it says that this server's user is"
                f" {answer.identity.subject!r}."
            )
        _check_role(token, str(request.role_arn))

    def is_withdrawn(self, token: WebIdentityToken) -> bool:
        """Whether the service no longer publishes the key of a token that came before its last answer."""
        known = self._answer.key_ids if self._answer else None
        if known is None or self._asked_at is None or token.received_at >= self._asked_at:
            return False
        return optional_member(header_of(token.reveal()), "kid") not in known

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _ask(self) -> ServiceAnswer:
        asked_at = self.clock.now()
        answer = await self._service.roles()
        if self.issuer and answer.issuer != self.issuer:
            raise TokenInvalid(
                f"The hub service's tokens are of the issuer {answer.issuer!r}; this server expects {self.issuer!r}.",
                admin_hint="Correct the one that is wrong: HubServiceApp.issuer of the hub service, with the hub's base URL"
                " if it has one, or JupyterHubTokenSource.issuer here. If neither is, another program answers at"
                f" {self.where}.",
            )
        self._answer, self._asked_at = answer, asked_at
        return answer

    def _fits(self, token: WebIdentityToken, answer: ServiceAnswer, request: TokenRequest) -> bool:
        """Whether a token has the issuer, user and audience of an answer that may be old."""
        aud = token.claims.get("aud")
        return (
            token.claims.get("iss") == answer.issuer
            and token.claims.get(USER_CLAIM) == answer.identity.subject
            and self._audience(answer, request) in (aud if isinstance(aud, list) else [aud])
        )

    def _audience(self, answer: ServiceAnswer, request: TokenRequest) -> str:
        return self.audience or request.audience or answer.audience_for(request.role_arn)

    def _verifier_of(self, issuer: str) -> TokenVerifier:
        known = self._issuer_verifier
        if known is None or known.provider.issuer != issuer:
            provider = ServiceIssuer(issuer, self._http)
            known = TokenVerifier(provider, self.audience, self.algorithms)
            self._issuer_verifier = known
        return known

    @validate("service_url")
    def _valid_service_url(self, proposal: Bunch) -> str:
        return _checked_url(proposal["value"], "The 'service_url' trait of JupyterHubTokenSource")


def _checked_url(url: str, what: str) -> str:
    if may_hold_userinfo(url):  # not quoted: it may hold a password
        raise TraitError(f"{what} must not contain a user name or password.")
    if url and (not is_http_url(url) or "?" in url or "#" in url):
        raise TraitError(f"{what} must be an http(s) URL without query or fragment, not {url!r}.")
    return url


def _check_role(token: WebIdentityToken, role_arn: str) -> None:
    """Check AWS's roles claim, where the token has it.

    Raises:
        TokenInvalid: if the token is for other roles.
    """
    claim = optional_member(token.claims, AWS_ROLES)
    if claim is None:
        return
    roles = claim.split(";") if isinstance(claim, str) else claim
    if not isinstance(roles, list) or role_arn not in roles:
        raise TokenInvalid(
            f"The hub service's token for {role_arn} is not for this role: its roles claim is {quoted_value(claim)}."
        )
