"""What a process is started with, and what that says of it."""

from __future__ import annotations

import pytest

from jupyter_wb_aws.endpoint.clients import EndpointClients
from jupyter_wb_aws.injection.process_environments import Prepared
from jupyter_wb_aws.role_sessions.assignments import NO_AWS_ROLE, UNTOUCHED, ProcessRole
from tests.role_sessions.conftest import Site
from tests.role_sessions.support import identity, make_session


def of_endpoint(**fields):
    return ProcessRole("role", make_session(delivery="endpoint", **fields))


@pytest.fixture
def prepared(tmp_path, clock):
    files = Site(tmp_path, clock).manager().files
    clients = EndpointClients(files, clock, lambda: "http://127.0.0.1:40123/credentials")
    given = of_endpoint()
    client = clients.client_for("kernel", "k1", given.session)
    return Prepared({"JUPYTERHUB_API_TOKEN": "c2VjcmV0"}, {"A": "c2VjcmV0"}, given, client)


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        (of_endpoint(id="b" * 16), True),
        (NO_AWS_ROLE, True),
        (of_endpoint(owner=identity("bob")), False),
        (ProcessRole("role", make_session()), False),
        (UNTOUCHED, False),
    ],
    ids=["endpoint", "no_role", "another_user", "web_identity", "untouched"],
)
async def test_a_process_can_be_switched_to_its_own_users_roles_by_the_endpoint(
    prepared, role, expected
):
    assert prepared.can_switch_to(role) is expected


async def test_the_variables_of_a_process_are_in_no_repr(prepared):
    assert "c2VjcmV0" not in repr(prepared)
