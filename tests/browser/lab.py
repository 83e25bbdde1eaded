"""JupyterLab in a browser page: what tests do in it, and what it logs and requests."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import expect, sync_playwright

from tests.browser.chromium import CHROMIUM, QUIET, SCREENSHOTS

AXE = Path(__file__).parents[2] / "labextension/node_modules/axe-core/axe.min.js"
OURS = '[class*="jp-AwsRoles"]'
# JupyterLab's own button in each row of what is running; it has no name.
NOT_OURS = ".jp-RunningSessions-itemShutdown"
LIGHT = "JupyterLab Light"
DARK = "JupyterLab Dark"
HIGH_CONTRAST = "JupyterLab Dark High Contrast"
THEMES = {"light": LIGHT, "dark": DARK, "high-contrast": HIGH_CONTRAST}

# As `--LabApp.expose_app_in_browser` does it: `window.jupyterapp`, in JupyterLab and Notebook 7.
EXPOSE_APP = """
document.addEventListener('readystatechange', () => {
  const node = document.getElementById('jupyter-config-data');
  if (node && document.readyState === 'interactive') {
    node.textContent = JSON.stringify({...JSON.parse(node.textContent), exposeAppInBrowser: true});
  }
});
"""


@contextmanager
def opened_browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@contextmanager
def opened_lab(
    browser, server, path="lab?reset", *, width=1280, height=900, clock=False, **options
):
    """Open JupyterLab in its own window, with its own cookies, and close it in the end.

    Args:
        server: a `RunningServer`, such as the demo.
        path: under the server's URL; `lab?reset` forgets which tabs were open.
        clock: whether `page.clock` moves the page's time.
        options: the browser context's, such as `locale`.
    """
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    context.set_default_timeout(30_000)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    if clock:
        page.clock.install()
    yield open_lab(page, server, path)
    context.close()


def open_lab(page, server, path="lab?reset"):
    """Open JupyterLab in a page, wait until it is there, and return it as a `Lab`."""
    lab = Lab(page, server)
    lab.open(path)
    return lab


# JupyterLab's debugger, at a restart of a kernel that it was still asking.
OF_RESTARTS = "Could not restore the debugger state: Canceled future"


class Recorder:
    """Records a page's errors, in its console or uncaught, and its requests, as method and path."""

    def __init__(self, page):
        self.errors = []
        self.requests = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.errors.append(f"thrown: {error.stack or error}"))
        page.on("request", self._asked)

    def clear(self):
        self.errors.clear()
        self.requests.clear()

    @property
    def own_errors(self):
        """The errors without the browser's own line for each request that failed."""
        return [error for error in self.errors if "Failed to load resource" not in error]

    @property
    def from_us(self):
        """The errors from our code, and the browser's own lines on requests of ours that failed."""
        return [error for error in self.errors if re.search(r"jupyterlab-wb-aws|/aws/", error)]

    @property
    def asked_of_us(self):
        """The requests to our part of the server."""
        return [request for request in self.requests if " /aws/" in request]

    def _heard(self, message):
        if message.type == "error" and OF_RESTARTS not in message.text:
            where = message.location.get("url", "")
            self.errors.append(f"{message.text} ({where.partition('?')[0]})")

    def _asked(self, request):
        self.requests.append(f"{request.method} {urlsplit(request.url).path}")


