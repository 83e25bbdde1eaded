"""The way to the server: loopback without a proxy, sockets, TLS; and where the token goes."""

from __future__ import annotations

import ipaddress
import json
import socket
import socketserver
import ssl
import sys
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from jupyter_wb_aws.cli import client, transport
from jupyter_wb_aws.cli.client import Client
from jupyter_wb_aws.cli.discovery import Connection
from tests.cli.contract_server import State, role, served


def test_a_server_on_this_machine_is_not_asked_through_a_proxy(server, run):
    assert run("roles").code == 0  # the environment names proxies that don't exist


def test_a_server_elsewhere_is_asked_through_the_proxy(monkeypatch, run):
    with served(State()) as proxy:
        state = proxy.RequestHandlerClass.state
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.server_port}")
        monkeypatch.setenv("JUPYTER_SERVER_URL", "http://jupyter.example.com/")
        monkeypatch.setenv("JUPYTER_TOKEN", "t")
        run("roles")
    assert state.asked[0].target == "http://jupyter.example.com/aws/roles"


def test_the_token_is_in_the_header_and_never_in_a_url(server, run):
    run("start", "analyst")
    assert {call.headers["Authorization"] for call in server.asked} == {"token s3cret"}
    assert "s3cret" not in "".join(call.target for call in server.asked)


def test_a_redirect_is_not_followed(server, run):
    elsewhere = State()
    with served(elsewhere) as other:
        server.redirect = f"http://127.0.0.1:{other.server_port}/login"
        ran = run("roles")
    assert elsewhere.asked == []
    assert ran.code == 1
    assert "log-in page" in ran.err


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def test_a_server_on_a_unix_socket_is_asked(runtime, run, tmp_path):
    path = str(tmp_path / "jupyter.sock")
    state = State(roles=[role("analyst")])
    runtime.add("http+unix://%2Ftmp%2Fjupyter.sock/user/alice/", sock=path)
    with served(state, kind=UnixServer, address=path):
        ran = run("roles")
    assert ran.code == 0
    assert state.asked[0].headers["Host"] == "localhost"  # which Jupyter takes for local


