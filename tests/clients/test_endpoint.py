"""AWS clients whose credentials come from the credential endpoint, over an expiry, a switch and an end."""

from __future__ import annotations

import pytest

from tests.clients import table
from tests.clients.endpoint_life import NEW, OLD, live
from tests.marks import long

# Go's first SDK and Debian's AWS CLI are older than AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE.
TOO_OLD = {"aws_v2", "rclone"}
QUICK = {"boto3"}
ALL = [name if name in QUICK else long(name)[0] for name in table.CLIENTS]
ABLE = [name if name in QUICK else long(name)[0] for name in table.CLIENTS if name not in TOO_OLD]
# What they show has nothing of the endpoint's sentence; pyarrow asks AWS without a signature.
SILENT = {"javascript", "pyarrow", "deltalake", "duckdb", "r"}


@pytest.fixture(scope="module")
def life(server, amazon):
    """The life of a client, which it has once."""
    lives = {}

    def life(name):
        if name not in lives:
            lives[name] = live(name, server, amazon)
        return lives[name]

    return life


@pytest.mark.parametrize("name", ABLE)
def test_it_works_and_asks_sts_for_nothing(name, life):
    seen = life(name)

    assert seen.first.works, seen.first.said
    assert seen.first.roles == {OLD}


@pytest.mark.parametrize("name", ABLE)
def test_it_goes_on_when_its_first_credentials_have_expired(name, life):
    first, later = life(name).first, life(name).later

    assert later.works, later.said
    assert later.roles == {OLD}
    assert later.accepted_keys
    assert not later.accepted_keys & first.accepted_keys


@pytest.mark.parametrize("name", ABLE)
def test_another_role_reaches_new_processes_at_once_and_it_without_a_restart(name, life):
    seen = life(name)

    assert seen.switched_new.roles == {NEW}
    assert NEW in seen.switched.roles


@pytest.mark.parametrize("name", ABLE)
def test_after_the_end_neither_it_nor_a_new_process_has_the_role(name, life):
    seen = life(name)

    for attempt in (seen.ended, seen.ended_new):
        assert not attempt.works
        assert attempt.accepted_keys == set()
        if name not in SILENT:
            assert "ended" in attempt.said


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(TOO_OLD))
def test_one_that_sends_no_endpoint_token_is_refused_and_does_not_reach_aws(name, life):
    first = life(name).first

    assert not first.works
    assert first.roles == set()
    shown = {"aws_v2": "SDK is probably too old", "rclone": "no valid providers in chain"}
    assert shown[name] in first.said


@pytest.mark.parametrize("name", ALL)
def test_the_table_in_the_documentation_says_what_was_seen(name, life):
    table.check(table.ENDPOINT, name, table.endpoint_row(name, life(name)))
