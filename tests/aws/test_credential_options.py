"""What a request asks of the credentials: all of it reaches STS, and what STS would refuse is not sent."""

from __future__ import annotations

import os
import re
from dataclasses import replace

import pytest

from jupyter_wb_aws.aws.credential_options import CredentialOptions, SecondHop
from jupyter_wb_aws.aws.sts import BlockingStsClient, StsRequest
from jupyter_wb_aws.aws.sts_subprocess import SubprocessStsClient
from jupyter_wb_aws.child_processes import ChildProcesses
from jupyter_wb_aws.roles.role import RoleArn
from tests.aws.fake_sts import assumed
from tests.conftest import make_token

ROLE = RoleArn.parse("arn:aws:iam::111122223333:role/analyst")
OTHER = RoleArn.parse("arn:aws:iam::444455556666:role/reader")
POLICY = '{"Version": "2012-10-17", "Statement": []}'
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
NARROWED = CredentialOptions(duration=900, policy=POLICY, policy_arns=(READ_ONLY,))
SENT = {"DurationSeconds": "900", "Policy": POLICY, "PolicyArns.member.1.arn": READ_ONLY}


@pytest.fixture
def request_(fake):
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "AWS_ENDPOINT_URL": fake.url,
    }
    return StsRequest(ROLE, "us-east-2", "alice-1", make_token(), environment)


@pytest.fixture
def hop(fake):
    """Let the stand-in of STS answer a second hop, as another role with other credentials."""
    status, text = assumed()
    text = text.replace("WithWebIdentity", "").replace("ASIAFAKEKEY", "ASIASECONDKEY")
    fake.answers["AssumeRole"] = status, text.replace("assumed-role/analyst", "assumed-role/reader")
    return SecondHop(OTHER, "wb-42")


def sent(call):
    _, fields, _ = call
    usual = {"Action", "Version", "RoleArn", "RoleSessionName", "WebIdentityToken"}
    return {name: value for name, value in fields.items() if name not in usual}


async def test_a_child_process_returns_credentials_only_when_they_are_wanted(request_):
    ask = SubprocessStsClient(ChildProcesses())

    without = await ask.assume(request_)
    wanted = await ask.assume(replace(request_, wants_credentials=True))

    assert without.credentials is None
    assert wanted.credentials.access_key_id == "ASIAFAKEKEY"
    assert wanted.credentials.secret_access_key == "fake-secret-access-key"
    assert wanted.credentials.session_token == "fake-session-token"
    assert wanted.credentials.expiration == wanted.credentials_expire_at
    assert "fake-secret" not in repr(wanted)


async def test_duration_and_policies_reach_sts(request_, fake):
    await SubprocessStsClient(ChildProcesses()).assume(replace(request_, options=NARROWED))

    assert [sent(call) for call in fake.calls] == [SENT]


async def test_a_second_hop_is_signed_by_the_first_and_alone_is_narrowed(request_, fake, hop):
    options = replace(NARROWED, second_hop=hop, tags=(("team", "weather"),))

    found = await SubprocessStsClient(ChildProcesses()).assume(
        replace(request_, options=options, wants_credentials=True)
    )

    first, second = fake.calls
    tags = {"Tags.member.1.Key": "team", "Tags.member.1.Value": "weather"}
    assert sent(first) == {}
    assert sent(second) == {**SENT, **tags, "ExternalId": "wb-42"}
    assert (second[1]["Action"], second[1]["RoleArn"]) == ("AssumeRole", str(OTHER))
    assert "Credential=ASIAFAKEKEY/" in second[2]["Authorization"]
    assert found.credentials.access_key_id == "ASIASECONDKEY"
    assert "assumed-role/reader" in found.caller.arn


def test_a_call_in_this_process_sends_the_same(request_, fake, hop):
    client = BlockingStsClient()
    client.credentials(replace(request_, options=NARROWED))
    client.credentials(replace(request_, options=replace(NARROWED, second_hop=hop)))

    assert [sent(call) for call in fake.calls] == [SENT, {}, {**SENT, "ExternalId": "wb-42"}]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"duration": 899}, "900 to 43200 s"),
        ({"duration": 43201}, "900 to 43200 s"),
        ({"duration": 3601, "second_hop": SecondHop(OTHER)}, "900 to 3600 s"),
        ({"policy": ""}, "session policy"),
        ({"policy": "x" * 2049}, "session policy"),
        ({"policy_arns": (READ_ONLY,) * 11}, "10 managed policies"),
        ({"tags": (("team", "weather"),)}, "in the token only"),
        ({"tags": (("", "weather"),), "second_hop": SecondHop(OTHER)}, "session tags"),
        ({"tags": (("team", "rain!"),), "second_hop": SecondHop(OTHER)}, "session tags"),
        ({"tags": (("a", "b"),) * 51, "second_hop": SecondHop(OTHER)}, "more than 50"),
        ({"second_hop": SecondHop(OTHER, "a b")}, "external id"),
    ],
)
def test_what_sts_would_refuse_is_refused_before_it_is_sent(options, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        CredentialOptions(**options)
