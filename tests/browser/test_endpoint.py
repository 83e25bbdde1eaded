"""Pages in a real browser ask the credential endpoint in every way that a page can."""

from __future__ import annotations

import asyncio
import http.server
import threading
from contextlib import contextmanager

import pytest
from playwright.sync_api import sync_playwright

from jupyter_wb_aws.endpoint.server import EndpointServer
from tests.browser.chromium import CHROMIUM, QUIET
from tests.endpoint.asking import TOKEN, Counting

pytestmark = pytest.mark.long

# Each returns (or resolves to) what the page learned.
WAYS = {
    "fetch": "fetch(url).then(r => r.text(), e => e.name)",
    "fetch_no_cors": "fetch(url, {mode: 'no-cors'}).then(r => r.text(), e => e.name)",
    "fetch_with_token": "fetch(url, {headers: {Authorization: token}}).then(r => r.text(), e => e.name)",
    "fetch_navigate": "fetch(url, {mode: 'no-cors', credentials: 'include', redirect: 'follow'}).then(r => r.text(), e => e.name)",
    "post_no_cors": "fetch(url, {method: 'POST', mode: 'no-cors', body: 'a'}).then(r => r.text(), e => e.name)",
    "xml_http_request": """new Promise(done => {
        const asking = new XMLHttpRequest(); asking.open('GET', url); asking.onloadend = () => done(asking.responseText); asking.send(); })""",
    "image": "new Promise(done => { const image = new Image(); image.onerror = () => done(''); image.onload = () => done('loaded'); image.src = url; })",
    "script": """new Promise(done => {
        const script = document.createElement('script'); script.src = url; script.onerror = () => done(''); script.onload = () => done('loaded');
        document.head.append(script); })""",
    "style_sheet": """new Promise(done => {
        const link = document.createElement('link'); link.rel = 'stylesheet'; link.href = url; link.onerror = () => done('');
        link.onload = () => done('loaded'); document.head.append(link); })""",
    "frame": """new Promise(done => {
        const frame = document.createElement('iframe'); frame.src = url; document.body.append(frame);
        frame.onload = () => { try { done(frame.contentDocument.body.textContent) } catch (error) { done(error.name) } }; })""",
    "event_source": "new Promise(done => { const source = new EventSource(url); source.onerror = () => { source.close(); done(''); }; source.onmessage = m => done(m.data); })",
    "web_socket": "new Promise(done => { const socket = new WebSocket(url.replace('http', 'ws')); socket.onerror = () => done(''); socket.onopen = () => done('open'); })",
    "beacon": "navigator.sendBeacon(url, 'a') ? fetch(url).then(r => r.text(), e => e.name) : ''",
    "form_get": "new Promise(done => { const form = document.createElement('form'); form.action = url; form.target = 'other'; document.body.append(form); form.submit(); setTimeout(() => done(''), 500); })",
    "form_post": """new Promise(done => {
        const form = document.createElement('form'); form.action = url; form.method = 'POST'; form.target = 'another';
        document.body.append(form); form.submit(); setTimeout(() => done(''), 500); })""",
}  # fmt: skip
LEARNED_NOTHING = {"", "TypeError", "SecurityError"}


class Page(http.server.BaseHTTPRequestHandler):
    """The attacker's page."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>attacker</title><body>")

    def log_message(self, *args):
        """Print nothing."""


@contextmanager
def attackers_page():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{site.server_port}/"
        site.shutdown()


@contextmanager
def running_endpoint():
    answer = Counting()
    server = EndpointServer(answer)
    server.ensure_running()
    yield server, answer
    asyncio.run(server.close())


@contextmanager
def browser_page(*arguments):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, *arguments])
        yield browser.new_page()
        browser.close()


def test_a_page_of_another_site_reaches_nothing_and_learns_nothing():
    with running_endpoint() as (server, answer), attackers_page() as url, browser_page() as page:
        refused, learned = [], {}
        page.context.on("response", lambda found: refused.append((found.url, found.status)))
        page.goto(url)
        for way, script in WAYS.items():
            learned[way] = page.evaluate(
                f"([url, token]) => Promise.resolve({script})", [server.uri, TOKEN]
            )

    statuses = {status for asked, status in refused if asked == server.uri}
    assert {way: found for way, found in learned.items() if found not in LEARNED_NOTHING} == {}
    assert statuses == {403}
    assert not answer.asked


def test_a_page_that_a_person_opens_gets_nothing():
    with running_endpoint() as (server, answer), browser_page() as page:
        response = page.goto(server.uri)
        assert response.status == 403
        assert response.json()["code"] == "BrowserRefused"
        assert response.headers["content-type"] == "application/json"

    assert not answer.asked


def test_a_name_that_an_attacker_resolves_to_this_machine_gets_nothing():
    """DNS rebinding: such a page is of the same origin as the endpoint, so it sends any header and reads the answer."""
    rules = "--host-resolver-rules=MAP attacker.example 127.0.0.1"
    with running_endpoint() as (server, answer), browser_page(rules) as page:
        page.goto(f"http://attacker.example:{server.port}/")
        body = page.evaluate(
            "token => fetch('/credentials', {headers: {Authorization: token}}).then(r => r.json())",
            TOKEN,
        )

    assert body["code"] == "HostRefused"
    assert not answer.asked
