"""Files that stand in for the user's own AWS files, beside a token file; see docs/decisions/0003-environment.md."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from jupyter_wb_aws.variables import ENDPOINT_TOKEN_FILE


def placeholder_files(token_file: Path) -> tuple[Path, Path]:
    """Return the paths of the placeholders for `~/.aws/config` and `~/.aws/credentials`."""
    return token_file.with_suffix(".config"), token_file.with_suffix(".credentials")


def endpoint_placeholders(token_file: Path) -> tuple[Path, Path, Path]:
    """Return the paths of the placeholders for `~/.aws/config`, `~/.aws/credentials` and `~/.boto`.

    All clients of a server's credential endpoint share them: they hold nothing of a role, and a kernel that starts
    waits for no more files than its endpoint token.

    Args:
        token_file: that of a client's endpoint token, ``<slot>_<client>.endpoint``.
    """
    beside = token_file.with_name(f"{token_file.name.rpartition('_')[0]}_files")
    config, credentials = placeholder_files(beside)
    # botocore looks into ~/.boto before it asks the endpoint.
    return config, credentials, beside.with_suffix(".boto")


def hides_user_files(environment: Mapping[str, str]) -> bool:
    """Return whether a process has placeholders in place of the user's own files.

    Args:
        environment: the process's.
    """
    config = environment.get("AWS_CONFIG_FILE")
    token, endpoint_token = (
        environment.get(n) for n in ("AWS_WEB_IDENTITY_TOKEN_FILE", ENDPOINT_TOKEN_FILE)
    )
    ours = [placeholder_files(Path(token))[0]] if token else []
    ours += [endpoint_placeholders(Path(endpoint_token))[0]] if endpoint_token else []
    return config in {str(path) for path in ours}


def placeholder_text(what: str) -> str:
    """Return what a placeholder says: why it exists.

    Args:
        what: what the user's own files are set aside for.
    """
    return f"# Stands in for your own file while {what} is in use.\n"
