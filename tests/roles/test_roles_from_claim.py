"""Roles that a claim of the token names: which are offered, and which never are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_wb_aws.errors import RoleNotAllowed
from jupyter_wb_aws.roles import roles_from_claim
from jupyter_wb_aws.roles.catalogue_parser import parse
from jupyter_wb_aws.roles.role import RoleArn
from tests.conftest import NOON, make_token
from tests.roles.problems import problem_of

ACCOUNT, OTHER, FOREIGN = "111122223333", "444455556666", "999999999999"
FROM_CLAIM = f"""
request_url = "https://ask.example.com"

[roles_from_claim]
claim = "aws_roles"
accounts = ["{ACCOUNT}", "{OTHER}"]
"""
BY_NAME = f'{FROM_CLAIM}arn = "arn:aws:iam::{ACCOUNT}:role/team/wb-{{name}}"\n'


def arn(name, account=ACCOUNT):
    return f"arn:aws:iam::{account}:role/{name}"


def identity(value=None, **claims):
    named = {} if value is None else {"aws_roles": value}
    return make_token(**named, **claims).identity("preferred_username", "groups")


def offered(text, value=None, **claims):
    return [str(role.arn) for role in parse(text, NOON).offered_to(identity(value, **claims))]


# --- What is offered -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value", "wanted"),
    [
        (FROM_CLAIM, [arn("analyst"), arn("auditor", OTHER)], [arn("analyst"), arn("auditor", OTHER)]),
        (FROM_CLAIM, arn("analyst"), [arn("analyst")]),
        (FROM_CLAIM, [arn("a/b/c")], [arn("a/b/c")]),
        (FROM_CLAIM, [arn("b"), arn("a"), arn("b")], [arn("b"), arn("a")]),
        (FROM_CLAIM, None, []),
        (FROM_CLAIM, [], []),
        (BY_NAME, ["analyst", arn("x", OTHER)], [arn("team/wb-analyst"), arn("x", OTHER)]),
        (BY_NAME, "analyst", [arn("team/wb-analyst")]),
        (BY_NAME.replace("aws_roles", "aws_roles.of.jupyter"), {"of": {"jupyter": ["analyst"]}}, [arn("team/wb-analyst")]),
        (BY_NAME, ["A+=,.@_-9"], [arn("team/wb-A+=,.@_-9")]),
        (BY_NAME, ["analyst", arn("team/wb-analyst")], [arn("team/wb-analyst")]),
        (BY_NAME + 'prefix = "aws:"', ["aws:analyst", "staff", "AWS:x", ""], [arn("team/wb-analyst")]),
        (BY_NAME + 'prefix = "aws:"', [f"aws:{arn('x')}", arn("y")], [arn("x")]),
    ],
)  # fmt: skip
def test_the_roles_that_the_claim_names_are_offered_in_its_order(text, value, wanted, caplog):
    assert offered(text, value) == wanted
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (arn("x", FOREIGN), "not in `accounts`"),
        (f"arn:aws-cn:iam::{ACCOUNT}:role/x", "its partition"),
        (f"arn:aws:iam::{ACCOUNT}:user/x", "not the ARN of a role"),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/x/y", "continues with `iam`"),
        (f"arn:aws:iam::{ACCOUNT}:role/x\n", "characters that IAM does not accept"),
        ("arn:", "six parts"),
        ("", "nor a role name"),
        ("../admin", "nor a role name"),
        ("team/admin", "nor a role name"),
        ("x:y", "nor a role name"),
        ("x\n", "nor a role name"),
        ("{name}", "nor a role name"),
        ("änalyst", "nor a role name"),
        ("x" * 65, "nor a role name"),
        ("x" * 62, "characters that IAM does not accept"),  # 65 with the template's part
        (7, "not a text"),
        (True, "not a text"),
        (None, "not a text"),
        ([arn("x")], "not a text"),
        ({"role": arn("x")}, "not a text"),
    ],
)
def test_a_value_that_is_not_an_allowed_role_is_left_out_and_logged_in_one_line(value, why, caplog):
    assert offered(BY_NAME, [value, "analyst"]) == [arn("team/wb-analyst")]
    (record,) = caplog.records
    assert "Left out 1 of 2 values of the token's claim aws_roles" in record.getMessage()
    assert why in record.getMessage()


def test_names_are_left_out_without_a_template(caplog):
    assert offered(FROM_CLAIM, ["analyst"]) == []
    assert "there is no `arn` to put a name into" in caplog.text


@pytest.mark.parametrize("value", [7, True, {"roles": [arn("x")]}])
def test_a_claim_of_another_type_names_no_role(value, caplog):
    assert offered(FROM_CLAIM, value) == []
    assert "It is not a text" in caplog.text


def test_one_line_a_token_is_logged_and_never_the_whole_claim(caplog):
    catalogue = parse(BY_NAME, NOON)
    user = identity([f"no role {n} " + "x" * 500 for n in range(20)])
    for _ in range(3):
        catalogue.offered_to(user)

    (record,) = caplog.records
    assert "Left out 20 of 20" in record.getMessage()
    assert len(record.getMessage()) < 300


def test_a_value_can_not_forge_a_line_of_the_log(caplog):
    offered(BY_NAME, ["x\nRole session 1 started\u202e"])
    assert "\n" not in caplog.records[0].getMessage()


def test_a_claim_gives_a_thousand_roles_at_most(monkeypatch, caplog):
    assert roles_from_claim.MAX_ROLES == 1000
    monkeypatch.setattr(roles_from_claim, "MAX_ROLES", 3)
    assert len(offered(BY_NAME, ["a", "b", "a", "c", "b", "d", "e"])) == 3
    assert "Left out 2 of 7" in caplog.text
    assert "more than 3 roles" in caplog.text


# --- AWS's own claim -------------------------------------------------------------------------

AWS_ROLES = "https://aws.amazon.com/roles"
BY_AWS = FROM_CLAIM.replace('claim = "aws_roles"', "")


@pytest.mark.parametrize(
    "value",
    [
        [arn("analyst"), arn("a/b", OTHER)],
        f"{arn('analyst')};{arn('a/b', OTHER)}",
        f" {arn('analyst')} ; {arn('a/b', OTHER)};",
    ],
)
def test_without_the_name_of_a_claim_it_is_awss_own_as_a_list_or_a_text(value, caplog):
    assert offered(BY_AWS, **{AWS_ROLES: value}) == [arn("analyst"), arn("a/b", OTHER)]
    assert offered(BY_AWS, [arn("other")]) == []
    assert caplog.text == ""


@pytest.mark.parametrize("value", [arn("*"), arn("x", FOREIGN), "analyst"])
def test_awss_claim_brings_no_role_that_sts_or_the_accounts_do_not_allow(value, caplog):
    assert offered(BY_AWS, **{AWS_ROLES: f"{value};{arn('analyst')}"}) == [arn("analyst")]
    assert "Left out 1 of 2 values of the token's claim https://aws.amazon.com/roles" in caplog.text


# --- Together with the roles of the file -----------------------------------------------------

LISTED = f"""
[[roles]]
arn = "{arn("auditor")}"
label = "Auditor"
allow = [{{ groups = ["auditors"] }}]

