"""The trust policies that the hub service prints, tried with its tokens at the strict local AWS."""

import json
import os
import shlex
import subprocess
import sys
from types import SimpleNamespace

import boto3
import botocore
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from jupyter_wb_aws.clock import SystemClock
from jupyter_wb_aws.demo.identity_provider import IdentityProvider
from jupyter_wb_aws.demo.local_aws import LocalAws, accounts
from jupyter_wb_aws.demo.names import ACCOUNT_ID, REGION
from jupyter_wb_aws.hub.catalogue import check_tokens
from jupyter_wb_aws.hub.claims import ClaimSettings, make_claims, sign
from jupyter_wb_aws.hub.stack_set import as_stack_set, stack_set_template
from jupyter_wb_aws.hub.trust_policy import as_commands, as_json, as_new_roles, providers, trust
from jupyter_wb_aws.roles.catalogue_parser import parse
from tests.conftest import NOON

ROLES, TAGS = "https://aws.amazon.com/roles", "https://aws.amazon.com/tags"
STORE_TEMPLATE = "user:{user}:role:{account}/{role}"
OTHER = "444455556666"
FILE = f"""
[[roles]]
arn = "arn:aws:iam::{ACCOUNT_ID}:role/hub-analyst"
allow = "everyone"

[[roles]]
arn = "arn:aws:iam::{ACCOUNT_ID}:role/hub-auditor"
audience = "auditors"
allow = "everyone"

[[roles]]
arn = "arn:aws:iam::{ACCOUNT_ID}:role/hub-tagged"
source_identity = "{{user}}"
tags = {{ Team = "analytics", Owner = "{{user}}" }}
allow = "everyone"
"""
BY_GROUP = FILE + '[[tags]]\ngroups = ["analysts"]\ntags = { Cost = "12" }\n'
DENIED, INVALID = "AccessDenied", "InvalidIdentityToken"


def roles_of(text, settings):
    catalogue = parse(text, NOON, None, lambda role: check_tokens(settings, role))
    assert catalogue.problems == ()
    return {role.arn.name.removeprefix("hub-"): role for role in catalogue.roles()}


@pytest.fixture(scope="module")
def hub():
    """An issuer with published keys, whose tokens the tests sign themselves."""
    with IdentityProvider() as issuer:
        yield issuer


class Site:
    """An account at a local AWS with the providers and trust policies that were printed."""

    def __init__(self, hub, aws, text, template):
        self.hub, self.aws = hub, aws
        self.settings = ClaimSettings(hub.issuer, subject_template=template)
        self.roles = roles_of(text, self.settings)
        self.trusts = [trust(role, self.settings) for role in self.roles.values()]

    def set_up(self, printed):
        for provider in printed["providers"]:
            arn = accounts.register_provider(provider["url"], provider["client_ids"])
            assert arn == provider["arn"]
        for role in printed["roles"]:
            accounts.add_role(role["arn"].rpartition("/")[2], role["trust_policy"])
        return self

    def token(self, role, user="alice", groups=(), without=(), **changes):
        claims = make_claims(self.settings, user, groups, self.roles[role], SystemClock().now())
        claims = {
            name: value for name, value in {**claims, **changes}.items() if name not in without
        }
        key = self.hub.signing_key
        return str(
            sign(claims, SimpleNamespace(kid=key.id, algorithm="RS256", private_key=key.private))
        )

    def assume(self, role, token):
        """Return the code of the refusal; None if the role was assumed."""
        sts = boto3.client(
            "sts", endpoint_url=self.aws.url, region_name=REGION,
            config=Config(signature_version=botocore.UNSIGNED, retries={"total_max_attempts": 1}, proxies={}),
        )  # fmt: skip
        arn = str(self.roles[role].arn)
        try:
            sts.assume_role_with_web_identity(
                RoleArn=arn, RoleSessionName="test", WebIdentityToken=token
            )
        except ClientError as refused:
            return refused.response["Error"]["Code"]
        return None


