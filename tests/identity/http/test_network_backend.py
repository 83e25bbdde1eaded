"""Names, addresses and proxies on the way to the identity provider, over real sockets."""

import asyncio
import base64
import contextlib
import logging
import os
import socket
import ssl
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

import pytest
from traitlets import TraitError

from jupyter_wb_aws.demo.background_server import BackgroundServer
from jupyter_wb_aws.errors import IdpBadAnswer, IdpTimeout, IdpUnavailable
from jupyter_wb_aws.identity.file_source import FileTokenSource
from jupyter_wb_aws.identity.http.client import HttpClient, HttpSettings
from jupyter_wb_aws.identity.http.network_backend import interleaved
from jupyter_wb_aws.identity.http.threads import MAX_THREADS, Threads
from tests.identity.conftest import write_certificate
from tests.identity.fetching import get_json
from tests.openid import say


@pytest.fixture
def names(monkeypatch):
    """The addresses of names; names that are not in it are resolved by the system."""
    known, real = {}, socket.getaddrinfo

    def getaddrinfo(host, port, *args, **kwargs):
        if host not in known:
            return real(host, port, *args, **kwargs)
        return [found for address in known[host] for found in real(address, port, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


@pytest.mark.parametrize(
    ("found", "order"),
    [
        (["::1", "::2", "10.0.0.1"], ["::1", "10.0.0.1", "::2"]),
        (["10.0.0.1", "10.0.0.1", "10.0.0.2", "::1"], ["10.0.0.1", "::1", "10.0.0.2"]),
        (["10.0.0.1"], ["10.0.0.1"]),
        ([], []),
    ],
)
def test_ipv4_and_ipv6_addresses_take_turns(found, order):
    assert interleaved(found) == order


@pytest.mark.parametrize("addresses", [["::1", "127.0.0.1"], ["127.0.0.1", "::1"]])
def test_every_address_of_a_name_is_tried(plain, names, addresses):
    names["idp.example"] = addresses  # the server listens only on 127.0.0.1
    url = plain.url.replace("localhost", "idp.example")
    assert get_json(url, HttpSettings()) == {"fine": True}
    assert plain.asked[0][1]["Host"].startswith("idp.example:")


def test_an_address_that_does_not_answer_does_not_hold_up_the_next(plain, names):
    # A socket with a full queue neither accepts nor refuses a connection.
    full = socket.socket()
    full.bind(("127.0.0.2", int(plain.url.rpartition(":")[2])))
    full.listen(0)
    waiting = [socket.socket() for _ in range(3)]
    for one in waiting:
        one.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            one.connect(full.getsockname())
    names["idp.example"] = ["127.0.0.2", "127.0.0.1"]
    try:
        url = plain.url.replace("localhost", "idp.example")
        assert get_json(url, HttpSettings(timeout=20)) == {"fine": True}
    finally:
        for one in (full, *waiting):
            one.close()


def test_a_name_that_does_not_exist_is_reported(names):
    with pytest.raises(IdpUnavailable, match="the name idp.example.invalid can't be resolved"):
        get_json("http://idp.example.invalid/", HttpSettings())


@pytest.mark.parametrize("host", ["a" * 70, "a..b", "xn--\xfc"])
def test_what_is_not_a_hosts_name_is_reported(host):
    with pytest.raises((IdpUnavailable, IdpBadAnswer), match=r"can't be (resolved|asked|reached)"):
        get_json(f"http://{host}/", HttpSettings())


async def test_hanging_work_blocks_one_thread_for_each_key_and_a_few_in_all():
    threads, over, began = Threads(), threading.Event(), []

    def hang(key):
        began.append(key)
        over.wait(60)
        return key

    asking = [
        asyncio.create_task(threads.once(key, partial(hang, key)))
        for key in range(MAX_THREADS)
        for _ in range(5)
    ]
    await asyncio.sleep(0)
    with pytest.raises(IdpTimeout, match="too many"):
        await threads.once("one more", partial(hang, "one more"))
    asking[0].cancel()
    over.set()
    assert (
        await asyncio.gather(*asking[1:])
        == [key for key in range(MAX_THREADS) for _ in range(5)][1:]
    )
    assert sorted(began) == list(range(MAX_THREADS))
    assert await threads.once("later", lambda: 7) == 7


async def test_a_machine_without_room_for_a_thread_is_explained_and_asked_again(monkeypatch):
    threads = Threads()

    def refuse(_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", refuse)
        with pytest.raises(IdpUnavailable, match="another thread"):
            await threads.once("key", lambda: 7)
    assert await threads.once("key", lambda: 7) == 7


async def test_a_failure_in_a_thread_is_raised_where_it_is_awaited():
    def fail():
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        await Threads().once("key", fail)


# --- Proxies -----------------------------------------------------------------------------------


class Proxy(BackgroundServer):
    """An HTTP proxy that connects every CONNECT to one server on this machine, or refuses."""

    def __init__(self, port, context=None):
        proxy = self
        self.asked, self.refusal = [], None

        class Handler(BaseHTTPRequestHandler):
            def do_CONNECT(self):
                proxy.asked.append((self.path, dict(self.headers)))
                if proxy.refusal:
                    proxy.refusal(self)
                    return
                with socket.create_connection(("127.0.0.1", port)) as there:
                    self.wfile.write(b"HTTP/1.1 200 go on\r\n\r\n")
                    back = threading.Thread(target=copy, args=(there, self.connection))
                    back.start()
                    copy(self.connection, there)
                    back.join()

            def do_GET(self):
                self.do_CONNECT()

            def log_message(self, *args):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        super().__init__(server)


def copy(source, target):
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)


PASSWORD = "Qx7#zK9/20 26%"
CREDENTIALS = f"svc:{quote(PASSWORD, safe='')}"


@pytest.fixture
def proxy(secure):
    with Proxy(int(secure.url.rpartition(":")[2])) as proxy:
        proxy.url_with_password = proxy.url.replace("//", f"//{CREDENTIALS}@")
        yield proxy


@pytest.mark.parametrize("by_proxy", [False, True])
def test_a_certificate_is_for_the_name_and_not_for_the_address(
    secure, certificate, names, proxy, by_proxy
):
    names["idp.example"] = names["other.example"] = ["127.0.0.1"]
    settings = HttpSettings(proxy.url_with_password if by_proxy else "", str(certificate))
    port = secure.url.rpartition(":")[2]
    assert get_json(f"https://idp.example:{port}/", settings) == {"fine": True}
    with pytest.raises(IdpUnavailable, match=r"not valid for 'other\.example'"):
        get_json(f"https://other.example:{port}/", settings)
    assert len(proxy.asked) == 2 * by_proxy


def test_the_proxy_gets_the_name_and_its_user_and_password(secure, certificate, proxy, names):
    port = secure.url.rpartition(":")[2]
    get_json(
        f"https://idp.example:{port}/", HttpSettings(proxy.url_with_password, str(certificate))
    )
    ((target, headers),) = proxy.asked
    assert target == f"idp.example:{port}"
    basic = base64.b64decode(headers["Proxy-Authorization"].removeprefix("Basic ")).decode()
    assert basic == f"svc:{PASSWORD}"
    assert "Proxy-Authorization" not in secure.asked[0][1]


def test_a_proxy_may_be_reached_by_https(secure, certificate, names):
    names["idp.example"] = ["127.0.0.1"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    port = secure.url.rpartition(":")[2]
    with Proxy(int(port), context) as proxy:
        url = proxy.url.replace("http://127.0.0.1", "https://localhost")
        settings = HttpSettings(url, str(certificate))
        assert get_json(f"https://idp.example:{port}/", settings) == {"fine": True}
    assert len(proxy.asked) == 1


@pytest.mark.parametrize("url", ["https://idp.example/", "http://idp.example/"])
@pytest.mark.parametrize("status", [407, 403])
def test_nothing_of_a_proxys_refusal_is_quoted(proxy, monkeypatch, caplog, url, status):
    caplog.set_level(logging.DEBUG)
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, proxy.url_with_password)
    basic = base64.b64encode(f"svc:{PASSWORD}".encode()).decode()

    def refuse(handler):
        handler.wfile.write(
            f"HTTP/1.1 {status} no svc {PASSWORD} {basic}\r\nContent-Length: 2\r\nX: {basic}\r\n\r\n{{}}".encode()
        )

    proxy.refusal = refuse
    with pytest.raises((IdpUnavailable, IdpBadAnswer)) as refused:
        get_json(url, HttpSettings())
    message = f"{refused.value.detail} {refused.value.admin_hint} {caplog.text}"
    assert str(status) in message
    assert status == 403 or f"{url.partition(':')[0].upper()}_PROXY" in refused.value.detail
    assert not any(piece in message for piece in ("svc", "Qx7", "zK9", basic))


def test_a_proxy_that_does_not_run_is_named(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", f"http://{CREDENTIALS}@127.0.0.1:9")
    with pytest.raises(
        IdpUnavailable, match="through the proxy of HTTPS_PROXY: Connection refused"
    ):
        get_json("https://idp.example/", HttpSettings())


def test_a_redirect_has_the_proxy_of_its_own_host(plain, proxy, monkeypatch, names):
    names["inside.example"] = ["127.0.0.1"]
    monkeypatch.setenv("HTTP_PROXY", proxy.url_with_password)
    monkeypatch.setenv("NO_PROXY", "inside.example")
    there = plain.url.replace("localhost", "inside.example")
    proxy.refusal = lambda handler: say(handler, b"", 302, Location=f"{there}/x")
    assert get_json("http://outside.example/", HttpSettings()) == {"fine": True}
    assert [path for path, _ in proxy.asked] == ["http://outside.example/"]
    assert [path for path, _ in plain.asked] == ["/x"]


def test_a_redirect_to_a_url_with_a_password_is_refused_and_not_quoted(plain):
    to = plain.url.replace("//", f"//{CREDENTIALS}@")
    plain.answer = lambda handler: say(handler, b"", 302, Location=to)
    with pytest.raises(IdpBadAnswer, match="user name") as refused:
        get_json(plain.url, HttpSettings())
    assert "svc" not in refused.value.detail
    assert len(plain.asked) == 1


ISSUERS = [
    "https://svc:Qx7zK9@idp.example.com", "https://svc@idp.example.com/x", "https://svc:Qx7/zK9@idp.example.com",
    "https://svc:20/Qx7@idp.example.com", "svc:Qx7zK9@idp.example.com", "https://svc:Qx7#zK9@idp.example.com",
]  # fmt: skip


@pytest.mark.parametrize("issuer", ISSUERS)
def test_an_issuer_with_a_user_name_in_it_is_refused_and_not_quoted(issuer):
    with pytest.raises(TraitError, match="'issuer' trait") as refused:
        FileTokenSource(issuer=issuer)
    assert not any(piece in str(refused.value) for piece in ("svc", "Qx7", "zK9"))


@pytest.mark.parametrize("password", ["Qx7zK9", "Qx7/zK9", "Qx7#zK9", "Qx7@zK9", "Qx7 zK9"])
async def test_an_endpoint_with_a_user_name_in_it_is_refused_and_not_quoted(
    source, provider, password
):
    to = provider.issuer.replace("//", f"//svc:{password}@")
    provider.metadata_changes["authorization_endpoint"] = f"{to}/authorize"
    with pytest.raises(IdpBadAnswer, match="user name") as refused:
        await source.sign_in.begin_code()
    assert not any(piece in refused.value.detail for piece in ("svc", "Qx7", "zK9"))


def test_a_corrected_ca_bundle_is_read(secure, certificate, tmp_path):
    bundle = write_certificate(tmp_path / "ca.pem")  # not the server's

    async def get():
        http = HttpClient(HttpSettings(ca_bundle=str(bundle)))
        with pytest.raises(IdpUnavailable, match="certificate verify failed"):
            await http.get_json(secure.url)
        bundle.write_bytes(certificate.read_bytes())
        found = await http.get_json(secure.url)
        await http.close()
        return found

    assert asyncio.run(get()) == {"fine": True}


async def test_a_hanging_secret_file_blocks_no_thread_of_others(
    make, provider, tmp_path, monkeypatch
):
    monkeypatch.setattr("jupyter_wb_aws.identity.oidc.oauth_client.SECRET_FILE_TIMEOUT", 0.2)
    os.mkfifo(tmp_path / "secret")  # nobody writes to it
    source = make(client_secret_file=str(tmp_path / "secret"))
    for _ in range(3):
        with pytest.raises(IdpTimeout, match="secret could not be read in time") as refused:
            await source.sign_in.begin_device()
        assert "client_secret_file" in refused.value.admin_hint
    assert await asyncio.to_thread(threading.get_ident) != threading.get_ident()
    assert provider.asked_for("/device") == []


# --- Logs --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "logger", [None, "httpx2", "httpcore2", "httpcore2.http11", "httpcore2.connection"]
)
def test_no_request_is_logged_at_any_level(plain, caplog, logger):
    plain.answer = lambda handler: say(
        handler,
        b'{"access_token": "Qx7-answer"}',
        Set_Cookie="session=Qx7-cookie",
        X_Echo="Qx7-header",
    )

    async def post():
        http = HttpClient(HttpSettings())
        await http.get_json(plain.url)  # its loggers are there
        caplog.set_level(logging.DEBUG)
        caplog.set_level(logging.DEBUG, logger)
        await http.post(
            "the token endpoint", f"{plain.url}/?code=Qx7-url", {"code": "Qx7-code"},
            {"Authorization": "Basic Qx7-basic"}, sent=["Qx7-code"],
        )  # fmt: skip
        await http.get_json(f"{plain.url}/?q=Qx7-query")
        await http.close()

    asyncio.run(post())
    assert "the token endpoint: HTTP" in caplog.text
    assert "Qx7" not in caplog.text.replace("document " + plain.url + "/?q=Qx7-query", "")


def test_other_users_of_the_library_keep_their_logs(plain, caplog):
    get_json(plain.url, HttpSettings())
    caplog.set_level(logging.DEBUG)

    async def get():
        import httpx2

        async with httpx2.AsyncClient(trust_env=False) as client:
            await client.get(plain.url)

    asyncio.run(get())
    assert "HTTP Request: GET" in caplog.text
    assert "receive_response_headers" in caplog.text


def test_no_cookie_is_sent_back(plain):
    plain.answer = lambda handler: say(handler, b"{}", Set_Cookie="session=x; Path=/")

    async def get():
        http = HttpClient()
        await http.get_json(plain.url)
        await http.get_json(plain.url)
        await http.close()

    asyncio.run(get())
    assert all("Cookie" not in headers for _, headers in plain.asked)
