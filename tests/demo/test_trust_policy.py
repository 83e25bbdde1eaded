from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_wb_aws.demo.local_aws.trust_policy import TrustRequest, allows

ARN = "arn:aws:iam::111122223333:oidc-provider/idp.example"
ACTION = "sts:AssumeRoleWithWebIdentity"
ALICE = TrustRequest(
    ARN,
    {
        "idp.example:aud": ("client",),
        "idp.example:sub": ("alice",),
        "idp.example:amr": ("pwd", "otp"),
        "aws:requesttag/team": ("analytics",),
        "aws:tagkeys": ("Team",),
        "sts:roleauthorizedbyidp": ("true",),
        "sts:rolesessionname": ("alice-1",),
        "sts:sourceidentity": (),
    },
)


def statement(**changes):
    base = {
        "Effect": "Allow",
        "Principal": {"Federated": ARN},
        "Action": ACTION,
        "Condition": {"StringEquals": {"idp.example:sub": "alice"}},
    }
    return {**base, **changes}


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def condition(operator, key, value):
    return policy(statement(Condition={operator: {key: value}}))


def test_the_provider_and_user_that_a_policy_names_are_let_in():
    assert allows(policy(statement()), ACTION, ALICE)


def test_a_single_statement_need_not_be_in_a_list():
    assert allows(json.dumps({"Statement": statement()}), ACTION, ALICE)


@pytest.mark.parametrize(
    "action",
    ["sts:*", "*", "STS:assumerolewithwebidentity", ["sts:TagSession", "sts:Assume*"]],
    ids=str,
)
def test_actions_match_wildcards_and_ignore_case(action):
    assert allows(policy(statement(Action=action)), ACTION, ALICE)


@pytest.mark.parametrize(
    "principal",
    [
        {"Federated": "arn:aws:iam::111122223333:oidc-provider/other.example"},
        {"Federated": [ARN + "/x", ARN[:-1]]},
        {"AWS": "arn:aws:iam::111122223333:root"},
        {"Federated": []},
        {},
        None,
        "somebody",
    ],
    ids=str,
)
def test_another_principal_is_not_let_in(principal):
    assert not allows(policy(statement(Principal=principal)), ACTION, ALICE)


@pytest.mark.parametrize(
    ("operator", "key", "value"),
    [
        ("StringEquals", "idp.example:sub", "alice"),
        ("StringEquals", "IDP.example:SUB", ["bob", "alice"]),
        ("StringNotEquals", "idp.example:sub", "bob"),
        ("StringEqualsIgnoreCase", "idp.example:sub", "ALICE"),
        ("StringLike", "idp.example:sub", "al*e"),
        ("StringLike", "idp.example:sub", "?????"),
        ("StringNotLike", "idp.example:sub", "b*"),
        ("StringEquals", "aws:RequestTag/Team", "analytics"),
        ("StringNotEquals", "aws:RequestTag/Absent", "x"),
        ("StringEqualsIfExists", "aws:RequestTag/Absent", "x"),
        ("ForAnyValue:StringLike", "idp.example:amr", "o*"),
        ("ForAllValues:StringEquals", "idp.example:amr", ["pwd", "otp", "sms"]),
        ("ForAllValues:StringEquals", "sts:SourceIdentity", "x"),
        ("Null", "sts:SourceIdentity", "true"),
        ("Null", "idp.example:sub", "false"),
        ("Bool", "sts:RoleAuthorizedByIdp", "true"),
        ("Bool", "sts:RoleAuthorizedByIdp", True),
        ("BoolIfExists", "aws:RequestTag/Absent", "true"),
        ("StringLike", "sts:RoleSessionName", "${idp.example:sub}-*"),
        ("StringEquals", "aws:RequestTag/Team", "${aws:RequestTag/Absent, 'analytics'}"),
        ("StringNotEquals", "idp.example:sub", "${sts:SourceIdentity}"),
    ],
    ids=str,
)
def test_a_condition_that_holds(operator, key, value):
    assert allows(condition(operator, key, value), ACTION, ALICE)


@pytest.mark.parametrize(
    ("operator", "key", "value"),
    [
        ("StringEquals", "idp.example:sub", "ALICE"),
        ("StringEquals", "idp.example:sub", "al*e"),
        ("StringEquals", "idp.example:sub", []),
        ("StringNotEquals", "idp.example:sub", ["bob", "alice"]),
        ("StringLike", "idp.example:sub", "al"),
        ("StringLike", "idp.example:sub", "a.*"),
        ("StringEquals", "aws:RequestTag/Team", "finance"),
        ("StringEquals", "aws:RequestTag/Absent", "x"),
        ("ForAnyValue:StringEquals", "idp.example:amr", "sms"),
        ("ForAnyValue:StringNotEquals", "idp.example:amr", ["pwd", "otp"]),
        ("ForAllValues:StringEquals", "idp.example:amr", "pwd"),
        ("ForAnyValue:StringLike", "sts:SourceIdentity", "*"),
        ("Null", "sts:SourceIdentity", "false"),
        ("Null", "idp.example:sub", "maybe"),
        ("Bool", "sts:RoleAuthorizedByIdp", "false"),
        ("Bool", "aws:RequestTag/Absent", "true"),
        ("StringEquals", "sts:RoleSessionName", "${idp.example:sub}-*"),
        ("StringEquals", "idp.example:sub", "${sts:SourceIdentity}"),
        ("StringLike", "idp.example:sub", "${*}"),
    ],
    ids=str,
)
def test_a_condition_that_does_not_hold(operator, key, value):
    assert not allows(condition(operator, key, value), ACTION, ALICE)