@pytest.fixture
def site(hub):
    """Make a site from a roles file."""
    opened = []

    def site(text=FILE, template="user:{user}", *, reads_roles_claim=True):
        opened.append(LocalAws("http://127.0.0.1:9", reads_roles_claim=reads_roles_claim))
        made = Site(hub, opened[0], text, template)
        return made.set_up(json.loads(as_json(made.trusts, made.settings)))

    yield site
    for aws in opened:
        aws.close()


# --- At AWS ----------------------------------------------------------------------------------


@pytest.mark.parametrize("template", ["user:{user}", STORE_TEMPLATE])
def test_a_token_is_accepted_for_its_role_and_for_no_other(site, template):
    here = site(template=template)
    for role in here.roles:
        for other in here.roles:
            accepted = here.assume(other, here.token(role, groups=["analysts"]))
            assert accepted == (None if other == role else INVALID)


def test_tags_by_group_let_users_of_any_group_in(site):
    here = site(BY_GROUP)
    for role in here.roles:
        for groups in ([], ["analysts"]):
            assert here.assume(role, here.token(role, groups=groups)) is None


def test_a_token_without_the_roles_claim_is_refused_for_every_role(site):
    here = site()
    for role in here.roles:
        assert here.assume(role, here.token(role, without=[ROLES])) == DENIED


@pytest.mark.parametrize("audience", ["auditors", "other"])
def test_a_token_with_another_audience_is_refused(site, audience):
    here = site()
    assert here.assume("analyst", here.token("analyst", aud=audience)) in {DENIED, INVALID}


def test_a_role_accepts_tags_and_source_identity_exactly_where_its_tokens_have_them(site):
    here = site()
    of_tagged = here.token("tagged")
    named = {ROLES: [str(here.roles["analyst"].arn)]}

    assert here.assume("tagged", of_tagged) is None
    assert here.assume("analyst", here.token("tagged", **named)) == DENIED
    assert here.assume("analyst", here.token("tagged", without=[TAGS], **named)) == DENIED
    actions = {
        name: [statement["Action"] for statement in trust(role, here.settings).statements]
        for name, role in here.roles.items()
    }
    assume = "sts:AssumeRoleWithWebIdentity"
    assert actions == {
        "analyst": [assume],
        "auditor": [assume],
        "tagged": [assume, ["sts:TagSession", "sts:SetSourceIdentity"]],
    }


def test_tags_that_only_a_group_brings_need_their_action_too():
    settings = ClaimSettings("https://hub.example.com")
    found = trust(roles_of(BY_GROUP, settings)["analyst"], settings).statements
    assert found[1]["Action"] == "sts:TagSession"


def test_the_condition_on_the_claim_is_only_where_aws_knows_it():
    """Elsewhere it would have no value, and refuse every token."""
    settings = ClaimSettings("https://hub.example.com")
    for role in roles_of(BY_GROUP, settings).values():
        for statement in trust(role, settings).statements:
            is_assume = statement["Action"] == "sts:AssumeRoleWithWebIdentity"
            assert ("Bool" in statement["Condition"]) == is_assume


# --- At stores, and in partitions without the claim ------------------------------------------

STORE = FILE.replace(
    'allow = "everyone"',
    'allow = "everyone"\nextra_environment = { AWS_ENDPOINT_URL = "https://s3.example.com" }',
)


@pytest.mark.parametrize("user", ["alice", f"alice:role:{ACCOUNT_ID}/hub-auditor", "a*b", "*"])
def test_a_store_that_does_not_know_the_claim_tells_roles_by_the_subject(site, user):
    text = STORE.replace("source_identity", "# ").replace("Owner", "# ").replace("tags = {", "# ")
    here = site(text, STORE_TEMPLATE, reads_roles_claim=False)
    for role in here.roles:
        for other in here.roles:
            # Of the same audience, so that only the subject tells them apart.
            audience = here.roles[other].token_content.audience or "sts.amazonaws.com"
            token = here.token(role, user, aud=audience)
            assert here.assume(other, token) == (None if other == role else DENIED)


