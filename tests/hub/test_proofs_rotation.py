"""The keys of the hub service are rotated while notebooks call AWS with tokens of half a minute."""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest

from tests.hub.hub_site import ANALYST, CONTENT, FINANCE, READ, ROTATING, HubSite
from tests.hub.running_hub import until

pytestmark = pytest.mark.long
TOKEN_LIFETIME = 30
PUBLISH_LEAD = 5
ROTATIONS = int(os.environ.get("WB_AWS_ROTATIONS", "3"))

# Each call has a session of its own, which asks STS with the token in the file.
WORK = f"""
import pathlib, time
while not pathlib.Path("done").exists():
    try:
        {READ.strip().replace(chr(10), chr(10) + " " * 8)}
    except Exception as error:
        print(f"failed at {{time.ctime()}}: {{error}}")
    time.sleep(0.2)
"""


@pytest.fixture(scope="module")
def site(start_hub):
    with contextlib.ExitStack() as stack:
        lifetimes = {"token_lifetime": TOKEN_LIFETIME, "publish_lead": PUBLISH_LEAD}
        site = HubSite(stack, service={**lifetimes, "tokens_per_minute": 100_000})
        site.start(start_hub)
        yield site


def taken_by_servers(site):
    return [line for line in site.trail.lines if line["role_session_name"] != "a-test"]


def keys_of(site, role):
    """Return the keys that signed the tokens with which a server took a role, oldest first."""
    kids = {line["jti"]: line["kid"] for line in site.audit() if "jti" in line}
    taken = [line["jti"] for line in taken_by_servers(site) if line["role_arn"] == role]
    return list(dict.fromkeys(kids[jti] for jti in taken))


class Reader:
    """Somebody who checks tokens, and keeps the keys for as long as the service says."""

    def __init__(self, site):
        self._site = site
        self._kept_until = 0

    def knows_the_key_of(self, token):
        if time.monotonic() >= self._kept_until:
            answer = self._site.ask("GET", "keys", None)
            (max_age,) = re.findall(r"max-age=(\d+)", answer.headers["Cache-Control"])
            self._kept_until = time.monotonic() + int(max_age)
            self._kids = {key["kid"] for key in answer.json()["keys"]}
        return kid_of(token) in self._kids


def kid_of(token):
    return jwt.get_unverified_header(token)["kid"]


def rotate(site, **body):
    answer = site.ask("POST", "keys", ROTATING, body=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["kid"]


@pytest.mark.hub5
def test_who_keeps_the_keys_as_long_as_the_service_says_knows_the_key_of_each_new_token(site):
    hub_token = site.by_hand("alice")
    reader = Reader(site)
    reader.knows_the_key_of(site.web_identity(hub_token))

    new = rotate(site)

    def signs():
        token = site.web_identity(hub_token)
        assert reader.knows_the_key_of(token)
        return kid_of(token) == new

    until(signs, "the new key does not sign")


@pytest.mark.hub5
def test_a_token_of_a_compromised_key_is_refused_at_once_and_a_new_one_is_accepted(site):
    hub_token = site.by_hand("alice")
    stolen = site.web_identity(hub_token)
    assert site.assume(stolen, ANALYST) == "accepted"

    rotate(site, compromised=kid_of(stolen))

    assert site.assume(stolen, ANALYST) == "InvalidIdentityToken"
    assert site.assume(site.web_identity(hub_token), ANALYST) == "accepted"


def test_every_token_is_accepted_while_many_ask_and_the_keys_are_rotated(site):
    done = threading.Event()
    outcomes = Counter()

    def ask_again_and_again(user, role):
        hub_token = site.by_hand(user)
        while not done.is_set():
            token = site.web_identity(hub_token, role)
            outcomes[kid_of(token), site.assume(token, role)] += 1

    with ThreadPoolExecutor() as workers:
        asking = [
            workers.submit(ask_again_and_again, user, role)
            for user, role in 4 * [("alice", ANALYST), ("bob", FINANCE)]
        ]
        try:
            for _ in range(ROTATIONS):
                new = rotate(site)
                until(
                    lambda new=new: (
                        outcomes[new, "accepted"] >= len(asking)
                        or any(each.done() for each in asking)
                    ),
                    "nobody has a token of the new key",
                )
        finally:
            done.set()
        for each in asking:
            each.result()

    assert {outcome for _, outcome in outcomes} == {"accepted"}
    assert len(outcomes) >= ROTATIONS + 1


@pytest.mark.timeout(180 + ROTATIONS * (TOKEN_LIFETIME + PUBLISH_LEAD))
def test_no_call_fails_while_the_keys_are_rotated(site):
    started = site.hub.start_servers("alice", "bob")
    servers = {ANALYST: started["alice"], FINANCE: started["bob"]}
    with ThreadPoolExecutor() as workers:
        said = {}
        for role, server in servers.items():
            server.start(role, default=True)
            said[role] = workers.submit(server.run, server.kernel(), WORK)
        try:
            for rotation in range(ROTATIONS):
                rotate(site)
                for role in servers:
                    until(
                        lambda role=role, rotation=rotation: (
                            len(keys_of(site, role)) >= rotation + 2
                        ),
                        f"{role} is not taken with a token of key {rotation + 2}",
                    )
        finally:
            for server in servers.values():
                server.run(server.kernel(), "import pathlib; pathlib.Path('done').touch()")

    for role in servers:
        calls = said[role].result().splitlines()
        assert set(calls) == {CONTENT}
        assert len(calls) >= 10 * ROTATIONS
    assert {line["error"] for line in taken_by_servers(site)} == {None}
