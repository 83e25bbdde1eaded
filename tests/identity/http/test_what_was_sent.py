"""No message and no log line contains the secrets that this server sent to the identity provider."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote_plus

import pytest

from jupyter_wb_aws.errors import WbAwsError
from tests.identity.signing_in import fetch, sign_in, sign_out
from tests.openid import CLIENT, failing, say
from tests.role_sessions.support import asleep, eventually

SECRET = "Winter 2026+x"
BASIC = base64.b64encode(f"{CLIENT}:{quote_plus(SECRET)}".encode()).decode()
PRIVATE = ("code", "code_verifier", "refresh_token", "device_code", "client_secret", "token")


@pytest.fixture
def client(make, tmp_path):
    """Make a source with a confidential client."""

    def client(method="client_secret_basic", secret=SECRET):
        path = tmp_path / "secret"
        path.write_text(secret)
        return make(client_secret_file=str(path), token_endpoint_auth_method=method)

    return client


def quoting(provider, path, say_it):
    """Make the provider quote the next request's secrets in its response; return the list that they are added to."""
    seen = []

    def fault(handler):
        form = provider.asked[-1][1]
        values = [form[name] for name in PRIVATE if name in form]
        authorization = handler.headers.get("Authorization", "")
        seen.extend([*values, authorization.removeprefix("Basic ")] if authorization else values)
        say_it(handler, " ".join([*values, *map(quote_plus, values), authorization, SECRET]))

    provider.faults[path] = [fault]
    return seen


def as_description(handler, quoted):
    say(handler, {"error": "invalid_request", "error_description": f"Bad: {quoted}"}, 400)


def as_error(handler, quoted):
    say(handler, {"error": quoted}, 400)


def as_page(handler, quoted):
    say(handler, f"<html><p>{quoted}</p></html>".encode(), 403)


def as_status_line(handler, quoted):
    handler.wfile.write(f"HTTP/1.1 {quoted}\r\n\r\n".encode())


def as_reason(handler, quoted):
    handler.wfile.write(f"HTTP/1.1 400 {quoted}\r\nContent-Length: 0\r\n\r\n".encode())


def as_header(handler, quoted):
    handler.wfile.write(f"HTTP/1.1 200 OK\r\n{quoted}\r\n\r\n".encode())


def as_location(handler, quoted):
    say(handler, b"", 302, Location=f"http://[{quoted}]:x/")


ways = pytest.mark.parametrize(
    "way", [as_description, as_error, as_page, as_status_line, as_reason, as_header, as_location]
)


def nothing_of(seen, *texts):
    assert seen
    for value in [*seen, SECRET, BASIC]:
        assert not [text for text in texts if value in text or value[:8] in text]


@ways
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_an_exchange_that_is_refused(client, provider, caplog, way, method):
    caplog.set_level(0)
    seen = quoting(provider, "/token", way)
    with pytest.raises(WbAwsError) as refused:
        await sign_in(client(method), provider)
    nothing_of(seen, json.dumps(refused.value.as_problem()), caplog.text)


@ways
async def test_a_refresh_that_is_refused(client, provider, caplog, way):
    caplog.set_level(0)
    source = client()
    provider.secret = SECRET
    await sign_in(source, provider)
    await fetch(source)
    seen = quoting(provider, "/token", way)
    with pytest.raises(WbAwsError) as refused:
        await fetch(source)
    nothing_of(seen, json.dumps(refused.value.as_problem()), caplog.text)


@ways
async def test_a_device_code_that_is_refused(source, provider, caplog, way):
    caplog.set_level(0)
    begun = await source.sign_in.begin_device()
    seen = quoting(provider, "/token", way)
    await asleep(source.clock)
    source.clock.advance(5)
    await eventually(lambda: seen)
    provider.deny_device(begun.user_code)
    await asleep(source.clock, 0) if source.sign_in.problem else None
    nothing_of(
        seen, str(source.sign_in.problem and source.sign_in.problem.as_problem()), caplog.text
    )


@ways
async def test_a_sign_out_that_is_refused(client, provider, caplog, way):
    caplog.set_level(0)
    source = client()
    provider.secret = SECRET
    await sign_in(source, provider)
    seen = quoting(provider, "/revoke", way)
    await sign_out(source)
    nothing_of(seen, caplog.text)


@pytest.mark.parametrize("secret", ["abc", "12345"])
async def test_with_a_short_secret_nothing_that_the_provider_says_is_shown(
    client, provider, secret
):
    answer = {"error": "invalid_client", "error_description": f"Not the secret: {secret}."}
    provider.faults["/token"] = [failing(401, answer)]
    with pytest.raises(WbAwsError, match="invalid_client") as refused:
        await sign_in(client(secret=secret), provider)
    assert secret not in str(refused.value.as_problem())
    assert "Not the" not in refused.value.detail
    provider.faults["/token"] = [failing(401, {"error": f"no-{secret}"})]
    with pytest.raises(WbAwsError) as refused:
        await sign_in(client(secret=secret), provider)
    assert secret not in str(refused.value.as_problem())


async def test_what_the_callback_brings_is_not_shown(source, provider):
    begun = await source.sign_in.begin_code()
    state = provider.authorize(begun.authorization_url)["state"]
    query = {"state": state, "error": state, "error_description": f"state {state} is wrong"}
    with pytest.raises(WbAwsError) as refused:
        await source.sign_in.finish_code(query, {begun.cookie_name: begun.cookie})
    assert state[:8] not in str(refused.value.as_problem())
