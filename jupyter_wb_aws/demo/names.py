"""The names that the demo's identity provider, local AWS and JupyterLab share."""

from __future__ import annotations

ACCOUNT_ID = "111122223333"
REGION = "us-east-2"
BUCKET = "colorado-projects"

CLIENT_ID = "jupyter-wb-aws-demo"
"""The `aud` of all tokens. The IAM OIDC provider lists it, and the trust policies require it."""

HUB_AUDIENCE = "sts.amazonaws.com"
"""The `aud` of the hub service's tokens."""

TAGS_CLAIM = "https://aws.amazon.com/tags"
SOURCE_IDENTITY_CLAIM = "https://aws.amazon.com/source_identity"
"""Source of both: IAM User Guide, "Pass session tags in AWS STS" and "Monitor and control
actions taken with assumed roles"."""
ROLES_CLAIM = "https://aws.amazon.com/roles"
"""The roles that a token is good for; without this claim, the trust policies alone decide."""


def redirect_uri(port: int) -> str:
    """Return where the identity provider sends the browser back to, with JupyterLab at `port`."""
    return f"http://127.0.0.1:{port}/aws/sign-in/callback"


def role_arn(name: str) -> str:
    """Return the ARN of the demo's role `name`."""
    return f"arn:aws:iam::{ACCOUNT_ID}:role/{name}"
