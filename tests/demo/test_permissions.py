"""What a role's permissions policies allow: conditions, tags and policy variables in them."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from jupyter_wb_aws.demo.local_aws import accounts
from jupyter_wb_aws.demo.local_aws.permissions import allows
from jupyter_wb_aws.demo.local_aws.seed import trust
from jupyter_wb_aws.demo.names import ACCOUNT_ID, BUCKET, SOURCE_IDENTITY_CLAIM, TAGS_CLAIM

DENIED = ("AccessDenied", 403)
GET, KEY = "s3:GetObject", f"arn:aws:s3:::{BUCKET}/analytics/a.csv"
ALICE = {
    "aws:principaltag/team": ("analytics",),
    "aws:principaltag/odd": ("*",),
    "aws:userid": ("AROA1:alice",),
    "aws:sourceidentity": (),
    "aws:tokenissuetime": ("2026-11-24T12:00:00Z",),
}


def statement(**changes):
    return {"Effect": "Allow", "Action": "s3:*", "Resource": "*", **changes}


def policy(*statements, version="2012-10-17"):
    return json.dumps({"Version": version, "Statement": list(statements)})


def of_team(team):
    return {"StringEquals": {"aws:PrincipalTag/Team": team}}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"Action": ["s3:Put*", "S3:get*"]},
        {"Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]},
        {"Resource": f"arn:aws:s3:::{BUCKET}/${{aws:PrincipalTag/Team}}/*"},
        {"Resource": f"arn:aws:s3:::{BUCKET}/${{aws:PrincipalTag/Absent, 'analytics'}}/?.csv"},
        {"Condition": of_team("analytics")},
        {"Condition": of_team(["finance", "analytics"])},
        {"Condition": {"StringLike": {"aws:userid": "*:alice"}}},
        {"Condition": {"StringNotEquals": {"aws:PrincipalTag/Absent": "x"}}},
        {"Condition": {"DateGreaterThan": {"aws:TokenIssueTime": "2026-11-24T11:00:00Z"}}},
    ],
    ids=str,
)
def test_a_statement_that_allows(changes):
    assert allows([policy(statement(**changes))], GET, KEY, ALICE)


@pytest.mark.parametrize(
    "changes",
    [
        {"Action": "s3:PutObject"},
        {"Action": []},
        {"Resource": f"arn:aws:s3:::{BUCKET}"},
        {"Resource": f"arn:aws:s3:::{BUCKET}/ANALYTICS/*"},
        {"Resource": f"arn:aws:s3:::{BUCKET}/${{aws:PrincipalTag/Absent}}*"},
        {"Resource": f"arn:aws:s3:::{BUCKET}/${{aws:PrincipalTag/Odd}}"},
        {"Resource": f"arn:aws:s3:::{BUCKET}/${{aws:Unknown}}*"},
        {"Condition": of_team("finance")},
        {"Condition": {"StringEquals": {"aws:PrincipalTag/Absent": "x"}}},
        {"Condition": {"StringEquals": {"aws:SourceVpc": "x"}}},
        {"Condition": {"DateLessThan": {"aws:TokenIssueTime": "2026-11-24T11:00:00Z"}}},
        {"Condition": {"DateLessThan": {"aws:TokenIssueTime": "tomorrow"}}},
        {"NotResource": "x"},
        {"Principal": "*"},
    ],
    ids=str,
)
def test_a_statement_that_does_not_allow(changes):
    assert not allows([policy(statement(**changes))], GET, KEY, ALICE)


def test_a_statement_without_an_action_or_a_resource_allows_nothing():
    for element in ("Action", "Resource", "Effect"):
        lacking = {name: value for name, value in statement().items() if name != element}
        assert not allows([policy(lacking)], GET, KEY, ALICE)


def test_a_deny_wins_only_where_its_conditions_hold():
    def denied(team):
        deny = policy(statement(Effect="Deny", Condition=of_team(team)))
        return not allows([policy(statement()), deny], GET, KEY, ALICE)

    assert denied("analytics")
    assert not denied("finance")


@pytest.mark.parametrize("unknown", [{"StringEquals": {"aws:SourceVpc": "x"}}, "x"], ids=str)
def test_a_deny_that_cannot_be_evaluated_denies(unknown):
    deny = policy(statement(Effect="Deny", Condition=unknown))
    assert not allows([policy(statement()), deny], GET, KEY, ALICE)


def test_before_version_2012_10_17_a_resource_has_no_variables():
    resource = f"arn:aws:s3:::{BUCKET}/${{aws:PrincipalTag/Team}}/*"
    old = policy(statement(Resource=resource), version="2008-10-17")
    assert not allows([old], GET, KEY, ALICE)
    assert allows([old], GET, f"{resource.rstrip('*')}a", ALICE)


@pytest.fixture
def add_role(idp):
    """Add a role with a permissions policy, and return its name."""
    host = idp.issuer.removeprefix("http://")

    def add(*statements):
        name = f"role-{uuid.uuid4().hex}"
        accounts.add_role(name, trust(host, "alice", "bob"), json.loads(policy(*statements)))
        return name

    return add


@pytest.fixture
def s3(caller, idp):
    """Return an S3 client with a role, of a user with these tags and this source identity."""

    def client(role, source="alice", **tags):
        claims = {
            TAGS_CLAIM: {"principal_tags": {key: [value] for key, value in tags.items()}},
            SOURCE_IDENTITY_CLAIM: source,
        }
        token = idp.mint(**claims)
        return caller.client("s3", caller.assume(role, WebIdentityToken=token)["Credentials"])

    return client


def folder_of(variable):
    return statement(Action=["s3:*Object"], Resource=f"arn:aws:s3:::{BUCKET}/{variable}/*")


def test_a_team_writes_in_the_folder_of_its_tag_only(s3, caller, add_role):
    role = add_role(folder_of("${aws:PrincipalTag/Team}"))
    analytics = s3(role, Team="analytics")
    analytics.put_object(Bucket=BUCKET, Key="analytics/a", Body=b"1")
    assert analytics.get_object(Bucket=BUCKET, Key="analytics/a")["Body"].read() == b"1"
    for other in (s3(role, Team="finance"), s3(role), s3(role, Team="")):
        assert caller.refused(other.get_object, Bucket=BUCKET, Key="analytics/a") == DENIED
        assert caller.refused(other.put_object, Bucket=BUCKET, Key="analytics/b") == DENIED
    analytics.delete_object(Bucket=BUCKET, Key="analytics/a")


@pytest.mark.parametrize(
    ("variable", "folder"),
    [("${aws:SourceIdentity}", "alice"), ("${aws:PrincipalAccount}", ACCOUNT_ID)],
)
def test_a_variable_stands_for_the_sessions_value(s3, caller, add_role, variable, folder):
    client = s3(add_role(folder_of(variable)))
    client.put_object(Bucket=BUCKET, Key=f"{folder}/a", Body=b"1")
    client.delete_object(Bucket=BUCKET, Key=f"{folder}/a")
    assert caller.refused(client.put_object, Bucket=BUCKET, Key="bob/a") == DENIED


def test_the_user_id_is_that_of_get_caller_identity(caller, add_role):
    credentials = caller.credentials(add_role(folder_of("${aws:userid}")))
    user_id = caller.client("sts", credentials).get_caller_identity()["UserId"]
    client = caller.client("s3", credentials)
    client.put_object(Bucket=BUCKET, Key=f"{user_id}/a", Body=b"1")
    client.delete_object(Bucket=BUCKET, Key=f"{user_id}/a")
    assert caller.refused(client.put_object, Bucket=BUCKET, Key="AROAOTHER:alice/a") == DENIED


def test_a_listing_can_be_limited_to_the_users_prefix(s3, caller, add_role):
    listing = statement(
        Action="s3:ListBucket",
        Resource=f"arn:aws:s3:::{BUCKET}",
        Condition={"StringLike": {"s3:prefix": "${aws:PrincipalTag/Team}/*"}},
    )
    client = s3(add_role(listing), Team="analytics")
    assert client.list_objects_v2(Bucket=BUCKET, Prefix="analytics/")["KeyCount"] == 0
    for prefix in ("", "finance/", "analytics"):
        assert caller.refused(client.list_objects_v2, Bucket=BUCKET, Prefix=prefix) == DENIED


def test_users_with_a_tag_can_be_denied_at_once_while_their_credentials_live(s3, caller, add_role):
    role = add_role(statement())
    alice, bob = s3(role, User="alice"), s3(role, User="bob")
    assert alice.head_bucket(Bucket=BUCKET)
    deny = statement(
        Effect="Deny", Action="*", Condition={"StringEquals": {"aws:PrincipalTag/User": "alice"}}
    )
    accounts.put_permissions(role, "deny-alice", json.loads(policy(deny)))
    assert caller.refused(alice.list_objects_v2, Bucket=BUCKET) == DENIED
    assert bob.head_bucket(Bucket=BUCKET)


def test_sessions_from_before_a_time_can_be_revoked(s3, caller, add_role):
    role = add_role(statement())
    client = s3(role)
    assert client.head_bucket(Bucket=BUCKET)

    def revoke_before(time):
        older = {"DateLessThan": {"aws:TokenIssueTime": time.isoformat()}}
        deny = statement(Effect="Deny", Action="*", Condition=older)
        accounts.put_permissions(role, "AWSRevokeOlderSessions", json.loads(policy(deny)))

    revoke_before(datetime.now(UTC) - timedelta(hours=1))
    assert client.head_bucket(Bucket=BUCKET)
    revoke_before(datetime.now(UTC))
    assert caller.refused(client.list_objects_v2, Bucket=BUCKET) == DENIED
    assert s3(role).head_bucket(Bucket=BUCKET)


def test_a_batch_delete_and_a_copy_need_the_permission_for_each_object(s3, caller, add_role):
    role = add_role(
        statement(),
        statement(Effect="Deny", Resource=f"arn:aws:s3:::{BUCKET}/2025/*"),
    )
    client = s3(role)
    kept = {"Objects": [{"Key": "no-such-key"}, {"Key": "2025/rainfall.csv"}]}
    answer = client.delete_objects(Bucket=BUCKET, Delete=kept)
    assert "AccessDenied" in {error["Code"] for error in answer["Errors"]}
    copy = {"Bucket": BUCKET, "Key": "copy", "CopySource": f"{BUCKET}/2025/rainfall.csv"}
    assert caller.refused(client.copy_object, **copy) == DENIED
    client.copy_object(**copy | {"CopySource": f"{BUCKET}/README.txt"})
    assert client.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "copy"}]})["Deleted"]
    keys = {
        item["Key"] for item in s3(add_role(statement())).list_objects_v2(Bucket=BUCKET)["Contents"]
    }
    assert keys == {"2025/rainfall.csv", "README.txt"}
