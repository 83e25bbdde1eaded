"""AssumeRoleWithWebIdentity, except for the token itself."""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from jupyter_wb_aws.demo.local_aws import accounts
from jupyter_wb_aws.demo.local_aws.seed import trust
from jupyter_wb_aws.demo.names import SOURCE_IDENTITY_CLAIM, TAGS_CLAIM, role_arn

DENIED = ("AccessDenied", 403)
UNFIT = ("ValidationError", 400)


@pytest.fixture
def post(aws):
    """Call STS without boto3, which checks parameters itself."""

    def post(parameters, method="POST", path="/"):
        form = urllib.parse.urlencode(parameters).encode()
        request = urllib.request.Request(aws.url + path, form, method=method)
        if method == "GET":
            request = urllib.request.Request(f"{aws.url}{path}?{form.decode()}")
        try:
            with urllib.request.urlopen(request) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    return post


@pytest.fixture
def parameters(idp):
    return {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": "2011-06-15",
        "RoleArn": role_arn("analyst"),
        "RoleSessionName": "alice-test",
        "WebIdentityToken": idp.mint(),
    }


@pytest.fixture
def add_role(idp, request):
    """Add a role with a changed copy of a trust policy that lets alice in."""
    host = idp.issuer.removeprefix("http://")

    def add(**statement):
        policy = trust(host, "alice")
        policy["Statement"][0].update(statement)
        name = f"role-{len(accounts.iam_backends['111122223333']['aws'].roles)}"
        accounts.add_role(name, policy)
        return name

    add.host = host
    return add


@pytest.mark.parametrize("role", ["analyst", "auditor"])
def test_alice_may_use_her_roles(caller, role):
    assert caller.assume(role)["AssumedRoleUser"]["Arn"].endswith(f"assumed-role/{role}/alice-test")


@pytest.mark.parametrize("role", ["misconfigured", "finance-admin", "no-such-role"])
def test_a_role_that_does_not_trust_alice_looks_like_one_that_does_not_exist(caller, role):
    with pytest.raises(ClientError, match="Not authorized to perform sts:AssumeRoleWithWebIdent"):
        caller.assume(role)
    assert caller.refused(caller.assume, role) == DENIED


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:iam::999999999999:role/analyst",
        "arn:aws-cn:iam::111122223333:role/analyst",
        "arn:aws:iam::111122223333:role/team/analyst",
        "arn:aws:iam::111122223333:role/ANALYST",
    ],
)
def test_another_accounts_partitions_or_paths_role_is_refused(caller, arn):
    assert caller.refused(caller.assume, RoleArn=arn) == DENIED


@pytest.mark.parametrize(
    "arn",
    [
        "this is not an ARN at all",
        "arn:aws:iam::1111:role/analyst",
        "arn:aws:iam::111122223333:user/analyst",
        "arn:aws:s3:::colorado-projects",
        "arn:aws:iam::111122223333:role/",
        "arn:aws:iam::111122223333:role/ü",
    ],
)
def test_text_that_is_not_a_role_arn_is_refused(caller, arn):
    assert caller.refused(caller.assume, RoleArn=arn) == UNFIT


@pytest.mark.parametrize("name", ["al", "a" * 64, "alice@example.com", "a=b,c.d+e-f_g"])
def test_session_names_of_awss_charset_and_length_are_accepted(caller, name):
    arn = caller.assume(RoleSessionName=name)["AssumedRoleUser"]["Arn"]
    assert arn.endswith(f"/{name}")


@pytest.mark.parametrize("name", ["", "a", "a" * 65, "a b", "a/b", "älice", "a:b", "ab\n", "<ab>"])
def test_other_session_names_are_refused_in_awss_words(post, parameters, name):
    status, body = post(parameters | {"RoleSessionName": name})
    assert status == 400
    assert "<Code>ValidationError</Code>" in body
    assert "1 validation error detected: Value '" in body
    assert "at 'roleSessionName' failed to satisfy constraint: Member must " in body


@pytest.mark.parametrize("seconds", ["0", "1", "-1", "899", "43201", "999999"])
def test_durations_outside_awss_limits_are_refused(post, parameters, seconds):
    status, body = post(parameters | {"DurationSeconds": seconds})
    assert status == 400
    assert "<Code>ValidationError</Code>" in body
    assert "at 'durationSeconds'" in body


@pytest.mark.parametrize(
    "seconds", ["", "soon", "900.5", "1e3", pytest.param("9" * 5000, id="5,000 digits"), "٩٠٠"]
)
def test_a_duration_that_is_not_a_number_is_refused(post, parameters, seconds):
    assert post(parameters | {"DurationSeconds": seconds})[0] == 400


def test_a_duration_over_the_roles_own_maximum_is_refused(caller):
    assert caller.refused(caller.assume, DurationSeconds=3601) == UNFIT


