"""Sphinx extension: generates the reference pages from the code when the site is built.

A page of the reference contains a comment such as ``<!-- generated: settings -->``, which the generated
text replaces. No generated text is written to a file.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import os
import re
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any

import yaml
from rest import rest, table
from sphinx.application import Sphinx
from traitlets.utils.importstring import import_item

from jupyter_wb_aws.app import configurable_classes
from jupyter_wb_aws.cli import main
from jupyter_wb_aws.events import NAMES
from jupyter_wb_aws.hub.app import HubServiceApp
from jupyter_wb_aws.identity.source import TokenSource

MARK = re.compile(r"^<!-- generated: ([a-z-]+) -->$", re.MULTILINE)
HUB = "jupyter_wb_aws.hub"
WIDTH = "100"  # of the help texts


def settings(configurables: Sequence[type[Any]] = ()) -> str:
    """Describe each setting: its type, default and help, from the trait itself."""
    parts = []
    for configurable in configurables or [*configurable_classes(), TokenSource]:
        parts += [f"## {configurable.__name__}", first_paragraph(configurable)]
        if configurable is TokenSource:
            parts.append("Each token source has these settings as well, under its own class name.")
        for name, trait in sorted(configurable.class_own_traits(config=True).items()):
            if trait.this_class is configurable:
                parts += [f"### `{configurable.__name__}.{name}`", kind_of(trait), trait.help]
    return "\n\n".join(inspect.cleandoc(part) for part in parts)


def first_paragraph(thing: Any) -> str:
    """Return the first paragraph of a class's docstring."""
    return inspect.getdoc(thing).partition("\n\n")[0]


def kind_of(trait: Any) -> str:
    """Return a trait's type, its default, and the values that it accepts."""
    default = f"`{trait.default_value_repr()}`"
    values = getattr(trait, "values", None)
    one_of = f", one of {', '.join(f'`{value}`' for value in values)}" if values else ""
    return f"{type(trait).__name__}{one_of}; default {default}"


def command_line() -> str:
    """Return the `--help` of each command."""
    shown = {name: help_of(name) for name in ("", *main.COMMANDS)}
    return "\n\n".join(
        f"## `jupyter wb-aws{f' {name}' if name else ''}`\n\n```text\n{text}```"
        for name, text in shown.items()
    )


def help_of(command: str) -> str:
    """Return the `--help` of a command."""
    os.environ["COLUMNS"] = WIDTH
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        main.main([*([command] if command else []), "--help"])
    return printed.getvalue()


def hub_commands() -> str:
    """Describe each subcommand of the hub service: what it does, and the options that only it has."""
    parts = []
    for command, (where, _) in HubServiceApp.subcommands.items():
        app = import_item(where) if isinstance(where, str) else where
        parts += [f"### `jupyter-wb-aws-hub {command}`", inspect.cleandoc(app.description)]
        rows = []
        for option, setting in app.aliases.items():
            trait = app.class_traits()[setting.partition(".")[2]]
            if trait.this_class is not HubServiceApp:
                help_ = " ".join(trait.help.split())
                rows.append([f"`--{option}`", f"`{trait.default_value_repr()}`", help_])
        if rows:
            parts.append(table(["option", "default", "meaning"], rows))
    return "\n\n".join(parts)


def contract(package: str = "jupyter_wb_aws.handlers") -> dict[str, Any]:
    """Read the REST contract of the extension, or of the hub service."""
    text = (files(package) / "openapi.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def error_codes(package: str = "jupyter_wb_aws.handlers") -> str:
    """List the codes of a REST contract."""
    codes = contract(package)["x-codes"].items()
    rows = [[f"`{code}`", str(of["status"]), of["meaning"]] for code, of in codes]
    return table(["code", "status", "meaning"], rows)


def events() -> str:
    """Describe each event by its schema."""
    parts = []
    for name in NAMES:
        text = (files("jupyter_wb_aws.events") / f"{name}.yaml").read_text(encoding="utf-8")
        schema = yaml.safe_load(text)
        parts += [f"## {schema['title']}", f"`{schema['$id']}`", schema["description"]]
        fields = schema.get("properties", {})
        rows = [
            [f"`{field}`", kinds(of), of.get("description", "")] for field, of in fields.items()
        ]
        parts.append(table(["field", "type", "meaning"], rows))
    return "\n\n".join(parts)


def kinds(schema: dict[str, Any]) -> str:
    """Return the type of an event's field."""
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    kind = schema.get("type", "any")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


GENERATORS: dict[str, Callable[[], str]] = {
    "settings": settings,
    "rest": lambda: rest(contract()),
    "command-line": command_line,
    "error-codes": error_codes,
    "events": events,
    "hub-service-settings": lambda: settings([HubServiceApp]),
    "hub-service-commands": hub_commands,
    "hub-service-rest": lambda: rest(contract(HUB), "hub-service"),
    "hub-service-error-codes": lambda: error_codes(HUB),
}


def fill_in(_app: Sphinx, _page: str, source: list[str]) -> None:
    """Replace the marks in a page with the generated text.

    Sphinx calls this; the page's text is the only item of `source`.
    """
    source[0] = MARK.sub(lambda found: GENERATORS[found[1]](), source[0])


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension with Sphinx."""
    app.connect("source-read", fill_in)
    return {"parallel_read_safe": True, "env_version": 1}