UNKNOWN = [
    {"NumericEquals": {"idp.example:sub": "alice"}},
    {"stringequals": {"idp.example:sub": "alice"}},
    {"StringEquals": {"aws:SourceVpc": "vpc-1"}},
    {"StringNotEquals": {"aws:SourceVpc": "vpc-1"}},
    {"StringEqualsIfExists": {"aws:SourceVpc": "vpc-1"}},
    {"StringEquals": {"other.example:sub": "alice"}},
    {"StringEquals": {"idp.example:sub": "${aws:username}"}},
    {"StringEquals": {"idp.example:sub": "${idp.example:amr}"}},
    {"StringEquals": {"idp.example:amr": "pwd"}},
    {"BoolEquals": {"sts:RoleAuthorizedByIdp": "true"}},
    {"StringEquals": {"idp.example:sub": 1}},
    {"StringEquals": "alice"},
    "alice",
]


@pytest.mark.parametrize("unknown", UNKNOWN, ids=str)
def test_an_allow_with_an_unknown_condition_does_not_allow(unknown):
    assert not allows(policy(statement(Condition=unknown)), ACTION, ALICE)


@pytest.mark.parametrize("unknown", UNKNOWN, ids=str)
def test_a_deny_with_an_unknown_condition_denies(unknown):
    deny = statement(Effect="Deny", Condition=unknown)
    assert not allows(policy(statement(), deny), ACTION, ALICE)


@pytest.mark.parametrize("element", ["NotPrincipal", "NotAction", "Resource", "Whatever"])
def test_a_statement_with_an_unknown_element_does_not_allow(element):
    assert not allows(policy(statement(**{element: "*"})), ACTION, ALICE)


def test_before_version_2012_10_17_a_policy_has_no_variables():
    variable = statement(Condition={"StringLike": {"sts:RoleSessionName": "${idp.example:sub}-?"}})
    assert allows(policy(variable), ACTION, ALICE)
    for version in ({}, {"Version": "2008-10-17"}):
        assert not allows(json.dumps({**version, "Statement": variable}), ACTION, ALICE)


def test_a_wildcard_in_the_value_of_a_variable_has_no_meaning():
    request = TrustRequest(ARN, {"idp.example:sub": ("*",), "sts:rolesessionname": ("bob",)})
    text = condition("StringLike", "sts:RoleSessionName", "${idp.example:sub}")
    assert not allows(text, ACTION, request)


def test_a_deny_wins_over_an_allow_in_any_order():
    deny = statement(Effect="Deny", Principal="*", Action="sts:*", Condition={})
    assert not allows(policy(statement(), deny), ACTION, ALICE)
    assert not allows(policy(deny, statement()), ACTION, ALICE)


def test_a_deny_for_somebody_else_does_not_matter():
    deny = statement(Effect="Deny", Condition={"StringEquals": {"idp.example:sub": "bob"}})
    assert allows(policy(statement(), deny), ACTION, ALICE)


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"Statement": [1]}', '{"Statement": 1}'])
def test_text_that_is_not_a_policy_allows_nothing(text):
    assert not allows(text, ACTION, ALICE)


names = st.text(st.characters(categories=["L", "N", "P"], exclude_characters="$"), max_size=12)


@given(subject=names, wanted=st.lists(names, max_size=4))
def test_string_equals_holds_for_exactly_the_listed_subjects(subject, wanted):
    request = TrustRequest(ARN, {"idp.example:sub": (subject,)})
    text = condition("StringEquals", "idp.example:sub", wanted)
    assert allows(text, ACTION, request) == (subject in wanted)


@given(subject=names, wanted=st.lists(names, max_size=4))
def test_a_negated_operator_is_the_opposite_of_the_plain_one(subject, wanted):
    request = TrustRequest(ARN, {"idp.example:sub": (subject,)})
    plain = condition("StringLike", "idp.example:sub", wanted)
    negated = condition("StringNotLike", "idp.example:sub", wanted)
    assert allows(plain, ACTION, request) != allows(negated, ACTION, request)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["*", ARN, ACTION, "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


@given(
    condition=st.dictionaries(
        st.sampled_from(["StringEquals", "StringLike", "Null", "Bool", "ForAnyValue:StringLike"]),
        anything,
        max_size=3,
    ),
    principal=anything,
    action=anything,
)
def test_any_policy_is_evaluated_and_a_deny_of_all_wins(condition, principal, action):
    odd = statement(Condition=condition, Principal=principal, Action=action)
    deny_all = {"Effect": "Deny", "Principal": "*", "Action": "*"}
    assert allows(policy(odd), ACTION, ALICE) in (True, False)
    assert not allows(policy(odd, deny_all), ACTION, ALICE)
