"""A plain client of the provider's, by httpx and PyJWT, for what comes before our own token source."""

from __future__ import annotations

from urllib.parse import parse_qs, quote_plus, urlencode, urlsplit

import httpx
import jwt

from tests.peers.openid_provider import CONFIDENTIAL_CLIENT, DEVICE_GRANT, PUBLIC_CLIENT, SCOPES

CALLBACK = "http://127.0.0.1:9/aws/sign-in/callback"
# The pair of RFC 7636, appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


class RelyingParty:
    """A client of the provider: only the requests that it sends."""

    def __init__(self, provider, client_id=PUBLIC_CLIENT):
        self.provider = provider
        self.client_id = client_id
        self.metadata = provider.metadata()
        self.secret = provider.client_secret if client_id == CONFIDENTIAL_CLIENT else None

    def post(self, endpoint, **fields):
        return httpx.post(
            self.metadata[endpoint],
            data={"client_id": self.client_id, **fields},
            auth=(quote_plus(self.client_id), quote_plus(self.secret)) if self.secret else None,
            trust_env=False,
        )

    def authorization_url(self, **changes):
        request = {
            "client_id": self.client_id,
            "response_type": "code",
            "redirect_uri": CALLBACK,
            "scope": SCOPES,
            "state": "a-state",
            "nonce": "a-nonce",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "prompt": "consent",
            **changes,
        }
        return f"{self.metadata['authorization_endpoint']}?{urlencode(request)}"

    def redeem(self, callback, **changes):
        return self.post(
            "token_endpoint",
            grant_type="authorization_code",
            code=query_of(callback)["code"],
            redirect_uri=CALLBACK,
            **{"code_verifier": VERIFIER, **changes},
        )

    def refresh(self, tokens):
        return self.post(
            "token_endpoint", grant_type="refresh_token", refresh_token=tokens["refresh_token"]
        )

    def begin_device(self):
        return self.post("device_authorization_endpoint", scope=SCOPES).json()

    def poll_device(self, begun):
        return self.post(
            "token_endpoint", grant_type=DEVICE_GRANT, device_code=begun["device_code"]
        )

    def sign_in(self, browser, user="alice"):
        return self.redeem(browser.sign_in(self.authorization_url(), user)).json()

    def claims(self, tokens):
        """Verify an ID token as a relying party does."""
        return self.verified(tokens["id_token"], audience=self.client_id)

    def verified(self, token, audience):
        key = jwt.PyJWKClient(self.metadata["jwks_uri"]).get_signing_key_from_jwt(token)
        return jwt.decode(
            token, key, algorithms=["RS256"], audience=audience, issuer=self.provider.issuer
        )


def query_of(url):
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
