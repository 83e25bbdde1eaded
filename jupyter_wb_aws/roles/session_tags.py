"""What AWS takes as a session tag and as a source identity, and the claims of a token that hold them. Pure.

Sources: IAM User Guide, "Pass session tags in AWS STS"; botocore's service model of STS (limits and patterns).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

TAGS, SOURCE_IDENTITY = "https://aws.amazon.com/tags", "https://aws.amazon.com/source_identity"
MAX_TAGS, MAX_KEY_LENGTH, MAX_VALUE_LENGTH = 50, 128, 256
SOURCE_IDENTITY_FORM = re.compile(r"[\w+=,.@-]{2,256}", re.ASCII)
# Bytes of all keys and values: an estimate on the safe side. AWS says neither how it packs tags nor into how much
# space, which they share with a session policy of up to 2,048 characters.
MAX_PACKED_SIZE = 1024
PUNCTUATION = frozenset("_.:/=+-@")


def tag_problem(key: str, value: str) -> str | None:
    """Return a clause that says why AWS does not take a tag; None if it does.

    Args:
        key: the tag's name.
        value: its value; may be empty.
    """
    if not key or _length(key) > MAX_KEY_LENGTH or not _accepted(key):
        return f"a tag's name has 1 to {MAX_KEY_LENGTH} letters, digits, spaces and {_shown()}"
    if key.lower().startswith("aws:"):
        return "names that begin with `aws:` belong to AWS"
    if _length(value) > MAX_VALUE_LENGTH or not _accepted(value):
        return f"a tag's value has up to {MAX_VALUE_LENGTH} letters, digits, spaces and {_shown()}"
    return None


def packed_size(tags: Mapping[str, str]) -> int:
    """Return an estimate of the space that AWS packs these tags into, in bytes; see `MAX_PACKED_SIZE`."""
    return sum(len(text.encode()) for tag in tags.items() for text in tag)


def _accepted(text: str) -> bool:
    r"""Whether all characters are in AWS's pattern, ``[\p{L}\p{Z}\p{N}_.:/=+\-@]``."""
    return all(c in PUNCTUATION or unicodedata.category(c)[0] in "LZN" for c in text)


def _length(text: str) -> int:
    """Return how many characters AWS counts at most: it may count in UTF-16."""
    return len(text) + sum(ord(c) > 0xFFFF for c in text)


def _shown() -> str:
    return "".join(sorted(PUNCTUATION))