class Lab:
    """JupyterLab in a page.

    `page` is playwright's; `recorder` records its errors and requests.
    """

    def __init__(self, page, server):
        self.page = page
        self.server = server
        self.recorder = Recorder(page)
        page.add_init_script(EXPOSE_APP)

    def open(self, path="lab?reset"):
        """Go there, and wait until JupyterLab (or Notebook 7) has started and restored its tabs."""
        between = "&" if "?" in path else "?"
        self.page.goto(f"{self.server.url}{path}{between}token={self.server.token}")
        self.until_ready()

    def reload(self):
        self.page.reload()
        self.until_ready()

    def until_ready(self):
        self.page.wait_for_function("() => window.jupyterapp")
        self.page.evaluate("() => window.jupyterapp.restored.then(() => undefined)")
        self.page.locator("#jupyterlab-splash").wait_for(state="detached")

    def run_command(self, command, **arguments):
        """Execute a command of JupyterLab's, or of ours, and wait until it is done."""
        self.page.evaluate(
            "([id, args]) => window.jupyterapp.commands.execute(id, args).then(() => undefined)",
            [command, arguments],
        )

    def begin_command(self, command, **arguments):
        """Execute a command that ends only when the user has answered a dialog."""
        self.page.evaluate(
            "([id, args]) => { void window.jupyterapp.commands.execute(id, args); }",
            [command, arguments],
        )

    def use_theme(self, theme):
        """Switch to `LIGHT`, `DARK` or `HIGH_CONTRAST`, and wait until it is loaded."""
        self.run_command("apputils:change-theme", theme=theme)
        expect(self.page.locator("body")).to_have_attribute("data-jp-theme-name", theme)
        self.page.locator("#jupyterlab-splash").wait_for(state="detached")

    def current(self):
        """Return the tab in front; it stays the same when another one comes to the front."""
        id_ = self.page.evaluate("() => window.jupyterapp.shell.currentWidget.id")
        return self.page.locator(f'[id="{id_}"]')

    def new_launcher(self):
        """Open one more launcher; return it (with what is above the cards)."""
        self.run_command("launcher:create")
        self.page.locator(".jp-Launcher:visible").first.wait_for()
        return self.current()

    def new_notebook(self, launcher=None):
        """Start a Python notebook from a launcher; return it once its kernel is idle."""
        launcher = launcher or self.new_launcher()
        cards = launcher.locator('.jp-LauncherCard[data-category="Notebook"]')
        cards.filter(has_text="Python 3").click()
        launcher.wait_for(state="detached")
        return self.until_idle(self.current())

    def open_notebook(self, path):
        self.run_command("docmanager:open", path=path)
        return self.until_idle(self.current())

    def until_idle(self, notebook):
        """Wait until the kernel of a notebook or console is connected and idle; return the panel."""
        # The notebook's indicator shows "idle" even before there is a kernel.
        self.page.wait_for_function(
            """id => {
              const panel = [...jupyterapp.shell.widgets('main')].find(widget => widget.id === id);
              const kernel = panel.sessionContext.session?.kernel;
              return kernel?.connectionStatus === 'connected' && kernel.status === 'idle';
            }""",
            arg=notebook.get_attribute("id"),
        )
        return notebook

    def run(self, notebook, code):
        """Run code in a notebook's last cell; return what the cell shows when it is done."""
        cell = notebook.locator(".jp-CodeCell").last
        number = notebook.locator(".jp-CodeCell").count() - 1
        cell.locator(".cm-content").click()
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.insert_text(code)
        self.page.keyboard.press("Shift+Enter")  # leaves an empty cell below
        ran = notebook.locator(".jp-CodeCell").nth(number)
        expect(ran.locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\d+\]:"))
        return "".join(ran.locator(".jp-OutputArea-output").all_inner_texts())

    def toasts(self):
        """Return the texts of the toasts, after waiting for all that were emitted before."""
        toasts = self.page.locator(".Toastify__toast")
        last = "All toasts before this one are there"
        # Without a time it would not be a toast.
        self.run_command(
            "apputils:notify", message=last, type="info", options={"autoClose": 60_000}
        )
        toasts.filter(has_text=last).wait_for()
        return [text for text in toasts.all_inner_texts() if last not in text]

    def axe(self, include=OURS):
        """Check our own nodes with axe-core; return its violations as readable lines."""
        if not self.page.evaluate("() => 'axe' in window"):
            self.page.evaluate(AXE.read_text("utf-8"))
        # JupyterLab's body has no height and clips: axe would take all text for invisible and skip its contrast.
        self.page.add_style_tag(content="body { height: 100vh; }")
        found = self.page.evaluate(
            """([include, exclude]) => axe.run(
              {include: [[include]], exclude: [[exclude]]}, {resultTypes: ['violations']}
            )""",
            [include, NOT_OURS],
        )
        return [
            f"{violation['id']}: {node['html'][:200]} - {node['failureSummary']}"
            for violation in found["violations"]
            for node in violation["nodes"]
        ]

    def shot(self, name, locator=None):
        SCREENSHOTS.mkdir(exist_ok=True)
        (locator or self.page).screenshot(path=SCREENSHOTS / f"{name}.png")

    def too_wide(self):
        """Return our nodes whose content is cut off or sticks out of the window."""
        return self.page.evaluate(
            """ours => [...document.querySelectorAll(ours)]
              .filter(node => node.getClientRects().length)
              .filter(node => {
                const {left, right} = node.getBoundingClientRect();
                const style = getComputedStyle(node);
                // What is typed into a field may be longer than the field: it scrolls.
                const scrolls = node.matches('input') && node.value !== '';
                const cut = !scrolls && node.scrollWidth > node.clientWidth + 1 && node.clientWidth > 1
                  && style.display !== 'inline' && style.textOverflow !== 'ellipsis';
                return cut || left < -1 || right > innerWidth + 1;
              })
              .map(node => `${node.className}: ${node.scrollWidth} in ${node.clientWidth}`)""",
            OURS,
        )


def offer_roles(demo, count):
    """Write `count` more roles, for everyone, into the demo's roles file, which it reads again.

    They are in ten accounts; every hundredth is production's, marked red.
    """
    (path,) = demo.folder.glob("tmp/**/roles.toml")
    entries = [
        f'[[roles]]\narn = "arn:aws:iam::{111122223300 + number % 10}:role/team/team-{number:04}"\n'
        f'label = "Team {number:04}{" production" if number % 100 == 0 else ""}"\n'
        f'region = "eu-central-1"\ncolor = "{"red" if number % 100 == 0 else "green"}"\n'
        f'allow = "everyone"\n'
        for number in range(count)
    ]
    path.write_text(path.read_text("utf-8") + "\n" + "\n".join(entries), "utf-8")
