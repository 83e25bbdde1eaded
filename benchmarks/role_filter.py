"""From a key press in the picker's filter box to the filtered list on the screen, with 5,000 roles.

JupyterLab in Chromium, and a server that offers 5,000 roles. Measured in the page: from the key press
(`event.timeStamp`) until the list's nodes are the new ones, and until the frame with them was painted
(the first task after `requestAnimationFrame`). The screen itself makes a key press wait for the next
frame, so the same keys go, in turn, to a text box that does nothing: the difference is ours.

    python benchmarks/role_filter.py [ROUNDS]
"""

from __future__ import annotations

import sys

from _support import TOKEN, FakeAws, Server, differences, folder, site, told
from playwright.sync_api import Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
OPTIONS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
ROLES = 5000
WORDS = ("role 42", "1111", "team")  # some, all and (in its description only) none of them match

# A plain box beside the picker's, and a note of each key press in either.
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
    """Press a key in a box; return how long it took."""
    page.focus(box)
    page.evaluate("() => { window.taken = []; }")
    page.keyboard.press(key)
    page.wait_for_function("() => window.taken.length")
    taken: dict[str, float] = page.evaluate("() => window.taken[0]")
    return taken


def main(rounds: int) -> None:
    """Measure and tell."""
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
                        if turn:  # the first lets the browser compile
                            plain.append(first)
                            ours.append(second)
        finally:
            browser.close()
            server.end()
    shown = [one["shown"] for one in ours]
    told("key press to the list's nodes", shown, "ms", "16 ms at most")
    told("  the slowest of 100", [sorted(shown)[int(len(shown) * 0.99)]], "ms")
    told("key press to the painted frame", [one["painted"] for one in ours], "ms")
    told("  in a text box that does nothing", [one["painted"] for one in plain], "ms")
    more = differences([one["painted"] for one in plain], [one["painted"] for one in ours])
    told("  ours: more", more, "ms", "16 ms at most")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
