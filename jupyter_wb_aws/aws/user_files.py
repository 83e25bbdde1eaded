"""Would the user's own `~/.aws` files win over the picked role in some SDK?

Measured for boto3, the AWS CLI, the SDK for JavaScript, pyarrow and others; the table is in
docs/decisions/0003-environment.md. Only the profile `default` matters, since `AWS_PROFILE` is removed.
"""

from __future__ import annotations

import configparser
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

    Args:
        environment: of the process that is about to start, before anything was changed.
    """
    home = environment.get("HOME", "")
    for variable, usual in (
        ("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
        ("AWS_CONFIG_FILE", "config"),
    ):
        name = environment.get(variable) or (f"{home}/.aws/{usual}" if home else "")
        keys = _default_profile(Path(name).expanduser()) if name else frozenset()
        if found := sorted(keys & SHADOWING_KEYS):
            return f"{found[0]} of [default] in {name}"
    return None


def _default_profile(path: Path) -> frozenset[str]:
    parser = configparser.RawConfigParser(default_section="", strict=False, allow_no_value=True)
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            parser.read_string(stream.read(LIMIT))
    except OSError:
        return frozenset()
    except configparser.Error:
        # No SDK reads a broken file either, but they break on it: keep it away from them.
        return frozenset({"aws_access_key_id"})
    # `[profile default]` is read as `[default]` (AWS CLI user guide, "Configuration file format").
    return frozenset(
        key
        for section in ("default", "profile default")
        if parser.has_section(section)
        for key in parser.options(section)
    )
