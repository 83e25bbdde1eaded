"""Where web identity tokens come from: the class that every token source extends."""

from __future__ import annotations

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
from jupyter_wb_aws.identity.token import WebIdentityToken
from jupyter_wb_aws.identity.token_verifier import TokenVerifier

if TYPE_CHECKING:
    from jupyter_wb_aws.identity.oidc.sign_in import SignIn

# RFC 8725, 3.1: name the algorithms you take. All are asymmetric: a symmetric one would make the
# provider's public key a signing key. IAM itself takes the RS and ES families.
ASYMMETRIC = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512")

# Seconds. A source has time-outs of its own; this one is for those that forgot.
FETCH_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """What a token is wanted for.

    `audience` is the `aud` that AWS expects, or empty for the source's own. `role_arn` is the role
    to which the token will be shown, for a source that binds tokens to roles. It is None for any
    other source, and for any source where a token shall only say who the user is: to list roles.
    """

    audience: str = ""
    role_arn: str | None = None


class TokenSource(LoggingConfigurable):
    """Base of all token sources.

    To write your own, extend this class in a package of yours, implement `fetch` and
    `missing_setting`, and set ``c.WbAwsApp.token_source = "your_package.YourTokenSource"``.

    `fetch` runs in the server's event loop, and the server stands still while it blocks: wait with
    asyncio's own tools. What can't be cancelled, such as a read from a network disk, belongs in a thread of
    your own: those of `asyncio.to_thread` are all of Jupyter's. `fetch` is never called twice at once for the
    same token, unless the user has signed out in between. Where `issuer` is set, the caller verifies every
    token you return: a source can't forget to.
    """

    binds_role: ClassVar[bool] = False
    """Whether each role has a token of its own, to be fetched by `TokenRequest.role_arn`."""

    issuer = Unicode(
        "",
        config=True,
        help="""The identity provider's issuer URL, exactly as in the token's `iss` claim. When it is
        set, every token is verified: its signature by the keys that the issuer publishes, and `iss`,
        `aud` and `exp`. Needs `audience` (for `oidc`, the client id is that).""",
    )
    audience = Unicode(
        "",
        config=True,
        help="""The audience (client id) that the token must be for, as registered in the IAM
        identity provider. Required where `issuer` is set; for `oidc`, it is the client id.""",
    )
    algorithms = List(
        Unicode(),
        ["RS256", "ES256"],
        config=True,
        help=f"""Signature algorithms accepted from the issuer, out of {", ".join(ASYMMETRIC)}.""",
    )
    name_claim = Unicode(
        "preferred_username",
        config=True,
        help="""The claim with the user's name for people; `sub` is used where it is missing. A claim
        inside of another is named by a path with dots.""",
    )
    groups_claim = Unicode(
        "groups",
        config=True,
        help="""The claim that lists the user's groups. A claim inside of another is named by a path
        with dots, as Keycloak's `realm_access.roles`; a claim of the whole name comes first.""",
    )
    proxy = Unicode(
        "",
        config=True,
        help="""The proxy to the identity provider, as http://proxy.example.com:3128. Empty: what
        HTTPS_PROXY and the like say in the server's environment. An address of this machine is never
        reached through one.""",
    )
    ca_bundle = Unicode(
        "",
        config=True,
        help="""A PEM file with the CA certificates to trust when talking to the identity provider.
        Empty: those that this machine trusts.""",
    )

    clock: Clock = SystemClock()
    sign_in: SignIn | None = None
    """How the user signs in, for a source that asks the user."""

    _provider: Provider | None = None
    _verifier: TokenVerifier | None = None

    async def fetch(self, request: TokenRequest) -> WebIdentityToken:
        """Get the newest token there is (it may be the one that was returned last).

        Raises:
            SignInRequired: if the user has to sign in first.
            TokenSourceFailed: if none can be had now; the message says why.
            TokenInvalid: if what there is, is no token.
        """
        raise NotImplementedError

    def missing_setting(self) -> str | None:
        """Name the setting without which this source can't work, or None when it is ready."""
        return None

    async def close(self) -> None:
        """End what runs in the background; the server is being stopped."""
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
        """Return what verifies this source's tokens; None where no `issuer` is set.

        Args:
            audience: the site's, where this source has none of its own.
        """
        if self._verifier is None and self.issuer:
            self._verifier = TokenVerifier(
                self.provider, self.audience or audience, self.algorithms
            )
        return self._verifier

    @validate("issuer")
    def _a_url(self, proposal: Bunch) -> str:
        issuer: str = proposal["value"]
        if issuer and not HTTP_URL.fullmatch(issuer):
            raise TraitError(
                f"The 'issuer' trait of {type(self).__name__} must begin with https:// (or http://) and"
                f" a host, not be {redact_userinfo(issuer, issuer)!r}."
            )
        if may_hold_userinfo(issuer):
            raise TraitError(
                f"The 'issuer' trait of {type(self).__name__} must not hold a user name or password."
            )
        return issuer

    @validate("proxy")
    def _a_proxy(self, proposal: Bunch) -> str:
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
