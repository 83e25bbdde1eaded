"""The two public documents by which AWS checks tokens: the issuer's description and its keys."""

from __future__ import annotations

from collections.abc import Sequence

CONFIGURATION_PATH = ".well-known/openid-configuration"
KEYS_PATH = "keys"
_CLAIMS = ("aud", "exp", "iat", "iss", "jti", "nbf", "preferred_username", "sub")


def openid_configuration(issuer: str, algorithms: Sequence[str]) -> dict[str, object]:
    """Return the issuer's description (OpenID Connect Discovery 1.0, section 3).

    Args:
        issuer: its URL.
        algorithms: what its keys sign with.
    """
    return {
        "issuer": issuer,
        "jwks_uri": f"{issuer.rstrip('/')}/{KEYS_PATH}",
        # Required, though nobody signs in here.
        "authorization_endpoint": "urn:jupyter-wb-aws:programmatic-authorization",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": list(algorithms),
        "claims_supported": list(_CLAIMS),
    }
