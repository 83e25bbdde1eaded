"""Messages of programs and services, made fit to be shown: without anything that looks like a secret."""

from __future__ import annotations

import base64
import re
from urllib.parse import quote, unquote

# Forty characters: AWS's secret keys are that long, and an EKS issuer's id (32), which an administrator
# needs to see, is not. AWS's keys and tokens may contain a slash, but so does every path and URL: a text
# with one counts only if it is exactly as long as a key, or longer than any path.
SECRET_LIKE = re.compile(
    r"""
    # A JWT, or its beginning: `{"` in base64. Its parts are joined by dots.
      eyJ[\w-]*\.[\w.-]+
    # Text that is joined to a secret by dots, before it,
    | (?:(?<![\w.+~-])(?:[\w+~-]{1,39}\.)+)?
      (?:
        # AWS's session token, percent-encoded or not,
          [\w/+=~%-]{100,}
        # AWS's secret key, likewise: all but one in a billion have letters in both cases,
        | (?<![A-Za-z0-9/+])(?=[a-z0-9/+%]*[A-Z])(?=[A-Z0-9/+%]*[a-z])
          (?:[A-Za-z0-9/+]|%2[BFbf]){40}(?![A-Za-z0-9/+])
        # a JWT's last piece, or an opaque token,
        | [\w+~-]{40,}[\w/+=~%-]*
      )
      # and after it.
      (?:\.[\w+=~-]+)*
    | eyJ[\w.-]+
    """,
    re.VERBOSE,
)

BEFORE_USERINFO = re.compile(r"^\s*(?:[A-Za-z][A-Za-z0-9+.-]*:)?//")
NOT_BLANK = re.compile(r"\S+")
# Shorter pieces of a password reveal nothing, and occur in every sentence.
MIN_PIECE_LENGTH = 3


def redact_secrets(text: str, max_length: int) -> str:
    """Return the last `max_length` characters of `text`, in one printable line, without likely secrets."""
    printable = "".join(c if c.isprintable() else " " for c in SECRET_LIKE.sub("<secret>", text))
    return " ".join(printable.split())[-max_length:]


def redact_userinfo(text: str, *urls: str) -> str:
    """Return `text` with the user names and passwords of URLs replaced by ``***``.

    Args:
        text: a message or a URL. In each URL, everything between ``//`` and the last ``@`` is
            replaced, since a password may contain ``/``, ``?`` and ``#``, encoded or not.
        urls: URLs, well-formed or not, whose user name and password `text` may quote without the
            rest of the URL, such as the values of proxy variables: a parser that takes the ``#`` in a
            password for a fragment complains about half of the password.
    """
    for piece in sorted({p for url in urls for p in _userinfo_pieces(url)}, key=len, reverse=True):
        # Whole words only: a password such as `red` is not in `redirect`.
        word = rf"(?:(?<=%[0-9a-f]{{2}})|(?<![^\W_])){re.escape(piece)}(?![^\W_])"
        text = re.sub(word, "***", text, flags=re.IGNORECASE)
    return NOT_BLANK.sub(_without_userinfo, text)


def _without_userinfo(word: re.Match[str]) -> str:
    # Not by a regular expression: it would search for an @ from each slash to the end of the text.
    before, slashes, rest = word[0].partition("//")
    _, at, host = rest.rpartition("@")
    return f"{before}{slashes}***@{host}" if at else word[0]


def _userinfo_pieces(url: str) -> set[str]:
    """Return the part before the last ``@`` of a URL, in the forms in which others may quote it."""
    userinfo = BEFORE_USERINFO.sub("", url).rpartition("@")[0]
    plain = unquote(userinfo)
    pieces = {base64.b64encode(plain.encode(errors="replace")).decode()}
    for form in (userinfo, plain, quote(plain, safe=""), quote(userinfo, safe="")):
        pieces |= {form, *re.split(r"[:@]", form), *re.split(r"%[0-9A-Fa-f]{2}|[\W_]+", form)}
    return {piece for piece in pieces if len(piece) >= MIN_PIECE_LENGTH}