@pytest.mark.parametrize("seconds", [900, 3600])
def test_credentials_live_as_long_as_requested(caller, seconds):
    expires = caller.assume(DurationSeconds=seconds)["Credentials"]["Expiration"]
    lifetime = expires - datetime.now(UTC)
    assert timedelta(seconds=seconds - 5) < lifetime <= timedelta(seconds=seconds)


@pytest.mark.parametrize("name", ["RoleArn", "RoleSessionName", "WebIdentityToken"])
def test_a_missing_parameter_is_named(post, parameters, name):
    del parameters[name]
    status, body = post(parameters)
    assert status == 400
    assert f"Value null at '{name[0].lower()}{name[1:]}'" in body


@pytest.mark.parametrize("length", [3, 20001])
def test_a_token_that_is_too_short_or_too_long_is_refused_and_not_repeated(
    post, parameters, length
):
    status, body = post(parameters | {"WebIdentityToken": "x" * length})
    assert status == 400
    assert "at 'webIdentityToken'" in body
    assert "xxx" not in body


@pytest.mark.parametrize(
    "session_policy",
    [
        {"Policy": '{"Version":"2012-10-17","Statement":[]}'},
        {"PolicyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]},
        {"ProviderId": "www.amazon.com"},
    ],
    ids=lambda policy: next(iter(policy)),
)
def test_parameters_that_can_not_be_enforced_are_refused_and_not_ignored(caller, session_policy):
    assert caller.refused(caller.assume, **session_policy) == UNFIT


def test_a_call_with_get_is_answered_as_in_aws(post, parameters):
    status, body = post(parameters, method="GET")
    assert status == 200
    assert "<AssumeRoleWithWebIdentityResult>" in body


def test_for_a_call_with_made_up_credentials_only_the_token_counts(caller, idp):
    made_up = {"AccessKeyId": "ASIAMADEUP", "SecretAccessKey": "x", "SessionToken": "y"}
    sts = caller.client("sts", made_up)
    answer = sts.assume_role_with_web_identity(
        RoleArn=role_arn("analyst"), RoleSessionName="alice", WebIdentityToken=idp.mint()
    )
    assert answer["SubjectFromWebIdentityToken"] == "alice"


def test_markup_in_a_message_is_escaped(post, parameters):
    body = post(parameters | {"RoleSessionName": "<Code>x</Code>&\x00"})[1]
    assert "&lt;Code&gt;x&lt;/Code&gt;&amp;?" in body


def test_boto3_itself_refuses_parameters_shorter_than_its_model_allows(caller):
    with pytest.raises(ParamValidationError):
        caller.assume(RoleSessionName="a")


def test_a_condition_on_the_audience_is_evaluated(caller, add_role):
    role = add_role(Condition={"StringEquals": {f"{add_role.host}:aud": "another"}})
    assert caller.refused(caller.assume, role) == DENIED


def test_a_condition_on_a_session_tag_is_evaluated(caller, add_role):
    finance = add_role(Condition={"StringEquals": {"aws:RequestTag/Team": "finance"}})
    analytics = add_role(Condition={"StringLike": {"aws:RequestTag/team": "analy*"}})
    assert caller.refused(caller.assume, finance) == DENIED
    assert caller.assume(analytics)


def test_a_condition_on_tag_keys_and_source_identity_is_evaluated(caller, add_role):
    role = add_role(
        Condition={
            "ForAnyValue:StringEquals": {"aws:TagKeys": "CostCenter"},
            "StringEquals": {"sts:SourceIdentity": "alice", "sts:RoleSessionName": "alice-test"},
        }
    )
    assert caller.assume(role)
    assert caller.refused(caller.assume, role, RoleSessionName="other") == DENIED


def test_an_unknown_condition_refuses(caller, add_role):
    role = add_role(Condition={"IpAddress": {"aws:SourceIp": "127.0.0.1/32"}})
    assert caller.refused(caller.assume, role) == DENIED


def test_another_providers_role_is_refused(caller, add_role):
    other = "arn:aws:iam::111122223333:oidc-provider/idp.example.com"
    assert caller.refused(caller.assume, add_role(Principal={"Federated": other})) == DENIED


@pytest.mark.parametrize(
    ("missing", "message", "claim"),
    [
        ("sts:TagSession", "Not authorized to perform sts:TagSession", TAGS_CLAIM),
        ("sts:SetSourceIdentity", "Not authorized to perform sts:Set", SOURCE_IDENTITY_CLAIM),
    ],
)
def test_tags_and_source_identity_need_a_permission_of_their_own(
    caller, add_role, idp, missing, message, claim
):
    actions = {"sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"}
    role = add_role(Action=sorted(actions - {missing}))
    with pytest.raises(ClientError, match=message):
        caller.assume(role)
    assert caller.assume(role, WebIdentityToken=idp.mint(**{claim: None}))
