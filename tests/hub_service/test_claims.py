"""What the hub service signs: the claims of a token, and its signature."""

import dataclasses
import json
from datetime import UTC, datetime
from types import SimpleNamespace

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from jupyter_wb_aws.hub.claims import ClaimSettings, make_claims, sign
from jupyter_wb_aws.hub.names import NameNotAllowed
from jupyter_wb_aws.roles.role import Role, RoleArn
from jupyter_wb_aws.roles.token_content import TagRule, TokenContent

NOW = datetime(2026, 11, 28, 9, 0, 0, 750_000, tzinfo=UTC)
ISSUER = "https://hub.example.com/services/aws"
ARN = "arn:aws:iam::111122223333:role/team/analyst"
ROLES, TAGS = "https://aws.amazon.com/roles", "https://aws.amazon.com/tags"
SOURCE_IDENTITY = "https://aws.amazon.com/source_identity"


def role(**content):
    return Role(RoleArn.parse(ARN), "Analyst", token_content=TokenContent(**content))


def claims(user="alice", groups=(), settings=None, **content):
    return make_claims(settings or ClaimSettings(ISSUER), user, groups, role(**content), NOW)


def test_a_token_names_user_role_issuer_audience_and_times():
    made = claims(groups=["analysts"])
    jti = made.pop("jti")

    assert len(jti) >= 22
    assert made == {
        "iss": ISSUER,
        "aud": "sts.amazonaws.com",
        "sub": "user:alice",
        "iat": 1795856400,
        "nbf": 1795856340,
        "exp": 1795860000,
        "preferred_username": "alice",
        ROLES: [ARN],
    }
    assert all(type(made[name]) is int for name in ("iat", "nbf", "exp"))


def test_no_two_tokens_have_the_same_jti():
    assert len({claims()["jti"] for _ in range(1000)}) == 1000


def test_the_settings_choose_lifetime_audience_and_subject():
    settings = ClaimSettings(ISSUER, "store", "user:{user}:role:{account}/{role}", 900)
    made = claims("al/ice", settings=settings)

    assert made["sub"] == "user:al%2Fice:role:111122223333/team%2Fanalyst"
    assert (made["aud"], made["exp"] - made["iat"]) == ("store", 900)
    assert made["preferred_username"] == "al/ice"
    assert claims(settings=settings, audience="minio")["aud"] == "minio"


# --- Session tags and source identity --------------------------------------------------------

BY_GROUP = (
    TagRule({"Team": "finance"}, groups=frozenset(["finance"])),
    TagRule({"team": "analytics", "Cost": "12"}, groups=frozenset(["analysts", "x"])),
    TagRule({"Vip": "yes"}, users=frozenset(["alice"]), groups=frozenset(["analysts"])),
    TagRule({"Owner": "{user}"}),
)


def tags(user, groups, **content):
    nested = claims(user, groups, **content).get(TAGS, {"principal_tags": {}})
    return {key: value for key, (value,) in nested["principal_tags"].items()}


@pytest.mark.parametrize(
    ("user", "groups", "wanted"),
    [
        ("bob", [], {"Owner": "bob"}),
        ("bob", ["analysts"], {"team": "analytics", "Cost": "12", "Owner": "bob"}),
        ("bob", ["analysts", "finance"], {"Team": "finance", "Cost": "12", "Owner": "bob"}),
        ("alice", ["x"], {"team": "analytics", "Cost": "12", "Owner": "alice"}),
        ("alice", ["analysts"], {"team": "analytics", "Cost": "12", "Vip": "yes", "Owner": "alice"}),
        ("al", ["Analysts", "finance2"], {"Owner": "al"}),
    ],
)  # fmt: skip
def test_the_first_rule_that_gives_a_tag_a_value_counts(user, groups, wanted):
    assert tags(user, groups, tag_rules=BY_GROUP) == wanted


def test_a_roles_own_tags_come_first():
    wanted = {"TEAM": "audit", "Cost": "12", "Owner": "bob"}
    assert tags("bob", ["analysts"], tags={"TEAM": "audit"}, tag_rules=BY_GROUP) == wanted


def test_transitive_tags_are_listed_as_far_as_the_token_has_them():
    made = claims(groups=["analysts"], tag_rules=BY_GROUP, transitive=frozenset(["cost", "other"]))
    assert made[TAGS]["transitive_tag_keys"] == ["Cost"]
    assert "transitive_tag_keys" not in claims(tag_rules=BY_GROUP)[TAGS]


def test_a_token_without_tags_has_no_claim_for_them():
    assert TAGS not in claims(tag_rules=BY_GROUP[:1])
    assert SOURCE_IDENTITY not in claims()


def test_the_source_identity_is_made_of_the_users_name():
    assert claims(source_identity="{user}")[SOURCE_IDENTITY] == "alice"


@pytest.mark.parametrize("content", [{"tags": {"Owner": "{user}"}}, {"source_identity": "{user}"}])
def test_a_name_that_aws_does_not_take_is_refused_where_it_is_configured_and_only_there(content):
    assert claims("a*b")["sub"] == "user:a%2Ab"
    with pytest.raises(NameNotAllowed):
        claims("a*b", **content)


def test_tags_that_a_long_name_makes_too_large_are_refused():
    many = {f"Owner{n}": "{user}" for n in range(10)}
    assert claims("a" * 64, tags=many)
    with pytest.raises(NameNotAllowed, match="AWS has room for about 1024"):
        claims("a" * 240, tags=many)


def test_the_groups_are_in_no_claim():
    made = claims(groups=["secret-project"], tag_rules=BY_GROUP)
    assert "secret-project" not in json.dumps(made)


# --- The signature ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("algorithm", "private_key"),
    [
        ("RS256", rsa.generate_private_key(65537, 2048)),
        ("ES256", ec.generate_private_key(ec.SECP256R1())),
    ],
    ids=["RS256", "ES256"],
)
def test_a_token_is_signed_with_the_key_and_names_it(algorithm, private_key):
    key = SimpleNamespace(kid="k1", algorithm=algorithm, private_key=private_key)
    made = {**claims(), "exp": 4102444800, "nbf": 0, "iat": 0}
    token = sign(made, key)

    assert jwt.get_unverified_header(str(token)) == {"alg": algorithm, "kid": "k1", "typ": "JWT"}
    read = jwt.decode(
        str(token), private_key.public_key(), [algorithm], audience="sts.amazonaws.com"
    )
    assert read == made
    assert "***" in repr(token)


def test_the_settings_can_not_be_changed_after_a_token():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ClaimSettings(ISSUER).issuer = "https://other.example.com"