def with_entry(partition="aws", extra=""):
    return (
        f'[[roles]]\narn = "arn:{partition}:iam::{ACCOUNT_ID}:role/x"\nallow = "everyone"\n{extra}'
    )


ENDPOINT = 'extra_environment = {{ {} = "{}" }}'
UNBOUND = [
    (with_entry("aws-cn"), "the partition aws-cn"),
    (with_entry("aws-us-gov"), "the partition aws-us-gov"),
    (with_entry(extra=ENDPOINT.format("AWS_ENDPOINT_URL", "https://s3.example.com:9000")), "the STS at s3.example.com"),
    (with_entry(extra=ENDPOINT.format("AWS_ENDPOINT_URL_STS", "http://amazonaws.com.example")), "the STS at amazonaws.com.example"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "where"), UNBOUND)
def test_no_policy_is_printed_that_would_accept_tokens_for_other_roles(text, where):
    settings = ClaimSettings("https://hub.example.com")
    (role,) = roles_of(text, settings).values()
    found = trust(role, settings)

    assert found.statements == ()
    assert where in found.problem
    assert "Set `subject_template" in found.problem
    assert json.loads(as_json([found], settings)) == {"providers": [], "roles": []}
    assert "aws iam" not in as_commands([found], settings)
    assert list(stack_set_template([role], settings)["Resources"]) == ["HubService"]


@pytest.mark.parametrize(("text", "where"), UNBOUND)
def test_with_the_template_for_stores_there_is_a_policy(text, where):
    settings = ClaimSettings(
        "https://hub.example.com/services/aws", subject_template=STORE_TEMPLATE
    )
    (role,) = roles_of(text, settings).values()
    (statement,) = trust(role, settings).statements

    host = "hub.example.com/services/aws"
    assert (
        statement["Principal"]["Federated"]
        == f"arn:{role.arn.partition}:iam::{ACCOUNT_ID}:oidc-provider/{host}"
    )
    assert statement["Condition"] == {
        "StringEquals": {f"{host}:aud": "sts.amazonaws.com"},
        "StringLike": {f"{host}:sub": f"user:*:role:{ACCOUNT_ID}/x"},
    }


@pytest.mark.parametrize(
    "url", ["https://vpce-1.sts.us-east-1.vpce.amazonaws.com", "https://sts.us-east-2.api.aws"]
)
def test_an_endpoint_of_aws_is_not_a_store(url):
    settings = ClaimSettings("https://hub.example.com")
    (role,) = roles_of(
        with_entry(extra=ENDPOINT.format("AWS_ENDPOINT_URL_STS", url)), settings
    ).values()
    found = trust(role, settings)
    assert (found.store, found.problem) == (None, None)
    assert found.statements[0]["Condition"]["Bool"] == {"sts:RoleAuthorizedByIdp": "true"}


def test_a_password_in_an_endpoint_is_not_printed():
    settings = ClaimSettings("https://hub.example.com", subject_template=STORE_TEMPLATE)
    extra = ENDPOINT.format("AWS_ENDPOINT_URL", "https://bob:hush/x@s3.example.com")
    (role,) = roles_of(with_entry(extra=extra), settings).values()
    printed = as_commands([trust(role, settings)], settings)
    assert "s3.example.com" in printed
    assert "hush" not in printed
    assert "bob" not in printed


# --- As commands of the AWS CLI --------------------------------------------------------------


