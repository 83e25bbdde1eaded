"""Clients of the credential endpoint while what they have is good for long, as at AWS."""

from __future__ import annotations

import json
import re
import time
from datetime import datetime
from pathlib import Path

import pytest

from jupyter_wb_aws.demo.names import role_arn
from tests.clients.conftest import Client
from tests.clients.endpoint_life import Attempt

PAGE = Path(__file__).parents[2] / "docs/clients.md"
AT_ONCE = re.findall(r"```python\n# At once\.\n(.*?)```", PAGE.read_text(), re.DOTALL)
ENGINEER, AUDITOR = role_arn("engineer"), role_arn("auditor")

LOOP = """
import json, threading, time

def _loop():
    s3 = boto3.client("s3")
    until = time.time() + 100
    while time.time() < until:
        began, error = time.time(), None
        try:
            s3.get_object(Bucket="colorado-projects", Key="README.txt")
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}"
        attempts.append((began, time.time(), error))
        time.sleep(0.5)

attempts = []
threading.Thread(target=_loop, daemon=True).start()
"""


@pytest.fixture(scope="module")
def credential_seconds():
    return 3600


@pytest.mark.long  # a minute of real time
def test_a_boto3_client_in_a_loop_is_refused_within_75_seconds_of_an_end(server, amazon):
    session = server.start(ENGINEER, default=False)
    assert session["lease"] == 660, session
    client = Client("boto3", server, amazon, session["id"])
    client.run(LOOP)

    def attempts():
        return [tuple(each) for each in json.loads(client.run("print(json.dumps(attempts))"))]

    while len(attempts()) < 3:
        time.sleep(0.2)
    ended_at = time.time()
    end = server("DELETE", f"/aws/sessions/{session['id']}")

    refused = []
    while not refused and time.time() < ended_at + 90:
        time.sleep(1)
        refused = [(until, error) for _, until, error in attempts() if error]

    until, error = refused[0]
    assert until - ended_at < 75
    assert "has ended" in error, error
    # The end said so: boto3 needs 600 s more than it uses.
    stop_by = datetime.fromisoformat(end["clients_stop_by"]).timestamp()
    assert ended_at < stop_by <= ended_at + 660 + 5
    assert datetime.fromisoformat(end["credentials_expire_at"]).timestamp() > stop_by


@pytest.mark.long  # with pyarrow and s3fs
def test_what_takes_another_role_at_once_on_the_page_does_so(server, amazon):
    # From a lease of 960 s: with 660 s, boto3 asks at each call.
    session, other = (server.start(role, default=False) for role in (AUDITOR, ENGINEER))
    client = Client("boto3", server, amazon, session["id"])
    in_use = "sts.get_caller_identity()"
    for code in (in_use, *AT_ONCE):
        attempt = Attempt(*client.watched(code))
        assert attempt.roles == {"auditor"}, attempt.said

    switch = server("PUT", f"/aws/assignments/{client.kernel}", {"session_id": other["id"]})
    assert switch["applies"] == "now", switch

    assert Attempt(*client.watched(in_use)).roles == {"auditor"}
    for code in AT_ONCE:
        attempt = Attempt(*client.watched(code))
        assert attempt.roles == {"engineer"}, attempt.said
