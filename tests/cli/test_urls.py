"""A user and a password in a URL are never shown, well-formed or not."""

from __future__ import annotations

import socket

import pytest

from jupyter_wb_aws.cli.urls import base_url, redacted_url
from tests.cli.contract_server import State, served

SECRETS = ("svc", "Winter", "2026", "%57inter")
HIDDEN_IN = [
    "http://svc:Winter2026@127.0.0.1:9/",
    "http://svc:Winter2026#x@127.0.0.1:9/",
    "http://svc:Winter2026?x@127.0.0.1:9/",
    "http://svc:Winter2026/x@127.0.0.1:9/",
    "http://svc:2026#x@127.0.0.1:9/",
    "http://svc:2026/x@127.0.0.1:9/",
    "http://svc:Winter@2026@127.0.0.1:9/",
    "http://svc:Winter[2026@127.0.0.1:9/",
    "http://svc:Winter\\2026@127.0.0.1:9/",
    "http://svc:%57inter2026@127.0.0.1:9/",
    "http://svc@127.0.0.1:9/?token=Winter2026",
    "http://svc:Winter 2026@127.0.0.1:9/",
    "http:/svc:Winter2026@127.0.0.1:9/",
    "http:svc:Winter2026@127.0.0.1:9/",
    "svc:Winter2026@127.0.0.1:9",
    "//svc:Winter2026@127.0.0.1:9/",
    "https://svc:Winter2026@127.0.0.1:9/",
    "http+unix://svc:Winter2026@%2Ftmp%2Fx/",
    "ftp://svc:Winter2026@127.0.0.1:9/",
    "svc://Winter2026",
    "http://svc:Winter2026",
]


def shows_nothing(ran) -> bool:
    reported = ran.out + ran.err
    return not any(secret in reported for secret in SECRETS) and "Traceback" not in reported


@pytest.mark.parametrize("token", ["", "t"])
@pytest.mark.parametrize("words", [["status"], ["roles", "--json"]])
@pytest.mark.parametrize("url", HIDDEN_IN)
def test_a_user_in_the_servers_url_is_not_shown(run, monkeypatch, url, words, token):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [])  # "svc" may be a host's name
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name)
        monkeypatch.delenv(name.upper())
    monkeypatch.setenv("JUPYTER_SERVER_URL", url)
    monkeypatch.setenv("JUPYTER_TOKEN", token)
    ran = run(*words)
    assert ran.code in {1, 2}
    assert shows_nothing(ran)


@pytest.mark.parametrize("url", HIDDEN_IN[:2])
def test_a_user_in_the_servers_url_is_not_shown_by_the_doctor(run, monkeypatch, url):
    monkeypatch.setenv("JUPYTER_SERVER_URL", url)
    assert shows_nothing(run("doctor"))


@pytest.mark.parametrize("url", HIDDEN_IN)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_user_in_a_proxys_url_is_not_shown(run, monkeypatch, url, scheme):
    look_up = socket.getaddrinfo
    here = {"127.0.0.1"}  # and no other host is asked for
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *a, **k: look_up(host, *a, **k) if host in here else []
    )
    for name in (f"{scheme}_proxy", f"{scheme}_proxy".upper()):
        monkeypatch.setenv(name, url)
    monkeypatch.setenv("JUPYTER_SERVER_URL", f"{scheme}://jupyter.example.com/")
    monkeypatch.setenv("JUPYTER_TOKEN", "t")

    ran = run("status")

    assert ran.code == 1
    assert shows_nothing(ran)
    assert f"the proxy in {scheme}_proxy" in ran.err


@pytest.mark.parametrize("no_proxy", ["localhost,[::1]", "", "example.com", "[::1", "*:x"])
@pytest.mark.parametrize("proxy", [*HIDDEN_IN[:2], "http://127.0.0.1:9", "socks5://127.0.0.1:9"])
def test_no_proxy_matters_to_a_server_on_this_machine(server, run, monkeypatch, proxy, no_proxy):
    for name in (
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ):
        monkeypatch.setenv(name, proxy)
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert run("roles").code == 0


def test_a_proxy_that_refuses_is_named_with_its_status_and_none_of_its_words(run, monkeypatch):
    with served(State()) as proxy:
        proxy.RequestHandlerClass.do_CONNECT = lambda self: self.send_error(407, "svc:Winter2026")
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.server_port}")
        monkeypatch.setenv("JUPYTER_SERVER_URL", "https://jupyter.example.com/")
        monkeypatch.setenv("JUPYTER_TOKEN", "t")
        ran = run("status")
    assert "the proxy refused, with status 407" in ran.err
    assert shows_nothing(ran)


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("http://localhost:8888/?token=x", "http://localhost:8888/"),
        ("https://u:p@hub.example.com/user/a@b.c/", "https://hub.example.com/user/a@b.c/"),
        ("http://[::1]:8888/x/#y", "http://[::1]:8888/x/"),
        ("http+unix://%2Ftmp%2Fjupyter.sock/", "http+unix://%2Ftmp%2Fjupyter.sock/"),
        ("", ""),
    ],
)
def test_a_base_url_has_neither_user_nor_token(given, base):
    assert base_url(given) == base


def test_what_stands_before_an_at_is_not_shown():
    assert redacted_url("http://hub:8000/user/a@b.c/") == "http://***@b.c/"
    assert redacted_url("http://hub:8000/user/alice/") == "http://hub:8000/user/alice/"


def test_a_user_of_jupyterhub_with_an_at_in_their_name_is_asked_and_shown(
    runtime, run, unregistered
):
    unregistered.base = "/user/alice@example.com"
    url = unregistered.url.replace("/user/alice/", "/user/alice@example.com/")
    runtime.add(url)
    assert run("roles").code == 0
    unregistered.answers["GET /aws/roles"] = (502, "text/html", b"")
    assert f"The answer of {url}, with" in run("roles").err
