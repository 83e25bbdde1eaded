"""Removes from a peer's text the secrets that we sent to the peer: by their values, not by their looks."""

from __future__ import annotations

import base64
import html
import re
import sys
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

# A shorter value may be part of a word in any sentence, so that its removal would reveal it.
MIN_VALUE_LENGTH = 6
# A piece of a value with this length is removed too: some providers quote the first characters.
MIN_PIECE_LENGTH = 8
# Only the end of a longer text is kept; a message shows a few hundred characters of it.
MAX_TEXT_LENGTH = 5_000
# How often a text may have been encoded: a JSON text in a form in a page in a log line.
MAX_DEPTH = 8
ESCAPE = re.compile(
    rb"""
      %(?P<percent>[0-9A-Fa-f]{2})
    | =(?P<quoted>[0-9A-F]{2})
    | \\U(?P<long>[0-9A-Fa-f]{8})
    | \\u\{(?P<braced>[0-9A-Fa-f]{1,6})\}
    | \\(?P<octal>[0-3][0-7]{2})
    | \\u(?P<high>[Dd][89ABab][0-9A-Fa-f]{2})\\u(?P<low>[Dd][C-Fc-f][0-9A-Fa-f]{2})
    | \\u(?P<unicode>[0-9A-Fa-f]{4})
    | \\x(?P<byte>[0-9A-Fa-f]{2})
    | \\(?P<character>["'\\/bfnrt])
    | (?P<entity>&(?:\#[0-9]{1,7};?|\#[Xx][0-9A-Fa-f]{1,6};?|[A-Za-z][A-Za-z0-9]{1,31};))
    """,
    re.VERBOSE,
)
LETTERS_AND_DIGITS = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789")
SEPARATORS = re.compile(rb"[^a-z0-9]+")
CHARACTERS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}


def redact_values(text: str, sent: Iterable[str | None]) -> str:
    """Return a peer's text without the values that we sent to it, however it quotes them.

    Each value is found unchanged, percent- or form-encoded, escaped for JSON, HTML, mail or a programming
    language, in base64, base32 and hexadecimal digits, in any mixture of these, in another case, with anything
    between its letters and digits, and cut to eight characters or more. If a value is shorter than six
    characters, the result is empty: the value might be part of any word.

    Args:
        text: what the peer says.
        sent: the values; None and empty ones do not count. HTTP Basic's credentials are a value of
            their own.
    """
    if not text:
        return ""
    windows: dict[int, set[bytes]] = {}
    for value in filter(None, sent):
        for form in _forms(value):
            if min(len(value), len(form)) < MIN_VALUE_LENGTH:
                return ""
            for one in (form, SEPARATORS.sub(b"", form)):
                if len(one) >= MIN_VALUE_LENGTH:
                    size = min(len(one), MIN_PIECE_LENGTH)
                    windows.setdefault(size, set()).update(_windows(one, size))
    text = text[-MAX_TEXT_LENGTH:]
    levels = [level.comparable() for level in _levels(text)]
    spans = [span for level in levels for span in level.found(windows)]
    plain = {at for start, end in spans for at in range(start, end)}
    spans += [
        (start, end)
        for level in levels
        for start, end in level.squeezed().found(windows)
        if plain.isdisjoint(range(start, end))
    ]
    return _cut(text, spans)


