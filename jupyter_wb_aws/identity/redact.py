"""What programs and services say, made fit for people and free of anything like a secret."""

from __future__ import annotations

import re

# A JWT begins with `{"` in base64; a key or an opaque token is one long run without a blank. Forty,
# since AWS's secret keys are that long, and an EKS issuer's id (32), which an administrator needs
# to see, is not.
SECRET_LIKE = re.compile(r"eyJ[\w.-]+|[\w+=~-]{40,}")


def harmless(text: str, longest: int) -> str:
    """Return the end of `text` in one printable line, with what looks like a secret left out."""
    printable = "".join(c if c.isprintable() else " " for c in SECRET_LIKE.sub("<secret>", text))
    return " ".join(printable.split())[-longest:]
