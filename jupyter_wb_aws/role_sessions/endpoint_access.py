"""How one process reaches the credential endpoint; see `jupyter_wb_aws/endpoint/`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class EndpointAccess:
    """What a process needs to ask the credential endpoint. Neither is secret; the file's content is.

    Args:
        uri: for `AWS_CONTAINER_CREDENTIALS_FULL_URI`.
        token_file: for `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`.
    """

    uri: str
    token_file: Path