@dataclass(frozen=True, slots=True)
class _Level:
    """A text in UTF-8, decoded a number of times; each byte knows its place in the original."""

    content: bytearray
    starts: list[int]
    ends: list[int]

    def add(self, content: bytes, start: int, end: int) -> None:
        self.content.extend(content)
        self.starts.extend([start] * len(content))
        self.ends.extend([end] * len(content))

    def found(self, windows: Mapping[int, Collection[bytes]]) -> Iterator[tuple[int, int]]:
        """Yield the places of these pieces, which are listed by their length, in the original."""
        content = bytes(self.content)
        for size, known in windows.items():
            for at, window in enumerate(_windows(content, size)):
                if window in known:
                    yield self.starts[at], self.ends[at + size - 1]

    def comparable(self) -> _Level:
        """Return it in lower case, and with blanks for the signs that forms use for them."""
        return _Level(bytearray(_comparable(bytes(self.content))), self.starts, self.ends)

    def squeezed(self) -> _Level:
        """Return only its letters and digits: a line break, a dash or a zero-width space may be between them."""
        kept = [at for at, byte in enumerate(self.content) if byte in LETTERS_AND_DIGITS]
        return _Level(
            bytearray(self.content[at] for at in kept),
            [self.starts[at] for at in kept],
            [self.ends[at] for at in kept],
        )


def _levels(text: str) -> Iterator[_Level]:
    level = _Level(bytearray(), [], [])
    for at, character in enumerate(text):
        plain = unicodedata.normalize("NFKC", character)  # full-width letters, and the like
        level.add(plain.encode("utf-8", "surrogatepass"), at, at + 1)
    for _ in range(MAX_DEPTH):
        yield level
        content, decoded, done = bytes(level.content), _Level(bytearray(), [], []), 0
        for escape in ESCAPE.finditer(content):
            begin, end = escape.span()
            _copy(level, decoded, done, begin)
            decoded.add(_decode(escape), level.starts[begin], level.ends[end - 1])
            done = end
        if not done:
            return
        _copy(level, decoded, done, len(content))
        level = decoded


def _copy(level: _Level, to: _Level, begin: int, end: int) -> None:
    to.content.extend(level.content[begin:end])
    to.starts.extend(level.starts[begin:end])
    to.ends.extend(level.ends[begin:end])


def _decode(escape: re.Match[bytes]) -> bytes:
    kind, found = escape.lastgroup, escape[escape.lastgroup or 0]
    if kind in {"percent", "quoted", "byte"}:
        return bytes.fromhex(found.decode("ascii"))
    if kind == "octal":
        return bytes([int(found, 8)])
    if kind in {"long", "braced"}:
        return chr(min(int(found, 16), sys.maxunicode)).encode("utf-8", "surrogatepass")
    if kind == "character":
        return CHARACTERS.get(found, found)
    if kind == "entity":
        return html.unescape(found.decode("ascii")).encode("utf-8", "surrogatepass")
    units = bytes.fromhex((escape["high"] or b"").decode("ascii") + found.decode("ascii"))
    return units.decode("utf-16-be", "surrogatepass").encode("utf-8", "surrogatepass")


def _forms(value: str) -> Iterator[bytes]:
    """Yield the forms to search for in a decoded text: the value, also decoded, and its encodings."""
    for level in _levels(value):
        yield _comparable(bytes(level.content))
    content = value.encode("utf-8", "surrogatepass")
    yield content.hex().encode("ascii")
    yield _comparable(base64.b32encode(content).rstrip(b"="))
    # Base64 of a text that begins 0, 1 or 2 bytes earlier: without the characters that mix both.
    for before, shared in ((0, 0), (1, 2), (2, 3)):
        encoded = base64.b64encode(bytes(before) + content)[
            shared : (before + len(content)) * 8 // 6
        ]
        yield _comparable(encoded)
        yield _comparable(encoded.translate(bytes.maketrans(b"+/", b"-_")))


def _comparable(content: bytes) -> bytes:
    return content.lower().replace(b"+", b" ")


def _windows(content: bytes, size: int) -> Iterator[bytes]:
    return (content[at : at + size] for at in range(len(content) - size + 1))


def _cut(text: str, spans: list[tuple[int, int]]) -> str:
    kept, done = [], 0
    for start, end in sorted(spans):
        if end > done:
            if start > done or not done:
                kept += [text[done:start], "<secret>"]
            done = end
    return "".join([*kept, text[done:]])
