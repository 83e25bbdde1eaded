"""Tokens that a strict AWS refuses, and what an administrator learns of each, end to end."""

import os

import pytest

from jupyter_wb_aws.aws.sts import BlockingStsClient, StsRequest
from jupyter_wb_aws.clock import SystemClock
from jupyter_wb_aws.demo.identity_provider import IdentityProvider
from jupyter_wb_aws.demo.local_aws import accounts
from jupyter_wb_aws.demo.names import (
    ACCOUNT_ID,
    CLIENT_ID,
    SOURCE_IDENTITY_CLAIM,
    TAGS_CLAIM,
    role_arn,
)
from jupyter_wb_aws.errors import StsUnavailable, TokenRefused, TrustRefused, WbAwsError
from jupyter_wb_aws.identity.token import WebIdentityToken
from jupyter_wb_aws.roles.role import RoleArn


@pytest.fixture(autouse=True)
def _no_ambient_aws(monkeypatch):
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def refused(aws, text, role="analyst"):
    """Return the error with which AWS refuses the role to this token."""
    token = WebIdentityToken.parse(text, SystemClock().now())
    request = StsRequest(
        RoleArn.parse(role_arn(role)), None, "alice-1", token, {"AWS_ENDPOINT_URL": aws.url}
    )
    with pytest.raises(WbAwsError) as failed:
        BlockingStsClient().assume(request)
    shown = str(failed.value.as_problem())
    assert not any(part in shown for part in text.split("."))
    return failed.value


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"aud": "another"}, ["'another'", "add-client-id-to-open-id-connect-provider", "--client-id another."]),
        ({"azp": "another"}, ["AWS compares `azp`, 'another'", "--client-id another."]),
        ({"aud": ["a", CLIENT_ID]}, ["2 audiences", "one audience"]),
    ],
)  # fmt: skip
def test_an_audience_that_is_not_registered_is_named_and_the_command_that_adds_it(
    aws, idp, changes, parts
):
    failure = refused(aws, idp.mint(**changes))
    assert isinstance(failure, TokenRefused)
    for part in parts:
        assert part in failure.admin_hint


def test_the_command_names_the_accounts_own_provider(aws, idp):
    hint = refused(aws, idp.mint(aud="another")).admin_hint
    host = idp.issuer.removeprefix("http://")
    assert f"arn:aws:iam::{ACCOUNT_ID}:oidc-provider/{host} " in hint


def test_a_provider_that_is_registered_as_the_hint_says_is_accepted(aws):
    with IdentityProvider() as other:
        hint = refused(aws, other.mint()).admin_hint
        assert (
            f"create-open-id-connect-provider --url {other.issuer} --client-id-list {CLIENT_ID}."
            in hint
        )
        accounts.register_provider(other.issuer, [CLIENT_ID])
        assert isinstance(refused(aws, other.mint()), TrustRefused)


def test_a_slash_too_many_is_named(aws, idp):
    failure = refused(aws, idp.mint(iss=f"{idp.issuer}/"))
    assert isinstance(failure, TokenRefused)
    assert "This issuer ends with a slash" in failure.admin_hint
    assert f"--url {idp.issuer}/ " in failure.admin_hint


def test_keys_that_aws_does_not_find_are_named_with_where_it_looks(aws, idp):
    with IdentityProvider() as stranger:
        failure = refused(aws, stranger.mint(iss=idp.issuer))
    assert isinstance(failure, TokenRefused)
    assert f"{idp.issuer}/.well-known/openid-configuration" in failure.admin_hint
    assert "`kid`" in failure.admin_hint


def test_an_unreachable_identity_provider_is_named_with_where_aws_looks(aws):
    with IdentityProvider() as gone:
        token = gone.mint()
        accounts.register_provider(gone.issuer, [CLIENT_ID])
    failure = refused(aws, token)
    assert isinstance(failure, StsUnavailable)
    assert f"{gone.issuer}/.well-known/openid-configuration" in failure.admin_hint


@pytest.mark.parametrize("role", ["misconfigured", "no-such-role"])
def test_an_untrusted_subject_is_shown_as_a_line_of_the_trust_policy(aws, idp, role):
    failure = refused(aws, idp.mint(), role)
    host = idp.issuer.removeprefix("http://")
    assert isinstance(failure, TrustRefused)
    assert f'"{host}:sub": "alice"' in failure.admin_hint
    assert f'"{host}:aud": "{CLIENT_ID}"' in failure.admin_hint


@pytest.mark.parametrize(
    ("claims", "action"),
    [
        ({TAGS_CLAIM: {"principal_tags": {"Team": ["a"]}}, SOURCE_IDENTITY_CLAIM: None}, "sts:TagSession"),
        ({TAGS_CLAIM: None, SOURCE_IDENTITY_CLAIM: "alice"}, "sts:SetSourceIdentity"),
    ],
)  # fmt: skip
def test_an_action_that_the_trust_policy_lacks_is_named(aws, idp, claims, action):
    principal = {
        "Federated": f"arn:aws:iam::{ACCOUNT_ID}:oidc-provider/{idp.issuer.removeprefix('http://')}"
    }
    statement = {
        "Effect": "Allow",
        "Principal": principal,
        "Action": "sts:AssumeRoleWithWebIdentity",
    }
    role = action.replace(":", "-")
    accounts.add_role(role, {"Version": "2012-10-17", "Statement": [statement]})
    assert f"lacks the action {action}" in refused(aws, idp.mint(**claims), role).admin_hint


def test_an_expired_token_is_reported_with_its_time(aws, idp):
    hint = refused(aws, idp.mint(exp=1_700_000_000, iat=1_600_000_000, nbf=None)).admin_hint
    assert "2023-11-14 22:13:20 UTC" in hint
