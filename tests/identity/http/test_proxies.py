"""Which proxy a URL is reached through, and the message about one that can't be used."""

import os
from urllib.parse import quote

import pytest
from botocore.utils import get_environ_proxies
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from traitlets import TraitError

from jupyter_wb_aws.errors import IdpUnavailable, WbAwsError
from jupyter_wb_aws.identity.file_source import FileTokenSource
from jupyter_wb_aws.identity.http.proxies import proxy_for
from tests.openid import say

IDP = "https://idp.example.com/x"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def variables(monkeypatch):
    def set_them(**values):
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return set_them


NO_PROXY = [
    "", "*", " ", ",", " , ,", "*,other.example", "idp.example.com", " idp.example.com ", "IDP.Example.COM",
    "example.com", ".example.com", "..example.com", "ple.com", "idp.example.com:443", "idp.example.com:8443",
    "example.com:8443", "a.b, .example.com", "localhost,[::1]", "localhost,127.0.0.1,[::1]", "::1", "[::1]:8080",
    "10.0.0.0/8", "10.1.2.3", "10.1.2.3:8080", "[2001:db8::5]", "[2001:db8::5]:8443", "http://idp.example.com",
    "bad host with blanks", "[", "%", "@", "#", "💥", ":80", "a:b:c",
]  # fmt: skip
URLS = [
    IDP, "https://idp.example.com:443/", "https://idp.example.com:8443/y", "http://idp.example.com/",
    "https://other.example/", "https://deep.idp.example.com", "https://10.1.2.3/", "http://10.1.2.3:8080/",
    "https://[2001:db8::5]:8443/", "https://[2001:db8::5]/",
]  # fmt: skip


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("no_proxy", NO_PROXY)
def test_no_proxy_is_read_as_botocore_reads_it(variables, no_proxy, url):
    proxy = "http://proxy.example.com:3128"
    variables(HTTPS_PROXY=proxy, HTTP_PROXY=proxy, NO_PROXY=no_proxy)
    expected = get_environ_proxies(url).get(url.partition(":")[0])
    found = proxy_for(url, "")
    assert (found and f"{found.scheme}://{found.host}:{found.port}") == expected


def test_no_proxy_may_list_an_ipv6_address_without_brackets(variables):
    variables(HTTPS_PROXY="http://proxy.example.com", NO_PROXY="2001:db8::5")
    assert proxy_for("https://[2001:db8::5]:8443/", "") is None


@pytest.mark.parametrize("no_proxy", NO_PROXY)
def test_no_proxy_without_a_proxy_has_no_effect(variables, no_proxy):
    variables(NO_PROXY=no_proxy)
    assert [proxy_for(url, "") for url in URLS] == [None] * len(URLS)


@pytest.mark.parametrize(
    "url", ["http://localhost/", "http://127.0.0.1:80/", "https://[::1]:8443/"]
)
def test_a_loopback_address_is_never_reached_through_a_proxy(variables, url):
    variables(HTTP_PROXY="http://proxy:1", HTTPS_PROXY="http://proxy:1", ALL_PROXY="http://proxy:1")
    assert proxy_for(url, "") is None
    assert proxy_for(url, "http://proxy:1") is None


USABLE = {
    "http://proxy.example.com:3128": ("http", "proxy.example.com", 3128, None),
    "http://proxy.example.com": ("http", "proxy.example.com", 80, None),
    "https://proxy.example.com": ("https", "proxy.example.com", 443, None),
    "proxy.example.com:3128": ("http", "proxy.example.com", 3128, None),
    "//proxy.example.com:3128/": ("http", "proxy.example.com", 3128, None),
    " HTTP://Proxy.Example.com:3128/ ": ("http", "proxy.example.com", 3128, None),
    "http://10.0.0.7:8080": ("http", "10.0.0.7", 8080, None),
    "http://[2001:db8::7]:8080": ("http", "2001:db8::7", 8080, None),
    "http://bücher.example:8080": ("http", "xn--bcher-kva.example", 8080, None),
    "http://svc:Winter2026@proxy:3128": ("http", "proxy", 3128, ("svc", "Winter2026")),
    "http://svc:Win%23ter%2F%40%20%25@proxy:3128": ("http", "proxy", 3128, ("svc", "Win#ter/@ %")),
    "http://svc:p@ss:w@rd@proxy:3128": ("http", "proxy", 3128, ("svc", "p@ss:w@rd")),
    "svc:Winter2026@proxy:3128": ("http", "proxy", 3128, ("svc", "Winter2026")),
    "http://svc@proxy:3128": ("http", "proxy", 3128, ("svc", "")),
}


@pytest.mark.parametrize(("value", "parts"), USABLE.items())
def test_a_proxy_is_read(variables, value, parts):
    variables(HTTPS_PROXY=value)
    found = proxy_for(IDP, "")
    assert (found.scheme, found.host, found.port, found.auth) == parts
    assert "Winter" not in repr(found)


