"""How a role reaches a process: the keys of a roles file about it."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from traitlets import TraitError

from jupyter_wb_aws.app import WbAwsApp
from jupyter_wb_aws.errors import RoleNotAllowed
from jupyter_wb_aws.handlers.roles import encode_role_list
from jupyter_wb_aws.role_sessions.settings import RoleSessionSettings
from jupyter_wb_aws.roles.catalogue_parser import parse
from jupyter_wb_aws.roles.role import Role, RoleArn
from tests.conftest import NOON, make_token
from tests.roles.problems import problem_of

ARN = "arn:aws:iam::111122223333:role/analyst"
ENTRY = f'[[roles]]\narn = "{ARN}"\nallow = "everyone"\n'
FROM_CLAIM = '[roles_from_claim]\nclaim = "aws_roles"\naccounts = ["111122223333"]\n'
ENDPOINT = 'delivery = "endpoint"\n'
ALICE = make_token(aws_roles=[ARN]).identity("preferred_username", "groups")
SITE = RoleSessionSettings(Path("/tokens"), Path("/state"), Path("/root"))


def offered(text: str) -> Role:
    (role,) = parse(text, NOON).offered_to(ALICE)
    return role


@pytest.mark.parametrize("start", [ENTRY, FROM_CLAIM])
def test_an_entry_or_a_claim_says_how_its_roles_are_delivered(start):
    role = offered(f"{start}{ENDPOINT}lease = 660\ncredential_lifetime = 3600\n")
    assert (role.delivery, role.lease, role.credential_lifetime) == ("endpoint", 660, 3600)


@pytest.mark.parametrize("start", [ENTRY, FROM_CLAIM])
def test_without_a_word_about_delivery_a_role_follows_its_site(start):
    role = offered(start)
    assert (role.delivery, role.lease, role.credential_lifetime) == (None, None, None)
    by_endpoint = replace(SITE, delivery="endpoint", lease=1200)
    assert (SITE.delivery_of(role), by_endpoint.delivery_of(role)) == ("web_identity", "endpoint")
    assert by_endpoint.lease_of(role) == timedelta(seconds=1200)
    assert SITE.lease_of(role) == timedelta(seconds=960)


def test_a_roles_own_delivery_and_lease_take_precedence_over_the_sites():
    role = Role(RoleArn.parse(ARN), "Analyst", delivery="endpoint", lease=660)
    assert SITE.delivery_of(role) == "endpoint"
    assert SITE.lease_of(role) == timedelta(seconds=660)
    by_endpoint = replace(SITE, delivery="endpoint")
    assert by_endpoint.delivery_of(replace(role, delivery="web_identity")) == "web_identity"


@pytest.mark.parametrize("delivery", ["web_identity", "endpoint"])
def test_the_list_of_roles_shows_the_sites_delivery_where_an_entry_has_none(delivery):
    own = Role(RoleArn.parse(ARN + "-own"), "Own", delivery="endpoint")
    site = replace(SITE, delivery=delivery)
    answer = json.loads(encode_role_list(ALICE, [Role(RoleArn.parse(ARN), "Analyst"), own], site))
    assert [role["delivery"] for role in answer["roles"]] == [delivery, "endpoint"]


LEASE = "`lease` of the role analyst must be a whole number of seconds from 660 to 43200"
LIFETIME = "`credential_lifetime` of the role analyst must be a whole number of seconds from 900 to 43200"  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ('delivery = "end_point"', "is 'end_point', and this version knows web_identity and endpoint"),
        ('delivery = ""', "this version knows web_identity and endpoint"),
        ('delivery = ["endpoint"]', "this version knows web_identity and endpoint"),
        ("lease = 960", '`lease` of the role analyst needs `delivery = "endpoint"` beside it, even if that is the site\'s default: '),
        ('delivery = "web_identity"\nlease = 960', '`lease` of the role analyst needs `delivery = "endpoint"` beside it: '),
        ('delivery = "web_identity"\ncredential_lifetime = 3600', "`credential_lifetime` of the role analyst needs"),
        (f"{ENDPOINT}lease = 659", f"{LEASE}; below 660, boto3 would have no time to ask again"),
        (f"{ENDPOINT}lease = 43201", LEASE),
        (f"{ENDPOINT}lease = 960.0", LEASE),
        (f"{ENDPOINT}lease = true", LEASE),
        (f'{ENDPOINT}lease = "960"', LEASE),
        (f"{ENDPOINT}credential_lifetime = 899", f"{LIFETIME}, the limits of AWS STS"),
        (f"{ENDPOINT}credential_lifetime = 43201", LIFETIME),
        (f"{ENDPOINT}leese = 960", "the nearest is `lease`"),
    ],
)  # fmt: skip
def test_a_delivery_that_makes_no_sense_is_refused_in_a_sentence(lines, reason):
    assert reason in problem_of(f"{ENTRY}{lines}\n").reason


@pytest.mark.parametrize(
    ("before", "after", "names"),
    [
        ("", 'delivery = "by_mail"', []),
        (ENDPOINT, 'delivery = "by_mail"', []),
        ("", f"{ENDPOINT}lease = 5", []),
        (ENDPOINT, 'colour = "red"', []),
        (ENDPOINT, f"{ENDPOINT}lease = 5", ["analyst"]),
        ("", 'colour = "red"', ["analyst"]),
    ],
)
def test_no_mistake_in_an_entry_lets_its_role_be_delivered_in_another_way(before, after, names):
    good = parse(f"{ENTRY}{before}", NOON)
    catalogue = parse(f"{ENTRY}{after}", NOON, good)
    assert [role.arn.name for role in catalogue.offered_to(ALICE)] == names
    assert names or catalogue.may_continue(ALICE, RoleArn.parse(ARN))


def test_who_asks_for_a_withheld_role_is_told_what_is_wrong_with_its_entry():
    catalogue = parse(f'{ENTRY}delivery = "by_mail"\n', NOON)
    with pytest.raises(RoleNotAllowed, match="its entry in the roles file has an error") as refused:
        catalogue.get_offered(ALICE, RoleArn.parse(ARN))
    assert "this version knows web_identity and endpoint" in refused.value.admin_hint


def test_a_claims_table_is_held_to_the_same_rules():
    problem = problem_of(f"{FROM_CLAIM}lease = 960\n")
    assert '`lease` of `roles_from_claim` needs `delivery = "endpoint"`' in problem.reason


def test_a_site_delivers_by_web_identity_unless_it_says_otherwise():
    app = WbAwsApp()
    assert (app.delivery, app.lease) == ("web_identity", 960)


@pytest.mark.parametrize("wrong", [{"delivery": "container"}, {"lease": 659}, {"lease": 43_201}])
def test_a_wrong_setting_of_a_site_is_refused(wrong):
    with pytest.raises(TraitError, match=next(iter(wrong))):
        WbAwsApp(**wrong)