[[roles]]
arn = "{arn("analyst")}"
label = "Analyst"
description = "Reads."
region = "us-east-2"
color = "teal"
default = true
request_url = "mailto:analysts@example.com"
extra_environment = {{ A = "b" }}
"""
BOTH = f"""{FROM_CLAIM}
region = "eu-west-1"
color = "red"
extra_environment = {{ C = "d" }}
{LISTED}
"""


def test_a_role_of_the_file_without_allow_is_offered_only_by_the_claim():
    assert offered(BOTH) == []
    assert offered(BOTH, [arn("analyst")]) == [arn("analyst")]


def test_a_role_of_the_file_keeps_the_files_description():
    (role,) = parse(BOTH, NOON).offered_to(identity([arn("analyst")]))
    assert (role.label, role.description, role.region) == ("Analyst", "Reads.", "us-east-2")
    assert (role.color, role.default, role.extra_environment) == ("teal", True, {"A": "b"})
    assert role.request_url == "mailto:analysts@example.com"


def test_a_role_that_is_only_in_the_claim_is_described_by_the_claims_table():
    (role,) = parse(BOTH, NOON).offered_to(identity([arn("team/new")]))
    assert (role.label, role.description, role.region) == ("new", "", "eu-west-1")
    assert (role.color, role.default, role.extra_environment) == ("red", False, {"C": "d"})
    assert role.request_url == "https://ask.example.com"


def test_a_role_that_both_a_rule_and_the_claim_offer_is_offered_once():
    assert offered(BOTH, [arn("auditor")], groups=["auditors"]) == [arn("auditor")]


def test_a_rule_that_does_not_match_takes_nothing_from_the_claim():
    assert offered(BOTH, [arn("auditor")], groups=[]) == [arn("auditor")]


def test_the_files_order_comes_before_the_claims():
    named = [arn("z"), arn("analyst"), arn("a"), arn("auditor")]
    assert offered(BOTH, named) == [arn("auditor"), arn("analyst"), arn("z"), arn("a")]


def test_the_accounts_limit_the_claim_and_not_the_rules():
    rule = f'[[roles]]\narn = "{arn("auditor", FOREIGN)}"\nallow = [{{ groups = ["auditors"] }}]\n'
    value = [arn("auditor", FOREIGN)]
    assert offered(FROM_CLAIM + rule, value, groups=["auditors"]) == value
    assert offered(FROM_CLAIM + rule, value, groups=[]) == []


def test_a_role_of_the_claim_is_offered_and_others_are_not():
    catalogue = parse(BOTH, NOON)
    user = identity([arn("new")])
    assert catalogue.get_offered(user, RoleArn.parse(arn("new"))).region == "eu-west-1"
    with pytest.raises(RoleNotAllowed) as refused:
        catalogue.get_offered(user, RoleArn.parse(arn("other")))
    assert refused.value.request_url == "https://ask.example.com"


@pytest.mark.parametrize(
    ("configured", "possible"),
    [
        (arn("new"), True),
        (arn("analyst"), True),
        (arn("new", FOREIGN), False),
        (f"arn:aws-cn:iam::{ACCOUNT}:role/new", False),
        ("", True),
    ],
)
def test_a_default_role_may_come_by_the_claim(configured, possible):
    assert parse(BOTH, NOON).may_offer_startup_role(configured) is possible


def test_the_claim_brings_no_default_role_unless_one_is_marked():
    assert not parse(FROM_CLAIM, NOON).may_offer_startup_role("")


# --- A broken table --------------------------------------------------------------------------


def table(**changes):
    fields = {"claim": '"groups"', "accounts": f'["{ACCOUNT}"]', **changes}
    lines = "".join(f"{key} = {value}\n" for key, value in fields.items() if value is not None)
    return f"# a comment\n[roles_from_claim]\n{lines}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (table(claim="7"), "`claim` must be a text"),
        (table(claim='""'), "`claim` of `roles_from_claim` needs the name of a claim"),
        (table(accounts=None), "needs `accounts`"),
        (table(accounts="[]"), "needs `accounts`"),
        (table(accounts=f'"{ACCOUNT}"'), "needs `accounts`"),
        (table(accounts=f"[{ACCOUNT}]"), "needs `accounts`"),
        (table(accounts='["*"]'), "needs `accounts`"),
        (table(accounts='["1111222233334"]'), "needs `accounts`"),
        (table(accounts='["1111222233\u0663\u0663"]'), "needs `accounts`"),
        (table(partition='"aws-mars"'), "`partition` of `roles_from_claim` is not one of"),
        (table(arn='"analyst"'), "must have {name} once"),
        (table(arn=f'"{arn("x")}"'), "must have {name} once"),
        (table(arn=f'"{arn("{name}{name}")}"'), "must have {name} once"),
        (table(arn=f'"{arn("{name}/x")}"'), "must have {name} once, after its last slash"),
        (table(arn='"arn:aws:iam::{name}:role/x"'), "must have {name} once, after its last slash"),
        (table(arn='"{name}"'), "six parts"),
        (table(arn=f'"{arn("{name}", FOREIGN)}"'), "not in one of the `accounts`"),
        (table(arn=f'"arn:aws-cn:iam::{ACCOUNT}:role/{{name}}"'), "another `partition`"),
        (table(prefix="7"), "`prefix` must be a text"),
        (table(region='"us east"'), "is not a region"),
        (table(extra_environment='{AWS_PROFILE = "x"}'), "belongs to the role session"),
        (table(label='"x"'), "unknown key `label`"),
    ],
)
def test_an_unusable_roles_from_claim_is_refused_with_its_line(text, reason):
    problem = problem_of(text)
    assert reason in problem.reason
    assert problem.line == 2


@pytest.mark.parametrize("text", ["roles_from_claim = 7", "[[roles_from_claim]]\nclaim = 'x'"])
def test_roles_from_claim_must_be_one_table(text):
    assert "written as a [roles_from_claim] table" in problem_of(text).reason


def test_a_role_without_allow_that_the_claim_may_not_offer_is_refused():
    problem = problem_of(f'{table()}[[roles]]\narn = "{arn("x", FOREIGN)}"\n')
    assert "`roles_from_claim` may not offer it" in problem.reason
    assert problem.line == 5


def test_another_partition_can_be_chosen():
    text = table(partition='"aws-us-gov"', claim='"aws_roles"')
    gov = f"arn:aws-us-gov:iam::{ACCOUNT}:role/x"
    assert offered(text, [gov, arn("x")]) == [gov]


# --- Any claim -------------------------------------------------------------------

PIECES = st.sampled_from(
    ["arn", ":", "::", "/", "aws", "aws-cn", "iam", "sts", "role", "role/", ACCOUNT, OTHER, FOREIGN, "{name}",
     "x", "..", "\n", "\0", " ", "wb-", "%2F", "é", "\u0661"]
)  # fmt: skip
ARNS = st.builds(
    "arn:{}:iam::{}:role/{}".format,
    st.sampled_from(["aws", "aws-cn", "aws-us-gov", "aws:"]),
    st.sampled_from([ACCOUNT, OTHER, FOREIGN, f"{ACCOUNT} ", f"{ACCOUNT}:role/x:iam::{FOREIGN}"]),
    st.text(max_size=10),
)
TEXTS = st.lists(PIECES, max_size=12).map("".join) | ARNS | st.text(max_size=70)
VALUES = TEXTS | st.integers() | st.none() | st.booleans() | st.lists(TEXTS, max_size=2)
TEMPLATES = st.sampled_from([None, arn("{name}"), arn("a/b/pre-{name}", OTHER)])


@given(
    claim=st.lists(VALUES, max_size=8) | VALUES | st.dictionaries(TEXTS, TEXTS, max_size=2),
    accounts=st.lists(st.sampled_from([ACCOUNT, OTHER]), min_size=1, unique=True),
    template=TEMPLATES,
    prefix=st.sampled_from(["", "arn:", "x", "wb-"]),
)
def test_no_role_outside_of_the_accounts_is_ever_offered(claim, accounts, template, prefix):
    rules = roles_from_claim.RolesFromClaim(
        "aws_roles", frozenset(accounts), template=template, prefix=prefix
    )
    named = rules.named_by(identity(claim))
    assert all(role.account_id in accounts and role.partition == "aws" for role in named)
    assert [RoleArn.parse(str(role)) for role in named] == named
    assert len(set(named)) == len(named)


@given(name=TEXTS)
def test_a_name_chooses_nothing_but_the_name(name):
    rules = roles_from_claim.RolesFromClaim(
        "aws_roles", frozenset([ACCOUNT]), template=arn("team/wb-{name}")
    )
    for role in rules.named_by(identity([name])):
        assert str(role) == name or (role.path, role.name) == ("/team/", f"wb-{name}")
