"""Real clients call the local AWS, configured only by environment variables."""

from __future__ import annotations

import json
import sys

from jupyter_wb_aws.demo.local_aws import accounts
from jupyter_wb_aws.demo.names import BUCKET

WHO_AM_I = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
ANALYST = "arn:aws:sts::111122223333:assumed-role/analyst/alice-test"


def test_boto3_works_in_a_fresh_process(run, web_identity_environment):
    done = run(sys.executable, "-c", WHO_AM_I, env=web_identity_environment())
    assert (done.stdout.strip(), done.returncode) == (ANALYST, 0), done.stderr


def test_boto3_reports_that_the_role_does_not_trust_alice(run, web_identity_environment):
    done = run(sys.executable, "-c", WHO_AM_I, env=web_identity_environment("misconfigured"))
    assert done.returncode != 0
    assert "Not authorized to perform sts:AssumeRoleWithWebIdentity" in done.stderr


def test_the_aws_command_shows_the_caller(run, web_identity_environment):
    done = run("aws", "sts", "get-caller-identity", env=web_identity_environment())
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["Arn"] == ANALYST


def test_the_aws_command_lists_uploads_and_downloads(run, web_identity_environment, tmp_path):
    environment = web_identity_environment()
    (tmp_path / "large.bin").write_bytes(b"x" * 9_000_000)  # two parts of a multipart upload
    large, key = tmp_path / "large.bin", f"s3://{BUCKET}/large.bin"
    up = run("aws", "s3", "cp", str(large), key, env=environment)
    assert up.returncode == 0, up.stderr
    listed = run("aws", "s3", "ls", f"s3://{BUCKET}/", env=environment)
    assert " 9000000 large.bin" in listed.stdout
    down = run("aws", "s3", "cp", key, "-", env=environment)
    assert len(down.stdout) == 9_000_000
    assert run("aws", "s3", "rm", key, env=environment).returncode == 0


def test_the_aws_command_as_auditor_cannot_write(run, web_identity_environment):
    done = run(
        "aws",
        "s3",
        "cp",
        "-",
        f"s3://{BUCKET}/x",
        env=web_identity_environment("auditor"),
        stdin="x",
    )
    assert done.returncode != 0
    assert "AccessDenied" in done.stderr


def test_the_aws_command_reports_expired_credentials(run, web_identity_environment, caller):
    credentials = caller.credentials()
    accounts.find_credentials(credentials["AccessKeyId"]).expiration = accounts.utcnow()
    environment = web_identity_environment()
    del environment["AWS_ROLE_ARN"], environment["AWS_WEB_IDENTITY_TOKEN_FILE"]
    environment |= {
        "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
        "AWS_SESSION_TOKEN": credentials["SessionToken"],
    }
    done = run("aws", "s3", "ls", f"s3://{BUCKET}/", env=environment)
    assert done.returncode != 0
    assert "(ExpiredToken)" in done.stderr