UNUSABLE = {
    "http://svc:Winter2026#x@127.0.0.1:9": "percent-encoded",
    "http://svc:Winter2026/x@127.0.0.1:9": "percent-encoded",
    "http://svc:Winter2026?x@127.0.0.1:9": "percent-encoded",
    "http://svc:2026#Winter@127.0.0.1:9": "percent-encoded",
    "http://svc:20/Winter@26@127.0.0.1:9": "percent-encoded",
    "svc:Winter2026#x@127.0.0.1:9": "percent-encoded",
    "http://svc:20\n26#Winter@127.0.0.1:9": "percent-encoded",
    "http://Winter2026:x@:9": "does not name a host",
    "http://": "does not name a host",
    "http://proxy host:3128": "does not name a host",
    "http://proxy:Winter": "port",
    "http://proxy:0": "port",
    "http://proxy:99999": "port",
    "http://[::1:3128": "not a URL",
    "htp://svc:Winter2026@proxy:3128": "does not begin with http",
    "ftp://proxy": "does not begin with http",
    "socks5://svc:Winter2026@proxy:1080": "socksio",
    "socks4://proxy:1080": "does not begin with http",
}


@pytest.mark.parametrize(("value", "why"), UNUSABLE.items(), ids=UNUSABLE)
@pytest.mark.parametrize(
    "variable", ["HTTPS_PROXY", "https_proxy", "Https_Proxy", "ALL_PROXY", "all_proxy"]
)
def test_a_proxy_that_is_needed_and_can_not_be_used_is_named(variables, variable, value, why):
    variables(**{variable: value})
    with pytest.raises(IdpUnavailable, match=why) as refused:
        proxy_for(IDP, "")
    message = f"{refused.value.detail} {refused.value.admin_hint}"
    assert variable in message
    assert not any(piece in message for piece in ("Winter", "2026", "svc"))


@pytest.mark.parametrize("value", UNUSABLE)
def test_a_proxy_that_is_not_needed_does_not_matter(variables, value):
    variables(HTTP_PROXY=value, FTP_PROXY=value, SOCKS_PROXY=value, ALL_PROXY=value)
    variables(HTTPS_PROXY="http://proxy.example.com:3128")
    assert proxy_for(IDP, "").host == "proxy.example.com"
    variables(NO_PROXY="idp.example.com", HTTPS_PROXY=value)
    assert proxy_for(IDP, "") is None
    assert proxy_for("http://127.0.0.1:8080/", "") is None
    assert proxy_for("https://other.example", "http://site:1").host == "site"


def test_lower_case_wins_and_an_empty_variable_means_no_proxy(variables):
    variables(HTTPS_PROXY="http://capitals:1", https_proxy="http://small:1")
    assert proxy_for(IDP, "").named_by == "https_proxy"
    variables(https_proxy="")
    assert proxy_for(IDP, "") is None


@pytest.mark.parametrize("value", UNUSABLE)
def test_a_setting_that_can_not_be_used_is_refused_and_not_quoted(value):
    with pytest.raises(TraitError, match="'proxy' trait") as refused:
        FileTokenSource(proxy=value)
    assert not any(piece in str(refused.value) for piece in ("Winter", "2026", "svc"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=1),
    st.sampled_from(
        ["http://svc:{}@proxy:3128", "svc:{}@proxy:3128", "http://{}:x@proxy", "htps://{}@proxy"]
    ),
)
def test_no_password_is_quoted(monkeypatch, password, form):
    marked = f"Qx7{password}zK9"
    monkeypatch.setenv("HTTPS_PROXY", form.format(marked))
    try:
        proxy = proxy_for(IDP, "")
    except IdpUnavailable as problem:
        message = f"{problem.detail}{problem.admin_hint}"
    else:
        message = repr(proxy)
        assert proxy.host == "proxy"
    assert not any(piece.lower() in message.lower() for piece in ("Qx7", "zK9", quote(marked)))


QUOTES = {
    "an issuer": lambda seen: (200, {"issuer": seen}, {}),
    "an endpoint": lambda seen: (
        200,
        {"issuer": ISSUER, "device_authorization_endpoint": seen},
        {},
    ),
    "a coding": lambda seen: (200, b"x", {"Content_Encoding": seen}),
    "a page": lambda seen: (403, f"<p>{seen}</p>".encode(), {}),
    "an error": lambda seen: (400, {"error": seen, "error_description": f"{seen} is wrong"}, {}),
}
ISSUER = "http://idp.example.invalid"


@pytest.mark.parametrize("password", ["Winter2026-secret", "Win26"])
@pytest.mark.parametrize("quote_it", QUOTES.values(), ids=QUOTES)
@pytest.mark.parametrize("at", ["/.well-known/openid-configuration", "/device"])
async def test_a_proxy_that_quotes_its_credentials_is_not_quoted(
    make, plain, monkeypatch, password, quote_it, at
):
    monkeypatch.setenv(
        "HTTP_PROXY", f"http://svc-account:{password}@{plain.url.partition('//')[2]}"
    )

    def answer(handler):
        sent = handler.headers["Proxy-Authorization"].removeprefix("Basic ")
        found = (200, {"issuer": ISSUER, "device_authorization_endpoint": f"{ISSUER}/device"}, {})
        if handler.path.endswith(at):
            found = quote_it(f"{sent} svc-account {password}")
        say(handler, found[1], found[0], **found[2])

    plain.answer = answer
    source = make(issuer=ISSUER)
    with pytest.raises(WbAwsError) as refused:
        await source.sign_in.begin_device()
    message = str(refused.value.as_problem())
    assert not any(
        piece in message for piece in (password, password.lower(), "svc-acc", "c3ZjLWFjY")
    )
