"""For stores and partitions that do not know AWS's roles claim: a token is bound to its role by `sub`."""

from __future__ import annotations

import contextlib

import jwt
import pytest

from tests.hub.hub_site import ANALYST, AUDITOR, BY_SUBJECT, FINANCE, HubSite, by_subject

pytestmark = [pytest.mark.long, pytest.mark.hub5]


@pytest.fixture(scope="module")
def site(start_hub):
    with contextlib.ExitStack() as stack:
        site = HubSite(
            stack,
            service={"subject_template": BY_SUBJECT, "algorithm": "ES256"},
            aws={"reads_roles_claim": False},
            conditions=by_subject,
        )
        site.start(start_hub)
        yield site


def test_a_token_for_one_role_is_refused_for_every_other(site):
    token = site.web_identity(site.by_hand("alice"), ANALYST)
    assert site.assume(token, ANALYST) == "accepted"
    assert site.assume(token, AUDITOR) == "AccessDenied"
    assert site.assume(token, FINANCE) == "AccessDenied"
    assert site.assume(site.web_identity(site.by_hand("alice"), AUDITOR), AUDITOR) == "accepted"
    assert site.assume(site.web_identity(site.by_hand("bob"), FINANCE), FINANCE) == "accepted"


def test_the_catalogue_decides_who_gets_such_a_token(site):
    for user, role in (("alice", FINANCE), ("bob", ANALYST), ("bob", AUDITOR)):
        refused = site.mint(site.by_hand(user), role)
        assert (refused.status_code, refused.json()["code"]) == (403, "role_not_allowed")


@pytest.mark.parametrize("name", ["a*b", "*", "alice:role:auditor", "alice:role:*", "é"])
def test_a_user_name_of_another_form_gains_nothing(site, name):
    """The hub takes such names."""
    created = site.hub.api("POST", "/users", body={"usernames": [name]})
    assert created.status_code == 201, created.text
    for group in ("aws", "analysts"):
        site.hub.join(group, name)

    token = site.web_identity(site.by_hand(name), ANALYST)

    assert site.assume(token, ANALYST) == "accepted"
    assert {site.assume(token, role) for role in (AUDITOR, FINANCE)} == {"AccessDenied"}
    assert jwt.decode(token, options={"verify_signature": False})["sub"].count(":") == 3
    assert site.mint(site.by_hand(name), FINANCE).json()["code"] == "role_not_allowed"
