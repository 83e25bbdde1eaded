"""Finds what in the user's own `~/.aws` files conflicts with a role session in some SDK.

Measured for boto3, the AWS CLI, the SDK for JavaScript, pyarrow and others; the tables are in
docs/decisions/0003-environment.md, one for each delivery: SDKs ask the credential endpoint after nearly everything
else, so there even a file of boto 2 wins. Only the profile `default` matters, since `AWS_PROFILE` is removed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_wb_aws.aws.profile_paths import (
    VARIABLES,
    boto2_paths,
    boto3_path,
    paths,
    text_encoding,
)
from jupyter_wb_aws.aws.safe_read import FileContent, read_file
from jupyter_wb_aws.variables import ENDPOINT_URI

if TYPE_CHECKING:
    from jupyter_wb_aws.aws.profile_files import ProfileFile, Value

# With one of these in [default], some SDK finds credentials before it tries the web identity or the endpoint.
CONFLICTING_KEYS = frozenset(
    {
        "aws_access_key_id",
        "credential_process",
        "credential_source",
        "role_arn",
        "source_profile",
        "sso_account_id",
        "sso_region",
        "sso_role_name",
        "sso_session",
        "sso_start_url",
        "login_session",
        "web_identity_token_file",
    }
)
# Where boto 2 has its key, in `~/.boto`. Other programs keep their settings there too, such as gsutil.
BOTO2_SECTION, BOTO2_KEY = "Credentials", "aws_access_key_id"
COMMENT = re.compile(r"(^|\s)[;#]")


def find_conflict(environment: Mapping[str, str], cwd: str | None = "") -> str | None:
    """Return what in the user's files would override or break a role session, in words; None if nothing does.

    It never raises and never hangs, since a kernel is about to start.

    Args:
        environment: of the process that is about to start, with the user's own files in it.
        cwd: the folder that it starts in; empty for this process's own, None if it is not known.
    """
    of_boto3: dict[str, tuple[Path, ProfileFile]] = {}
    for variable in VARIABLES:
        for name in paths(environment, variable):
            if cwd is None and name[:1] not in {"/", "~"} and "\0" not in name:
                return f"{variable}, which names the relative path {name},"
            file = read_file(Path(cwd or "", name))
            if _says_nothing(file):
                continue
            if file.problem == "too_long":
                return f"{file.path}, which is too long to check,"
            parsed = _parsed(file, text_encoding(environment))
            if isinstance(parsed, str):
                return f"{file.path}, which can't be read as a profile ({parsed})"
            if found := sorted(_keys_of_default(file, parsed) & CONFLICTING_KEYS):
                return f"{found[0]} of [default] in {file.path}"
            if parsed.sections and name == boto3_path(environment, variable):
                of_boto3[variable] = (file.path, parsed)
    if of_boto3 and (setting := _breaking_setting(of_boto3, environment)):
        return setting
    return boto2_conflict(environment, cwd) if ENDPOINT_URI in environment else None


def boto2_conflict(environment: Mapping[str, str], cwd: str | None = "") -> str | None:
    """Return what in the files of boto 2 makes boto3 find keys, or fail, before it asks the endpoint.

    Args:
        environment: of the process.
        cwd: its folder; see `find_conflict`.
    """
    for name in boto2_paths(environment):
        if cwd is None and not name.startswith("/"):
            return f"BOTO_CONFIG, which names the relative path {name},"
        file = read_file(Path(cwd or "", name))
        if file.problem == "too_long":
            return f"{file.path}, which is too long to check,"
        if file.problem is not None or not file.content.strip():
            continue  # boto3 ignores it
        parsed = _parsed(file, text_encoding(environment))
        if isinstance(parsed, str):
            return f"{file.path}, which can't be read by boto3 ({parsed})"
        if BOTO2_KEY in parsed.sections.get(BOTO2_SECTION, {}):
            return f"{BOTO2_KEY} of [{BOTO2_SECTION}] in {file.path}"
    return None


def _says_nothing(file: FileContent) -> bool:
    """Return whether every SDK ignores a file. Most users have no such files."""
    return file.ignored_by_sdks if file.problem is not None else not file.content.strip()


def describe_conflict(conflict: str, of_a_key: str) -> str:
    """Return a sentence about a conflict, without the full stop.

    Args:
        conflict: the result of `find_conflict`.
        of_a_key: what a key in a file does. For a file that can't be read, the sentence says that SDKs fail.
    """
    path, unusable, why = conflict.partition(", which ")
    if unusable:
        return f"{path} {why.removesuffix(',')}. Some AWS SDKs fail with such a file"
    return f"{conflict} {of_a_key}"


def hidden_files_message(conflict: str) -> str:
    """Return why the user's own files are hidden; `conflict` is the result of `find_conflict`."""
    why = describe_conflict(conflict, "would override this role in some AWS SDKs, or break it")
    unreadable = ", which " in conflict
    end = (
        ". To use your profiles, correct that file."
        if unreadable
        else ". Your profiles can't be used there."
    )
    boto2 = f"[{BOTO2_SECTION}]" in conflict
    hidden = "your own ~/.aws files and the files of boto 2" if boto2 else "your own ~/.aws files"
    return f"{why}, so {hidden} are hidden where this role is used{end}"


