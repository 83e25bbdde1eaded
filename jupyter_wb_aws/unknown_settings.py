"""Finds settings in a site's configuration that have no effect: misspelt, renamed, or in the wrong section.

traitlets logs some of them, but not those in a section without a class, or that begin with a capital
letter. Some settings are limits, which must not be ignored silently.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from traitlets.config import Config, Configurable
from traitlets.config.loader import LazyConfigValue

ENDING = "TokenSource"
# The similarity of two short names that differ in one letter.
MIN_SIMILARITY = 0.6


def unknown_settings(
    config: Config, classes: Mapping[str, type[Configurable]], others: Iterable[str] = ()
) -> list[str]:
    """Return a sentence for each setting without effect, with the most similar known one; values are not shown.

    Args:
        config: the whole configuration, from files and the command line.
        classes: the extension's configurable classes, by the section's name.
        others: the names of further sections that are known.
    """
    sections = {*classes, *others}
    sentences: list[str] = []
    for section, settings in sorted(config.items()):
        if (
            not isinstance(settings, dict) or not settings
        ):  # a name in lower case may hold a plain value
            continue
        if section in classes:
            sentences += _of_section(section, settings, classes)
        elif section not in others and (nearest := _nearest_section(section, sections)):
            sentences.append(
                f"`{section}` is not a class of jupyter_wb_aws, so its settings have no effect"
                f" ({', '.join(sorted(settings))}); the nearest is `{nearest}`."
            )
    return sentences


def sections_of(config: Config) -> set[str]:
    """Return the names of all sections, including nested ones."""
    inner = (settings for settings in config.values() if isinstance(settings, Config))
    return {*config, *(name for settings in inner for name in settings)}


def _of_section(
    section: str, settings: Mapping[str, Any], classes: Mapping[str, type[Configurable]]
) -> Iterator[str]:
    known = _settings_of(section, classes)
    for name, value in sorted(settings.items()):
        if name in known or _is_nothing(value):
            continue
        if isinstance(value, Config):  # a nested section: c.WbAwsApp.FileTokenSource
            if name in classes:
                yield from _of_section(name, value, classes)
            else:
                yield _sentence(f"{section}.{name}", _nearest_section(name, classes))
        else:
            yield _sentence(f"{section}.{name}", _nearest(section, name, classes))


def _settings_of(section: str, classes: Mapping[str, type[Configurable]]) -> set[str]:
    """Return the settings of a section; that of a base class may have settings of derived classes too."""
    cls = classes[section]
    derived = [other for other in classes.values() if issubclass(other, cls)]
    return {name for each in derived for name in each.class_trait_names(config=True)}


def _is_nothing(value: Any) -> bool:
    """Return whether a value is empty: traitlets creates one when a configuration file reads a name."""
    if isinstance(value, Config):
        return not value
    return isinstance(value, LazyConfigValue) and not value.to_dict()


def _nearest(section: str, name: str, classes: Mapping[str, type[Configurable]]) -> str | None:
    own = _settings_of(section, classes)
    elsewhere = [other for other in classes if name in classes[other].class_own_traits(config=True)]
    if elsewhere:
        return f"{elsewhere[0]}.{name}"
    by_lower = {trait.lower(): trait for trait in own}
    close = get_close_matches(name.lower(), by_lower, 1, MIN_SIMILARITY)
    return f"{section}.{by_lower[close[0]]}" if close else None


def _nearest_section(section: str, known: Iterable[str]) -> str | None:
    """Return the class that a section is most likely meant for; None if it belongs to another project."""
    lower = section.lower()
    by_lower = {name.lower(): name for name in known}
    if lower in by_lower:
        return by_lower[lower]
    if "wbaws" in lower:
        return "WbAwsApp"
    kind = section.removesuffix(ENDING)
    if kind != section:  # a site's own source, unless its name is close to one of ours
        kinds = {
            name.removesuffix(ENDING).lower(): name
            for name in by_lower.values()
            if name.endswith(ENDING)
        }
        alike = get_close_matches(kind.lower(), filter(None, kinds), 1, MIN_SIMILARITY)
        return kinds[alike[0]] if alike else None
    close = get_close_matches(lower, by_lower, 1, 0.85)
    return by_lower[close[0]] if close else None


def _sentence(name: str, nearest: str | None) -> str:
    near = f"; the nearest is `{nearest}`" if nearest else ""
    return f"`{name}` is not a setting of jupyter_wb_aws and has no effect{near}."
