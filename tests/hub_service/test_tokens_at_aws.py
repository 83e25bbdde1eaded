"""Tokens of a running service at the strict local AWS, with the trust policies that its own command prints."""

import json
import subprocess
import sys

import boto3
import botocore
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from jupyter_wb_aws.demo.local_aws import LocalAws, accounts
from jupyter_wb_aws.demo.names import ACCOUNT_ID, REGION
from tests.hub_service.fake_hub import user
from tests.hub_service.running_service import plain_environment, running_service

PLAIN, TAGGED = (f"arn:aws:iam::{ACCOUNT_ID}:role/hub-{name}" for name in ("plain", "tagged"))
ROLES = f"""
[[roles]]
arn = "{PLAIN}"
audience = "plain"
allow = "everyone"

[[roles]]
arn = "{TAGGED}"
tags = {{ Owner = "{{user}}", Project = "colorado" }}
source_identity = "{{user}}"
allow = "everyone"

[[tags]]
groups = ["finance"]
tags = {{ Team = "finance" }}

[[tags]]
groups = ["analysts"]
tags = {{ Team = "analytics" }}
"""
OWN_OBJECTS = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::colorado-projects/${aws:PrincipalTag/Team}/${aws:PrincipalTag/Owner}/*",
        }
    ],
}


@pytest.fixture(scope="module")
def _service(_hub, tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    (folder / "roles.toml").write_text(ROLES)
    with running_service(folder, hub_api_url=_hub.api_url) as service:
        yield service


@pytest.fixture(scope="module")
def aws(_service):
    """The account as the printed trust policies make it; in it, teams have folders for their people."""
    printed = subprocess.run(
        [sys.executable, "-m", "jupyter_wb_aws.hub.app", "trust-policy", "--format=json", "--config=config.json"],
        cwd=_service.folder, env=plain_environment(), capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    document = json.loads(printed.stdout)
    with LocalAws("http://127.0.0.1:9") as aws:
        for provider in document["providers"]:
            accounts.register_provider(provider["url"], provider["client_ids"])
        for role in document["roles"]:
            accounts.add_role(role["arn"].rpartition("/")[2], role["trust_policy"], OWN_OBJECTS)
        yield aws


@pytest.fixture
def change_roles(service):
    """Change the roles file until the end of the test."""
    yield lambda old, new: service.roles_file.write_text(ROLES.replace(old, new))
    service.roles_file.write_text(ROLES)


def client(aws, kind, credentials=None):
    signed = {} if credentials else {"signature_version": botocore.UNSIGNED}
    return boto3.client(
        kind, endpoint_url=aws.url, region_name=REGION,
        config=Config(retries={"total_max_attempts": 1}, proxies={}, **signed),
        aws_access_key_id=credentials and credentials["AccessKeyId"],
        aws_secret_access_key=credentials and credentials["SecretAccessKey"],
        aws_session_token=credentials and credentials["SessionToken"],
    )  # fmt: skip


def assume(aws, arn, token):
    return client(aws, "sts").assume_role_with_web_identity(
        RoleArn=arn, RoleSessionName="test", WebIdentityToken=token
    )


def refusal(call, *args, **kwargs):
    with pytest.raises(ClientError) as refused:
        call(*args, **kwargs)
    return refused.value.response["Error"]["Code"]


def test_a_token_is_accepted_for_its_role_with_its_tags_and_source_identity(service, aws):
    token = service.token(role_arn=TAGGED).json()["token"]
    assumed = assume(aws, TAGGED, token)

    assert assumed["SubjectFromWebIdentityToken"] == "user:alice"
    assert assumed["SourceIdentity"] == "alice"
    assert refusal(assume, aws, PLAIN, token) == "InvalidIdentityToken"
    line = service.audit[-1]
    tags = {"Owner": ["alice"], "Project": ["colorado"], "Team": ["analytics"]}
    assert line["tags"] == {"principal_tags": tags}
    assert line["source_identity"] == "alice"


def test_policies_of_aws_see_the_tags_that_the_users_groups_gave(service, aws):
    s3 = client(
        aws,
        "s3",
        assume(aws, TAGGED, service.token(role_arn=TAGGED).json()["token"])["Credentials"],
    )
    s3.put_object(Bucket="colorado-projects", Key="analytics/alice/a", Body=b"x")

    for key in ("analytics/bob/a", "finance/alice/a"):
        assert (
            refusal(s3.put_object, Bucket="colorado-projects", Key=key, Body=b"x") == "AccessDenied"
        )


@pytest.mark.parametrize("name", ["a*b", "alice:role:hub-tagged", "älice", "x"])
def test_a_name_that_aws_does_not_take_is_refused_where_it_is_configured_and_nowhere_else(
    service, aws, hub, name
):
    hub.tokens["theirs"] = user(name)
    refused = service.token("theirs", TAGGED)

    assert (refused.status_code, refused.json()["code"]) == (403, "name_not_allowed")
    assert (
        "source identity" in refused.json()["detail"] or "session tag" in refused.json()["detail"]
    )
    assert assume(aws, PLAIN, service.token("theirs", PLAIN).json()["token"])["Audience"] == "plain"


def test_a_change_of_the_tags_is_in_the_next_token(service, aws, change_roles):
    change_roles("analytics", "research")
    token = service.token(role_arn=TAGGED).json()["token"]
    s3 = client(aws, "s3", assume(aws, TAGGED, token)["Credentials"])

    s3.put_object(Bucket="colorado-projects", Key="research/alice/a", Body=b"x")


def test_while_the_tags_can_not_be_read_tokens_have_the_last_good_ones(service, aws, change_roles):
    assert service.token(role_arn=TAGGED).status_code == 201
    change_roles('Team = "analytics"', 'Team = "a*"')
    token = service.token(role_arn=TAGGED).json()["token"]

    s3 = client(aws, "s3", assume(aws, TAGGED, token)["Credentials"])
    s3.put_object(Bucket="colorado-projects", Key="analytics/alice/a", Body=b"x")
