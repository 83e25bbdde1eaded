"""The user's AWS profiles as the SDKs read them, with line numbers.

Source: AWS SDKs and Tools Reference Guide, "Format of the config file"; botocore.configloader. Only the
kind of credentials that a profile gives matters here. Values may be secret, so no `repr` shows them.
"""

from __future__ import annotations

import locale
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from jupyter_wb_aws.aws.file_conflicts import is_default_profile, keys_line_by_line
from jupyter_wb_aws.aws.profile_files import (
    ProfileFile,
    ProfileParseError,
    Section,
    Value,
    parse,
    profiles_in,
    services_of,
)
from jupyter_wb_aws.aws.profile_paths import VARIABLES, boto3_path
from jupyter_wb_aws.aws.safe_read import FileContent, Problem, read_file
from jupyter_wb_aws.role_sessions.placeholders import hides_user_files


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a file, 0 for the whole file; its text is that of compilers: ``path:number``."""

    path: Path
    number: int

    def __str__(self) -> str:
        return f"{self.path}:{self.number}" if self.number else f"{self.path}"


@dataclass(slots=True)
class Profile:
    """One profile, merged from both files; each key of the credentials file overrides the config file's.

    `line_by_line` has the keys that SDKs find which read line by line.
    """

    name: str
    values: dict[str, Value] = field(default_factory=dict, repr=False)
    headers: list[tuple[Line, str]] = field(default_factory=list)
    lines: dict[str, Line] = field(default_factory=dict)
    services: Section | None = field(default=None, repr=False)
    line_by_line: dict[str, Line] = field(default_factory=dict)

    def has(self, *keys: str) -> bool:
        """Return whether all of these are set and not empty."""
        return all(self.values.get(key) for key in keys)

    def text(self, key: str) -> str:
        """Return a one-line value; an empty string if there is none."""
        value = self.values.get(key)
        return value if isinstance(value, str) else ""

    @property
    def wb_aws_role(self) -> str | None:
        """The role for which `credential_process` runs `jupyter wb-aws credential-process`, or None."""
        try:
            program, *words = shlex.split(self.text("credential_process"))
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
        """The STS endpoint that it names, in its services section or for all services (botocore's order)."""
        of_sts = (self.services or {}).get("sts")
        named = of_sts.get("endpoint_url") if isinstance(of_sts, dict) else None
        return named or self.text("endpoint_url") or None


@dataclass(frozen=True, slots=True)
class BrokenFile:
    """A file that boto3 can't parse, or can't read (`problem`)."""

    line: Line
    reason: str = ""
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Profiles:
    """The contents of the two files that boto3 reads."""

    config: Path | None = None
    credentials: Path | None = None
    by_name: Mapping[str, Profile] = field(default_factory=dict)
    broken: tuple[BrokenFile, ...] = ()
    unreadable: tuple[Path, ...] = ()


def read_profiles(environment: Mapping[str, str]) -> Profiles:
    """Read the files that boto3 reads in a process with this environment."""
    profiles: dict[str, Profile] = {}
    files: dict[str, Path | None] = {}
    broken, unreadable = [], []
    for variable in reversed(VARIABLES):  # the credentials file wins
        name = boto3_path(environment, variable)
        path = files[variable] = Path(name) if name else None
        file = read_file(path) if path else None
        if (
            file is None
            or file.problem == "missing"
            or (file.problem == "no_file" and file.ignored_by_sdks)
        ):
            continue
        if file.problem == "unreadable":
            unreadable.append(file.path)
        elif file.problem:
            broken.append(BrokenFile(Line(file.path, 0), problem=file.problem))
        else:
            try:
                _merge(file, profiles, is_config=variable == "AWS_CONFIG_FILE")
            except ProfileParseError as refused:
                broken.append(BrokenFile(Line(file.path, refused.line or 0), refused.reason))
    config, credentials = files["AWS_CONFIG_FILE"], files["AWS_SHARED_CREDENTIALS_FILE"]
    return Profiles(config, credentials, profiles, tuple(broken), tuple(unreadable))


def user_profiles(environment: Mapping[str, str], named: Mapping[str, str]) -> Profiles | None:
    """Read the user's own files if they are hidden; None if they are not.

    Args:
        environment: of this process.
        named: the variables that name the user's own files, if they are known.
    """
    if not hides_user_files(environment):
        return None
    others = {name: value for name, value in environment.items() if name not in VARIABLES}
    return read_profiles({**others, **named})


def _merge(file: FileContent, profiles: dict[str, Profile], *, is_config: bool) -> None:
    """Merge a file's profiles into `profiles`.

    Raises:
        ProfileParseError: if botocore can't parse the file.
    """
    parsed = parse(file.content, locale.getpreferredencoding(do_setlocale=False))
    names = {section: name for name, section in profiles_in(parsed, is_config=is_config).items()}
    for section in parsed.sections:
        name = "default" if is_default_profile(section) else names.get(section)
        if name is not None:
            _add(profiles.setdefault(name, Profile(name)), parsed, section, file.path)
    if lines := keys_line_by_line(file.text):
        default = profiles.setdefault("default", Profile("default"))
        default.line_by_line |= {key: Line(file.path, line) for key, line in lines.items()}
    for profile in profiles.values() if is_config else ():
        profile.services = services_of(profile.values, parsed)


def _add(profile: Profile, parsed: ProfileFile, section: str, path: Path) -> None:
    profile.values |= parsed.sections[section]
    profile.headers.append((Line(path, parsed.headers[section]), section))
    for key in parsed.sections[section]:
        profile.lines[key] = Line(path, parsed.line_of(section, key) or 0)
