"""Files that stand in for the user's own AWS files, beside a token file; see docs/decisions/0003-environment.md."""

from __future__ import annotations

from pathlib import Path


def placeholder_files(token_file: Path) -> tuple[Path, Path]:
    """Return the paths of the placeholders for `~/.aws/config` and `~/.aws/credentials`."""
    return token_file.with_suffix(".config"), token_file.with_suffix(".credentials")


def boto_placeholder(token_file: Path) -> Path:
    """Return the path of the placeholder for `~/.boto`, which wins over the credential endpoint in botocore."""
    return token_file.with_suffix(".boto")


def placeholder_text(what: str) -> str:
    """Return what a placeholder says: why it exists.

    Args:
        what: what the user's own files are set aside for.
    """
    return f"# Stands in for your own file while {what} is in use.\n"
