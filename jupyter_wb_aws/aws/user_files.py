"""Would the user's own `~/.aws` files keep a role session from working in some SDK?

Measured for boto3, the AWS CLI, the SDK for JavaScript, pyarrow and others; the tables are in
docs/decisions/0003-environment.md. Only the profile `default` matters, since `AWS_PROFILE` is removed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_wb_aws.aws.profile_paths import VARIABLES, boto3_path, paths, text_encoding
from jupyter_wb_aws.aws.reading import Read, read

if TYPE_CHECKING:
    from jupyter_wb_aws.aws.profile_files import Value

# A [default] with one of these gives some SDK credentials before it looks at a web identity.
SHADOWING_KEYS = frozenset(
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
COMMENT = re.compile(r"(^|\s)[;#]")


def shadowing(environment: Mapping[str, str], cwd: str | None = "") -> str | None:
    """Say what in the user's files would win over a role session or break it; None where nothing does.

    It never raises and never hangs: a kernel is about to start.

    Args:
        environment: of the process that is about to start, before anything was changed.
        cwd: the folder that it starts in; empty for this process's own, None where it is not known.
    """
    of_boto3: dict[str, Read] = {}
    for variable in VARIABLES:
        for name in paths(environment, variable):
            if cwd is None and name[:1] not in {"/", "~"} and "\0" not in name:
                return f"{variable}, which names the relative path {name},"
            file = read(Path(cwd or "", name))
            if (found := _winner(file, environment)) is not None:
                return found
            if name == boto3_path(environment, variable) and not file.problem:
                of_boto3[variable] = file
    return _spoiler(of_boto3, environment)


def _winner(file: Read, environment: Mapping[str, str]) -> str | None:
    """Say what in a file gives an SDK other credentials, or why some SDK fails on the file."""
    keys: frozenset[str] | None = frozenset()
    # botocore reads text in the locale's encoding, other SDKs read UTF-8.
    for encoding in {"utf-8", text_encoding(environment)}:
        keys = keys if keys is None else _keys_of_default(file, encoding)
    if keys is None:
        return f"{file.path}, which can't be read as a profile"
    if found := sorted(keys & SHADOWING_KEYS):
        return f"{found[0]} of [default] in {file.path}"
    return None


def _default_profile(path: Path) -> frozenset[str] | None:
    """Return the keys of the profile `default` in a UTF-8 file; None for a file that breaks some SDK."""
    return _keys_of_default(read(path), "utf-8")


def _keys_of_default(file: Read, encoding: str) -> frozenset[str] | None:
    if file.problem is not None:
        return frozenset() if file.harmless else None
    if not file.content.strip():
        return frozenset()
    from jupyter_wb_aws.aws import profile_files  # most users have no such files

    try:
        sections = profile_files.parse(file.content, encoding).sections
    except profile_files.UnusableProfiles:
        return None
    keys = {key for section in sections if names_default(section) for key in sections[section]}
    return frozenset(keys | keys_line_by_line(file.text).keys())


def keys_line_by_line(text: str) -> dict[str, int]:
    """Return the keys of the profile `default` as the SDK for JavaScript sees them, with their lines.

    It goes line by line, and takes an indented line for a key of its own, unless it stands below a key
    without a value. Source: @smithy/shared-ini-file-loader, `parseIni`.
    """
    keys: dict[str, int] = {}
    section, below = "", False
    for number, line in enumerate(text.split("\n"), 1):
        plain = COMMENT.split(line, maxsplit=1)[0].strip()
        if plain.startswith("[") and plain.endswith("]"):
            section, below = plain[1:-1], False
        elif names_default(section) and plain.find("=") > 0:
            key, _, value = (part.strip() for part in plain.partition("="))
            below = below and line[:1].isspace()
            if value and not below:
                keys.setdefault(key.lower(), number)
            below = below or not value
    return keys


def names_default(section: str) -> bool:
    """Tell whether a header is `[default]` or `[profile default]`, as the SDKs read it.

    Source: AWS SDKs and Tools Reference Guide, "Format of the config file".
    """
    import shlex

    try:
        return shlex.split(section) in (["default"], ["profile", "default"])
    except ValueError:
        return False


def _spoiler(files: Mapping[str, Read], environment: Mapping[str, str]) -> str | None:
    """Say which setting of [default] makes SDKs fail, or sends the web identity token elsewhere."""
    if not any(file.content for file in files.values()):
        return None
    from jupyter_wb_aws.aws.profile_files import ProfileFile, parse, profiles_in, services_of
    from jupyter_wb_aws.aws.profile_values import sts_elsewhere, unusable

    encoding = text_encoding(environment)
    profile: dict[str, Value] = {}
    origin: dict[str, Path] = {}
    config = ProfileFile()
    for variable in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):  # the second wins
        if (file := files.get(variable)) is None:
            continue
        parsed, is_config = parse(file.content, encoding), variable == "AWS_CONFIG_FILE"
        config = parsed if is_config else config
        values = parsed.sections.get(
            profiles_in(parsed, is_config=is_config).get("default", ""), {}
        )
        profile |= values
        origin |= dict.fromkeys(values, file.path)
    services = services_of(profile, config)
    wrong = next((key for key, _ in unusable(profile, services, environment)), None)
    key = wrong or sts_elsewhere(profile, services, environment)
    return f"{key} of [default] in {origin[key]}" if key else None