@pytest.mark.parametrize("printer", [as_commands, as_new_roles])
def test_the_printed_commands_set_up_an_account_as_they_are(hub, tmp_path, monkeypatch, printer):
    """The AWS CLI runs them against moto, which has the IAM that the strict local AWS lacks."""
    with LocalAws("http://127.0.0.1:9") as aws:
        here = Site(hub, aws, FILE, "user:{user}")
        accounts.enforce_policies(on=False)
        monkeypatch.setenv("MOTO_ACCOUNT_ID", ACCOUNT_ID)
        if printer is as_commands:  # these are for roles that exist
            for role in here.roles.values():
                accounts.add_role(role.arn.name, {"Version": "2012-10-17", "Statement": []})
        server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        server.start()
        try:
            host, port = server.get_host_and_port()
            environment = {
                "PATH": os.environ["PATH"], "HOME": str(tmp_path), "AWS_DEFAULT_REGION": REGION,
                "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x",
                "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_EC2_METADATA_DISABLED": "true",
            }  # fmt: skip
            script = tmp_path / "commands.sh"
            script.write_text(f"set -e\n{printer(here.trusts, here.settings)}\n")
            folder = os.path.dirname(sys.executable)  # noqa: PTH120
            environment["PATH"] = f"{folder}{os.pathsep}{environment['PATH']}"
            subprocess.run(
                ["sh", script], env=environment, check=True, timeout=120, stdout=subprocess.DEVNULL
            )
        finally:
            server.stop()
        accounts.enforce_policies(on=True)

        for role in here.roles:
            assert here.assume(role, here.token(role)) is None
            assert here.assume(role, here.token(role, without=[ROLES])) == DENIED


def test_accounts_partitions_and_stores_have_commands_of_their_own():
    settings = ClaimSettings("https://hub.example.com", subject_template=STORE_TEMPLATE)
    text = FILE + with_entry("aws-us-gov").replace(ACCOUNT_ID, OTHER)
    text += with_entry(extra=ENDPOINT.format("AWS_ENDPOINT_URL", "https://s3.example.com"))
    catalogue = parse(text, NOON, None, lambda role: check_tokens(settings, role))
    found = [trust(role, settings) for role in catalogue.roles()]
    lines = as_commands(found, settings).splitlines()
    commands = [shlex.split(line) for line in lines if not line.startswith("#") and line]

    assert [command[2] for command in commands] == [
        "create-open-id-connect-provider", "update-assume-role-policy", "update-assume-role-policy",
        "update-assume-role-policy", "create-open-id-connect-provider", "update-assume-role-policy",
        "create-open-id-connect-provider", "update-assume-role-policy",
    ]  # fmt: skip
    assert commands[0][-2:] == ["auditors", "sts.amazonaws.com"]
    headings = [line for line in lines if line.startswith(("# Account", "# The store"))]
    assert [heading.split(",")[0] for heading in headings] == [
        f"# Account {ACCOUNT_ID} (aws)", f"# Account {OTHER} (aws-us-gov)", "# The store at s3.example.com",
    ]  # fmt: skip


def test_a_new_role_is_created_where_its_arn_says():
    settings = ClaimSettings("https://hub.example.com")
    role = roles_of(with_entry().replace("/x", "/team/hub-x"), settings)["x"]
    (command,) = [
        shlex.split(line)
        for line in as_new_roles([trust(role, settings)], settings).splitlines()
        if "create-role" in line and not line.startswith("#")
    ]

    assert command[3:7] == ["--role-name", "hub-x", "--path", "/team/"]
    assert json.loads(command[-1]) == trust(role, settings).policy()


# --- For an organization ---------------------------------------------------------------------


