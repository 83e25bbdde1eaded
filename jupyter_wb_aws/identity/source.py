"""Where web identity tokens come from: the class that every token source extends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from traitlets import List, Unicode, validate
from traitlets.config import LoggingConfigurable
from traitlets.traitlets import TraitError
from traitlets.utils.bunch import Bunch

from jupyter_wb_aws.clock import Clock, SystemClock
from jupyter_wb_aws.identity.http.client import HttpClient, HttpSettings
from jupyter_wb_aws.identity.http.proxies import InvalidProxy, read_proxy
from jupyter_wb_aws.identity.provider import HTTP_URL, Provider, may_hold_userinfo
from jupyter_wb_aws.identity.redact import redact_userinfo
from jupyter_wb_aws.identity.token import Identity, WebIdentityToken
from jupyter_wb_aws.identity.token_verifier import TokenVerifier

if TYPE_CHECKING:
    from jupyter_wb_aws.identity.oidc.sign_in import SignIn

# RFC 8725, 3.1: list the algorithms that you accept. All are asymmetric: a symmetric one would make the
# provider's public key a signing key. IAM itself accepts the RS and ES families.
ASYMMETRIC = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512")

# Seconds. A source should have its own timeouts; this one is for sources without them.
FETCH_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """What a token is for.

    `audience` is the `aud` that AWS expects, or empty for the source's own. `role_arn` is the role
    that the token is for, if the source binds tokens to roles. It is None for any other source, and
    for any source if the token is only needed to know the user, to list their roles.
    """

    audience: str = ""
    role_arn: str | None = None


@dataclass(frozen=True, slots=True)
class IdentityAndRoles:
    """Who the user is and which roles they may have, where the token source itself knows both.

    `roles` is plain data: one object for each role, with the members that `GET /aws/roles` has. What can't be
    read in one of them is reported, and affects no other. `request_url` is where to ask for further roles.
    `withheld` are the ARNs of roles that can't be offered now although the user may not have lost them: running role
    sessions go on. `incomplete`: the same may be true of any role.
    """

    identity: Identity
    roles: Sequence[object]
    request_url: str | None = None
    withheld: Sequence[str] = ()
    incomplete: bool = False


class TokenSource(LoggingConfigurable):
    """The base class of all token sources.

    To write your own, extend this class in your own package, implement `fetch` and
    `missing_setting`, and set ``c.WbAwsApp.token_source = "your_package.YourTokenSource"``.

    `fetch` runs in the server's event loop, and the server stands still while it blocks: wait with
    asyncio's own tools. Work that can't be cancelled, such as a read from a network disk, belongs in a
    thread of your own: all of Jupyter shares the threads of `asyncio.to_thread`. `fetch` is never called
    twice at once for the same token, unless the user has signed out in between. If `issuer` is set, the
    caller verifies every token that you return.
    """

    binds_role: ClassVar[bool] = False
    """Whether each role has its own token, which `fetch` gets by `TokenRequest.role_arn`."""

    knows_roles: ClassVar[bool] = False
    """Whether `identity_and_roles` says who the user is and which roles they have: then there is no roles file."""

    check_every: float = 300.0
    """Seconds from one look at `identity_and_roles` to the next, while there are role sessions."""

    issuer = Unicode(
        "",
        config=True,
        help="""The identity provider's issuer URL, exactly as in the token's `iss` claim. If it is
        set, every token is verified: its signature with the keys that the issuer publishes, and `iss`,
        `aud` and `exp`. Needs `audience` (for `oidc`, the client id is the audience).""",
    )
    audience = Unicode(
        "",
        config=True,
        help="""The audience (client id) that the token must be for, as registered in the IAM
        identity provider. Required if `issuer` is set; for `oidc`, it is the client id.""",
    )
    algorithms = List(
        Unicode(),
        ["RS256", "ES256"],
        config=True,
        help=f"""The signature algorithms to accept from the issuer, out of {", ".join(ASYMMETRIC)}.""",
    )
    name_claim = Unicode(
        "preferred_username",
        config=True,
        help="""The claim with the user's name to show; `sub` is used if it is missing. Name a claim
        within another by a path with dots.""",
    )
    groups_claim = Unicode(
        "groups",
        config=True,
        help="""The claim that lists the user's groups. Name a claim within another by a path
        with dots, such as Keycloak's `realm_access.roles`; a claim with the whole name comes first.""",
    )
    proxy = Unicode(
        "",
        config=True,
        help="""The proxy to the identity provider, such as http://proxy.example.com:3128. Empty: the
        proxy of HTTPS_PROXY and similar variables in the server's environment. An address of this
        machine is never reached through a proxy.""",
    )
    ca_bundle = Unicode(
        "",
        config=True,
        help="""A PEM file with the CA certificates to trust for the identity provider. Empty: those
        that this machine trusts.""",
    )

    clock: Clock = SystemClock()
    sign_in: SignIn | None = None
    """How the user signs in, for a source that asks the user."""

    _provider: Provider | None = None
    _verifier: TokenVerifier | None = None

    async def fetch(self, request: TokenRequest) -> WebIdentityToken:
        """Get the newest token (it may be the one that was returned last).

        Raises:
            SignInRequired: if the user has to sign in first.
            RoleNotAllowed: if the user may not have the role that the token is for; this ends its role sessions.
            TokenSourceFailed: if no token is available now; the message says why.
            TokenInvalid: if the source got something that is not a token.
        """
        raise NotImplementedError

    async def identity_and_roles(self) -> IdentityAndRoles | None:
        """Ask who the user is now, and which roles they may have; None if this source only knows tokens.

        Raises:
            RoleNotAllowed: if the user may have no role at all any more; this ends their role sessions.
            WbAwsError: if it is not known now; this ends nothing.
        """
        return None

    def is_withdrawn(self, token: WebIdentityToken) -> bool:  # noqa: ARG002
        """Whether AWS is known to refuse a token before it expires: then a new one is fetched at once."""
        return False

    def identity_of(self, token: WebIdentityToken) -> Identity:
        """Return the user whom a token of this source names."""
        return token.identity(self.name_claim, self.groups_claim)

    async def verify(self, token: WebIdentityToken, request: TokenRequest) -> None:
        """Verify a token that `fetch` returned, if `issuer` is set.

        Raises:
            TokenInvalid: if it is not the issuer's, or not for the audience.
            TokenSourceFailed: if the issuer's keys can't be fetched.
        """
        verifier = self.verifier(request.audience)
        if verifier is not None:
            await verifier.verify(token)

    def missing_setting(self) -> str | None:
        """Return the name of a required setting that is missing; None if there is none."""
        return None

    async def close(self) -> None:
        """End what runs in the background: the server is being stopped."""
        if self._provider is not None:
            await self._provider.http.close()

    @property
    def provider(self) -> Provider:
        """The identity provider that `issuer` names."""
        if self._provider is None:
            self._provider = Provider(self.issuer, HttpClient(self.http_settings()))
        return self._provider

    def http_settings(self) -> HttpSettings:
        """Return how the identity provider is reached."""
        return HttpSettings(self.proxy, self.ca_bundle)

    def verifier(self, audience: str = "") -> TokenVerifier | None:
        """Return the verifier for this source's tokens; None if `issuer` is not set.

        Args:
            audience: the site's, for a source without its own.
        """
        if self._verifier is None and self.issuer:
            self._verifier = TokenVerifier(
                self.provider, self.audience or audience, self.algorithms
            )
        return self._verifier

    @validate("issuer")
    def _valid_issuer(self, proposal: Bunch) -> str:
        issuer: str = proposal["value"]
        if issuer and not HTTP_URL.fullmatch(issuer):
            raise TraitError(
                f"The 'issuer' trait of {type(self).__name__} must begin with https:// (or http://) and"
                f" a host, not be {redact_userinfo(issuer, issuer)!r}."
            )
        if may_hold_userinfo(issuer):
            raise TraitError(
                f"The 'issuer' trait of {type(self).__name__} must not contain a user name or password."
            )
        return issuer

    @validate("proxy")
    def _valid_proxy(self, proposal: Bunch) -> str:
        proxy: str = proposal["value"]
        wrong = f"The 'proxy' trait of {type(self).__name__} must look like http://proxy.example.com:3128"
        # Not quoted: it may hold a password.
        if proxy and not proxy.startswith(("http://", "https://")):
            raise TraitError(f"{wrong}.")
        try:
            if proxy:
                read_proxy(proxy, "proxy")
        except InvalidProxy as why:
            raise TraitError(f"{wrong}: {why}.") from None
        return proxy

    @validate("algorithms")
    def _only_asymmetric(self, proposal: Bunch) -> list[str]:
        algorithms: list[str] = proposal["value"]
        if not algorithms or (wrong := [a for a in algorithms if a not in ASYMMETRIC]):
            listed = ", ".join(ASYMMETRIC)
            raise TraitError(
                f"The 'algorithms' trait of {type(self).__name__} takes one or more of {listed}"
                f"{', not ' + ', '.join(wrong) if algorithms else ''}."
            )
        return algorithms
