"""The life of a client that has its credentials from the credential endpoint, and what was seen of it."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from jupyter_wb_aws.demo.local_aws import accounts
from jupyter_wb_aws.demo.names import role_arn
from tests.clients.amazon import Call
from tests.clients.conftest import CREDENTIAL_SECONDS, Client
from tests.clients.recording_proxy import RecordingProxy

OLD, NEW = "engineer", "auditor"
UNSIGNED = "unsigned"


@dataclass
class Attempt:
    """What came of using a client once: what a person sees, and what came to AWS."""

    said: str
    calls: list[Call]

    @property
    def works(self):
        return "ANSWER" in self.said

    @property
    def requests(self):
        """The client's: the calls to STS without a signature are the server's."""
        return [call for call in self.calls if not call.assumes_role]

    @property
    def roles(self):
        return {_role(call.key) for call in self.requests}

    @property
    def accepted_keys(self):
        return {call.key for call in self.requests if call.status < 300}


def _role(key):
    return accounts.find_credentials(key).arn.split("/")[1] if key else UNSIGNED


@dataclass
class Life:
    """A client whose role is switched and ended; after a refusal at the first use, nothing follows."""

    version: str
    first: Attempt
    shown_to_a_proxy: bool
    """Whether a process without NO_PROXY shows the proxy its endpoint token."""
    later: Attempt | None = None
    switched: Attempt | None = None
    switched_new: Attempt | None = None
    ended: Attempt | None = None
    ended_new: Attempt | None = None
    reason: str = ""
    """The sentence with which the endpoint refuses after the end."""


def live(name, server, amazon):
    """Use a client before and after all has expired, after a switch, and after an end.

    Args:
        name: of its program.
        server: a running server of these tests.
        amazon: the local AWS.
    """
    session = server.start(role_arn(OLD), default=False)
    assert session.get("state") == "active", session
    client = Client(name, server, amazon, session["id"])
    first = Attempt(*client.attempt())
    life = Life(client.version(), first, _shows_to_a_proxy(client))
    if life.first.works:
        _go_on(life, client, server)
    server("DELETE", f"/api/kernels/{client.kernel}")
    server("DELETE", f"/aws/sessions/{session['id']}")
    return life


def _go_on(life, client, server):
    life.later = _after_expiry(client)
    other = server.start(role_arn(NEW), default=False)
    switch = server("PUT", f"/aws/assignments/{client.kernel}", {"session_id": other["id"]})
    assert switch["applies"] == "now", switch
    life.switched_new = Attempt(*client.attempt_in_new_process())
    life.switched = _after_expiry(client)
    server("DELETE", f"/aws/sessions/{other['id']}")
    life.ended_new = Attempt(*client.attempt_in_new_process())
    life.ended = _after_expiry(client)
    life.reason = _refusal(client)


def _after_expiry(client):
    # Its credentials, and the answer that the endpoint may have kept for it.
    time.sleep(CREDENTIAL_SECONDS + 1)
    return Attempt(*client.attempt())


def _shows_to_a_proxy(client):
    token = endpoint_token(client)
    with RecordingProxy({}) as proxy:
        variables = " ".join(
            f"{k}={v}" for k, v in proxy.variables.items() if "https" not in k.lower()
        )
        client.attempt_in_new_process(variables, without=("NO_PROXY", "no_proxy"))
        return proxy.saw(token)


def endpoint_token(client):
    return Path(client.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")).read_text()


def _refusal(client):
    request = urllib.request.Request(
        client.variable("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
        headers={"Authorization": endpoint_token(client)},
    )
    try:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request)
    except urllib.error.HTTPError as error:
        return json.loads(error.read())["Message"]
    raise AssertionError("the endpoint still answers")
