"""HTTP to the identity provider, over real TLS if that matters."""

import asyncio
import datetime as dt
import threading
from email.utils import format_datetime

import httpx2
import pytest

from jupyter_wb_aws.errors import IdpBadAnswer, IdpTimeout, IdpUnavailable
from jupyter_wb_aws.identity.http.client import HttpSettings
from jupyter_wb_aws.identity.http.request import read_body
from tests.identity.fetching import get_json
from tests.openid import say


def test_a_certificate_of_the_sites_own_ca_is_trusted_by_setting(secure, certificate):
    assert get_json(secure.url, HttpSettings(ca_bundle=str(certificate))) == {"fine": True}


def test_an_unknown_certificate_is_refused_and_the_setting_is_named(secure):
    with pytest.raises(IdpUnavailable) as refused:
        get_json(secure.url, HttpSettings())
    assert "ca_bundle" in refused.value.admin_hint
    assert secure.asked == []


def test_an_unusable_ca_bundle_is_named(secure, tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(IdpUnavailable, match=r"CA bundle .*ca\.pem can't be read"):
        get_json(secure.url, HttpSettings(ca_bundle=str(tmp_path / "ca.pem")))


def test_a_redirect_from_https_to_http_is_not_followed(secure, plain, certificate):
    secure.answer = lambda handler: say(handler, b"", 302, Location=plain.url)
    with pytest.raises(IdpUnavailable, match="away from https"):
        get_json(secure.url, HttpSettings(ca_bundle=str(certificate)))
    assert plain.asked == []


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://idp.example.com/"])
def test_a_redirect_to_another_scheme_than_http_is_explained(plain, to):
    plain.answer = lambda handler: say(handler, b"", 302, Location=to)
    with pytest.raises(IdpUnavailable, match="away from http and https"):
        get_json(plain.url, HttpSettings())


class Pieces(httpx2.AsyncByteStream):
    """A body that has already arrived, in chunks of one byte."""

    async def __aiter__(self):
        for _ in range(4000):
            yield b" "


async def test_a_response_in_tiny_chunks_does_not_block_other_tasks():
    turns, reading = 0, asyncio.create_task(read_body(httpx2.Response(200, stream=Pieces())))
    while not reading.done():
        await asyncio.sleep(0)
        turns += 1
    assert len(reading.result()) == 4000
    assert turns > 100


def test_a_redirect_to_itself_ends(plain):
    plain.answer = lambda handler: say(handler, b"", 302, Location=plain.url)
    with pytest.raises(IdpBadAnswer, match="redirect"):
        get_json(plain.url, HttpSettings())
    assert len(plain.asked) < 10


def test_the_sites_proxy_is_used_for_other_hosts(plain, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    settings = HttpSettings(proxy=plain.url)
    assert get_json("http://idp.example.invalid/x", settings) == {"fine": True}
    assert plain.asked[0][0] == "http://idp.example.invalid/x"


def test_no_proxy_is_used_for_this_machine(plain):
    assert get_json(plain.url, HttpSettings(proxy="http://127.0.0.1:9")) == {"fine": True}


def test_a_proxys_password_does_not_show():
    assert "secret" not in repr(HttpSettings(proxy="http://me:secret@proxy.example.com:3128"))


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("named", ["7", "date"])
def test_retry_after_is_reported(plain, status, named):
    later = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=8)
    value = format_datetime(later, usegmt=True) if named == "date" else named
    plain.answer = lambda handler: say(handler, b"busy", status, Retry_After=value)
    with pytest.raises(IdpUnavailable) as refused:
        get_json(plain.url, HttpSettings())
    assert 5 <= refused.value.retry_after <= 8


@pytest.mark.parametrize("value", ["", "soon", "-1", "9" * 400, "1e9"])
def test_a_retry_after_that_makes_no_sense_is_ignored_or_an_hour(plain, value):
    plain.answer = lambda handler: say(handler, b"busy", 503, Retry_After=value)
    with pytest.raises(IdpUnavailable) as refused:
        get_json(plain.url, HttpSettings())
    assert refused.value.retry_after in {None, 0, 3600}


def test_an_endless_answer_is_cut_off(plain):
    def endless(handler):
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"[" * 65536)
        except OSError:
            pass

    plain.answer = endless
    with pytest.raises(IdpBadAnswer, match="longer than"):
        get_json(plain.url, HttpSettings())


def test_an_answer_that_trickles_is_cut_off(plain):
    over = threading.Event()

    def trickle(handler):
        handler.send_response(200)
        handler.end_headers()
        while not over.wait(0.05):
            handler.wfile.write(b" ")

    plain.answer = trickle
    with pytest.raises(IdpTimeout):
        get_json(plain.url, HttpSettings(timeout=0.2))
    over.set()
