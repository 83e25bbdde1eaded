"""Everybody can read and use what we show: axe, themes, narrow windows, right to left."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.documents import opened
from tests.browser.lab import DARK, HIGH_CONTRAST, LIGHT, opened_lab

# Theme, width in pixels, direction of writing, and options of the browser's context.
LOOKS = {
    "light": (LIGHT, 1280, "ltr", {}),
    "dark": (DARK, 1280, "ltr", {}),
    "high-contrast": (HIGH_CONTRAST, 1280, "ltr", {}),
    "forced-colors": (LIGHT, 1280, "ltr", {"forced_colors": "active"}),
    "narrow": (LIGHT, 500, "ltr", {}),
    "right-to-left": (DARK, 1000, "rtl", {}),
}


# All of them take five minutes; `make test` has the one that JupyterLab starts with.
@pytest.fixture(
    scope="module",
    params=[
        pytest.param(look, marks=[] if look == "light" else pytest.mark.long) for look in LOOKS
    ],
)
def look(request):
    return request.param


@pytest.fixture(scope="module")
def window(browser, demo, look):
    """JupyterLab with that look, the role "Analyst" and a notebook."""
    theme, width, direction, options = LOOKS[look]
    demo.start("analyst", default=True)
    with opened_lab(browser, demo, width=width, **options) as lab:
        lab.page.evaluate("dir => { document.documentElement.dir = dir; }", direction)
        lab.use_theme(theme)
        lab.notebook = lab.new_notebook()
        yield lab
        # The browser's own line about the role that AWS refuses.
        assert [error for error in lab.recorder.errors if "403 (Forbidden)" not in error] == []
    for kernel in demo("GET", "/api/kernels"):
        demo("DELETE", f"/api/kernels/{kernel['id']}")


@pytest.fixture
def lab(window):
    yield window
    window.page.keyboard.press("Escape")
    expect(window.page.locator(".jp-Dialog, .jp-AwsRoles-popup")).to_have_count(0)


def launcher(lab):
    lab.new_launcher().locator(".jp-AwsRoles-option").first.wait_for()


def launcher_filtered(lab):
    box = lab.new_launcher().locator(".jp-AwsRoles-filter")
    box.press_sequentially("a")
    box.press("ArrowDown")


def launcher_without_match(lab):
    lab.new_launcher().locator(".jp-AwsRoles-filter").fill("nothing like this")


def launcher_with_failure(lab):
    tab = lab.new_launcher()
    tab.locator(".jp-AwsRoles-option").filter(has_text="Misconfigured").click()
    tab.get_by_role("alert").locator("summary").click()


def toolbar(lab):
    lab.page.locator(f'li[data-id="{lab.notebook.get_attribute("id")}"]').click()
    if lab.page.viewport_size["width"] > 600:
        return lab.notebook
    further = lab.page.locator(".jp-Toolbar-responsive-popup:visible")
    if further.count() == 0:
        lab.notebook.get_by_role("button", name="More commands").click()
    return further


def toolbar_panel(lab):
    opened(toolbar(lab)).get_by_role("option").first.wait_for()


def status_popover(lab):
    lab.page.locator(".jp-AwsRoles-statusButton").click()
    lab.page.locator(".jp-AwsRoles-popover summary").click()
    lab.page.locator(".jp-AwsRoles-popover").get_by_text("AWS_ROLE_ARN").wait_for()


def pick_dialog(lab):
    lab.begin_command("aws-roles:pick")
    lab.page.locator(".jp-Dialog").get_by_role("option").first.wait_for()


def identity_dialog(lab):
    lab.begin_command("aws-roles:show-identity")
    lab.page.locator(".jp-Dialog").get_by_text("assumed-role/analyst").first.wait_for()


def doctor_dialog(lab):
    lab.begin_command("aws-roles:doctor")
    lab.page.locator(".jp-AwsRoles-doctor li").first.wait_for()


def end_dialog(lab):
    lab.begin_command("aws-roles:end")
    lab.page.locator(".jp-Dialog").get_by_text("Analyst").first.wait_for()


def running_panel(lab):
    lab.run_command("running:show-panel")
    lab.page.locator(".jp-AwsRoles-running").first.hover()


SURFACES = [
    *(launcher, launcher_filtered, launcher_without_match, launcher_with_failure),
    *(toolbar, toolbar_panel),
    *(status_popover, pick_dialog, identity_dialog, doctor_dialog, end_dialog),
    running_panel,
]


@pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.__name__)
def test_everybody_can_use_it(lab, look, surface):
    surface(lab)
    lab.shot(f"looks/{surface.__name__}-{look}".replace("_", "-"))

    found = lab.axe()
    if look == "forced-colors":  # JupyterLab's own labels in its panel have no colors for that.
        found = [each for each in found if "jp-RunningSessions-" not in each]
    assert found == []
    assert lab.too_wide() == []


def test_in_a_low_window_all_is_in_reach(browser, demo):
    with opened_lab(browser, demo, width=700, height=500) as lab:
        launcher_with_failure(lab)
        title = lab.page.get_by_text("AWS refused to let you use this role", exact=True)
        expect(title).to_be_in_viewport()
        lab.page.get_by_role("button", name="Copy details").click()
        lab.shot("looks/low-window")
        lab.page.locator(".jp-LauncherCard").first.hover()
        # JupyterLab itself does not scroll, and what hangs over its edge can't be reached.
        expect(lab.page.locator("#jp-MainMenu")).to_be_in_viewport()
        expect(lab.page.locator("#jp-main-statusbar")).to_be_in_viewport(ratio=1)
