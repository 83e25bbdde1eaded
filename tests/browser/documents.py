"""The AWS role of a notebook or console, as its toolbar shows it."""

from __future__ import annotations

import json

from playwright.sync_api import expect

ARN = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"


def role_button(panel):
    """Return our button in a notebook's or console's toolbar."""
    return panel.locator(".jp-AwsRoles-documentButton")


def opened(panel):
    """Open the button's panel by keyboard, and return it."""
    role_button(panel).focus()
    panel.page.keyboard.press("ArrowDown")
    return panel.page.get_by_role("dialog", name="AWS role of this")


def opened_as_users_do(panel, how):
    """Open the button's panel by a real "click" or by a key; return it once it has the focus."""
    if how == "click":
        role_button(panel).click()
    else:
        role_button(panel).focus()
        panel.page.keyboard.press(how)
    drop_down = panel.page.get_by_role("dialog", name="AWS role of this")
    expect(drop_down.get_by_role("combobox")).to_be_focused()
    return drop_down


def pick(panel, typed):
    """Pick a role in the button's panel by keyboard, and return the panel."""
    drop_down = opened(panel)
    expect(drop_down.get_by_role("combobox")).to_be_focused()
    panel.page.keyboard.type(typed)
    panel.page.keyboard.press("Enter")
    return drop_down


def pick_and_restart(lab, panel, typed):
    drop_down = pick(panel, typed)
    expect(drop_down.get_by_role("button", name="Restart now")).to_be_focused()
    panel.page.keyboard.press("Enter")
    expect(drop_down).to_have_count(0)
    lab.until_idle(panel)


def notebook_file(demo, name, metadata):
    """Write a notebook into the user's folder; return its path there."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cell = {"cell_type": "code", "source": "", "metadata": {}, "outputs": []}
    notebook = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": kernel, **metadata},
        "cells": [{**cell, "id": "first", "execution_count": None}],
    }
    demo("PUT", f"/api/contents/{name}", {"type": "notebook", "content": notebook})
    return name


def metadata_of(demo, path):
    """Return our part of a notebook's metadata, as its file has it."""
    notebook = demo("GET", f"/api/contents/{path}")["content"]
    return json.loads(json.dumps(notebook["metadata"])).get("jupyter_wb_aws")
