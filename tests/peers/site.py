"""What an administrator configures for people of the peers' provider, and what users run there."""

from __future__ import annotations

from tests.peers.openid_provider import PUBLIC_CLIENT
from tests.peers.seaweedfs import ANALYST, BUCKET, FINANCE, OBJECT, REGION

READ = f"""
import boto3
found = boto3.Session().client("s3").get_object(Bucket={BUCKET!r}, Key={OBJECT[0]!r})
print(found["Body"].read().decode())
"""
"""Reads the object as any notebook would: nothing but the environment says how."""

CONTENT = OBJECT[1].decode().strip()


def roles_file(store_url):
    """Offer each role to its group, at the store."""
    return "\n".join(
        f"""
[[roles]]
arn = "{arn}"
region = "{REGION}"
allow = [{{ groups = ["{group}"] }}]
extra_environment = {{ AWS_ENDPOINT_URL = "{store_url}" }}
"""
        for arn, group in ((ANALYST, "analysts"), (FINANCE, "finance"))
    )


def configuration(provider, roles_path):
    return {
        "ServerApp": {
            "jpserver_extensions": {"jupyter_wb_aws": True, "jupyter_server_terminals": True}
        },
        "WbAwsApp": {"token_source": "oidc", "roles_file": str(roles_path)},
        "OidcTokenSource": {
            "issuer": provider.issuer,
            "client_id": PUBLIC_CLIENT,
            "redirect_uri": "http://127.0.0.1:{port}{base_url}aws/sign-in/callback",
        },
    }
