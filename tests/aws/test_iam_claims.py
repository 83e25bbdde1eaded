"""What IAM reads in a token, and what it does not accept."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_wb_aws.aws.iam_claims import (
    BUILT_IN,
    FLAT_TAG,
    audience_of,
    audience_problems,
    claim_warnings,
    claims_for_aws,
    issuer_problems,
    principal_of,
    tags_of,
)
from jupyter_wb_aws.identity.token import largest_claim
from jupyter_wb_aws.roles.role import RoleArn
from jupyter_wb_aws.roles.session_tags import SOURCE_IDENTITY, TAGS
from tests.conftest import NOON, make_token

ROLE = RoleArn.parse("arn:aws:iam::111122223333:role/analyst")
NESTED = {"principal_tags": {"Team": ["analytics"]}, "transitive_tag_keys": ["Team"]}


def codes(problems):
    return [problem.code for problem in problems]


@pytest.mark.parametrize(
    ("claims", "audience"),
    [
        ({"aud": "wb"}, "wb"),
        ({"aud": ["wb"]}, "wb"),
        ({"aud": ["a", "b"], "azp": "b"}, "b"),
        ({"aud": "api", "azp": "wb"}, "wb"),
        ({"aud": "wb", "azp": ""}, "wb"),
        ({"aud": ["a", "b"]}, None),
        ({"aud": []}, None),
        ({"aud": 7}, None),
        ({}, None),
    ],
)
def test_aws_compares_azp_or_the_only_audience(claims, audience):
    assert audience_of(claims) == audience


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"aud": "wb"}, []),
        ({"aud": "wb", "azp": "wb"}, []),
        ({"aud": ["a", "wb"], "azp": "wb"}, []),
        ({}, ["audience_missing"]),
        ({"aud": []}, ["audience_missing"]),
        ({"aud": ["a", "b"]}, ["several_audiences"]),
        ({"aud": "api", "azp": "wb"}, ["azp_counts"]),
        ({"aud": ["a", "b"], "azp": "wb"}, ["azp_counts"]),
    ],
)
def test_an_odd_audience_is_named(claims, code):
    assert codes(audience_problems(claims)) == code


@pytest.mark.parametrize(
    ("issuer", "code"),
    [
        ("https://idp.example.com", []),
        ("https://idp.example.com/", []),
        ("https://idp.example.com/realms/lab", []),
        ("https://login.microsoftonline.com/0123/v2.0", []),
        ("https://oidc.eks.us-east-1.amazonaws.com/id/ABC", []),
        ("https://accounts.google.com", []),
        ("accounts.google.com", []),
        ("https://8.8.8.8", []),
        ("http://idp.example.com", ["issuer_not_https"]),
        ("idp.example.com", ["issuer_not_https", "issuer_not_public"]),
        ("https://idp.example.com:8443/x", ["issuer_port"]),
        ("https://idp.example.com:443", ["issuer_port"]),
        ("https://[2001:db8::1]", ["issuer_not_public"]),
        ("https://[2606:4700::1111]:8443", ["issuer_port"]),
        ("https://idp.example.com/x?tenant=1", ["issuer_query"]),
        ("https://localhost", ["issuer_not_public"]),
        ("https://keycloak", ["issuer_not_public"]),
        ("https://idp.corp.internal", ["issuer_not_public"]),
        ("https://idp.local/", ["issuer_not_public"]),
        ("https://10.1.2.3", ["issuer_not_public"]),
        ("http://127.0.0.1:8080", ["issuer_not_https", "issuer_port", "issuer_not_public"]),
        ("https://[::1", ["issuer_not_https"]),
        ("https://idp.example.com/" + "x" * 255, ["issuer_too_long"]),
        ("", ["issuer_missing"]),
        (None, ["issuer_missing"]),
        (5, ["issuer_missing"]),
    ],
)
def test_an_issuer_that_iam_cannot_take_is_named(issuer, code):
    assert codes(issuer_problems({"iss": issuer})) == code


@pytest.mark.parametrize(
    ("issuer", "principal"),
    [
        ("https://idp.example.com", "arn:aws:iam::111122223333:oidc-provider/idp.example.com"),
        ("https://idp.example.com/", "arn:aws:iam::111122223333:oidc-provider/idp.example.com/"),
        ("https://idp.example.com/realms/lab", "arn:aws:iam::111122223333:oidc-provider/idp.example.com/realms/lab"),
        ("https://accounts.google.com", "accounts.google.com"),
        ("accounts.google.com", "accounts.google.com"),
        (None, None),
    ],
)  # fmt: skip
def test_the_principal_is_the_accounts_provider_or_a_built_in_one(issuer, principal):
    assert principal_of({"iss": issuer}, ROLE) == principal


def test_the_principal_is_of_the_roles_partition():
    role = RoleArn.parse("arn:aws-us-gov:iam::444455556666:role/r")
    expected = "arn:aws-us-gov:iam::444455556666:oidc-provider/idp.example.com"
    assert principal_of({"iss": "https://idp.example.com"}, role) == expected


@pytest.mark.parametrize(
    ("claims", "tags"),
    [
        ({}, {}),
        ({TAGS: NESTED}, {"Team": "analytics"}),
        ({f"{FLAT_TAG}Team": "analytics"}, {"Team": "analytics"}),
        ({f"{FLAT_TAG}Team": ["analytics"]}, {"Team": "analytics"}),
        ({TAGS: NESTED, f"{FLAT_TAG}Cost": "7"}, {"Team": "analytics", "Cost": "7"}),
        ({TAGS: "text"}, {}),
        ({TAGS: {"principal_tags": ["Team"]}}, {}),
        ({TAGS: {"principal_tags": {"Team": ["a", "b"], "Cost": ["7"]}}}, {"Cost": "7"}),
    ],
)
def test_tags_are_read_in_both_forms(claims, tags):
    assert tags_of(claims) == tags


def test_only_claims_that_iam_reads_are_kept():
    token = make_token(
        azp="wb", amr=["pwd"], email="a@example.com", **{TAGS: NESTED, SOURCE_IDENTITY: "alice"}
    )
    assert claims_for_aws(token.claims) == {
        "iss": "https://idp.example.com",
        "aud": "wb",
        "azp": "wb",
        "sub": "alice",
        "amr": ["pwd"],
        "source_identity": "alice",
        "roles": None,
        "principal_tags": {"Team": "analytics"},
    }


def test_missing_claims_are_null():
    assert set(claims_for_aws({"sub": "alice"}).values()) == {"alice", None}


def test_long_and_unprintable_values_are_made_printable():
    kept = claims_for_aws({"sub": "x" * 9000, "aud": ["y" * 9000] * 90, "iss": "a\x1b[31m\u202eb"})
    assert len(kept["sub"]) == 255
    assert len(kept["aud"]) == 50
    assert kept["iss"] == "a?[31m?b"


# --- Warnings ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({}, []),
        ({TAGS: NESTED, SOURCE_IDENTITY: "alice@example.com"}, []),
        ({f"{FLAT_TAG}Team": "analytics"}, []),
        ({"iss": "http://idp.example.com"}, ["issuer_not_https"]),
        ({"aud": ["a", "b"]}, ["several_audiences"]),
        ({"iat": NOON.timestamp() + 0.5}, ["times_not_whole"]),
        ({SOURCE_IDENTITY: "Alice Smith"}, ["source_identity_unfit"]),
        ({SOURCE_IDENTITY: ["alice"]}, ["source_identity_unfit"]),
        ({TAGS: "Team=analytics"}, ["tags_unfit"]),
        ({TAGS: {}}, ["tags_unfit"]),
        ({TAGS: {"principal_tags": {"Team": "analytics"}}}, ["tags_unfit"]),
        ({TAGS: {"principal_tags": {"Team": ["a", "b"]}}}, ["tags_unfit"]),
        ({TAGS: {"principal_tags": {"Team": ["x" * 257]}}}, ["tags_unfit"]),
        ({TAGS: {"principal_tags": {str(n): ["a"] for n in range(51)}}}, ["tags_unfit"]),
    ],
)
def test_claims_that_aws_does_not_accept_are_reported(claims, code):
    assert codes(claim_warnings(make_token(**claims), is_aws_sts=True)) == code


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "http://127.0.0.1:8080"},
        {"aud": ["a", "b"]},
        {"iat": NOON.timestamp() + 0.5},
        {TAGS: "Team=analytics"},
    ],
)
def test_a_store_with_its_own_sts_has_its_own_rules(claims):
    assert claim_warnings(make_token(**claims), is_aws_sts=False) == []


@pytest.mark.parametrize("is_aws_sts", [True, False])
def test_a_short_lived_token_is_reported(is_aws_sts):
    token = make_token(exp=NOON + timedelta(seconds=60))
    (warning,) = claim_warnings(token, is_aws_sts=is_aws_sts)
    assert (warning.code, "60 s" in warning.message) == ("short_life", True)


@pytest.mark.parametrize("is_aws_sts", [True, False])
def test_a_token_near_the_size_limit_is_reported_with_its_largest_claim(is_aws_sts):
    token = make_token(groups=[f"secret-group-{n}" for n in range(700)])
    (warning,) = claim_warnings(token, is_aws_sts=is_aws_sts)
    assert warning.code == "near_size_limit"
    assert f"{token.size} of the 20000" in warning.message
    assert "`groups`" in warning.message
    assert "secret-group" not in warning.message


def test_the_largest_claim_has_its_name_and_approximate_size():
    claims = {"sub": "alice", "groups": ["x" * 300]}
    name, size = largest_claim(claims)
    assert name == "groups"
    assert 400 <= size <= 410


names = st.sampled_from(["iss", "aud", "azp", "sub", "amr", TAGS, SOURCE_IDENTITY, f"{FLAT_TAG}x"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(sorted(BUILT_IN)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("principal_tags"), inner),
)  # fmt: skip


@given(st.dictionaries(names, values))
def test_any_claims_are_kept_and_judged(claims):
    token = make_token()
    object.__setattr__(token, "claims", claims)
    assert json.dumps(claims_for_aws(claims)).isprintable()
    assert all(w.message.isprintable() for w in claim_warnings(token, is_aws_sts=True))
    assert principal_of(claims, ROLE) is None or principal_of(claims, ROLE).isprintable()
