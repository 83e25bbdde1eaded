from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import boto3
import botocore
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from jupyter_wb_aws.demo.identity_provider import IdentityProvider
from jupyter_wb_aws.demo.local_aws import LocalAws
from jupyter_wb_aws.demo.names import REGION, role_arn

NO_RETRIES = {"total_max_attempts": 1}


class Caller:
    """Calls the local AWS with boto3."""

    def __init__(self, idp: IdentityProvider, aws: LocalAws) -> None:
        self.idp = idp
        self.aws = aws

    def client(self, service, credentials=None, region=REGION):
        signing = {} if credentials else {"signature_version": botocore.UNSIGNED}
        credentials = credentials or {}
        return boto3.client(
            service,
            endpoint_url=self.aws.url,
            region_name=region,
            aws_access_key_id=credentials.get("AccessKeyId"),
            aws_secret_access_key=credentials.get("SecretAccessKey"),
            aws_session_token=credentials.get("SessionToken"),
            config=Config(retries=NO_RETRIES, proxies={}, **signing),
        )

    def assume(self, role="analyst", **changes):
        call = {
            "RoleArn": role_arn(role),
            "RoleSessionName": "alice-test",
            "WebIdentityToken": self.idp.mint(),
            **changes,
        }
        return self.client("sts").assume_role_with_web_identity(**call)

    def credentials(self, role="analyst"):
        return self.assume(role)["Credentials"]

    def refused(self, call, *args, **kwargs):
        """Return the code and the HTTP status of a call that must fail."""
        with pytest.raises(ClientError) as caught:
            call(*args, **kwargs)
        response = caught.value.response
        return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]

    def refused_token(self, token):
        return self.refused(self.assume, WebIdentityToken=token)


@pytest.fixture(autouse=True)
def _no_ambient_aws(monkeypatch, tmp_path):
    """Keep the developer's own AWS settings, proxies and HOME out of the tests."""
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def caller(idp, aws):
    return Caller(idp, aws)


@pytest.fixture
def make_caller():
    """Return a `Caller` for an identity provider and a local AWS of the test's own."""
    return Caller


@pytest.fixture
def web_identity_environment(idp, aws, tmp_path):
    """Return the variables of a kernel with `role`."""

    def environment(role="analyst"):
        token_file = tmp_path / f"{role}-token"
        token_file.write_text(idp.mint())
        return {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "HOME": str(tmp_path),
            "AWS_ROLE_ARN": role_arn(role),
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(token_file),
            "AWS_ROLE_SESSION_NAME": "alice-test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": aws.url,
        }

    return environment


@pytest.fixture
def run():
    def run(*command, env, stdin=None):
        return subprocess.run(
            command, env=env, input=stdin, capture_output=True, text=True, timeout=60, check=False
        )

    return run
