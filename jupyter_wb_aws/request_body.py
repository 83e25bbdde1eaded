"""Read a request's JSON body strictly: refuse what is not clear instead of guessing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jupyter_wb_aws.errors import BadRequest

NAMES = {str: "a text", bool: "true or false", int: "a whole number"}
Nullable = tuple[type, None]
Wanted = type | Nullable | Mapping[str, type]


def parse_body(raw: bytes, known: Mapping[str, Wanted], required: frozenset[str]) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        raw: the body; an empty one is an empty object.
        known: the allowed fields with their types; ``(str, None)`` allows null too, and
            ``{"field": int}`` an object with these fields.
        required: the fields that must be present; ``"object.field"`` for a field of an object that is
            present.

    Raises:
        BadRequest: if it is not UTF-8, JSON and an object, or has duplicate, unknown or missing fields
            or fields of the wrong type.
    """
    try:
        document = json.loads(
            raw.decode("utf-8") or "{}",
            object_pairs_hook=_no_duplicates,
            parse_constant=_no_constant,
        )
    except UnicodeDecodeError:
        raise BadRequest("The body is not UTF-8.") from None
    except (ValueError, RecursionError):
        raise BadRequest("The body is not JSON.") from None
    return _checked(document, known, required, "The body")


def _checked(
    document: object, known: Mapping[str, Wanted], required: frozenset[str], what: str
) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise BadRequest(f"{what} must be a JSON object.")
    if set(document) - set(known):
        listed = ", ".join(known) or "none"
        raise BadRequest(f"{what} has unknown fields; known are: {listed}.")
    if missing := sorted(name for name in required - set(document) if "." not in name):
        raise BadRequest(f"{what} lacks `{missing[0]}`.")
    for name, value in document.items():
        within = {n.removeprefix(f"{name}.") for n in required if n.startswith(f"{name}.")}
        _check(name, value, known[name], frozenset(within))
    return document


def _check(name: str, value: object, wanted: Wanted, required: frozenset[str]) -> None:
    if isinstance(wanted, Mapping):
        _checked(value, wanted, required, f"`{name}`")
        return
    wanted_type, nullable = (wanted[0], True) if isinstance(wanted, tuple) else (wanted, False)
    if value is None and nullable:
        return
    if type(value) is not wanted_type:
        raise BadRequest(f"`{name}` must be {NAMES[wanted_type]}{' or null' if nullable else ''}.")
    if isinstance(value, str) and not value.isprintable():
        raise BadRequest(f"`{name}` has characters that are not printable.")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise BadRequest("The body has a field twice.")
    return document


def _no_constant(name: str) -> None:
    raise ValueError(name)
