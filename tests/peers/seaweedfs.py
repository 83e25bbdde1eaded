"""An STS and an S3 that we did not write: SeaweedFS, one binary that PyPI has.

It trusts one OpenID provider, whose tokens it verifies with the keys that the provider publishes.
"""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import boto3
import botocore
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.peers.ports import free_ports

PARTS = ("s3", "filer", "volume", "master")
WEED = Path(sys.executable).with_name("weed")
REGION = "us-east-1"
BUCKET = "colorado-projects"
OBJECT = ("rivers.csv", b"river,flow\ncolorado,640\n")


ANALYST = "arn:aws:iam::000000000000:role/analyst"
"""For the group `analysts`: reads the bucket."""
FINANCE = "arn:aws:iam::000000000000:role/finance"
"""For the group `finance`: reads and writes below `finance/`."""


class SeaweedFs:
    """A store at `url`, with `OBJECT` in `BUCKET`, for people of one OpenID provider.

    Args:
        folder: for its data, its configuration and its log.
        issuer, client_id, jwks_uri: the provider, and the audience that its tokens must have.
    """

    def __init__(self, folder: Path, *, issuer: str, client_id: str, jwks_uri: str) -> None:
        self._folder = folder
        self._admin = {"accessKey": "admin", "secretKey": secrets.token_urlsafe(32)}
        ports = free_ports(2 * len(PARTS))
        self._ports, self._grpc_ports = ports[: len(PARTS)], ports[len(PARTS) :]
        self.url = f"http://127.0.0.1:{self._ports[0]}"
        self._write("s3.json", {"identities": [_administrator(self._admin)]})
        self._write("iam.json", _iam(issuer, client_id, jwks_uri))
        (folder / "data").mkdir()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, and wait until the bucket and its object are there."""
        options = {
            "dir": "data",
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "master.telemetry": "false",
            "filer": "true",
            "filer.localSocket": "filer.sock",
            "s3": "true",
            "s3.localSocket": "s3.sock",
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.config": "s3.json",
            "s3.iam.config": "iam.json",
        }
        for part, port, grpc_port in zip(PARTS, self._ports, self._grpc_ports, strict=True):
            options |= {f"{part}.port": port, f"{part}.port.grpc": grpc_port}
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [WEED, "-logtostderr", "server", *(f"-{k}={v}" for k, v in options.items())],
                cwd=self._folder,
                env={"HOME": str(self._folder)},  # it would take keys from the ambient AWS_*
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            self._fill()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it, and don't wait for its leave-taking of ten seconds and more."""
        self._process.kill()
        self._process.wait()
        for part, port in zip(PARTS, self._grpc_ports, strict=True):
            Path(f"/tmp/seaweedfs-{part}-grpc-{port}.sock").unlink(missing_ok=True)

    def client(self, service: str, credentials: dict[str, Any] | None = None) -> Any:
        """Make a boto3 client, with the credentials of an AssumeRoleWithWebIdentity or with none."""
        credentials = credentials or {}
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=credentials.get("AccessKeyId"),
            aws_secret_access_key=credentials.get("SecretAccessKey"),
            aws_session_token=credentials.get("SessionToken"),
            config=Config(
                proxies={},
                retries={"total_max_attempts": 1},
                signature_version=None if credentials else botocore.UNSIGNED,
            ),
        )

    def assume(self, token: str, role: str = ANALYST, name: str = "a-test") -> dict[str, Any]:
        """Ask for a role's credentials with a web identity token."""
        answer = self.client("sts").assume_role_with_web_identity(
            RoleArn=role, RoleSessionName=name, WebIdentityToken=token
        )
        return answer["Credentials"]

    @property
    def _log(self) -> Path:
        return self._folder / "seaweedfs.log"

    def _write(self, name: str, content: dict[str, Any]) -> None:
        path = self._folder / name
        path.touch(mode=0o600)
        path.write_text(json.dumps(content))

    def _fill(self) -> None:
        """Put the object there, as soon as the store can take it; that makes the bucket too."""
        admin = {
            "AccessKeyId": self._admin["accessKey"],
            "SecretAccessKey": self._admin["secretKey"],
        }
        s3 = self.client("s3", admin)
        key, content = OBJECT
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(BotoCoreError, ClientError):
                s3.put_object(Bucket=BUCKET, Key=key, Body=content)
                return
            serving = self._process.poll() is None and time.monotonic() < deadline
            assert serving, f"SeaweedFS does not serve:\n{self._log.read_text()}"
            time.sleep(0.1)


def _administrator(credentials: dict[str, str]) -> dict[str, Any]:
    return {"name": "admin", "credentials": [credentials], "actions": ["Admin"]}


def _iam(issuer: str, client_id: str, jwks_uri: str) -> dict[str, Any]:
    provider = {"issuer": issuer, "clientId": client_id, "jwksUri": jwks_uri}
    return {
        "sts": {
            "tokenDuration": "1h",
            "maxSessionLength": "12h",
            "issuer": "seaweedfs-sts",
            "signingKey": base64.b64encode(secrets.token_bytes(32)).decode(),
        },
        "providers": [{"name": "company", "type": "oidc", "enabled": True, "config": provider}],
        "policy": {"defaultEffect": "Deny", "storeType": "memory"},
        "roles": [
            _role("analyst", ANALYST, group="analysts"),
            _role("finance", FINANCE, group="finance"),
        ],
        "policies": [
            _policy("analyst", ["s3:ListBucket", "s3:GetObject"], ["", "/*"]),
            _policy("finance", ["s3:GetObject", "s3:PutObject"], ["/finance/*"]),
        ],
    }


def _role(name: str, arn: str, *, group: str) -> dict[str, Any]:
    trust = {
        "Effect": "Allow",
        "Principal": {"Federated": "company"},
        "Action": ["sts:AssumeRoleWithWebIdentity"],
        "Condition": {"StringEquals": {"oidc:groups": group}},
    }
    return {
        "roleName": name,
        "roleArn": arn,
        "trustPolicy": {"Version": "2012-10-17", "Statement": [trust]},
        "attachedPolicies": [name],
    }


def _policy(name: str, actions: list[str], below_the_bucket: list[str]) -> dict[str, Any]:
    resources = [f"arn:aws:s3:::{BUCKET}{part}" for part in below_the_bucket]
    statement = {"Effect": "Allow", "Action": actions, "Resource": resources}
    return {"name": name, "document": {"Version": "2012-10-17", "Statement": [statement]}}
