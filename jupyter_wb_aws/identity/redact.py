"""What programs and services say, made fit for people and free of anything like a secret."""

from __future__ import annotations

import re

# Forty, since AWS's secret keys are that long, and an EKS issuer's id (32), which an administrator
# needs to see, is not. A slash is in AWS's keys and tokens, and in every path and URL: of what has
# one, only the very length of a key counts, or a length that no path has.
SECRET_LIKE = re.compile(
    r"""
    # A JWT, or a piece that begins one: `{"` in base64. Its parts are joined by dots.
      eyJ[\w-]*\.[\w.-]+
    # What is joined to a secret by dots, before it,
    | (?:(?<![\w.+~-])(?:[\w+~-]{1,39}\.)+)?
      (?:
        # AWS's session token, percent-encoded or not,
          [\w/+=~%-]{100,}
        # AWS's secret key, likewise: of letters in both cases, all but one in a billion,
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


def harmless(text: str, longest: int) -> str:
    """Return the end of `text` in one printable line, with what looks like a secret left out."""
    printable = "".join(c if c.isprintable() else " " for c in SECRET_LIKE.sub("<secret>", text))
    return " ".join(printable.split())[-longest:]
