"""The REST contract as Markdown: first the calls, then the schemas."""

from __future__ import annotations

import re
from typing import Any

Schema = dict[str, Any]
METHODS = ("get", "post", "put", "delete")


def rest(contract: dict[str, Any], name: str = "") -> str:
    """Return one of our OpenAPI 3.1 documents as Markdown.

    Args:
        contract: the document.
        name: begins its labels, which are unique on the site.
    """
    text = _rest(contract)
    if not name:
        return text
    labels = re.findall(r"^\(([a-z-]+)\)=$", text, re.MULTILINE)
    for label in labels:
        text = text.replace(f"({label})=", f"({name}-{label})=")
        text = text.replace(f"](#{label})", f"](#{name}-{label})")
    return text.replace("(error-codes.md)", f"(#{name}-error-codes)")


def _rest(contract: dict[str, Any]) -> str:
    parts = [contract["info"]["description"]]
    for tag in contract["tags"]:
        parts += [f"## {tag['name'].capitalize()}", tag["description"]]
        for path, item in contract["paths"].items():
            for method in METHODS:
                if tag["name"] in item.get(method, {}).get("tags", ()):
                    shared = item.get("parameters", [])
                    parts += _call(contract, f"{method.upper()} {path}", item[method], shared)
    parts += [
        "(errors)=\n## Errors",
        "Every error is a [Problem](#schema-problem). A status has one of these [codes](error-codes.md):",
        _errors(contract),
    ]
    parts += ["## Schemas"]
    for name, schema in contract["components"]["schemas"].items():
        parts += [f"({_anchor(name)})=\n### {name}", *_schema(schema)]
    return "\n\n".join(part.strip() for part in parts if part.strip())


def _call(
    contract: dict[str, Any], title: str, call: dict[str, Any], shared: list[Schema]
) -> list[str]:
    parts = [f"### `{title}`", f"{call['summary']}.", call.get("description", "")]
    parameters = [_resolved(contract, p) for p in [*shared, *call.get("parameters", [])]]
    if parameters:
        rows = [
            [f"`{p['name']}`", p["in"], _type(p["schema"]), p.get("description", "")]
            for p in parameters
        ]
        parts.append(table(["parameter", "in", "type", "meaning"], rows))
    if "requestBody" in call:
        parts.append(f"**Body:** {_content(_resolved(contract, call['requestBody']))}")
    answers = {status: _resolved(contract, answer) for status, answer in call["responses"].items()}
    rows = [
        [status, answer["description"], _content(answer)]
        for status, answer in answers.items()
        if not _is_error(answer)
    ]
    errors = [status for status, answer in answers.items() if _is_error(answer)]
    errors_line = f"[Errors](#errors): {', '.join(errors)}." if errors else ""
    return [*parts, table(["status", "meaning", "answer"], rows), errors_line]


def _errors(contract: dict[str, Any]) -> str:
    """List the codes of each error status, which the contract lists for all calls together."""
    answers = [
        (status, answer["$ref"])
        for item in contract["paths"].values()
        for method in METHODS
        for status, answer in item.get(method, {}).get("responses", {}).items()
        if "$ref" in answer and _is_error(_resolved(contract, answer))
    ]
    rows = [
        [status, _resolved(contract, {"$ref": reference})["description"]]
        for status, reference in sorted(set(answers))
    ]
    return table(["status", "codes"], rows)


def _is_error(answer: Schema) -> bool:
    return list(answer.get("content", ())) == ["application/problem+json"]


def _resolved(contract: dict[str, Any], thing: Schema) -> Schema:
    if "$ref" not in thing:
        return thing
    _, *keys = thing["$ref"].split("/")
    found: Any = contract
    for key in keys:
        found = found[key]
    return dict(found)


def _content(thing: Schema) -> str:
    """Name the schemas of a body."""
    return ", ".join(
        _type(media["schema"]) if "json" in kind else f"`{kind}`"
        for kind, media in thing.get("content", {}).items()
    )


def _schema(schema: Schema) -> list[str]:
    described = schema.get("description", "")
    if "oneOf" in schema and all("properties" in one for one in schema["oneOf"]):
        forms = [part for one in schema["oneOf"] for part in ("One form:", *_schema(one))]
        return [described, *forms]
    if not schema.get("properties"):
        return [described, "" if schema.get("type") == "object" else f"Type: {_type(schema)}"]
    required = schema.get("required", ())
    rows = [
        [f"`{name}`", _type(field), "" if name in required else "optional", _told(field)]
        for name, field in schema["properties"].items()
    ]
    return [described, table(["field", "type", "", "meaning"], rows)]


def _told(field: Schema) -> str:
    """Return a field's description, and the fields of an object without a name."""
    inner = [one for one in (field, *field.get("oneOf", ())) if "properties" in one]
    fields = [
        f"`{name}` ({_type(kind)}){': ' + kind['description'] if 'description' in kind else ''}"
        for one in inner
        for name, kind in one["properties"].items()
    ]
    return " ".join(
        [field.get("description", ""), *([f"Its fields: {'; '.join(fields)}"] if fields else [])]
    )


def _type(schema: Schema) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{_anchor(name)})"
    if "oneOf" in schema:
        return " or ".join(_type(one) for one in schema["oneOf"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join("null" if value is None else f"`{value}`" for value in schema["enum"])
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_type(schema['items'])}"
    return " or ".join(kind) if isinstance(kind, list) else kind


def _anchor(name: str) -> str:
    return f"schema-{name.lower()}"


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table; line ends and bars in a cell are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        f"| {' | '.join(' '.join(cell.split()).replace('|', '&#124;') for cell in line)} |"
        for line in lines
    )
