"""The AWS role in the toolbars of notebooks and consoles: what the kernel has, and another one."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from jupyter_wb_aws.demo.names import role_arn
from tests.browser.documents import (
    ARN,
    metadata_of,
    notebook_file,
    opened,
    opened_as_users_do,
    pick,
    pick_and_restart,
    role_button,
)
from tests.browser.lab import THEMES
from tests.marks import long

REMEMBERED = {"jupyter_wb_aws": {"role_arn": role_arn("auditor")}}
UNTIL_A_FILE_IS_THERE = """\
import os, time; [time.sleep(0.05) for _ in iter(lambda: os.path.exists("go.txt"), True)]"""
HOSTILE = "<img src=x onerror=alert(1)>"


def use_analyst(demo):
    return demo.start("analyst", default=True)


# Must run first: the tests below choose a role.
@pytest.mark.long
def test_a_kernel_started_before_any_choice_takes_the_default_role_at_its_restart(lab, demo):
    notebook = lab.new_notebook()
    expect(role_button(notebook)).to_have_text("No role yet")

    use_analyst(demo)
    expect(role_button(notebook)).to_have_text("No role yet → Analyst")
    expect(role_button(notebook)).to_have_accessible_name(
        "AWS role of the kernel: No role yet - restart to use Analyst"
    )
    lab.shot("toolbar-restart-to-use", notebook)
    drop_down = opened(notebook)
    drop_down.get_by_role("button", name="Restart now").click()

    expect(role_button(notebook)).to_have_text("Analyst")
    expect(role_button(notebook)).to_be_focused()
    lab.until_idle(notebook)
    assert "assumed-role/analyst/" in lab.run(notebook, ARN)
    assert lab.recorder.errors == []


def test_a_new_kernel_shows_the_default_role_that_it_has(lab, demo):
    use_analyst(demo)
    notebook = lab.new_notebook()

    expect(role_button(notebook)).to_have_text("Analyst")
    expect(role_button(notebook)).to_have_attribute(
        "title", "This kernel uses Analyst (account 111122223333)."
    )


@pytest.mark.labs
def test_a_role_chosen_by_keyboard_works_after_the_restart_and_not_before(lab, demo):
    use_analyst(demo)
    notebook = lab.new_notebook()
    lab.run(notebook, "kept = 1")

    drop_down = pick(notebook, "aud")
    expect(drop_down).to_contain_text("variables are lost")
    expect(drop_down).to_contain_text("text and outputs stay")
    lab.shot("toolbar-restart-offer")
    drop_down.get_by_role("button", name="Later").click()
    expect(role_button(notebook)).to_have_text("Analyst - restart to use Auditor")
    assert "assumed-role/analyst/" in lab.run(notebook, "print(kept); " + ARN)

    opened(notebook).get_by_role("button", name="Restart now").click()
    expect(role_button(notebook)).to_have_text("Auditor")
    lab.until_idle(notebook)
    assert "assumed-role/auditor/" in lab.run(notebook, ARN)
    assert "NameError" in lab.run(notebook, "kept")
    default = demo("GET", "/aws/default")["session_id"]
    assert demo("GET", f"/aws/sessions/{default}")["label"] == "Analyst"
    assert lab.recorder.errors == []


# Before JupyterLab 4.6, a toolbar that is clicked gives the focus to its notebook, unless the click did.
@pytest.mark.labs
@pytest.mark.parametrize("how", ["click", *long("Enter", "Space", "ArrowDown")])
def test_the_panel_stays_open_until_a_role_is_chosen(lab, demo, how):
    use_analyst(demo)
    notebook = lab.open_notebook(notebook_file(demo, f"by-{how.lower()}.ipynb", {}))
    expect(role_button(notebook)).to_have_text("Analyst")

    drop_down = opened_as_users_do(notebook, how)
    lab.page.keyboard.type("aud")
    expect(drop_down.get_by_role("option")).to_have_count(1)
    drop_down.get_by_role("option", name="Auditor").click()
    drop_down.get_by_role("button", name="Later").click()

    expect(drop_down).to_have_count(0)
    expect(role_button(notebook)).to_be_focused()
    expect(role_button(notebook)).to_have_text("Analyst - restart to use Auditor")


# Before JupyterLab 4.6, a notebook takes the focus when a cell has run.
@pytest.mark.labs
@pytest.mark.long
def test_the_panel_outlives_the_end_of_a_cell_that_runs(lab, demo):
    use_analyst(demo)
    notebook = lab.new_notebook()
    cell = notebook.locator(".jp-CodeCell").first
    cell.locator(".cm-content").click()
    lab.page.keyboard.insert_text(UNTIL_A_FILE_IS_THERE)
    lab.page.keyboard.press("Shift+Enter")
    expect(cell.locator(".jp-InputPrompt")).to_have_text("[*]:")

    drop_down = opened_as_users_do(notebook, "click")
    demo("PUT", "/api/contents/go.txt", {"type": "file", "format": "text", "content": ""})
    expect(cell.locator(".jp-InputPrompt")).to_have_text("[1]:")
    lab.until_idle(notebook)
    lab.page.keyboard.type("aud")

    expect(drop_down.get_by_role("option")).to_have_count(1)


@pytest.mark.labs
@pytest.mark.parametrize("key", ["Escape", "click"])
@pytest.mark.long
def test_the_panel_closes_by_escape_and_by_a_second_click(lab, demo, key):
    use_analyst(demo)
    notebook = lab.open_notebook(notebook_file(demo, f"closed-by-{key.lower()}.ipynb", {}))
    drop_down = opened_as_users_do(notebook, "click")

    if key == "click":
        role_button(notebook).click()
    else:
        lab.page.keyboard.press(key)

    expect(drop_down).to_have_count(0)
    expect(role_button(notebook)).to_be_focused()


@pytest.mark.labs
@pytest.mark.long
def test_a_click_into_the_notebook_closes_the_panel_and_goes_to_the_cell(lab, demo):
    use_analyst(demo)
    notebook = lab.open_notebook(notebook_file(demo, "closed-by-cell.ipynb", {}))
    drop_down = opened_as_users_do(notebook, "click")

    notebook.locator(".cm-content").first.click(position={"x": 2, "y": 2}, force=True)

    expect(drop_down).to_have_count(0)
    expect(notebook.locator(".cm-content").first).to_be_focused()


@pytest.mark.long
def test_a_role_that_the_kernel_has_already_needs_no_restart(lab, demo):
    use_analyst(demo)
    notebook = lab.new_notebook()

    drop_down = pick(notebook, "ana")

    expect(drop_down).to_have_count(0)
    expect(role_button(notebook)).to_be_focused()
    expect(role_button(notebook)).to_have_text("Analyst")


@pytest.mark.long
def test_escape_and_a_click_elsewhere_close_the_panel(lab, demo):
    use_analyst(demo)
    notebook = lab.new_notebook()

    for key in ("Enter", "Space", "ArrowDown"):
        role_button(notebook).focus()
        lab.page.keyboard.press(key)
        expect(lab.page.get_by_role("dialog").get_by_role("combobox")).to_be_focused()
        expect(role_button(notebook)).to_have_attribute("aria-expanded", "true")
        lab.page.keyboard.press("Escape")
        expect(lab.page.get_by_role("dialog")).to_have_count(0)
        expect(role_button(notebook)).to_be_focused()
    opened(notebook)
    notebook.locator(".cm-content").click()
    expect(lab.page.get_by_role("dialog")).to_have_count(0)
    expect(role_button(notebook)).to_have_attribute("aria-expanded", "false")


def test_a_role_that_aws_refuses_is_explained_and_changes_nothing(lab, demo):
    use_analyst(demo)
    notebook = lab.new_notebook()

    drop_down = pick(notebook, "misconf")

    expect(drop_down.get_by_role("alert")).to_contain_text("trust")
    lab.shot("toolbar-role-refused")
    lab.page.keyboard.press("Escape")
    expect(role_button(notebook)).to_have_text("Analyst")


def test_the_choice_is_saved_in_the_notebook_as_an_arn_only(lab, demo):
    use_analyst(demo)
    path = notebook_file(demo, "noted.ipynb", {"jupyter_wb_aws": {"of": "somebody else's"}})
    notebook = lab.open_notebook(path)

    pick(notebook, "aud").get_by_role("button", name="Later").click()
    lab.run_command("docmanager:save")
    assert metadata_of(demo, path) == {"role_arn": role_arn("auditor")}

    drop_down = pick(notebook, "no aws role")
    expect(role_button(notebook)).to_have_text("Analyst → No AWS role")
    drop_down.get_by_role("button", name="Restart now").click()
    expect(role_button(notebook)).to_have_text("No AWS role")
    lab.run_command("docmanager:save")
    assert metadata_of(demo, path) is None


def test_opening_a_notebook_writes_nothing_into_it(lab, demo):
    use_analyst(demo)
    path = notebook_file(demo, "untouched.ipynb", {})
    notebook = lab.open_notebook(path)

    expect(role_button(notebook)).to_have_text("Analyst")
    lab.run_command("docmanager:save")

    assert metadata_of(demo, path) is None


@pytest.mark.long
def test_a_closed_notebook_is_no_longer_followed(lab, demo):
    use_analyst(demo)
    closed = lab.open_notebook(notebook_file(demo, "closed.ipynb", {}))
    lab.run_command("docmanager:save")
    lab.run_command("application:close")
    closed.wait_for(state="detached")

    other = lab.new_notebook()  # reads the state again
    expect(role_button(other)).to_have_text("Analyst")

    # JupyterLab's own debugger is interrupted by the close.
    assert [error for error in lab.recorder.errors if "debug" not in error] == []


def test_the_role_a_notebook_was_used_with_is_offered_and_not_taken(lab, demo):
    use_analyst(demo)
    notebook = lab.open_notebook(notebook_file(demo, "used-with-auditor.ipynb", REMEMBERED))
    expect(role_button(notebook)).to_have_text("Analyst - last used with Auditor")
    assert "assumed-role/analyst/" in lab.run(notebook, ARN)

    drop_down = opened(notebook)
    expect(drop_down).to_contain_text("This notebook was last used with Auditor")
    lab.shot("toolbar-role-offered")
    drop_down.get_by_role("button", name="Use Auditor").click()
    drop_down.get_by_role("button", name="Restart now").click()

    expect(role_button(notebook)).to_have_text("Auditor")
    lab.until_idle(notebook)
    assert "assumed-role/auditor/" in lab.run(notebook, ARN)


@pytest.mark.long
def test_a_remembered_role_that_is_not_offered_to_the_user_says_where_to_ask(lab, demo):
    use_analyst(demo)
    metadata = {"jupyter_wb_aws": {"role_arn": role_arn("finance-admin")}}
    notebook = lab.open_notebook(notebook_file(demo, "of-finance.ipynb", metadata))

    drop_down = opened(notebook)
    expect(drop_down).to_contain_text(
        "finance-admin (account 111122223333), a role that you are not offered"
    )
    drop_down.get_by_role("button", name="How to get it").click()

    link = drop_down.get_by_role("link", name="Ask for this role")
    expect(link).to_have_attribute("href", re.compile(r"/request-a-role\?team=finance$"))
    lab.shot("toolbar-role-not-offered")


@pytest.mark.long
def test_an_invalid_role_in_the_notebook_is_ignored(lab, demo):
    ours = {"role_arn": HOSTILE}
    use_analyst(demo)
    notebook = lab.open_notebook(notebook_file(demo, "strange.ipynb", {"jupyter_wb_aws": ours}))

    expect(role_button(notebook)).to_have_text("Analyst")
    expect(opened(notebook)).not_to_contain_text("last used with")


@pytest.mark.long
def test_a_read_only_notebook_can_have_another_role_and_is_not_changed(lab, demo):
    use_analyst(demo)
    notebook = lab.open_notebook(notebook_file(demo, "read-only.ipynb", {}))
    lab.page.evaluate("() => { jupyterapp.shell.currentWidget.context.model.readOnly = true; }")

    expect(opened(notebook)).to_contain_text("read-only, so your choice is not saved in it")
    lab.page.keyboard.press("Escape")
    pick_and_restart(lab, notebook, "aud")

    expect(role_button(notebook)).to_have_text("Auditor")
    metadata = "() => jupyterapp.shell.currentWidget.context.model.getMetadata('jupyter_wb_aws')"
    assert lab.page.evaluate(metadata) is None


@pytest.mark.labs
@pytest.mark.long
def test_a_console_at_a_notebooks_kernel_shows_its_role_and_names_the_notebook(lab, demo):
    use_analyst(demo)
    notebook = lab.open_notebook(notebook_file(demo, "shared.ipynb", {}))
    lab.run_command("notebook:create-console")
    console = lab.page.locator(".jp-ConsolePanel")
    expect(role_button(console)).to_have_text("Analyst")
    # A console that has started takes the focus, and a list of roles closes when it loses it.
    expect(console.locator(".jp-CodeConsole-input .cm-content")).to_be_focused()

    drop_down = pick(console, "aud")
    expect(drop_down).to_contain_text("The same kernel is used by: shared.ipynb.")
    lab.shot("toolbar-console")
    expect(role_button(notebook)).to_have_text("Analyst - restart to use Auditor")
    drop_down.get_by_role("button", name="Restart now").click()

    expect(role_button(console)).to_have_text("Auditor")
    expect(role_button(notebook)).to_have_text("Auditor")
    lab.run_command("docmanager:save-all")
    assert metadata_of(demo, "shared.ipynb") is None


def test_an_ended_role_session_is_shown_and_can_be_started_again(lab, demo):
    session = use_analyst(demo)
    notebook = lab.new_notebook()
    expect(role_button(notebook)).to_have_text("Analyst")

    demo("DELETE", f"/aws/sessions/{session['id']}")
    expect(role_button(notebook)).to_have_text("Analyst (ended)")
    lab.shot("toolbar-role-ended", notebook)
    pick_and_restart(lab, notebook, "ana")

    expect(role_button(notebook)).to_have_text("Analyst")
    assert "assumed-role/analyst/" in lab.run(notebook, ARN)


@pytest.mark.long
def test_a_notebook_without_a_kernel_says_so_and_leads_to_one(lab, demo):
    use_analyst(demo)
    notebook = lab.new_notebook()
    expect(role_button(notebook)).to_have_text("Analyst")
    lab.page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.shutdown()")

    expect(role_button(notebook)).to_have_text("No kernel")
    drop_down = opened(notebook)
    expect(drop_down).to_contain_text("A new one uses Analyst.")
    drop_down.get_by_role("button", name="Select a kernel").click()

    expect(lab.page.locator(".jp-Dialog")).to_contain_text("Select Kernel")


@pytest.mark.labs
# test_looks.py shows the panel to axe in every theme.
@pytest.mark.parametrize("theme", ["light", *long("dark", "high-contrast")])
def test_axe_finds_nothing_in_any_theme(lab, demo, theme):
    use_analyst(demo)
    notebook = lab.open_notebook(notebook_file(demo, f"{theme}.ipynb", REMEMBERED))
    lab.use_theme(THEMES[theme])
    drop_down = opened(notebook)
    expect(drop_down.get_by_role("button", name="Use Auditor")).to_be_visible()

    lab.shot(f"toolbar-{theme}")
    assert lab.axe() == []
    drop_down.get_by_role("button", name="Use Auditor").click()
    expect(drop_down.get_by_role("button", name="Restart now")).to_be_focused()
    lab.shot(f"toolbar-restart-{theme}")
    assert lab.axe() == []


@pytest.mark.long
def test_a_narrow_window_cuts_nothing_off(lab, demo):
    use_analyst(demo)
    lab.page.set_viewport_size({"width": 700, "height": 700})
    lab.run_command("application:toggle-left-area")
    notebook = lab.open_notebook(notebook_file(demo, "narrow.ipynb", REMEMBERED))

    drop_down = opened(notebook)
    expect(drop_down.get_by_role("button", name="Use Auditor")).to_be_visible()
    lab.shot("toolbar-narrow")
    assert lab.too_wide() == []
    drop_down.get_by_role("button", name="Use Auditor").click()
    drop_down.get_by_role("button", name="Later").click()
    expect(role_button(notebook)).to_have_text("Analyst → Auditor")
    lab.shot("toolbar-narrow-restart")
    assert lab.too_wide() == []


@pytest.mark.labs
@pytest.mark.parametrize("how", ["click", *long("ArrowDown")])
def test_where_the_toolbar_has_no_room_the_button_is_in_its_overflow_pop_up(lab, demo, how):
    use_analyst(demo)
    lab.page.set_viewport_size({"width": 560, "height": 700})
    notebook = lab.open_notebook(notebook_file(demo, f"narrower-{how.lower()}.ipynb", {}))

    notebook.get_by_role("button", name="More commands").click()
    further = lab.page.locator(".jp-Toolbar-responsive-popup:visible")
    expect(role_button(further)).to_have_text("Analyst")
    opened_as_users_do(further, how)

    lab.shot("toolbar-no-room")
    assert lab.too_wide() == []


@pytest.mark.long
def test_a_server_that_went_away_is_shown_in_the_toolbar_and_once_in_its_panel(lab, demo):
    session = use_analyst(demo)
    notebook = lab.new_notebook()
    expect(role_button(notebook)).to_have_text("Analyst")
    lab.page.route("**/aws/**", lambda route: route.abort())
    demo(
        "POST", f"/aws/sessions/{session['id']}/refresh"
    )  # the page gets an event, and reads again

    expect(role_button(notebook)).to_have_text("AWS role unknown")
    drop_down = opened(notebook)
    expect(drop_down.get_by_text("does not answer")).to_have_count(1)
    expect(drop_down).to_contain_text("This kernel uses Analyst")
    expect(drop_down.get_by_role("combobox")).to_have_count(0)
    lab.shot("toolbar-unreachable")


@pytest.mark.long
def test_a_long_text_leaves_the_kernels_name_in_the_toolbar(lab, demo):
    use_analyst(demo)
    notebook = lab.open_notebook(notebook_file(demo, "long.ipynb", REMEMBERED))
    expect(role_button(notebook)).to_have_text("Analyst - last used with Auditor")

    expect(notebook.get_by_role("button", name="More commands")).to_have_count(0)
    expect(notebook.locator(".jp-KernelName")).to_be_in_viewport()


@pytest.mark.labs
@pytest.mark.long
def test_in_the_overflow_pop_up_the_text_is_whole(lab, demo):
    use_analyst(demo)
    lab.page.set_viewport_size({"width": 500, "height": 800})
    lab.run_command("application:toggle-left-area")
    notebook = lab.open_notebook(notebook_file(demo, "further.ipynb", REMEMBERED))

    notebook.get_by_role("button", name="More commands").click()
    further = lab.page.locator(".jp-Toolbar-responsive-popup:visible")
    expect(role_button(further)).to_have_text("Analyst - last used with Auditor")
    text = further.locator(".jp-AwsRoles-documentText")
    assert text.evaluate("node => node.scrollWidth <= node.clientWidth")
