"""Run the commands of the pages in a real server with a local AWS."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from tests.pages import blocks
from tests.site import ANALYST

# Pages whose commands can all be run here, each page's in its order.
RUN = ("README.md", "data-scientists.md")
NOT_HERE = ("make ", "pip ")  # make demo and make test, and the wheel, have tests of their own
EXAMPLES = [b for b in blocks("python") if b.page in RUN and "import boto3\n" in b.text]


def commands(page):
    """Return what a page's console blocks say to type."""
    typed = [
        line[2:]
        for b in blocks("console")
        if b.page == page
        for line in b.text.splitlines()
        if line.startswith("$ ")
    ]
    return [command for command in typed if not command.startswith(NOT_HERE)]


@pytest.fixture
def url(http_server, jp_http_port, jp_base_url):
    """Where the server answers."""
    return f"http://127.0.0.1:{jp_http_port}{jp_base_url}"


@pytest.fixture
def shell(jp_serverapp, url, tmp_path):
    """Runs a command as in a terminal of the server; returns what it printed, and asserts that it succeeded."""
    bin_ = Path(sys.executable).parent
    environment = {
        "PATH": f"{bin_}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "JUPYTER_SERVER_URL": url,
        "JUPYTER_TOKEN": jp_serverapp.identity_provider.token,
    }

    async def run(command):
        process = await asyncio.create_subprocess_exec(
            "bash", "-c", command, cwd=tmp_path, env=environment,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        printed, _ = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 0, (command, printed.decode())
        return printed.decode()

    return run


@pytest.mark.parametrize("page", RUN)
async def test_the_commands_of_a_page_work_in_their_order(page, shell):
    said = {command: await shell(command) for command in commands(page)}

    assert "Analyst" in said["jupyter wb-aws start analyst"]
    assert list(said)[-1] == "jupyter wb-aws end"


@pytest.mark.parametrize("block", EXAMPLES, ids=str)
async def test_the_examples_for_notebooks_run_in_a_kernel_with_a_role(block, api, run):
    session = await api.start(ANALYST)
    kernel_id = (await api("POST", "/api/kernels", {"name": "python3"})).data["id"]

    said = await run(kernel_id, block.text)

    assert said.splitlines()[0] == session["identity"]["Arn"]
    assert "Error" not in said


async def test_the_installation_is_listed_as_the_page_says(shell):
    assert re.search(r"jupyter_wb_aws.*enabled", await shell("jupyter server extension list 2>&1"))
    await shell("jupyter labextension list")
    assert "config:" in await shell("jupyter --paths")


async def test_the_health_can_be_asked_with_curl(shell, url):
    (command,) = [c for c in commands("administration.md") if c.startswith("curl")]

    said = await shell(command.replace("http://127.0.0.1:8888/", url))

    assert '"status": "ok"' in said
