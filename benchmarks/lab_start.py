"""What the extension adds to JupyterLab's start in a browser.

There are two servers, one with the extension (a `command` source, one role) and one without, and one
Chromium. In turn, each server is opened in a window of its own with an empty cache, and then once more in
the same window. The page measures the time from the navigation to the frame after the launcher's first
card, and with the extension also to the frame after its list of roles. Differences are taken pair by pair.

    python benchmarks/lab_start.py [ROUNDS]
"""

from __future__ import annotations

import sys
from typing import Any

from _support import TOKEN, FakeAws, Server, differences, folder, print_figure, site
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
OPTIONS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]

# Records when each thing first appeared, in ms since the navigation.
WATCH = """
window.seen = {};
const awaited = {card: '.jp-LauncherCard', roles: '.jp-AwsRoles-option'};
new MutationObserver(() => {
  for (const [name, selector] of Object.entries(awaited)) {
    if (!(name in window.seen) && document.querySelector(selector)) {
      window.seen[name] = null;
      requestAnimationFrame(() => setTimeout(() => { window.seen[name] = performance.now(); }));
    }
  }
}).observe(document, {childList: true, subtree: true});
"""


def seen(page: Page, *names: str) -> dict[str, float]:
    """Return when each thing appeared."""
    page.wait_for_function("names => names.every(name => window.seen[name])", arg=names)
    found: dict[str, float] = page.evaluate("() => window.seen")
    return found


def measure(browser: Browser, server: Server, *, enabled: bool) -> dict[str, float]:
    """Open JupyterLab twice, and return the figures in ms.

    Args:
        browser: opens a window of its own.
        server: serves JupyterLab.
        enabled: whether it has the extension.

    Raises:
        RuntimeError: if the extension runs in the server without it.
    """
    names = ("card", "roles") if enabled else ("card",)
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script(WATCH)
    page.goto(f"http://127.0.0.1:{server.port}/lab?reset&token={TOKEN}")
    cold = seen(page, *names)
    page.locator("#jupyterlab-splash").wait_for(state="detached")
    page.goto(f"http://127.0.0.1:{server.port}/lab?reset")
    warm = seen(page, *names)
    if page.locator("[class*=jp-AwsRoles]").count() and not enabled:
        raise RuntimeError("the extension runs in the server without it")
    context.close()
    return {f"{name}, {kind}": times[name]
            for kind, times in (("empty cache", cold), ("again", warm)) for name in names}  # fmt: skip


def main(rounds: int) -> None:
    """Measure and report."""
    found: dict[bool, list[dict[str, float]]] = {False: [], True: []}
    with folder() as base, sync_playwright() as playwright:
        config: dict[bool, dict[str, Any]] = {False: {}, True: site(base / "True", FakeAws())}
        servers = {e: Server(base / str(e), config[e], enabled=e, lab=True) for e in found}
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        try:
            for server in servers.values():
                server.first_answer()
            for turn in range(rounds + 1):
                for enabled in found if turn % 2 else reversed(found):
                    figures = measure(browser, servers[enabled], enabled=enabled)
                    if turn:  # the first one warms up the servers and the disk's cache
                        found[enabled].append(figures)
        finally:
            browser.close()
            for server in servers.values():
                server.end()
    for kind in ("empty cache", "again"):
        without, with_it = ([one[f"card, {kind}"] for one in found[e]] for e in (False, True))
        print_figure(f"launcher, {kind}, without the extension", without, "ms")
        print_figure("  with it: more", differences(without, with_it), "ms")
        ratios = [b / a for a, b in zip(without, with_it, strict=True)]
        print_figure("  with it: times as long", ratios, "")
        print_figure("  its roles shown", [one[f"roles, {kind}"] for one in found[True]], "ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
