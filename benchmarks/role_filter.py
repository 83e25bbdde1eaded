"""The time from a key press in the filter box to the filtered list on the screen, with 5,000 roles.

JupyterLab runs in Chromium, and the server offers 5,000 roles. The page measures the time from the key
press (`event.timeStamp`) until the list's nodes are the new ones, and until the frame with them is painted
(the first task after `requestAnimationFrame`). Every key press has to wait for the next frame. So the same
keys also go, in turn, to a text box that does nothing: the difference is ours.

    python benchmarks/role_filter.py [ROUNDS]
"""

from __future__ import annotations

import sys

from _support import TOKEN, FakeAws, Server, differences, folder, print_figure, site
from playwright.sync_api import Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
OPTIONS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
ROLES = 5000
WORDS = ("role 42", "1111", "team")  # matching some, all and (only in the description) none of them

# A plain box beside the filter box; the time of each key press in either is recorded.
WATCH = """
const plain = document.createElement('input');
plain.id = 'plain';
plain.style = 'position: fixed; top: 0; left: 0; z-index: 99999';
document.body.append(plain);
window.taken = [];
for (const box of [plain, document.querySelector('.jp-AwsRoles-filter')]) {
  box.addEventListener('keydown', event => {
    const one = {shown: 0, painted: 0};
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      one.painted = performance.now() - event.timeStamp;
      window.taken.push(one);
    };
    const list = document.querySelector('.jp-AwsRoles-picker');
    const observer = new MutationObserver(() => {
      one.shown = performance.now() - event.timeStamp;
      observer.disconnect();
    });
    observer.observe(list, {childList: true, subtree: true, characterData: true, attributes: true});
    box.addEventListener('input', () => {
      requestAnimationFrame(() => channel.port2.postMessage(0));
    }, {once: true});
  }, {capture: true});
}
"""


def press(page: Page, box: str, key: str) -> dict[str, float]:
    """Press a key in a box, and return the times that it takes.

    Args:
        page: has both boxes.
        box: the selector of the box.
        key: the key's name.
    """
    page.focus(box)
    page.evaluate("() => { window.taken = []; }")
    page.keyboard.press(key)
    page.wait_for_function("() => window.taken.length")
    taken: dict[str, float] = page.evaluate("() => window.taken[0]")
    return taken


def main(rounds: int) -> None:
    """Measure and report."""
    plain: list[dict[str, float]] = []
    ours: list[dict[str, float]] = []
    with folder() as base, sync_playwright() as playwright:
        server = Server(base / "home", site(base / "home", FakeAws(), ROLES), lab=True)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        try:
            server.first_answer()
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{server.port}/lab?reset&token={TOKEN}")
            page.locator(".jp-AwsRoles-option").first.wait_for()
            page.locator("#jupyterlab-splash").wait_for(state="detached")
            page.evaluate(WATCH)
            for turn in range(rounds + 1):
                for word in WORDS:
                    for key in (*word, *("Backspace" for _ in word)):
                        first = press(page, "#plain", key)
                        second = press(page, ".jp-AwsRoles-filter", key)
                        if turn:  # in the first one, the browser compiles
                            plain.append(first)
                            ours.append(second)
        finally:
            browser.close()
            server.end()
    shown = [one["shown"] for one in ours]
    print_figure("key press to the list's nodes", shown, "ms", "16 ms at most")
    print_figure("  the slowest of 100", [sorted(shown)[int(len(shown) * 0.99)]], "ms")
    print_figure("key press to the painted frame", [one["painted"] for one in ours], "ms")
    print_figure("  in a text box that does nothing", [one["painted"] for one in plain], "ms")
    more = differences([one["painted"] for one in plain], [one["painted"] for one in ours])
    print_figure("  ours: more", more, "ms", "16 ms at most")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
