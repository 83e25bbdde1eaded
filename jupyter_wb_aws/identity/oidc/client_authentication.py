"""How this server proves to the provider which client it is (OIDC Core 9; RFC 6749, 2.3.1)."""

from __future__ import annotations

import base64
import codecs
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote_plus

from jupyter_wb_aws.errors import IdpBadAnswer


def authentication(
    method: str, client_id: str, secret: str | None
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return the headers and the members of the form that authenticate a client.

    Args:
        method: ``client_secret_basic``, ``client_secret_post`` or ``none`` (a public client, which
            only names itself).

    Source: RFC 6749, section 2.3.1 and appendix B: for HTTP Basic, id and secret are encoded as in
    a form first. Letters, digits and ``-._~`` stay as they are, so that such a secret also works at
    a provider that does not decode it.
    """
    if method == "client_secret_basic" and secret is not None:
        credentials = f"{quote_plus(client_id)}:{quote_plus(secret)}".encode("ascii")
        return {"Authorization": f"Basic {base64.b64encode(credentials).decode('ascii')}"}, {}
    if method == "client_secret_post" and secret is not None:
        return {}, {"client_id": client_id, "client_secret": secret}
    return {}, {"client_id": client_id}


def read_secret(path: str) -> str:
    """Read a client's secret from its file: UTF-8, blanks and line breaks around it left out.

    Editors and PowerShell put a byte order mark before text; it does not belong to the secret.

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
        raise _unusable(path, "has more than one line", "The file must hold the secret alone.")
    # RFC 6749, appendix A.2, has none; UTF-16 without a byte order mark is full of them.
    if any(ord(character) < 32 or ord(character) == 127 for character in secret):
        raise _unusable(path, "has a control character in it", "Save it as plain text in UTF-8.")
    return secret


def _unusable(path: str, why: str, remedy: str = "") -> IdpBadAnswer:
    return IdpBadAnswer(
        f"The client's secret {why}.",
        admin_hint=f"{remedy} The file is `client_secret_file`: {path}".lstrip(),
    )
