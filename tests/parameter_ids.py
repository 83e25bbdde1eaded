"""Names for the values of parametrised tests, where a test gives them none.

pytest numbers what is not a string or a number (`claims0`, `claims1`) and shows a long text whole.
Here a failing test is named by its value in short: `{aud=wb}`, `no region`, `OSError`.
"""

from __future__ import annotations

import dataclasses
import enum
import itertools
import re
import zlib
from datetime import date, timedelta

MAX_LENGTH = 50
MAX_BITS = 64  # a longer number is named by its length
MAX_DEPTH = 3


def readable_id(value, name):
    """Name the value of the parameter `name`; None leaves it to pytest."""
    if value is None:
        return f"no {name}"
    text = _text(value)
    if text is None:
        return None
    if len(text) > MAX_LENGTH:  # the checksum keeps two of the same beginning apart
        checksum = zlib.crc32(text.encode()) & 0xFFFF
        text = f"{text.strip()[: MAX_LENGTH - 7]}...{checksum:04x}"
    return re.sub(r"\n\s*", " ", text) or f"empty {name}"


def _text(value, depth=0):
    """Describe a value in words, some of its members at most; None if its type has no description."""
    if isinstance(value, enum.Enum):
        return value.name.lower()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return type(value).__name__ + _members(_changed_fields(value), depth)
    for kinds, describe in _DESCRIPTIONS.items():
        if isinstance(value, kinds):
            return describe(value)
    if isinstance(value, dict | list | tuple | set | frozenset):
        return _members(value, depth)
    return None


def _number(value):
    return f"{value.bit_length()} bits" if value.bit_length() > MAX_BITS else str(value)


def _printable(text):
    """Write what is not printable ASCII as `<U+00FC>`, and a byte that is not UTF-8 as `%FF`."""
    if isinstance(text, bytes):
        text = text[:1000].decode("utf-8", "surrogateescape")
    edges = r"^\s+|\s+$|" if len(text) <= MAX_LENGTH else ""
    return re.sub(rf"{edges}[^\x20-\x7e\n]", _escape, text[:1000])


def _escape(found):
    codes = [ord(character) for character in found[0]]
    return "".join(
        f"%{code - 0xDC00:02X}" if 0xDC80 <= code <= 0xDCFF else f"<U+{code:04X}>" for code in codes
    )


_DESCRIPTIONS = {
    int: _number,
    (str, bytes): _printable,
    (float, timedelta, type(None)): str,
    date: lambda value: value.isoformat(),
    BaseException: lambda value: type(value).__name__,
}


def _members(values, depth):
    if depth > MAX_DEPTH:
        return "..."
    first = list(itertools.islice(values, 12))
    if isinstance(values, dict):
        shown = ",".join(f"{key}={_member(values[key], depth)}" for key in first)
        return f"{{{shown}}}"
    if isinstance(values, set | frozenset):
        first.sort(key=str)  # the same name in every process
    shown = ",".join(_member(value, depth) for value in first)
    return f"[{shown}]"


def _member(value, depth):
    text = _text(value, depth + 1)
    return getattr(value, "__name__", type(value).__name__) if text is None else text


def _changed_fields(value):
    """Return the fields that are not as the class has them by default."""
    return {
        field.name: getattr(value, field.name)
        for field in dataclasses.fields(value)
        if getattr(value, field.name) != _default(field)
    }


def _default(field):
    if field.default_factory is dataclasses.MISSING:
        return field.default
    return field.default_factory()
