"""Gathers what can be known without the network. Changes nothing."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Literal

from jupyter_wb_aws.aws.file_conflicts import boto2_conflict
from jupyter_wb_aws.aws.safe_read import expanded, read_file
from jupyter_wb_aws.doctor.facts import CachedCredentials, Facts, ProcessKind
from jupyter_wb_aws.doctor.profiles import Line, read_profiles, user_profiles
from jupyter_wb_aws.variables import ENDPOINT_TOKEN_FILE

STARTUP_FILES = (
    ".bashrc", ".bash_profile", ".bash_login", ".profile", ".zshrc", ".zshenv", ".zprofile", ".Renviron",
    ".config/fish/config.fish",
)  # fmt: skip
ASSIGNMENT = re.compile(r"\s*(?:export\s+|set\s+-\w+\s+|declare\s+-x\s+)?(?P<name>\w+)[= ]")
# docs/doctor.md says which SDK reads which.
BUNDLES = (
    "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS",
)  # fmt: skip
MAX_CACHE_FILES = 200


def gather(
    environment: Mapping[str, str], now: datetime, process_kind: ProcessKind | None
) -> Facts:
    """Read the files that this environment leads to.

    Args:
        environment: of the process to check.
        now: this machine's time.
        process_kind: what kind of process it is.
    """
    home = environment.get("HOME", "")
    token = environment.get("AWS_WEB_IDENTITY_TOKEN_FILE")
    of_endpoint = environment.get(ENDPOINT_TOKEN_FILE)
    login = environment.get("AWS_LOGIN_CACHE_DIRECTORY") or f"{home}/.aws/login/cache"
    return Facts(
        environment,
        now,
        process_kind,
        read_profiles(environment),
        read_file(Path(token)) if token else None,
        tuple(_cached(Path(home, ".aws/cli/cache"))) if home else (),
        tuple(_json_files(expanded(login, home))) if home else (),
        _startup_lines(Path(home)) if home else {},
        _renviron(environment, home),
        {name: wrong for name in BUNDLES if (wrong := _bundles(name, environment.get(name, "")))},
        user_profiles=user_profiles(environment, {}),
        endpoint_token=read_file(Path(of_endpoint)) if of_endpoint else None,
        boto2_conflict=boto2_conflict(environment),
    )


def _json_files(folder: Path) -> list[Path]:
    try:
        return sorted(folder.glob("*.json"))[:MAX_CACHE_FILES]
    except OSError:
        return []


def _cached(folder: Path) -> Iterator[CachedCredentials]:
    """Yield the entries of the cache that contain credentials (awscli, `JSONFileCache`)."""
    for path in _json_files(folder):
        try:
            entry = json.loads(read_file(path).content)
            arn = entry.get("AssumedRoleUser", {}).get("Arn", "")
            expires = datetime.fromisoformat(entry["Credentials"]["Expiration"])
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        yield CachedCredentials(
            path, str(arn).rpartition("/")[2], expires if expires.tzinfo else None
        )


def _startup_lines(home: Path) -> dict[str, Line]:
    """Find the lines where the user's shell sets variables."""
    found: dict[str, Line] = {}
    for name in STARTUP_FILES:
        found = _assignments(home / name) | found
    return found


def _renviron(environment: Mapping[str, str], home: str) -> dict[str, Line]:
    """Find the AWS variables that R sets when it starts (R, `help(Startup)`)."""
    name = environment.get("R_ENVIRON_USER") or (f"{home}/.Renviron" if home else "")
    found = _assignments(expanded(name, home)) if name else {}
    return {name: line for name, line in found.items() if name.startswith("AWS_")}


def _assignments(path: Path) -> dict[str, Line]:
    """Find the first line that sets each variable."""
    found: dict[str, Line] = {}
    for number, text in enumerate(read_file(path).text.splitlines(), 1):
        if match := ASSIGNMENT.match(text):
            found.setdefault(match["name"], Line(path, number))
    return found


def _bundles(variable: str, value: str) -> Literal["missing", "broken"] | None:
    """Check what a variable names; SSL_CERT_DIR may name several folders, as PATH does."""
    if variable != "SSL_CERT_DIR":
        return _bundle(value)
    wrong = [_bundle(folder) for folder in value.split(os.pathsep) if folder]
    return next(iter(wrong), None) if all(wrong) else None


def _bundle(name: str) -> Literal["missing", "broken"] | None:
    if not name:
        return None
    path = Path(name)
    if path.is_dir():
        return None
    file = read_file(path)
    if file.problem:
        return "missing" if file.problem == "missing" else "broken"
    return (
        None
        if b"-----BEGIN CERTIFICATE-----" in file.content or b"TRUSTED CERT" in file.content
        else "broken"
    )
