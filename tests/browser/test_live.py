"""The page follows the server: its events, its death and return, and its absence."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.lab import opened_lab
from tests.browser.lab_server import lab_server

AN_HOUR = 3_600_000


def summary(lab):
    return lab.page.locator(".jp-AwsRoles-summary")


def status(lab):
    return lab.page.locator(".jp-AwsRoles-statusButton")


def pick(lab, label):
    lab.page.locator(".jp-AwsRoles-option").filter(has_text=label).click()


@pytest.fixture(autouse=True)
def no_role_session(demo):
    yield
    for session in demo("GET", "/aws/sessions")["sessions"]:
        demo("DELETE", f"/aws/sessions/{session['id']}")


def test_two_windows_agree(browser, demo):
    with opened_lab(browser, demo) as one, opened_lab(browser, demo) as other:
        pick(one, "Analyst")
        expect(summary(one)).to_contain_text("work as Analyst")
        expect(summary(other)).to_contain_text("work as Analyst")

        pick(other, "No AWS role")
        expect(summary(one)).to_contain_text("have no AWS role")

        (session,) = demo("GET", "/aws/sessions")["sessions"]
        demo("DELETE", f"/aws/sessions/{session['id']}")
        for window in (one, other):
            expect(window.page.get_by_text("role session running", exact=True)).to_have_count(0)
        assert one.recorder.errors == other.recorder.errors == []


def test_a_connected_page_asks_nothing_while_nothing_happens(browser, demo):
    with opened_lab(browser, demo, "lab?reset", clock=True) as lab:
        lab.page.locator(".jp-AwsRoles-option").first.wait_for()
        lab.recorder.clear()

        for _ in range(3):  # JupyterLab's own timers ask; each begins its next wait
            with lab.page.expect_request("**/api/kernels*"):
                lab.page.clock.fast_forward(AN_HOUR)
        assert lab.recorder.asked_of_us == []

        demo.start("analyst", default=True)
        expect(summary(lab)).to_contain_text("work as Analyst")


HIDE = """hidden => {
    Object.defineProperty(document, 'hidden', { configurable: true, value: hidden });
    document.dispatchEvent(new Event('visibilitychange'));
}"""

# Note what each event stream of the page gets: JupyterLab has one, and so have we.
NOTE_EVENTS = """
window.eventStreams = [];
window.WebSocket = class extends WebSocket {
    constructor(url, ...more) {
        super(url, ...more);
        if (!new URL(url).pathname.endsWith('/api/events/subscribe')) return;
        const got = [];
        window.eventStreams.push(got);
        this.addEventListener('message', message => got.push(message.data));
    }
};
"""
ALL_GOT = "event => eventStreams.length === 2 && eventStreams.every(got => got.some(data => data.includes(event)))"


def test_what_happens_elsewhere_is_read_without_activity_and_in_a_hidden_page_not_at_all(
    browser, demo
):
    with opened_lab(browser, demo, clock=True) as hidden, opened_lab(browser, demo) as shown:
        hidden.page.add_init_script(NOTE_EVENTS)
        hidden.reload()
        for window in (hidden, shown):
            window.page.locator(".jp-AwsRoles-option").first.wait_for()
        hidden.page.evaluate(HIDE, True)
        queries = []
        shown.page.on("request", lambda request: queries.append(urlsplit(request.url)))
        hidden.recorder.clear()

        demo.start("analyst", default=True)
        expect(summary(shown)).to_contain_text("work as Analyst")

        reads = [url for url in queries if url.path.startswith("/aws/")]
        assert reads
        assert all("no_track_activity=1" in url.query for url in reads)
        hidden.page.wait_for_function(ALL_GOT, arg="urn:jupyter-wb-aws:event:session-started")
        hidden.page.clock.fast_forward(60_000)  # it does not read a moment later, either
        with hidden.page.expect_request(
            "**/api?after-the-event"
        ):  # all earlier requests are recorded by then
            hidden.page.evaluate("() => void fetch('/api?after-the-event')")
        assert hidden.recorder.asked_of_us == []
        hidden.page.evaluate(HIDE, False)
        expect(summary(hidden)).to_contain_text("work as Analyst")


@pytest.mark.long
def test_a_page_outlives_its_server_and_finds_its_role_session_again(
    browser, demo, tmp_path_factory
):
    with (
        lab_server(tmp_path_factory.mktemp("killed"), demo) as server,
        opened_lab(browser, server) as lab,
    ):
        pick(lab, "Analyst")
        expect(summary(lab)).to_contain_text("work as Analyst")
        expect(status(lab)).to_contain_text("Analyst")
        (before,) = server("GET", "/aws/sessions")["sessions"]

        server.kill()
        gone = lab.page.locator(".jp-AwsRoles-quiet").filter(has_text="does not answer")
        expect(gone).to_be_visible()
        expect(lab.page.locator(".jp-AwsRoles-filter")).to_be_disabled()
        expect(status(lab)).to_contain_text("server not reachable")
        lab.shot("server-gone")

        server.launch()
        expect(gone).to_have_count(0, timeout=30_000)
        expect(lab.page.locator(".jp-AwsRoles-filter")).to_be_enabled()
        expect(summary(lab)).to_contain_text("work as Analyst")
        expect(status(lab)).not_to_contain_text("not reachable")
        (after,) = server("GET", "/aws/sessions")["sessions"]
        assert after["id"] == before["id"]
        tries = [error for error in lab.recorder.from_us if "ERR_CONNECTION_REFUSED" in error]
        # The browser's own lines: the failed read makes six requests at once, each later attempt
        # one, and so does the stream; the wait doubles each time.
        assert lab.recorder.from_us == tries
        assert len(tries) <= 6 + 6
        lab.shot("server-back")


@pytest.mark.labs
@pytest.mark.long
def test_a_page_asks_for_a_reload_once_its_server_has_been_upgraded(
    browser, demo, tmp_path_factory
):
    with (
        lab_server(tmp_path_factory.mktemp("upgraded"), demo) as server,
        opened_lab(browser, server) as lab,
    ):
        expect(lab.page.locator(".jp-AwsRoles-filter")).to_be_enabled()
        assert lab.toasts() == []
        connection_error = lab.page.locator(".jp-Dialog")  # JupyterLab's own, at any time
        lab.page.add_locator_handler(connection_error, lambda: lab.page.keyboard.press("Escape"))
        server.kill()
        expect(status(lab)).to_contain_text("server not reachable")
        server.upgrade("98.7")
        server.launch()

        toast = lab.page.locator(".Toastify__toast").filter(has_text="98.7")
        expect(toast).to_contain_text("this page still has", timeout=40_000)
        lab.shot("reload")
        with lab.page.expect_navigation():
            toast.get_by_role("button", name="Reload").click()

        # It is the same page, since no other version is installed: asking again would not help.
        lab.until_ready()
        expect(lab.page.locator(".jp-AwsRoles-filter")).to_be_enabled()
        assert lab.toasts() == []


def without_our_part(config):
    config["ServerApp"]["jpserver_extensions"] = {"jupyter_wb_aws": False}


def without_settings(config):
    del config["WbAwsApp"]


@pytest.mark.parametrize(
    ("change", "words", "asked", "errors"),
    [
        (without_our_part, "lacks the extension jupyter_wb_aws", 1, 1),
        (without_settings, "are not set up", 1, 0),
    ],
    ids=["without-our-part", "without-settings"],
)
@pytest.mark.long
def test_a_server_without_it_is_asked_once_and_shown_quietly(
    browser, demo, tmp_path_factory, change, words, asked, errors
):
    with (
        lab_server(tmp_path_factory.mktemp("without"), demo, change) as server,
        opened_lab(browser, server) as lab,
    ):
        expect(lab.page.locator(".jp-AwsRoles-quiet").filter(has_text=words)).to_be_visible()
        lab.shot(change.__name__.replace("_", "-"))

        assert lab.page.locator(".jp-AwsRoles-filter").count() == 0
        assert lab.page.locator(".jp-Dialog, .Toastify__toast").count() == 0
        assert len(lab.recorder.asked_of_us) == asked
        assert len(lab.recorder.errors) == errors, lab.recorder.errors
        assert lab.run(lab.new_notebook(), "print('works')") == "works\n"
