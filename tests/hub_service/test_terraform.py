"""The printed Terraform configuration, parsed by python-hcl2. It is not run."""

import hcl2
import pytest
from hcl2 import SerializationOptions
from hypothesis import given
from hypothesis import strategies as st

from jupyter_wb_aws.hub.claims import ClaimSettings
from jupyter_wb_aws.hub.terraform import as_terraform
from jupyter_wb_aws.hub.trust_policy import trust
from jupyter_wb_aws.roles.role import Role, RoleArn
from jupyter_wb_aws.roles.token_content import TokenContent

ISSUER = "https://hub.example.com/services/aws"
SETTINGS = ClaimSettings(ISSUER, subject_template="user:{user}:role:{account}/{role}")
OPTIONS = SerializationOptions(strip_string_quotes=True, with_comments=False, explicit_blocks=False)
NAMES = st.text("abAB019+=,.@_-", min_size=1, max_size=8)
ACCOUNTS = st.sampled_from(["111122223333", "444455556666"])


def role(name, account="111122223333", partition="aws", path="/", **fields):
    return Role(RoleArn(partition, account, path, name), name, **fields)


def printed(*roles, settings=SETTINGS):
    return as_terraform([trust(each, settings) for each in roles], settings)


def read(text):
    """Return the blocks of a configuration, by their type and labels."""
    blocks = hcl2.loads(text + "\n", serialization_options=OPTIONS)
    resources = {
        (kind, label): body
        for block in blocks.get("resource", [])
        for kind, labeled in block.items()
        for label, body in labeled.items()
    }
    assert len(resources) == len(blocks.get("resource", []))
    return [block["aws"] for block in blocks.get("provider", [])], resources


def policy_of(body):
    """Return what `jsonencode` is given; a reference keeps its ``${…}``."""
    call = body["assume_role_policy"].removeprefix("${jsonencode(").removesuffix(")}")
    return hcl2.loads(f"policy = {call}\n", serialization_options=OPTIONS)["policy"]


def test_each_account_has_a_provider_that_refuses_other_accounts_and_an_identity_provider():
    accounts, resources = read(printed(role("a"), role("b", "444455556666", "aws-cn")))

    assert accounts == [
        {
            "alias": "account_111122223333",
            "region": "us-east-1",
            "allowed_account_ids": ["111122223333"],
        },
        {
            "alias": "account_444455556666",
            "region": "cn-northwest-1",
            "allowed_account_ids": ["444455556666"],
        },
    ]
    assert resources["aws_iam_openid_connect_provider", "hub_111122223333"] == {
        "provider": "${aws.account_111122223333}",
        "url": ISSUER,
        "client_id_list": ["sts.amazonaws.com"],
    }


def test_a_role_has_its_name_path_account_and_trust_policy():
    tagged = TokenContent(tags={"Team": "a"}, source_identity="{user}", audience="x")
    analyst = role("analyst", path="/team/a/", token_content=tagged)
    _, resources = read(printed(analyst))
    body = resources["aws_iam_role", "analyst_111122223333"]

    assert {key: body[key] for key in ("provider", "name", "path")} == {
        "provider": "${aws.account_111122223333}", "name": "analyst", "path": "/team/a/",
    }  # fmt: skip
    wanted = trust(analyst, SETTINGS, "${aws_iam_openid_connect_provider.hub_111122223333.arn}")
    assert policy_of(body) == wanted.policy()
    assert len(wanted.statements) == 2


@given(st.lists(st.builds(role, NAMES, ACCOUNTS), max_size=4, unique_by=lambda made: str(made.arn)))
def test_any_roles_are_a_configuration_without_two_resources_of_one_name(roles):
    _, resources = read(printed(*roles))
    names = [
        (body["provider"], body["name"])
        for (kind, _), body in resources.items()
        if kind == "aws_iam_role"
    ]
    assert names == [(f"${{aws.account_{each.arn.account_id}}}", each.arn.name) for each in roles]


def test_what_looks_like_a_template_stays_text():
    text = printed(role("a", path="/${x}/%{if}/"), settings=ClaimSettings(ISSUER))
    _, resources = read(text)
    assert resources["aws_iam_role", "a_111122223333"]["path"] == "/$${x}/%%{if}/"


@pytest.mark.parametrize(
    ("partition", "endpoint"), [("aws", "https://s3.example.com"), ("aws-cn", None)]
)
def test_roles_of_stores_and_roles_without_a_policy_are_not_in_it(partition, endpoint):
    extra = {"AWS_ENDPOINT_URL": endpoint} if endpoint else {}
    settings = SETTINGS if endpoint else ClaimSettings(ISSUER)
    text = printed(role("x", partition=partition, extra_environment=extra), settings=settings)
    assert read(text) == ([], {})
    assert ("is at s3.example.com: see the command `trust-policy`" in text) == bool(endpoint)


def test_it_says_that_it_was_not_run():
    assert "This was not run: look at\n# `terraform plan` first" in printed(role("a"))
