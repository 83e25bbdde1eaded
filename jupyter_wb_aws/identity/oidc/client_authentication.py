"""How this server proves to the provider which client it is (OIDC Core 9; RFC 6749, 2.3.1)."""

from __future__ import annotations

import base64
import codecs
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from jupyter_wb_aws.errors import IdpBadAnswer


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """How this server is registered at the provider.

    `secret_file` holds the client's secret, which is read each time and kept nowhere; empty for a
    public client. `auth_method` is one of OIDC Core 9, or empty for one that the provider accepts.
    `parameters` are added to the request that begins a sign-in.
    """

    client_id: str
    secret_file: str = ""
    auth_method: str = ""
    scopes: Sequence[str] = ("openid",)
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def scope(self) -> str:
        """The scopes as a request's parameter."""
        return " ".join(self.scopes)


def authentication_method(configured: str, secret: str | None, metadata: Mapping[str, Any]) -> str:
    """Return how the client authenticates.

    Args:
        configured: the site's choice; empty for one that the provider accepts.
        secret: the client's; None for a public client.
        metadata: the provider's (OIDC Discovery, section 3).
    """
    if secret is None:
        return "none"
    if configured:
        return configured
    listed = metadata.get("token_endpoint_auth_methods_supported")
    accepted = listed if isinstance(listed, list) else []
    # OIDC Discovery 3: a provider that lists nothing accepts basic.
    post_only = "client_secret_post" in accepted and "client_secret_basic" not in accepted
    return "client_secret_post" if post_only else "client_secret_basic"


def authentication(
    method: str, client_id: str, secret: str | None
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return the headers and the form members that authenticate a client.

    RFC 6749, section 2.3.1 and appendix B: for HTTP Basic, id and secret are first encoded as in a form.
    Letters, digits and ``-._~`` stay as they are, so that such a secret also works at a provider that
    does not decode it.

    Args:
        method: ``client_secret_basic``, ``client_secret_post`` or ``none`` (a public client, which
            only sends its id).
        client_id: the id at the provider.
        secret: None for a public client.
    """
    if method == "client_secret_basic" and secret is not None:
        credentials = f"{quote_plus(client_id)}:{quote_plus(secret)}".encode("ascii")
        return {"Authorization": f"Basic {base64.b64encode(credentials).decode('ascii')}"}, {}
    if method == "client_secret_post" and secret is not None:
        return {}, {"client_id": client_id, "client_secret": secret}
    return {}, {"client_id": client_id}


def read_secret(path: str) -> str:
    """Read a client's secret from its file: UTF-8, without the blanks and line breaks around it.

    Editors and PowerShell put a byte order mark before text; it is not part of the secret.

    Raises:
        IdpBadAnswer: if the file can't be read, or does not hold a secret.
    """
    try:
        content = Path(path).expanduser().read_bytes()
    except (OSError, ValueError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        raise _unusable(path, f"can't be read: {reason}") from None
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise _unusable(path, "is written in UTF-16", "Save it as UTF-8.")
    try:
        secret = content.decode("utf-8").lstrip("\ufeff").strip()
    except UnicodeDecodeError:
        raise _unusable(path, "is not text in UTF-8", "Save it as UTF-8.") from None
    if not secret:
        raise _unusable(path, "is empty")
    if len(secret.splitlines()) > 1:
        raise _unusable(path, "has more than one line", "The file must hold only the secret.")
    # RFC 6749, appendix A.2, allows none; UTF-16 without a byte order mark is full of them.
    if any(ord(character) < 32 or ord(character) == 127 for character in secret):
        raise _unusable(path, "has a control character in it", "Save it as plain text in UTF-8.")
    return secret


def _unusable(path: str, why: str, remedy: str = "") -> IdpBadAnswer:
    return IdpBadAnswer(
        f"The client's secret {why}.",
        admin_hint=f"{remedy} The file is `client_secret_file`: {path}".lstrip(),
    )