def resolved(template, account, partition="aws"):
    """Return the resources that CloudFormation makes of a template in an account: names, and properties."""

    def value(node):
        match node:
            case {"Ref": "AWS::AccountId"}:
                return account
            case {"Fn::Equals": [left, right]}:
                return value(left) == value(right)
            case {"Fn::Or": tests}:
                assert 2 <= len(tests) <= 10
                return any(map(value, tests))
            case {"Fn::Sub": text}:
                return text.replace("${AWS::AccountId}", account)
            case {"Fn::GetAtt": ["HubService", "Arn"]}:
                url = template["Resources"]["HubService"]["Properties"]["Url"]
                return f"arn:{partition}:iam::{account}:oidc-provider/{url.partition('://')[2]}"
            case dict():
                return {key: value(inner) for key, inner in node.items()}
            case list():
                return [value(inner) for inner in node]
        return node

    conditions = {name: value(test) for name, test in template.get("Conditions", {}).items()}
    return [
        value(resource["Properties"])
        for resource in template["Resources"].values()
        if conditions.get(resource.get("Condition"), True)
    ]


@pytest.mark.parametrize("template", ["user:{user}", STORE_TEMPLATE])
def test_a_stack_set_makes_each_accounts_provider_and_roles(hub, template):
    everywhere = FILE + FILE.replace(ACCOUNT_ID, OTHER)
    only_there = with_entry().replace(ACCOUNT_ID, OTHER).replace("/x", "/team/hub-x")
    settings = ClaimSettings(hub.issuer, subject_template=template)
    catalogue = parse(
        everywhere + only_there, NOON, None, lambda role: check_tokens(settings, role)
    )
    printed = json.loads(
        as_stack_set([trust(role, settings) for role in catalogue.roles()], settings)
    )

    assert len(printed["Resources"]) == 5
    roles = list(printed["Resources"].values())[1:]
    assert {(role["DeletionPolicy"], role["UpdateReplacePolicy"]) for role in roles} == {
        ("Retain", "Retain")
    }
    for account in (ACCOUNT_ID, OTHER):
        provider, *roles = resolved(printed, account)
        mine = [role for role in catalogue.roles() if role.arn.account_id == account]
        assert provider == {"Url": hub.issuer, "ClientIdList": ["auditors", "sts.amazonaws.com"]}
        assert [(role["Path"], role["RoleName"]) for role in roles] == [
            (m.arn.path, m.arn.name) for m in mine
        ]
        assert [role["AssumeRolePolicyDocument"] for role in roles] == [
            trust(m, settings).policy() for m in mine
        ]


def test_roles_of_many_accounts_have_conditions_that_cloudformation_takes():
    settings = ClaimSettings("https://hub.example.com")
    named = [f"{100000000000 + n}" for n in range(150)]
    text = "".join(with_entry().replace(ACCOUNT_ID, account) for account in named)
    text += with_entry().replace(ACCOUNT_ID, OTHER).replace("/x", "/y")
    catalogue = parse(text, NOON, None, lambda role: check_tokens(settings, role))
    template = stack_set_template(catalogue.roles(), settings)

    assert [made["RoleName"] for made in resolved(template, named[149])[1:]] == ["x"]
    assert [made["RoleName"] for made in resolved(template, OTHER)[1:]] == ["y"]
    assert template["Metadata"]["Accounts"] == sorted([*named, OTHER])


def test_roles_whose_names_differ_in_signs_only_are_two_resources():
    settings = ClaimSettings("https://hub.example.com")
    names = ["a.b", "a-b", "ab"]
    text = "".join(with_entry().replace("/x", f"/{name}") for name in names)
    template = stack_set_template(list(roles_of(text, settings).values()), settings)
    made = resolved(template, ACCOUNT_ID)[1:]
    assert [role["RoleName"] for role in made] == names
    assert all(name.isalnum() for name in template["Resources"])


def test_the_provider_of_an_account_lists_the_audiences_of_its_roles():
    settings = ClaimSettings("https://hub.example.com/services/aws", audience="hub")
    (provider,) = providers(roles_of(FILE, settings).values(), settings)
    assert provider.client_ids == ("auditors", "hub")
    assert provider.arn == f"arn:aws:iam::{ACCOUNT_ID}:oidc-provider/hub.example.com/services/aws"
