"""The claims that AWS itself defines: roles, session tags, source identity."""

from __future__ import annotations

import json
import logging
import uuid

import pytest
from botocore.exceptions import ClientError

from jupyter_wb_aws.demo.local_aws import accounts
from jupyter_wb_aws.demo.local_aws.aws_claims import authorized_roles, session_tags
from jupyter_wb_aws.demo.local_aws.seed import trust
from jupyter_wb_aws.demo.names import ROLES_CLAIM, SOURCE_IDENTITY_CLAIM, TAGS_CLAIM, role_arn

INVALID = ("InvalidIdentityToken", 400)
DENIED = ("AccessDenied", 403)
TOO_LARGE = ("PackedPolicyTooLarge", 400)
ANALYST, AUDITOR = role_arn("analyst"), role_arn("auditor")
FLAT = f"{TAGS_CLAIM}/principal_tags/"
TRAIL = "jupyter_wb_aws.demo.local_aws.trail"


@pytest.fixture
def add_role(idp):
    """Add a role that lets alice in if a condition of the test holds, too."""
    host = idp.issuer.removeprefix("http://")

    def add(**conditions):
        policy = trust(host, "alice")
        policy["Statement"][0]["Condition"].update(conditions)
        name = f"role-{uuid.uuid4().hex}"
        accounts.add_role(name, policy)
        return name

    return add


@pytest.fixture
def with_claims(caller, idp):
    """Assume a role with a token that has these claims, and no tags or source identity otherwise."""

    def call(claims, role="analyst"):
        bare = {TAGS_CLAIM: None, SOURCE_IDENTITY_CLAIM: None}
        return caller.assume(role, WebIdentityToken=idp.mint(**bare | claims))

    return call


def nested(transitive=(), **tags):
    return {
        TAGS_CLAIM: {
            "principal_tags": {key: [value] for key, value in tags.items()},
            "transitive_tag_keys": list(transitive),
        }
    }


@pytest.mark.parametrize(
    "roles",
    [ANALYST, [ANALYST], [AUDITOR, ANALYST], f"{AUDITOR};{ANALYST}", f"{AUDITOR} ; {ANALYST};"],
    ids=str,
)
def test_a_token_is_good_for_the_roles_of_its_roles_claim(with_claims, roles):
    assert with_claims({ROLES_CLAIM: roles})


@pytest.mark.parametrize(
    "roles",
    [
        AUDITOR,
        [AUDITOR],
        [role_arn("Analyst")],
        [ANALYST + "-2", ANALYST[:-1]],
        [AUDITOR, "arn:aws:iam::111122223333:role/*", "analyst"],
        [AUDITOR, [ANALYST], {"a": ANALYST}],
    ],
    ids=str,
)
def test_another_role_is_refused_although_its_trust_policy_lets_the_user_in(with_claims, roles):
    with pytest.raises(ClientError) as caught:
        with_claims({ROLES_CLAIM: roles})
    assert caught.value.response["Error"] == {
        "Type": "Sender",
        "Code": "InvalidIdentityToken",
        "Message": "The target role ARN is not present in the roles claim of the identity token",
    }


def test_the_roles_claim_is_looked_at_before_the_trust_policy_and_whether_the_role_exists(
    with_claims, caller
):
    for role in ("finance-admin", "no-such-role"):
        assert caller.refused(with_claims, {ROLES_CLAIM: [ANALYST]}, role) == INVALID
        assert caller.refused(with_claims, {ROLES_CLAIM: [role_arn(role)]}, role) == DENIED


@pytest.mark.parametrize(
    "roles",
    [
        "",
        [],
        "analyst",
        ["analyst", 5],
        "arn:aws:iam::111122223333:role/*",
        f"{AUDITOR},{ANALYST}",
        [None],
        5,
        True,
        {},
    ],
    ids=str,
)
def test_a_roles_claim_without_a_role_is_refused(with_claims, caller, roles):
    assert caller.refused(with_claims, {ROLES_CLAIM: roles}) == INVALID


def test_a_token_without_a_roles_claim_is_good_for_every_role_that_trusts_its_user(with_claims):
    assert authorized_roles({}) is None
    assert with_claims({}, "analyst")
    assert with_claims({}, "auditor")


def test_a_role_can_require_that_the_provider_authorized_it(with_claims, caller, add_role):
    role = add_role(Bool={"sts:RoleAuthorizedByIdp": "true"})
    assert with_claims({ROLES_CLAIM: role_arn(role)}, role)
    assert caller.refused(with_claims, {}, role) == DENIED
    assert caller.refused(with_claims, {"sts:RoleAuthorizedByIdp": True}, role) == DENIED
    assert caller.refused(with_claims, {ROLES_CLAIM: ANALYST}, role) == INVALID


def test_one_statement_can_require_it_for_a_token_with_tags_and_source_identity(
    with_claims, add_role
):
    role = add_role(
        Bool={"sts:RoleAuthorizedByIdp": "true"},
        StringLike={"sts:SourceIdentity": "al*", "aws:RequestTag/Team": "${aws:RequestTag/Team}"},
    )
    claims = {ROLES_CLAIM: role_arn(role), SOURCE_IDENTITY_CLAIM: "alice", **nested(Team="x")}
    assert with_claims(claims, role)["SourceIdentity"] == "alice"


