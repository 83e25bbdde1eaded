"""The hub service stops, hangs and comes back under a running notebook, behind a real hub and its proxy."""

from __future__ import annotations

import contextlib
import signal

import psutil
import pytest

from jupyter_wb_aws.demo.names import BUCKET
from tests.hub.hub_site import ANALYST, CONTENT, OBJECT, HubSite
from tests.hub.running_hub import until

pytestmark = pytest.mark.long
TOKEN_LIFETIME = 40
AWAY = {"identity_provider_unavailable", "identity_provider_timeout"}
# AWS, too, asks the service for its keys. A client that has credentials does not need STS for a while.
CLIENT = "import boto3; client = boto3.Session().client('s3')"
READ = f"""
body = client.get_object(Bucket={BUCKET!r}, Key={OBJECT!r})["Body"]
print(body.read().decode().splitlines()[0])
"""


@pytest.fixture(scope="module")
def site(start_hub):
    with contextlib.ExitStack() as stack:
        of_servers = {"JupyterHubTokenSource": {"check_every": 2, "timeout": 2}}
        site = HubSite(stack, service={"token_lifetime": TOKEN_LIFETIME}, server_config=of_servers)
        site.start(start_hub)
        yield site


@pytest.fixture(scope="module")
def alice(site):
    return site.hub.start_server("alice")


def service_of(site):
    """Return the service's process, once it answers."""
    until(lambda: site.hub.fetch("GET", "services/aws/keys").status_code == 200, "no service")
    (found,) = [p for p in site.hub.processes() if "jupyter-wb-aws-hub" in " ".join(p.cmdline())]
    return found


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_a_notebook_outlives_a_service_that_is_away_and_nobody_has_to_do_anything(site, alice, how):
    service = service_of(site)
    session = alice.start(ANALYST, default=True)
    kernel = alice.kernel()
    alice.run(kernel, CLIENT)
    assert CONTENT in alice.run(kernel, READ)

    def state():
        return alice("GET", f"/aws/sessions/{session['id']}")["state"]

    if how == "killed":  # the proxy answers with a page of HTML until the hub starts it again
        service.kill()
        page = until(
            lambda: site.hub.fetch("GET", "services/aws/keys"), "the proxy does not answer"
        )
        assert page.status_code == 503
        assert "html" in page.headers["content-type"]
    else:
        service.send_signal(signal.SIGSTOP)
    try:
        refused = alice("POST", f"/aws/sessions/{session['id']}/refresh")
        assert refused["code"] in AWAY
        assert state() == "degraded"
        assert CONTENT in alice.run(kernel, READ)
        health = alice("GET", "/aws/health")
        codes = [problem["code"] for problem in health["problems"]]
        assert codes[-1] == "role_session_needs_attention"
        assert codes[0] in AWAY
        assert [role["arn"] for role in alice("GET", "/aws/roles")["roles"]]
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            service.send_signal(signal.SIGCONT)

    until(lambda: state() == "active", lambda: f"it is {state()}")
    assert CONTENT in alice.run(kernel, READ)
    until(lambda: alice("GET", "/aws/health")["status"] == "ok", "health is not well again")
    assert f"Role session {session['id']} ({ANALYST}) ended" not in alice.log
