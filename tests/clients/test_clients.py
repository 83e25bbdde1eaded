"""AWS clients as people use them in a notebook: nothing but the environment says who they are."""

from __future__ import annotations

import pytest

from jupyter_wb_aws.demo.local_aws import accounts
from jupyter_wb_aws.demo.names import REGION
from tests.clients import table
from tests.marks import long

ALL = [name if name in table.FEW else long(name)[0] for name in table.CLIENTS]

README = "Projects of the Colorado team.\n2025/rainfall.csv: monthly rainfall in Boulder, in mm.\n"
RAIN_OF_A_YEAR = 494


@pytest.mark.parametrize("name", ALL)
def test_it_works_as_the_default_role(name, clients, server):
    _, first, _ = clients(name)

    assert first.answer in (README, RAIN_OF_A_YEAR)
    for call in first.assuming:
        assert call.host == f"sts.{REGION}.amazonaws.com"
        assert (
            call.form["RoleSessionName"] == server.session["environment"]["AWS_ROLE_SESSION_NAME"]
        )
    assert first.tokens
    assert None not in first.keys, "a request was not signed"
    arns = {accounts.find_credentials(key).arn for key in first.keys}
    assert arns == {server.session["identity"]["Arn"]}
    assert {call.region for call in first.others} == {REGION}
    assert "s3" in {call.service for call in first.others}


@pytest.mark.parametrize("name", ALL)
def test_it_goes_on_when_its_first_credentials_and_token_have_expired(name, clients):
    _, first, _ = clients(name)

    later = clients.long_after(name)

    assert later.answer == first.answer
    assert not later.tokens & first.tokens
    assert later.tokens
    accepted = {call.key for call in later.others if call.status < 300}
    assert accepted
    assert not accepted & first.keys


@pytest.mark.parametrize("name", ALL)
def test_the_table_in_the_documentation_says_what_was_seen(name, clients):
    _, first, _ = clients(name)
    table.check(table.WEB_IDENTITY, name, table.row(name, first, clients.long_after(name)))
