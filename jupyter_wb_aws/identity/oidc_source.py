"""Token source `oidc`: the user signs in with OpenID Connect, and this server refreshes the tokens."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar, Literal, cast
from urllib.parse import urlsplit

from traitlets import Dict, Enum, Float, List, TraitError, Unicode, default, validate
from traitlets.utils.bunch import Bunch

from jupyter_wb_aws.identity.http.client import HttpSettings
from jupyter_wb_aws.identity.oidc.client_authentication import ClientSettings
from jupyter_wb_aws.identity.oidc.grant import Grants, SignInRules
from jupyter_wb_aws.identity.oidc.oauth_client import OAuthClient
from jupyter_wb_aws.identity.oidc.sign_in import SignIn
from jupyter_wb_aws.identity.provider import HTTP_URL
from jupyter_wb_aws.identity.redact import redact_userinfo
from jupyter_wb_aws.identity.source import FETCH_TIMEOUT, TokenRequest, TokenSource
from jupyter_wb_aws.identity.token import WebIdentityToken
from jupyter_wb_aws.identity.token_verifier import TokenVerifier

PROTOCOL_PARAMETERS = frozenset(
    {"client_id", "client_secret", "response_type", "response_mode", "redirect_uri", "scope", "state", "nonce",
     "code_challenge", "code_challenge_method", "request", "request_uri"}
)  # fmt: skip


class OidcTokenSource(TokenSource):
    """The user signs in at the company's identity provider; the id token is the web identity token."""

    short_name: ClassVar[str] = "oidc"

    client_id = Unicode(
        "",
        config=True,
        help="""The id of this server at the identity provider. It is the id token's `aud`, which must
        be registered in AWS.""",
    )
    client_secret_file = Unicode(
        "",
        config=True,
        help="""A file with the client's secret, for a confidential client. Empty: a public client,
        which is right if users can read the server's files.""",
    )
    token_endpoint_auth_method = Enum(
        ["", "client_secret_basic", "client_secret_post"],
        "",
        config=True,
        help="""How a confidential client sends its secret. Empty: as the provider's metadata says.""",
    )
    scopes = List(
        Unicode(),
        ["openid", "profile", "offline_access"],
        config=True,
        help="""The scopes to request: always `openid`; most providers need `offline_access` for a
        refresh token.""",
    )
    authorize_parameters = Dict(
        key_trait=Unicode(),
        value_trait=Unicode(),
        config=True,
        help="""Parameters to add to the request that begins a sign-in, for providers that need them.
        `prompt` here replaces the default one; an empty value leaves a parameter out.""",
    )
    flows = List(
        Enum(["code", "device"]),
        ["code", "device"],
        config=True,
        help="""The ways to sign in, in your order: `code` (the browser comes back to this server) and
        `device` (the user enters a code on a page of the provider). Those that can't work are left out.""",
    )
    redirect_uri = Unicode(
        "",
        config=True,
        help="""The redirect URI that is registered at the provider; it ends in
        aws/sign-in/callback. {port} and {base_url} stand for the server's own, on JupyterHub for those
        that browsers see. Empty: built from
        ServerApp.custom_display_url; if that is empty too, there is no code flow.""",
    )
    web_identity = Enum(
        ["id_token", "access_token"],
        "id_token",
        config=True,
        help="""The token that AWS gets. An access token must be a JWT; set `audience` to its `aud`.""",
    )
    max_sign_in_age = Float(
        0.0,
        min=0.0,
        max=10.0**8,
        config=True,
        help="""Seconds after which the user has to sign in again. 0: only when the provider asks.""",
    )
    timeout = Float(
        10.0,
        min=0.1,
        max=FETCH_TIMEOUT / 2,
        config=True,
        help="Seconds for each request to the identity provider, until its whole response has arrived.",
    )

    registered_redirect_uri: Callable[[], str | None] = staticmethod(lambda: None)
    """Returns the redirect URI at which browsers reach this server; None if there is none."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        rules = SignInRules(
            cast("Literal['id_token', 'access_token']", self.web_identity),
            timedelta(seconds=self.max_sign_in_age),
            self.name_claim,
            self.groups_claim,
        )
        id_token_verifier = TokenVerifier(self.provider, self.client_id, self.algorithms)
        aws_token_verifier = self.verifier() or id_token_verifier
        self.sign_in = SignIn(
            self._oauth(),
            Grants(id_token_verifier, aws_token_verifier, rules, self.clock),
            lambda: self.registered_redirect_uri(),  # noqa: PLW0108 - it is set later
            self.flows,
        )

    def missing_setting(self) -> str | None:
        """Require an issuer and a client id."""
        for name in ("issuer", "client_id"):
            if not getattr(self, name):
                return f"OidcTokenSource.{name}"
        return None

    async def fetch(self, request: TokenRequest) -> WebIdentityToken:  # noqa: ARG002
        """Return the token of a sign-in that was just completed, else refresh it.

        Raises:
            SignInRequired: if nobody is signed in, or the sign-in has ended.
            TokenSourceFailed: if the identity provider does not give a token now.
        """
        assert self.sign_in is not None
        return await self.sign_in.newest_token()

    async def close(self) -> None:
        """End what runs in the background; the sign-in ends with the server."""
        assert self.sign_in is not None
        await self.sign_in.close()
        await super().close()

    def http_settings(self) -> HttpSettings:
        """Return how the identity provider is reached."""
        return HttpSettings(self.proxy, self.ca_bundle, self.timeout)

    def _oauth(self) -> OAuthClient:
        return OAuthClient(
            self.provider,
            ClientSettings(
                self.client_id,
                self.client_secret_file,
                self.token_endpoint_auth_method,
                self.scopes,
                self.authorize_parameters,
            ),
        )

    @default("audience")
    def _default_audience(self) -> str:
        return self.client_id

    @validate("client_secret_file")
    def _valid_secret_file(self, proposal: Bunch) -> str:
        path: str = proposal["value"]
        if path and not path.startswith(("/", "~")):
            # Not quoted: it may be the secret itself.
            raise TraitError(
                "The 'client_secret_file' trait of OidcTokenSource is the absolute path of a file that holds"
                " the secret, not the secret itself."
            )
        return path

    @validate("scopes")
    def _valid_scopes(self, proposal: Bunch) -> list[str]:
        scopes: list[str] = proposal["value"]
        if "openid" not in scopes:
            raise TraitError(
                "The 'scopes' trait of OidcTokenSource must contain 'openid': without it, there is no id token."
            )
        return scopes

    @validate("flows")
    def _valid_flows(self, proposal: Bunch) -> list[str]:
        flows: list[str] = proposal["value"]
        if not flows:
            raise TraitError("The 'flows' trait of OidcTokenSource names no way to sign in.")
        return flows

    @validate("authorize_parameters")
    def _valid_authorize_parameters(self, proposal: Bunch) -> dict[str, str]:
        parameters: dict[str, str] = proposal["value"]
        if wrong := sorted(PROTOCOL_PARAMETERS.intersection(parameters)):
            raise TraitError(
                "The 'authorize_parameters' trait of OidcTokenSource must not contain parameters of the protocol:"
                f" {', '.join(wrong)}"
            )
        return parameters

    @validate("redirect_uri")
    def _valid_redirect_uri(self, proposal: Bunch) -> str:
        uri: str = proposal["value"]
        try:
            whole = uri.format(port=8888, base_url="/")
            _ = urlsplit(whole).port  # raises if it is not a port
        except (KeyError, IndexError, ValueError, AttributeError):
            whole = ""
        if uri and (not HTTP_URL.fullmatch(whole) or not whole.endswith("/aws/sign-in/callback")):
            raise TraitError(
                "The 'redirect_uri' trait of OidcTokenSource must be a URL that ends in /aws/sign-in/callback;"
                f" it may contain {{port}} and {{base_url}}: {redact_userinfo(uri, uri)!r}"
            )
        return uri
