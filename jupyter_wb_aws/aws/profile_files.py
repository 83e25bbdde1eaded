"""Reads the two files of AWS profiles by botocore's rules.

It does not import botocore, which would slow down the server's start; `tests/aws/test_profile_files.py`
compares each rule with botocore's own code. Source: botocore.configloader, botocore.configprovider
(`config_file`, `credentials_file`), posixpath.
"""

from __future__ import annotations

import codecs
import configparser
import io
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Value = str | dict[str, str]
Section = dict[str, Value]

# configparser's pattern for options takes time quadratic in the length of a run of blanks.
LONG_RUN_OF_BLANKS = re.compile(r"\S[^\S\n]{256,}\S")
MARK = b"\xef\xbb\xbf"
PLAIN = re.compile(r"[\w.@/ -]{1,64}")


class ProfileParseError(Exception):
    """A file that botocore refuses to parse, with the line and the reason, but no value of the file."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


@dataclass(frozen=True, slots=True)
class ProfileFile:
    """A parsed file: its sections, and the lines of their headers and options."""

    sections: Mapping[str, Section] = field(default_factory=dict, repr=False)
    headers: Mapping[str, int] = field(default_factory=dict)
    lines: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def line_of(self, section: str, option: str) -> int | None:
        """Return the line of an option; every section inherits those of `[DEFAULT]` (configparser)."""
        return self.lines.get((section, option)) or self.lines.get(("DEFAULT", option))


def parse(content: bytes, encoding: str = "utf-8") -> ProfileFile:
    """Parse a file as botocore does, which opens it in the encoding of its process's locale.

    Raises:
        ProfileParseError: if botocore would raise ConfigParseError, or take very long.
    """
    text = content.decode(encoding, errors="replace")
    if run := LONG_RUN_OF_BLANKS.search(text):
        line = text.count("\n", 0, run.start()) + 1
        raise ProfileParseError(
            "it has so many blanks in a row that SDKs take very long to read it", line
        )
    parser = _NumberedParser()
    try:
        parser.read_file(parser.numbered(io.TextIOWrapper(io.BytesIO(content), encoding)))
    except (configparser.Error, UnicodeDecodeError) as error:
        raise _unusable(error, content, encoding) from None
    sections = {}
    for name in parser.sections():
        sections[name] = {
            option: _value(parser, name, option, text, content)
            for option, text in parser.items(name, raw=True)
        }
    return ProfileFile(sections, parser.headers, parser.option_lines)


class _NumberedParser(configparser.RawConfigParser):
    """configparser with line numbers, which it does not have itself."""

    def __init__(self) -> None:
        super().__init__()
        self.headers: dict[str, int] = {}
        self.option_lines: dict[tuple[str, str], int] = {}
        self._line = 0
        self._section: str | None = None
        self.SECTCRE: Any = self  # as documented: matches a section's header

    def numbered(self, lines: Iterable[str]) -> Iterator[str]:
        for self._line, text in enumerate(lines, 1):
            yield text
        self._section = None

    def match(self, text: str) -> re.Match[str] | None:
        found = configparser.RawConfigParser.SECTCRE.match(text)
        if found is not None:
            self._section = found["header"]
            self.headers.setdefault(self._section, self._line)
        return found

    def optionxform(self, optionstr: str) -> str:
        option = super().optionxform(optionstr)
        if self._section is not None:
            self.option_lines.setdefault((self._section, option), self._line)
        return option


def _value(
    parser: _NumberedParser, section: str, option: str, text: str, content: bytes
) -> str | dict[str, str]:
    """Return an option's value; a dict if it is written in indented lines."""
    if not text.startswith("\n"):
        return text
    nested = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        key, equals, value = line.partition("=")
        if not equals:
            begin = parser.option_lines.get((section, option)) or parser.option_lines.get(
                ("DEFAULT", option), 1
            )
            at = _without_equals(content, begin)
            raise ProfileParseError(f"an indented line below {_name(option)} has no `=`", at)
        nested[key.strip()] = value.strip()
    return nested


def _without_equals(content: bytes, begin: int) -> int:
    """Return the number of the first line after `begin` that has no `=`."""
    lines = io.TextIOWrapper(io.BytesIO(content), "latin-1")
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if number > begin and text and text[0] not in "#;" and "=" not in text:
            return number
    return begin


def _unusable(
    error: configparser.Error | UnicodeDecodeError, content: bytes, encoding: str
) -> ProfileParseError:
    if content.startswith(MARK):
        return ProfileParseError("it begins with a byte order mark (BOM)", 1)
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return ProfileParseError("it is UTF-16, but must be UTF-8", 1)
    if isinstance(error, UnicodeDecodeError):
        try:
            content.decode(encoding)
        except UnicodeDecodeError as whole:  # the first error counts from the start of a chunk
            error = whole
        line = content.count(b"\n", 0, error.start) + 1
        return ProfileParseError(f"a byte in it is not {_encoding_name(encoding)}", line)
    if isinstance(error, configparser.MissingSectionHeaderError):
        cut_off = error.line.lstrip().startswith("[")
        reason = "its `[` has no `]`" if cut_off else "it is before the first [section]"
        return ProfileParseError(reason, error.lineno)
    if isinstance(error, configparser.DuplicateSectionError):
        return ProfileParseError(f"the section {_name(error.section)} occurs twice", error.lineno)
    if isinstance(error, configparser.DuplicateOptionError):
        where = f"{_name(error.option)} occurs twice in {_name(error.section)}"
        return ProfileParseError(where, error.lineno)
    lines = [number for number, _ in getattr(error, "errors", ())]
    reason = "it is neither a [section] nor `key = value`"
    return ProfileParseError(reason, min(lines) if lines else None)


def _name(text: str) -> str:
    """Return a name in quotes, unless it does not look like one and may be a misplaced secret."""
    return f"`{text}`" if PLAIN.fullmatch(text) else "(a name that is not shown)"


def _encoding_name(encoding: str) -> str:
    return "UTF-8" if encoding.lower().replace("_", "-") in {"utf-8", "utf8"} else encoding


# --- Profiles --------------------------------------------------------------------------------


def profiles_in(file: ProfileFile, *, is_config: bool) -> dict[str, str]:
    """Return the section of each profile, by the profile's name (botocore's `build_profile_map`)."""
    if not is_config:
        return {section: section for section in file.sections}
    profiles = {}
    for section in file.sections:
        if section == "default":
            profiles["default"] = section
        elif section.startswith("profile") and (name := _second_word(section)) is not None:
            profiles[name] = section
    return profiles


def default_section(file: ProfileFile, *, is_config: bool) -> Section:
    """Return the settings of the profile `default`; in a config file, its last section counts."""
    found: Section = file.sections.get("default", {})
    for section, values in file.sections.items() if is_config else ():
        if section == "default" or (
            section.startswith("profile")
            and "default" in section
            and _second_word(section) == "default"
        ):
            found = values
    return found


def services_of(profile: Mapping[str, Value], config: ProfileFile) -> Section | None:
    """Return the ``[services NAME]`` section that a profile names; None if there is none."""
    name, found = profile.get("services"), None
    for section, values in config.sections.items() if name is not None else ():
        if section.startswith("services") and _second_word(section) == name:
            found = values
    return found


def _second_word(section: str) -> str | None:
    try:
        words = shlex.split(section)
    except ValueError:
        return None
    return words[1] if len(words) == 2 else None
