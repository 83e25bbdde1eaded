"""The hub service is killed, the hub hangs, a key is withdrawn: role sessions come back without help."""

from __future__ import annotations

import contextlib
import signal

import psutil
import pytest

from tests.hub.hub_site import ANALYST, CONTENT, READ, ROTATING, HubSite
from tests.hub.running_hub import until

pytestmark = pytest.mark.long
# The credentials stay in the client; a new one would ask STS, and the local AWS keeps no keys of issuers.
AGAIN = f"""
{READ.replace("boto3.Session()", "session")}
""".replace("import boto3", "globals().setdefault('session', __import__('boto3').Session())")


@pytest.fixture(scope="module")
def site(start_hub):
    with contextlib.ExitStack() as stack:
        site = HubSite(stack, server_config={"JupyterHubTokenSource": {"check_every": 5}})
        site.start(start_hub)
        yield site


@pytest.fixture(scope="module")
def server(site):
    return site.hub.start_server("alice")


@pytest.fixture
def kernel(server, session):
    kernel = server.kernel()
    assert server.run(kernel, AGAIN) == f"{CONTENT}\n"
    return kernel


@pytest.fixture
def session(server):
    session = server.start(ANALYST, default=True)
    until(lambda: state_of(server, session) == "active", "the role session is not active")
    return session


def state_of(server, session):
    return server("GET", f"/aws/sessions/{session['id']}")["state"]


def refresh(server, session):
    return server("POST", f"/aws/sessions/{session['id']}/refresh")


def expires_at(server, session):
    return server("GET", f"/aws/sessions/{session['id']}")["token_expires_at"]


def check_that_it_goes_on_and_comes_back(server, kernel, session, end_of_outage):
    """Check an outage that has begun, with a notebook that has credentials from before."""
    before = expires_at(server, session)

    problem = refresh(server, session)

    assert problem["status"] in {503, 504}, problem
    assert "<" not in problem["detail"]
    assert state_of(server, session) == "degraded"
    assert server.run(kernel, AGAIN) == f"{CONTENT}\n"
    end_of_outage()
    until(lambda: state_of(server, session) == "active", "it does not come back")
    assert expires_at(server, session) > before
    assert server.run(kernel, READ) == f"{CONTENT}\n"
    assert server.run(server.kernel(), READ) == f"{CONTENT}\n"


@pytest.mark.timeout(300)
def test_role_sessions_come_back_after_the_service_was_killed(site, server, kernel, session):
    (service,) = (p for p in site.hub.processes() if "jupyter-wb-aws-hub" in " ".join(p.cmdline()))
    service.kill()
    # The hub starts it again within half a minute; meanwhile, its proxy answers with HTML.
    answer = until(
        lambda: (found := site.ask("GET", "health", None)).status_code == 503 and found,
        "the service still answers",
    )
    assert answer.headers["Content-Type"].startswith("text/html")

    def end_of_outage():
        until(lambda: site.ask("GET", "health", None).status_code == 200, "it is not back")

    check_that_it_goes_on_and_comes_back(server, kernel, session, end_of_outage)


@pytest.mark.timeout(300)
def test_role_sessions_come_back_after_the_hub_did_not_answer(site, server, kernel, session):
    (hub,) = (p for p in site.hub.processes() if "jupyterhub_config.py" in " ".join(p.cmdline()))
    hub.send_signal(signal.SIGSTOP)
    try:
        answer = site.mint(server.api_token)
        assert (answer.status_code, answer.json()["code"]) == (503, "hub_unavailable")
        assert int(answer.headers["Retry-After"]) >= 1
        check_that_it_goes_on_and_comes_back(
            server, kernel, session, lambda: hub.send_signal(signal.SIGCONT)
        )
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            hub.send_signal(signal.SIGCONT)


@pytest.mark.timeout(300)
def test_role_sessions_and_starts_have_tokens_of_the_new_key_after_a_withdrawal(
    site, server, kernel, session
):
    for times in range(2):
        (*_, current) = (line["kid"] for line in site.audit() if line["event"] == "token")
        answer = site.ask("POST", "keys", ROTATING, body={"compromised": current})
        assert (answer.status_code, answer.json()["withdrawn"]) == (201, [current])
        if times == 0:
            # With new credentials, for which the old token is no good.
            until(lambda: server.run(kernel, READ) == f"{CONTENT}\n", "it does not come back")
        else:
            server("DELETE", f"/aws/sessions/{session['id']}")
            assert "id" in server.start(ANALYST, default=True)
            assert server.run(server.kernel(), READ) == f"{CONTENT}\n"