@pytest.fixture
def certificate(tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def tls_server(certificate, runtime):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    state = State(roles=[role("analyst")])
    with served(state) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        runtime.add(f"https://127.0.0.1:{server.server_port}/user/alice/", secure=True)
        yield state


def test_a_certificate_that_cannot_be_verified_is_explained(tls_server, run):
    ran = run("roles")
    assert ran.code == 1
    assert "can't be verified: self-signed certificate" in ran.err
    assert "SSL_CERT_FILE" in ran.err
    assert tls_server.asked == []


def test_a_certificate_of_the_sites_own_can_be_trusted(tls_server, run, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert run("roles").code == 0


def test_a_server_that_is_gone_is_said_in_a_sentence(run, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("JUPYTER_SERVER_URL", f"http://127.0.0.1:{free.getsockname()[1]}/")
        monkeypatch.setenv("JUPYTER_TOKEN", "s3cret")
        ran = run("roles")
    assert ran.code == 1
    assert "can't be reached (connection refused)" in ran.err


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is asked, and refuses, as above")
def test_the_file_of_a_server_that_is_gone_is_passed_over(runtime, run):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        runtime.add(f"http://127.0.0.1:{free.getsockname()[1]}/")
        ran = run("roles")
    assert ran.code == 2
    assert "where nothing listens" in ran.err


def test_a_server_that_says_nothing_is_given_up(runtime, run, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        slow = Client(Connection(url, "t"), timeout=0.1)
        monkeypatch.setattr("jupyter_wb_aws.cli.roles.connect", lambda: slow)
        ran = run("roles")
    assert ran.code == 1
    assert "did not answer within 0.1 seconds" in ran.err


def test_a_server_without_the_extension_is_said_in_a_sentence(server, run):
    server.answers["GET /aws/roles"] = (404, "text/html", b"<h1>404</h1>")
    ran = run("roles")
    assert ran.code == 3
    assert "runs without jupyter_wb_aws" in ran.err


def test_jupyters_own_not_found_means_that_the_extension_is_missing(server, run):
    answer = (404, "application/json", b'{"message": "Not Found", "reason": null}')
    server.answers["GET /aws/roles"] = answer
    assert run("roles").code == 3


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_is_not_accepted_is_reported(server, run, status):
    server.answers["GET /aws/roles"] = (status, "application/json", b'{"message": "Forbidden"}')
    ran = run("roles")
    assert ran.code == 1
    assert "did not accept the token of this command" in ran.err


@pytest.mark.parametrize("content", [b"<html>", b"\xff", b""])
def test_an_answer_that_is_not_json_is_reported(server, run, content):
    server.answers["GET /aws/roles"] = (200, "application/json", content)
    ran = run("roles")
    assert ran.code == 1
    assert "is not one of jupyter_wb_aws" in ran.err


def test_an_error_of_somebody_in_between_is_said(server, run):
    server.answers["GET /aws/roles"] = (502, "text/html", b"<h1>Bad gateway</h1>")
    assert "with status 502" in run("roles").err


def test_an_answer_of_another_shape_ends_without_a_traceback(server, run):
    server.answers["GET /aws/roles"] = (200, "application/json", b'{"rollen": []}')
    ran = run("roles")
    assert ran.code == 1
    assert "Traceback" not in ran.err
    assert "same version" in ran.err


def test_a_token_that_cannot_be_sent_is_not_shown(runtime, unregistered, run):
    runtime.add(unregistered.url, token="s3cret\nHost: evil")
    ran = run("roles")
    assert ran.code == 1
    assert "has characters that can't be sent" in ran.err
    assert "s3cret" not in ran.out + ran.err


@pytest.mark.parametrize("url", ["http://127.0.0.1:{}/Ж/", "http://jupyter.example.com/Ж/"])
def test_a_url_that_cannot_be_sent_is_said(monkeypatch, run, url):
    with served(State()) as here:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{here.server_port}")
        monkeypatch.setenv("JUPYTER_SERVER_URL", url.format(here.server_port))
        monkeypatch.setenv("JUPYTER_TOKEN", "s3cret")
        ran = run("roles")
    assert ran.code == 1
    assert "has characters that can't be sent" in ran.err


def test_a_token_that_the_library_cannot_send_is_not_shown(monkeypatch, run):
    with served(State()) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.server_port}")
        monkeypatch.setenv("JUPYTER_SERVER_URL", "http://jupyter.example.com/")
        monkeypatch.setenv("JUPYTER_TOKEN", "s3cret\nHost: evil")
        ran = run("roles")
    assert ran.code == 1
    assert "has characters that can't be sent" in ran.err
    assert "s3cret" not in ran.out + ran.err


@pytest.mark.parametrize("length", ["x", "-1", "1, 1", "²"])
def test_a_length_that_is_not_a_number_is_not_http(length):
    answer = f"HTTP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\n".encode("latin-1")
    with pytest.raises(ConnectionAbortedError, match="does not speak HTTP"):
        transport.read_answer(answer)


def test_a_server_without_authentication_gets_an_xsrf_pair(runtime, unregistered, run):
    unregistered.token = ""
    runtime.add(unregistered.url, token="")
    assert run("start", "analyst").code == 0
    headers = unregistered.asked[-1].headers
    assert headers["Cookie"] == f"_xsrf={headers['X-XSRFToken']}"
    assert headers["Sec-Fetch-Site"] == "none"
    assert "Authorization" not in headers


def test_a_password_that_the_runtime_file_keeps_quiet_about_is_said(runtime, unregistered, run):
    runtime.add(unregistered.url, token="", password=False)
    ran = run("roles")
    assert ran.code == 2
    assert "but no token" in ran.err


def test_a_refusal_by_a_server_without_authentication_is_printed_unchanged(
    runtime, unregistered, run
):
    runtime.add(unregistered.url, token="")
    unregistered.fail("GET /aws/roles", "forbidden", "The Authorizer says no.")
    assert "The Authorizer says no." in run("roles").err


@pytest.mark.parametrize("content", [b"{", b"[]"])
def test_an_invalid_problem_document_is_reported(server, run, content):
    server.answers["GET /aws/roles"] = (500, "application/problem+json", content)
    assert "with status 500" in run("roles").err


def test_the_url_of_something_else_is_refused(monkeypatch, run):
    monkeypatch.setenv("JUPYTER_SERVER_URL", "ftp://example.com/")
    monkeypatch.setenv("JUPYTER_TOKEN", "t")
    ran = run("roles", "--json")
    assert ran.code == 2
    assert json.loads(ran.out)["code"] == "no_server"


def test_a_role_session_id_is_one_segment_of_a_path():
    assert client.quote("../x?y") == "..%2Fx%3Fy"