@pytest.mark.parametrize(
    "claims",
    [
        nested(["Team"], Team="analytics", Unit="Unit 7"),
        {
            FLAT + "Team": "analytics",
            FLAT + "Unit": "Unit 7",
            f"{TAGS_CLAIM}/transitive_tag_keys": ["Team"],
        },
    ],
    ids=["nested", "flattened"],
)
def test_tags_are_read_in_both_forms(with_claims, add_role, claims):
    tags = session_tags(claims)
    assert tags.values == {"Team": "analytics", "Unit": "Unit 7"}
    assert tags.transitive_keys == ("Team",)
    role = add_role(
        StringEquals={"aws:RequestTag/team": "analytics", "aws:RequestTag/Unit": "Unit 7"},
        **{"ForAllValues:StringEquals": {"sts:TransitiveTagKeys": "Team"}},
    )
    assert with_claims(claims, role)["PackedPolicySize"] > 0


@pytest.mark.parametrize(
    "claims",
    [
        {TAGS_CLAIM: "text"},
        {TAGS_CLAIM: [{"principal_tags": {"Team": ["a"]}}]},
        {TAGS_CLAIM: {}},
        {TAGS_CLAIM: {"principal_tags": []}},
        {TAGS_CLAIM: {"principal_tags": {"Team": "analytics"}}},
        {TAGS_CLAIM: {"principal_tags": {"Team": ["a", "b"]}}},
        {TAGS_CLAIM: {"principal_tags": {"Team": [5]}}},
        {TAGS_CLAIM: {"principal_tags": {"Team": ["a"], "team": ["b"]}}},
        {TAGS_CLAIM: {"principal_tags": {"Team": ["a"]}, "transitive_tag_keys": "Team"}},
        nested(["Unit"], Team="a"),
        pytest.param(nested(**{str(n): "a" for n in range(51)}), id="51 tags"),
        nested(**{"": "a"}),
        pytest.param(nested(**{"k" * 129: "a"}), id="a key of 129 characters"),
        pytest.param(nested(Team="a" * 257), id="a value of 257 characters"),
        nested(Team="a*b"),
        nested(Team="a,b"),
        nested(**{"Team?": "a"}),
        nested(**{"aws:Team": "a"}),
        {FLAT + "Team": ["a"]},
        {FLAT + "Team": 5},
        {FLAT: "a"},
        {FLAT + "Unit": "a", **nested(Team="a")},
    ],
    ids=str,
)
def test_tags_that_cannot_be_read_are_refused(with_claims, caller, claims):
    assert caller.refused(with_claims, claims) == INVALID


def test_tags_that_do_not_fit_into_a_session_are_refused(with_claims, caller):
    fits = {f"Key{n}": "v" * 200 for n in range(10)}
    assert with_claims(nested(**fits))["PackedPolicySize"] > 90
    assert caller.refused(with_claims, nested(**fits, More="v" * 96)) == TOO_LARGE


@pytest.mark.parametrize("source", ["al", "alice@example.com", "a" * 256, "a=b,c.d+e-f_g"])
def test_a_source_identity_of_awss_form_is_accepted(with_claims, source):
    assert with_claims({SOURCE_IDENTITY_CLAIM: source})["SourceIdentity"] == source


@pytest.mark.parametrize(
    "source",
    ["", "a", "a" * 257, "a b", "al/ice", "al:ice", "aws:alice", 5, ["alice"]],
    ids=lambda source: str(source)[:20],
)
def test_another_source_identity_is_refused(with_claims, caller, source):
    assert caller.refused(with_claims, {SOURCE_IDENTITY_CLAIM: source}) == INVALID


def trail_of(caplog):
    return [json.loads(record.getMessage()) for record in caplog.records if record.name == TRAIL]


def test_each_accepted_call_is_one_line_of_the_trail_with_the_tokens_id_and_not_the_token(
    caller, idp, caplog
):
    with caplog.at_level(logging.INFO, TRAIL):
        token = idp.mint(jti="the-tokens-id", **{ROLES_CLAIM: ANALYST})
        caller.assume(WebIdentityToken=token)
    (line,) = trail_of(caplog)
    assert (line["jti"], line["subject"], line["role_arn"]) == ("the-tokens-id", "alice", ANALYST)
    assert line["role_authorized_by_idp"]
    assert line["source_identity"] == "alice"
    assert line["tags"] == {"Team": "analytics", "CostCenter": "4711"}
    assert line["error"] is None
    assert token.rpartition(".")[2] not in caplog.text


def test_a_refusal_of_a_genuine_token_is_in_the_trail_and_a_forged_one_is_not(caller, idp, caplog):
    with caplog.at_level(logging.INFO, TRAIL):
        token = idp.mint(jti="refused", **{ROLES_CLAIM: ANALYST})
        assert caller.refused(caller.assume, "auditor", WebIdentityToken=token) == INVALID
        assert caller.refused_token(token[:-6] + "AAAAAA") == INVALID
    (line,) = trail_of(caplog)
    assert (line["jti"], line["error"]) == ("refused", "InvalidIdentityToken")
