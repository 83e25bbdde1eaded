"""Would the user's own `~/.aws` files win over the picked role in some SDK?

Measured for boto3, the AWS CLI, the SDK for JavaScript, pyarrow and others; the table is in
docs/decisions/0003-environment.md. Only the profile `default` matters, since `AWS_PROFILE` is removed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

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
# Nobody's configuration is this long; a kernel's start must not wait for one that is.
LIMIT = 1024 * 1024


def shadowing(environment: Mapping[str, str]) -> str | None:
    """Say what in the user's files would win over a role session, or None.

    It never raises and never hangs: a kernel is about to start.

    Args:
        environment: of the process that is about to start, before anything was changed.
    """
    home = environment.get("HOME", "")
    for variable, usual in (
        ("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
        ("AWS_CONFIG_FILE", "config"),
    ):
        name = environment.get(variable) or (f"{home}/.aws/{usual}" if home else "")
        if home and name.startswith("~/"):
            name = f"{home}{name[1:]}"
        keys = _default_profile(Path(name)) if name else frozenset()
        if keys is None:
            return f"{name}, which can't be read as a profile"
        if found := sorted(keys & SHADOWING_KEYS):
            return f"{found[0]} of [default] in {name}"
    return None


def _default_profile(path: Path) -> frozenset[str] | None:
    """Return the keys of the profile `default`; None for a file that breaks some SDK.

    That one is as strange as a FIFO, as long as no configuration is, or botocore's parser would
    raise. It reads as botocore does, so that a file which botocore takes is never called broken.
    """
    try:
        text = _text(path.expanduser())
    except (OSError, ValueError, RuntimeError):  # the last: a home of nobody's
        return frozenset()
    import configparser  # most users have no such files

    parser = configparser.RawConfigParser()
    try:
        if text is None:
            return None
        parser.read_string(text)
        return frozenset(
            key
            for section in parser.sections()
            if _names_default(section)
            for key in parser.options(section)
        )
    except (configparser.Error, ValueError):
        return None


def _text(path: Path) -> str | None:
    # O_NONBLOCK: a FIFO must not hang the start of a kernel.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode) or stat.S_ISCHR(
            mode
        ):  # a folder, or /dev/null: no profile for anyone
            return ""
        content = os.read(descriptor, LIMIT + 1) if stat.S_ISREG(mode) else None
    finally:
        os.close(descriptor)
    if content is None or len(content) > LIMIT:
        return None
    return content.decode("utf-8-sig", errors="replace")


def _names_default(section: str) -> bool:
    """Tell whether a header is `[default]` or `[profile default]`, as the SDKs read it.

    Source: AWS SDKs and Tools Reference Guide, "Format of the config file".
    """
    import shlex

    return shlex.split(section) in (["default"], ["profile", "default"])
