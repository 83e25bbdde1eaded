"""The user's AWS profiles, as the SDKs read them, with the lines where things stand.

Source: AWS SDKs and Tools Reference Guide, "Format of the config file"; botocore.configloader. The
values may be secret, so they show in no `repr`; which *kind* of credentials a profile gives is what
matters here.
"""

from __future__ import annotations

import configparser
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from jupyter_wb_aws.doctor.reading import Read, expanded, read

HEADER = re.compile(r"\s*\[(?P<name>[^\]]*)\]")
KEY = re.compile(r"(?P<key>[^\s=:#;\[][^=:]*?)\s*[=:]")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a file; written as editors and compilers do."""

    path: Path
    number: int

    def __str__(self) -> str:
        return f"{self.path}:{self.number}"


@dataclass(slots=True)
class Profile:
    """One profile, of both files together: the credentials file wins, key by key."""

    name: str
    values: dict[str, str] = field(default_factory=dict, repr=False)
    headers: list[tuple[Line, str]] = field(default_factory=list)
    lines: dict[str, Line] = field(default_factory=dict)
    services: Mapping[str, str] = field(default_factory=dict, repr=False)

    def has(self, *keys: str) -> bool:
        """Tell whether all of these are set to something."""
        return all(self.values.get(key) for key in keys)

    @property
    def role_of_ours(self) -> str | None:
        """The role that its `credential_process` asks us for, if it does; None for another program."""
        try:
            program, *words = shlex.split(self.values.get("credential_process", ""))
        except ValueError:
            return None
        if Path(program).name == "jupyter" and words[:1] == ["wb-aws"]:
            words = words[1:]
        elif Path(program).name != "jupyter-wb-aws":
            return None
        if words[:1] != ["credential-process"]:
            return None
        named = [w for before, w in pairwise(words) if before != "--region" and w[:1] != "-"]
        return named[0] if named else None

    @property
    def sts_endpoint(self) -> str | None:
        """The endpoint that it names for STS, in its section of services or for all (botocore's order)."""
        settings = (line.partition("=") for line in self.services.get("sts", "").splitlines())
        of_sts = {key.strip(): value.strip() for key, _, value in settings}
        return of_sts.get("endpoint_url") or self.values.get("endpoint_url")


@dataclass(frozen=True, slots=True)
class Profiles:
    """What stands in the two files; `broken` are those that botocore's parser refuses."""

    config: Path | None = None
    credentials: Path | None = None
    by_name: Mapping[str, Profile] = field(default_factory=dict)
    broken: tuple[Path, ...] = ()
    unreadable: tuple[Path, ...] = ()


def read_profiles(environment: Mapping[str, str]) -> Profiles:
    """Read the files that this environment names."""
    home = environment.get("HOME", "")
    files = [
        _named(environment.get(variable) or (f"{home}/.aws/{usual}" if home else ""), home)
        for variable, usual in (
            ("AWS_CONFIG_FILE", "config"),
            ("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
        )
    ]
    profiles: dict[str, Profile] = {}
    broken, unreadable = [], []
    for path, is_config in zip(files, (True, False), strict=True):
        file = read(path) if path else None
        # A folder or a device reads as nothing; a FIFO or an endless file hangs some SDK.
        if file is None or file.problem == "missing":
            continue
        if file.problem == "unreadable":
            unreadable.append(file.path)
        elif file.problem or not _merge(file, profiles, is_config=is_config):
            broken.append(file.path)
    return Profiles(files[0], files[1], profiles, tuple(broken), tuple(unreadable))


def _named(name: str, home: str) -> Path | None:
    return expanded(name, home) if name else None


def _merge(file: Read, profiles: dict[str, Profile], *, is_config: bool) -> bool:
    """Add a file's profiles; tell whether botocore could read it."""
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(file.text)
        named = {
            section: _profile_of(section, is_config=is_config) for section in parser.sections()
        }
    except (configparser.Error, ValueError):
        return False
    for section, name in named.items():
        if name is not None:
            profile = profiles.setdefault(name, Profile(name))
            profile.values.update(parser.items(section))
    for line, section, key in _lines(file):
        name = named.get(section) if section != "DEFAULT" else None
        if name is None:
            continue
        if key is None:
            profiles[name].headers.append((line, section))
        else:
            profiles[name].lines[key] = line
    for profile in profiles.values() if is_config else ():
        services = f"services {profile.values.get('services')}"
        profile.services = dict(parser.items(services)) if parser.has_section(services) else {}
    return True


def _profile_of(section: str, *, is_config: bool) -> str | None:
    """Return the name of the profile whose section this is, None for a section of another kind."""
    words = shlex.split(section)
    if words in (["default"], ["profile", "default"]):
        return "default"
    if not is_config:
        return section
    return words[1] if len(words) == 2 and words[0] == "profile" else None


def _lines(file: Read) -> Iterator[tuple[Line, str, str | None]]:
    """Give each section's header and each of its keys, with their lines."""
    section = ""
    for number, text in enumerate(file.text.splitlines(), 1):
        line = Line(file.path, number)
        if header := HEADER.match(text):
            section = header["name"]
            yield line, section, None
        elif found := KEY.match(text):
            yield line, section, found["key"].lower()
