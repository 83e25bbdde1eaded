"""At a site with a proxy, no client shows it an endpoint token."""

from __future__ import annotations

import pytest

from jupyter_wb_aws.demo.names import role_arn
from tests.clients import table
from tests.clients.amazon import NAMES
from tests.clients.conftest import Client, running_server
from tests.clients.endpoint_life import Attempt, endpoint_token
from tests.clients.recording_proxy import RecordingProxy

pytestmark = pytest.mark.long  # with all of the clients

ABLE = [name for name in table.CLIENTS if name not in {"aws_v2", "rclone"}]


@pytest.fixture(scope="module")
def credential_seconds():
    return 3600


@pytest.fixture(scope="module")
def proxy(amazon):
    with RecordingProxy(dict.fromkeys(NAMES, amazon.address)) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def server(amazon, proxy, tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    with running_server(amazon, folder, proxy.variables) as server:
        server.session = server.start(role_arn("engineer"))
        assert server.session["state"] == "active", server.session
        yield server


@pytest.mark.parametrize("name", ABLE)
def test_the_proxy_sees_no_endpoint_token(name, server, amazon, proxy):
    client = Client(name, server, amazon)

    attempt = Attempt(*client.attempt())

    assert attempt.works, attempt.said
    token = endpoint_token(client)
    server("DELETE", f"/api/kernels/{client.kernel}")
    assert not proxy.saw(token)


@pytest.mark.parametrize("name", ["polars_alone", "deltalake", "r"])
def test_a_process_that_unsets_no_proxy_shows_it(name, server, amazon, proxy):
    client = Client(name, server, amazon)

    client.attempt_in_new_process(without=("NO_PROXY", "no_proxy"))

    token = endpoint_token(client)
    server("DELETE", f"/api/kernels/{client.kernel}")
    assert proxy.saw(token)
