"""A hub that is away, slow or odd: the service says so, asks no more than it may, and comes back by itself."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.clients.certificates import Authority
from tests.hub_service import fake_hub
from tests.hub_service.fake_hub import MISBEHAVIORS, FakeHub, user
from tests.hub_service.running_service import ANALYST, running_service, until


def tokens_at_once(service, hub_tokens):
    """Ask for a token with each of the hub's tokens, all in one moment, however busy the machine is.

    Returns:
        of each answer, in order: its status, headers and content.
    """
    with contextlib.ExitStack() as stack:
        connections = []
        for _ in hub_tokens:
            connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
            connection.connect()
            stack.callback(connection.close)
            connections.append(connection)
        for connection, token in zip(connections, hub_tokens, strict=True):
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            body = json.dumps({"role_arn": ANALYST})
            connection.request("POST", f"{service.prefix}tokens", body, headers)
        answers = [connection.getresponse() for connection in connections]
        return [(answer.status, answer.headers, json.load(answer)) for answer in answers]


@pytest.mark.parametrize("misbehavior", MISBEHAVIORS, ids=lambda one: one.__name__)
def test_while_the_hub_misbehaves_callers_are_to_come_back(hub, service, misbehavior):
    hub.misbehave = misbehavior

    for answer in (service.token(), service.roles()):
        assert (answer.status_code, answer.json()["code"]) == (503, "hub_unavailable")
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert answer.headers["content-type"] == "application/problem+json"
    hub.behave()
    assert service.token().status_code == 201


def test_a_hub_that_does_not_answer_is_given_up_within_seconds(hub, service):
    hub.misbehave = fake_hub.is_silent
    began = time.monotonic()
    answer = service.token()
    assert (answer.status_code, answer.json()["code"]) == (503, "hub_unavailable")
    assert time.monotonic() - began < 15
    assert service.process.poll() is None


def test_a_silent_hub_holds_up_nothing_that_needs_no_hub(hub, service):
    hub.misbehave = fake_hub.is_silent
    with ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(service.token) for _ in range(20)]
        until(lambda: len(hub.asked) >= 20, "not all callers have come")
        began = time.monotonic()
        assert service.ask("GET", "keys").status_code == 200
        assert time.monotonic() - began < 10
        hub.released.set()
        assert {answer.result().json()["code"] for answer in waiting} == {"hub_unavailable"}


def test_a_hub_that_hangs_has_few_questions_open(hub, service):
    hub.misbehave = fake_hub.is_silent

    answers = tokens_at_once(service, 60 * ["alice-token"])

    assert {(status, content["code"]) for status, _, content in answers} == {
        (503, "hub_unavailable"), (503, "hub_busy"),
    }  # fmt: skip
    assert len(hub.asked_for_users) < 60


def test_no_hub_at_all(start_service, tmp_path):
    with start_service(hub_api_url="http://127.0.0.1:1/hub/api") as service:
        assert service.token().json()["code"] == "hub_unavailable"
        health = service.ask("GET", "health")
        assert (health.status_code, health.json()["status"]) == (503, "unavailable")
        assert [problem["code"] for problem in health.json()["problems"]] == ["hub_unavailable"]
        assert "http://127.0.0.1:1" not in health.text
        detail = "The hub service can't ask the hub: nothing listens at its address."
        assert [problem["detail"] for problem in health.json()["problems"]] == [detail]
        assert service.token().json()["detail"] == detail
        logged = "The hub at http://127.0.0.1:1/hub/api can't be asked: nothing listens at its"
        assert service.log.count(logged) == 1


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://no-such-host.invalid/hub/api", "the name of its host is not known"),
        ("https://127.0.0.1:{port}/hub/api", "no encrypted connection (TLS) to it is possible"),
        ("http://0.0.0.0:1/hub/api", "nothing listens at its address"),
    ],
)
def test_the_log_says_where_the_hub_was_not_found_and_why(hub, start_service, url, why):
    with start_service(hub_api_url=url.format(port=hub.port)) as service:
        said = service.token().json()
        assert said["detail"] == f"The hub service can't ask the hub: {why}."
        assert f"The hub at {url.format(port=hub.port)} can't be asked: {why}." in service.log


@pytest.mark.parametrize(
    "misbehavior",
    [fake_hub.redirects, fake_hub.answers_html_with_200, fake_hub.has_no_such_path],
    ids=lambda one: one.__name__,
)
def test_an_answer_of_something_else_brings_up_the_base_url(hub, start_service, misbehavior):
    """A hub with a base URL redirects what is outside it."""
    hub.misbehave = misbehavior
    with start_service() as service:
        answer = service.token().json()
        assert answer["code"] == "hub_unavailable"
        assert "If the hub has a base URL, it is part of it" in answer["admin_hint"]
        assert f"The hub at {hub.api_url} can't be asked: it answers HTTP " in service.log


ODD = {
    "no name": {"name": ""}, "no kind": {"kind": None}, "a number as the name": {"name": 7},
    "scopes as a text": {"scopes": "access:services"}, "no scopes": {"scopes": None},
    "odd scopes": {"scopes": [1]}, "groups as a text": {"groups": "analysts"}, "odd groups": {"groups": [None]},
    "no token id": {"token_id": None}, "no groups": {"groups": None}, "a user without `groups`": {"groups": ...},
}  # fmt: skip


@pytest.mark.parametrize("case", sorted(ODD))
def test_an_answer_of_another_form_names_nobody(hub, service, case):
    said = user(**ODD[case])
    hub.tokens["alice-token"] = {name: value for name, value in said.items() if value is not ...}
    answer = service.token()
    assert (answer.status_code, answer.json()["code"]) == (503, "hub_unavailable")


def test_many_scopes_are_no_trouble(hub, service):
    many = [f"read:users!user=user-{number}" for number in range(20_000)]
    hub.tokens["alice-token"] = user(scopes=[*user()["scopes"], *many])
    assert service.token().status_code == 201


def test_never_more_than_the_cap_reaches_the_hub(hub, start_service):
    """A fleet that comes back at once after an outage; every caller has a token of their own."""
    cap = 10
    for number in range(80):
        hub.tokens[f"token-{number}"] = user(f"user-{number}")
    with start_service(hub_requests_per_second=cap) as service:
        hub.asked.clear()
        # The second time, the hub has accepted some of them before.
        answers = [answer for _ in range(2) for answer in tokens_at_once(service, hub.tokens)]
    times = sorted(hub.asked_for_users)
    in_a_second = max(sum(begin <= at < begin + 1 for at in times) for begin in times)

    assert cap // 3 <= in_a_second <= cap
    busy = [answer for answer in answers if answer[0] != 201]
    assert {(status, content["code"]) for status, _, content in busy} == {(503, "hub_busy")}
    assert {int(headers["Retry-After"]) for _, headers, _ in busy} <= set(range(1, 31))
    assert len(answers) - len(busy) == len(times)


def test_one_users_loop_takes_no_tokens_from_others(hub, start_service):
    hub.tokens["bob-token"] = user("bob")
    with start_service(tokens_per_minute=5) as service:
        answers = [service.token() for _ in range(8)]
        assert [answer.status_code for answer in answers] == [201] * 5 + [429] * 3
        assert answers[-1].json()["code"] == "too_many_tokens"
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
        assert service.token("bob-token").status_code == 201
        assert service.roles().status_code == 200


def test_a_loop_of_one_caller_leaves_the_hub_to_others(hub, start_service):
    hub.tokens["bob-token"] = user("bob")
    with start_service(tokens_per_minute=5) as service:
        with ThreadPoolExecutor(10) as pool:
            answers = list(
                pool.map(lambda _: service.ask("GET", "roles", "unknown-token"), range(60))
            )
        assert {answer.json()["code"] for answer in answers} == {
            "not_authenticated",
            "too_many_tokens",
        }
        assert len(hub.asked_for_users) < 30
        assert service.token("bob-token").status_code == 201


def test_many_tokens_of_one_user_leave_the_hub_to_others(hub, start_service):
    calls = 12  # within a minute: four times as many as tokens
    mallorys = [f"mallory-{number}" for number in range(40)]
    hub.tokens.update({token: user("mallory") for token in mallorys})
    with start_service(tokens_per_minute=calls // 4) as service:
        assert service.token().status_code == 201
        # The hub says whose they are.
        assert {status for status, _, _ in tokens_at_once(service, mallorys)} <= {201, 429, 503}
        hub.asked.clear()

        *answers, alices = tokens_at_once(service, [*(mallorys * 6), "alice-token"])

        refused = [content["code"] for status, _, content in answers if status != 201]
        assert set(refused) == {"too_many_tokens"}
        assert len(hub.asked_for_users) <= calls
        assert alices[0] == 201


def test_a_hub_with_https_is_asked_if_its_certificate_is_trusted(tmp_path):
    authority, other = Authority(), Authority()
    for name, one in {"trusted": authority, "other": other}.items():
        (tmp_path / f"{name}.pem").write_text(one.certificate)
        (tmp_path / name).mkdir()
    tls = authority.server_context(tmp_path, "localhost")
    with FakeHub(tls).running() as hub:
        url = f"https://localhost:{hub.port}/hub/api"
        for name, code in {"trusted": None, "other": "hub_unavailable"}.items():
            bundle = str(tmp_path / f"{name}.pem")
            with running_service(tmp_path / name, hub_api_url=url, hub_ca_bundle=bundle) as service:
                assert service.token().json().get("code") == code
        assert len(hub.asked_for_users) == 1


def test_a_flood_of_made_up_tokens_keeps_no_user_from_asking(hub, start_service):
    with start_service(hub_requests_per_second=10) as service:
        assert service.token().status_code == 201
        over = threading.Event()

        def flood(number):
            codes = set()
            for made_up in itertools.count():
                codes.add(service.ask("GET", "roles", f"made-up-{number}-{made_up}").status_code)
                if over.is_set():
                    return codes
            return None

        with ThreadPoolExecutor(30) as pool:
            flooding = [pool.submit(flood, number) for number in range(30)]
            try:
                until(lambda: len(hub.asked) > 10, "there is no flood")
                answers = [service.token() for _ in range(5)]
            finally:
                over.set()
        assert [answer.status_code for answer in answers] == [201] * 5
        assert set().union(*(codes.result() for codes in flooding)) == {401, 503}
