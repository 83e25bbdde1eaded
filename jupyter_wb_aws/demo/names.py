"""The names that the demo's identity provider, local AWS and JupyterLab agree on."""

from __future__ import annotations

ACCOUNT_ID = "111122223333"
REGION = "us-east-2"
BUCKET = "colorado-projects"

CLIENT_ID = "jupyter-wb-aws-demo"
"""The `aud` of all tokens; the IAM OIDC provider lists it, the trust policies ask for it."""

TAGS_CLAIM = "https://aws.amazon.com/tags"
SOURCE_IDENTITY_CLAIM = "https://aws.amazon.com/source_identity"
"""Source of both: IAM User Guide, "Pass session tags in AWS STS" and "Monitor and control
actions taken with assumed roles"."""


def redirect_uri(port: int) -> str:
    """Return where the identity provider sends a browser back to, if JupyterLab is at `port`."""
    return f"http://127.0.0.1:{port}/aws/sign-in/callback"


def role_arn(name: str) -> str:
    """Return the ARN of the demo's role `name`."""
    return f"arn:aws:iam::{ACCOUNT_ID}:role/{name}"
