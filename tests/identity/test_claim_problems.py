"""Claims within claims, and the messages about claims that can't be used."""

from __future__ import annotations

import re

import pytest

from jupyter_wb_aws.identity.claim_problems import claim_problems
from jupyter_wb_aws.identity.claims import claim_by_path
from tests.conftest import make_token

KEYCLOAK = {
    "realm_access": {"roles": ["analysts"], "deeper": {"still": "x"}},
    "resource_access": {"my-client": {"roles": ["a"]}, "my.client": {"roles": ["b"]}},
    "https://example.com/groups": ["c"],
    "https://example.com/app": {"roles": ["d"]},
    "cognito:groups": ["e"],
    "a.b": "whole",
    "a": {"b": "nested", "c": None},
    "n.u": None,
    "n": {"u": "nested"},
    "text": "x",
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("realm_access.roles", ["analysts"]),
        ("realm_access.deeper.still", "x"),
        ("resource_access.my-client.roles", ["a"]),
        ("resource_access.my.client.roles", ["b"]),
        ("https://example.com/groups", ["c"]),
        ("https://example.com/app.roles", ["d"]),
        ("cognito:groups", ["e"]),
        ("a.b", "whole"),
        ("n.u", "nested"),
        ("a.c", None),
        ("a.b.c", None),
        ("text.x", None),
        ("missing", None),
        ("realm_access.", None),
        (".", None),
        ("", None),
        ("realm_access..roles", None),
    ],
)
def test_a_claim_is_found_by_its_name_or_else_by_a_path(name, value):
    assert claim_by_path(KEYCLOAK, name) == value


def test_name_and_groups_may_be_nested_claims():
    token = make_token(realm_access={"roles": ["analysts"]}, profile={"name": "Alice"})
    identity = token.identity("profile.name", "realm_access.roles")
    assert (identity.name, identity.groups) == ("Alice", ("analysts",))


def problems(wanted=("analysts",), groups_claim="groups", name_claim="name", **claims):
    return claim_problems(claims, name_claim, groups_claim, frozenset(wanted))


@pytest.mark.parametrize(
    ("groups", "code", "said"),
    [
        ({"roles": ["analysts"]}, "groups_claim_unusable", "is an object, .* `groups.roles`"),
        ([{"id": "1"}, {"id": "2"}], "groups_claim_unusable", "2 of 2 items .* an object"),
        (["analysts", 7, None], "groups_claim_unusable", "2 of 3 items .* a number"),
        ([["analysts"]], "groups_claim_unusable", "1 of 1 items .* a list"),
        (7, "groups_claim_unusable", "is a number"),
        (True, "groups_claim_unusable", "is true or false"),
        (["/analysts", "/x"], "groups_written_otherwise", "as a path"),
        (["/lab/analysts/"], "groups_written_otherwise", "as a path"),
        ("analysts,auditors", "groups_written_otherwise", "contain several of the names"),
        ("[analysts, auditors]", "groups_written_otherwise", "contain several of the names"),
        (["x analysts"], "groups_written_otherwise", "contain several of the names"),
    ],
)
def test_groups_that_cannot_be_used_are_reported(groups, code, said):
    [problem] = problems(groups=groups)
    assert problem.code == code
    assert re.search(said, problem.message)


@pytest.mark.parametrize(
    "claims",
    [
        {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://x"}}},
        {"hasgroups": True},
        {"hasgroups": "true", "groups": None},
        {"_claim_names": {"groups": "src1"}, "groups": []},
    ],
)
def test_groups_that_were_left_out_because_of_their_number_are_reported(claims):
    [problem] = problems(wanted=(), **claims)
    assert problem.code == "groups_left_out"


def test_a_missing_claim_is_reported_if_rules_need_it():
    claims = {"aud": ["wb"], "roles": ["analysts"], "wids": ["w\n"], "realm_access": {"roles": []}}
    [problem] = problems(groups_claim="realm_access.groups", **claims)
    assert problem.code == "groups_claim_missing"
    assert problem.message.endswith("Its claims that are lists: `roles`, `wids`.")
    assert problems(wanted=(), **claims) == []


@pytest.mark.parametrize("groups", [[], "", {}, ["analysts"], "analysts", ["x", "/analysts", "analysts"], ["others"]])  # fmt: skip
def test_groups_that_can_be_used_are_not_reported(groups):
    assert problems(groups=groups) == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (["alice"], "is a list, not text"),
        ({"given": "A", "n": 1}, "is an object, not text: .* `name.given`"),
        (7, "is a number, not text"),
    ],
)
def test_a_name_that_is_not_text_is_reported(name, said):
    [problem] = problems(name=name, groups=["analysts"])
    assert problem.code == "name_claim_unusable"
    assert re.search(said, problem.message)


@pytest.mark.parametrize("name", [None, "", [], "alice"])
def test_a_name_that_is_text_or_missing_is_not_reported(name):
    assert problems(name=name, groups=["analysts"]) == []


def test_no_value_of_the_token_is_quoted():
    claims = {"groups": [{"secret-a": "secret-b"}], "name": {"first": "secret-c"}}
    message = "".join(problem.message for problem in problems(**claims))
    assert "secret" not in message


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        (["Analysts"], "other capitals"),
        (["ANALYSTS", "x"], "other capitals"),
        (["CN=analysts,OU=Groups,DC=example,DC=com"], "directory"),
        (["ou=x, cn=Analysts, dc=example"], "directory"),
        (["EXAMPLE\\analysts"], "directory"),
        (["analysts@example.com"], "directory"),
    ],
)
def test_groups_with_another_spelling_are_reported(groups, said):
    (problem,) = claim_problems({"groups": groups}, "name", "groups", ["analysts"])
    assert problem.code == "groups_written_otherwise"
    assert said in problem.message
    assert "example" not in problem.message.lower()


@pytest.mark.parametrize(
    "groups", [["CN=users,OU=analysts-2"], ["users@analysts"], ["other\\users"]]
)
def test_groups_with_other_names_are_not_reported(groups):
    assert claim_problems({"groups": groups}, "name", "groups", ["analysts"]) == []


def test_null_in_a_list_of_groups_is_called_null():
    (problem,) = claim_problems({"groups": ["a", None]}, "name", "groups", [])
    assert "such as null" in problem.message