def _parsed(file: FileContent, encoding: str) -> ProfileFile | str:
    """Return the parsed file; if it breaks some SDK, the reason with the line."""
    if file.problem is not None:
        return "it is not a regular file" if file.problem == "no_file" else "it can't be opened"
    from jupyter_wb_aws.aws import profile_files

    try:
        parsed = profile_files.parse(file.content, encoding)
        if encoding != "utf-8" and not file.content.isascii():
            profile_files.parse(file.content)  # as other SDKs read it in any locale
    except profile_files.ProfileParseError as error:
        return f"line {error.line}: {error}" if error.line else str(error)
    return parsed


def _keys_of_default(file: FileContent, parsed: ProfileFile) -> set[str]:
    """Return all keys that any SDK finds in the profile `default`."""
    sections = parsed.sections
    keys = {key for section in sections if is_default_profile(section) for key in sections[section]}
    return keys | keys_line_by_line(file.text).keys()


def keys_line_by_line(text: str) -> dict[str, int]:
    """Return the keys of the profile `default` as the SDK for JavaScript finds them, with their lines.

    It reads line by line. An indented line is a key of its own, unless it follows a key without a value. Source: @smithy/shared-ini-file-loader, `parseIni`.
    """
    keys: dict[str, int] = {}
    if "default" not in text:
        return keys
    is_default, below = False, False
    for number, line in enumerate(text.split("\n"), 1):
        plain = COMMENT.split(line, maxsplit=1)[0].strip()
        if plain.startswith("[") and plain.endswith("]"):
            is_default, below = is_default_profile(plain[1:-1]), False
        elif is_default and plain.find("=") > 0:
            key, _, value = (part.strip() for part in plain.partition("="))
            below = below and line[:1].isspace()
            if value and not below:
                keys.setdefault(key.lower(), number)
            below = below or not value
    return keys


def is_default_profile(section: str) -> bool:
    """Return whether a header is `[default]` or `[profile default]`, as the SDKs read it.

    Source: AWS SDKs and Tools Reference Guide, "Format of the config file".
    """
    if "default" not in section:
        return False
    import shlex

    try:
        return shlex.split(section) in (["default"], ["profile", "default"])
    except ValueError:
        return False


def _breaking_setting(
    files: Mapping[str, tuple[Path, ProfileFile]], environment: Mapping[str, str]
) -> str | None:
    """Return the setting of [default] that makes SDKs fail, or sends a web identity token elsewhere."""
    from jupyter_wb_aws.aws.profile_files import ProfileFile, default_section, services_of
    from jupyter_wb_aws.aws.profile_values import foreign_sts_setting, invalid_settings

    profile: dict[str, Value] = {}
    origin: dict[str, Path] = {}
    for variable in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):  # the second wins
        if variable in files:
            path, parsed = files[variable]
            values = default_section(parsed, is_config=variable == "AWS_CONFIG_FILE")
            profile |= values
            origin |= dict.fromkeys(values, path)
    if not profile:
        return None
    services = services_of(profile, files.get("AWS_CONFIG_FILE", (None, ProfileFile()))[1])
    wrong = next((key for key, _ in invalid_settings(profile, services, environment)), None)
    key = wrong
    if key is None and ENDPOINT_URI not in environment:  # with the endpoint, no token goes to STS
        key = foreign_sts_setting(profile, services, environment)
    return f"{key} of [default] in {origin[key]}" if key else None
