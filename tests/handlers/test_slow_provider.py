"""An identity provider that never answers: Jupyter continues, and the user gets an explanation."""

import asyncio
import socket
import threading

import pytest

from tests.openid import CLIENT, OpenIdProvider, dripping

DISCOVERY = "/.well-known/openid-configuration"
# More than asyncio's default executor has threads.
MANY = 40


@pytest.fixture
def provider():
    with OpenIdProvider() as provider:
        yield provider


@pytest.fixture
def over():
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def look_ups(monkeypatch, over):
    """Names below `hang.example` are never resolved, and others as ever; returns those asked for."""
    asked, real = [], socket.getaddrinfo

    def getaddrinfo(host, *args, **kwargs):
        if str(host).endswith("hang.example"):
            asked.append(host)
            over.wait(60)
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


@pytest.fixture
def settings(provider):
    return {"issuer": provider.issuer, "client_id": CLIENT, "timeout": 1.0}


@pytest.fixture
def site_config(site_config, settings):
    site_config["WbAwsApp"]["token_source"] = "oidc"
    site_config["OidcTokenSource"] = settings
    return site_config


async def jupyter_answers(api):
    async with asyncio.timeout(30):
        assert (await api("GET", "/api/kernelspecs", known=False)).status == 200
        assert await asyncio.to_thread(threading.get_ident) != threading.get_ident()


async def ask_at_once(api, *calls):
    return [asyncio.create_task(api(*call)) for call in calls * (MANY // len(calls))]


@pytest.mark.parametrize(
    "beginning",
    [b"HTTP/1.1 200 OK\r\nX-Slow: ", b'HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{"a": "'],
    ids=["headers", "body"],
)
async def test_a_provider_that_drips_holds_up_nobody_else(api, provider, over, beginning):
    provider.faults[DISCOVERY] = [dripping(over, beginning)] * 10 * MANY
    calls = [("GET", "/aws/sign-in"), ("POST", "/aws/sign-in", {"flow": "code"})]
    asking = await ask_at_once(api, *calls)
    await jupyter_answers(api)
    states, begun = [], []
    for answer in await asyncio.gather(*asking):
        (begun if answer.status >= 400 else states).append(answer.data)
    assert {one["problem"]["code"] for one in states} == {"identity_provider_timeout"}
    assert {one["code"] for one in begun} == {"identity_provider_timeout"}


class TestWithANameThatIsNeverResolved:
    @pytest.fixture
    def settings(self, settings, look_ups):
        return {**settings, "issuer": "http://idp.hang.example:8080"}

    async def test_jupyter_goes_on_and_one_thread_waits(self, api, look_ups):
        asking = await ask_at_once(api, ("GET", "/aws/sign-in"))
        await jupyter_answers(api)
        answers = [answer.data["problem"] for answer in await asyncio.gather(*asking)]
        assert {answer["code"] for answer in answers} <= {
            "identity_provider_unavailable", "identity_provider_timeout",
        }  # fmt: skip
        assert look_ups == ["idp.hang.example"]


class TestWithAProxyWhoseNameIsNeverResolved:
    @pytest.fixture
    def settings(self, settings, look_ups, monkeypatch):
        monkeypatch.setenv("HTTP_PROXY", "http://proxy.hang.example:3128")
        return {**settings, "issuer": "http://idp.example.invalid"}

    async def test_the_name_of_the_proxy_is_resolved(self, api, look_ups):
        problem = (await api("GET", "/aws/sign-in")).data["problem"]
        assert look_ups == ["proxy.hang.example"]
        assert "HTTP_PROXY" in problem["detail"]
