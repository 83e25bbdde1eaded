"""A role and its ARN."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_wb_aws.errors import InvalidRegion, InvalidRoleArn
from jupyter_wb_aws.roles.role import Role, RoleArn
from tests.botocore_data import PARTITIONS, knows

ANALYST = RoleArn.parse("arn:aws:iam::111122223333:role/analyst")

names = st.from_regex(r"[A-Za-z0-9+=,.@_-]{1,64}", fullmatch=True)
segments = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="/"), min_size=1, max_size=30)  # fmt: skip
arns = st.builds(
    RoleArn,
    st.sampled_from(PARTITIONS),
    st.from_regex(r"[0-9]{12}", fullmatch=True),
    st.lists(segments, max_size=5).map(lambda parts: "".join(["/", *(f"{p}/" for p in parts)])),
    names,
)


@given(arns)
def test_an_arn_is_parsed_and_formatted_to_the_same_text(arn):
    assert RoleArn.parse(str(arn)) == arn


@given(st.text(max_size=120) | st.text(max_size=40).map("arn:aws:iam::111122223333:role/{}".format))
def test_random_text_is_an_exact_arn_or_refused(text):
    try:
        arn = RoleArn.parse(text)
    except InvalidRoleArn as refused:
        assert refused.status == 400  # noqa: PT017
    else:
        assert str(arn) == text


def test_the_parts_of_an_arn():
    arn = RoleArn.parse("arn:aws-cn:iam::111122223333:role/team/data/analyst")
    assert (arn.partition, arn.account_id) == ("aws-cn", "111122223333")
    assert (arn.path, arn.name) == ("/team/data/", "analyst")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "six parts"),
        ("analyst", "six parts"),
        ("ARN:aws:iam::111122223333:role/x", "six parts"),
        (" arn:aws:iam::111122223333:role/x", "six parts"),
        ("arn:aws:iam:111122223333:role/x", "six parts"),
        ("arn:aws-mars:iam::111122223333:role/x", "partition"),
        ("arn:AWS:iam::111122223333:role/x", "partition"),
        ("arn:aws:sts::111122223333:assumed-role/x/y", "`iam`"),
        ("arn:aws:iam:us-east-1:111122223333:role/x", "region"),
        ("arn:aws:iam::11112222333:role/x", "twelve digits"),
        ("arn:aws:iam::1111222233334:role/x", "twelve digits"),
        ("arn:aws:iam::११११२२२२३३३३:role/x", "twelve digits"),
        ("arn:aws:iam::111122223333\n:role/x", "twelve digits"),
        ("arn:aws:iam::111122223333:user/x", "`role/`"),
        ("arn:aws:iam::111122223333:role", "`role/`"),
        ("arn:aws:iam::111122223333:role/", "role name"),
        ("arn:aws:iam::111122223333:role/x\n", "role name"),
        ("arn:aws:iam::111122223333:role/" + "x" * 65, "role name"),
        ("arn:aws:iam::111122223333:role/*", "role name"),
        ("arn:aws:iam::111122223333:role/a:b", "role name"),
        ("arn:aws:iam::111122223333:role/path/", "role name"),
        ("arn:aws:iam::111122223333:role//x", "path"),
        ("arn:aws:iam::111122223333:role/a//x", "path"),
        ("arn:aws:iam::111122223333:role/ä/x", "path"),
        ("arn:aws:iam::111122223333:role/a b/x", "path"),
        ("arn:aws:iam::111122223333:role/" + "p" * 511 + "/x", "path"),
        ("x" * 1_000_000, "six parts"),
        ("arn:aws:iam::111122223333:role/" + "a/" * 500_000, "role name"),
    ],
)
def test_an_arn_of_something_else_is_refused_by_the_wrong_part(text, part):
    with pytest.raises(InvalidRoleArn, match=re.escape(part)) as refused:
        RoleArn.parse(text)
    assert len(refused.value.detail) < 200


def test_dots_in_a_path_do_not_lead_up():
    # IAM allows them; an ARN is never used as a path of files.
    assert RoleArn.parse("arn:aws:iam::111122223333:role/../x").path == "/../"


# --- Regions -------------------------------------------------------------------------------


def role(partition="aws", region=None):
    return Role(
        RoleArn.parse(f"arn:{partition}:iam::111122223333:role/x"), label="X", region=region
    )


def test_the_region_is_the_roles_own_if_none_is_asked_for():
    assert role().region_for(None) is None
    assert role(region="us-east-2").region_for(None) == "us-east-2"


@pytest.mark.parametrize(
    ("partition", "region"),
    [("aws", "eu-central-1"), ("aws", "ap-southeast-4"), *([("aws", "mx-central-1")] * knows("mx-central-1")),
     ("aws-cn", "cn-northwest-1"), ("aws-us-gov", "us-gov-east-1")],
)  # fmt: skip
def test_a_region_of_the_partition_may_be_asked_for(partition, region):
    assert role(partition, "us-east-2").region_for(region) == region


@pytest.mark.parametrize(
    ("partition", "region"),
    [
        ("aws", "cn-north-1"), ("aws", "us-gov-west-1"), ("aws-cn", "us-east-1"), ("aws-us-gov", "us-east-1"),
        ("aws", ""), ("aws", "us-east-1\n"), ("aws", "US-EAST-1"), ("aws", "moon-1"), ("aws", "us-east-"),
        ("aws", "us-east-1.evil.com/#"), ("aws", "us-east-\u0661"), ("aws", "x" * 10_000),
    ],
)  # fmt: skip
def test_another_region_is_refused(partition, region):
    with pytest.raises(InvalidRegion):
        role(partition).region_for(region)


def test_a_stores_own_region_may_be_asked_for_by_its_name():
    assert role(region="garage").region_for("garage") == "garage"


def test_a_role_in_json_shows_what_a_user_needs_to_choose():
    document = Role(
        ANALYST,
        "Analyst",
        "Reads.",
        "us-east-2",
        "teal",
        default=True,
        extra_environment={"A": "b"},
    ).as_json()
    assert document == {
        "arn": str(ANALYST), "name": "analyst", "account_id": "111122223333", "label": "Analyst",
        "description": "Reads.", "region": "us-east-2", "color": "teal", "default": True, "request_url": None,
        "delivery": None,
    }  # fmt: skip
