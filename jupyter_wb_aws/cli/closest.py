"""What the user most likely meant by a misspelt word."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the one of these words that a word is most likely meant for; None if none is close."""
    from difflib import get_close_matches  # needed rarely

    by_lower = {text.casefold(): text for text in known}
    close = get_close_matches(word.casefold(), by_lower, 1)
    return by_lower[close[0]] if close else None
