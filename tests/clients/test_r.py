"""R, as docs/r.md has it: its code runs as it stands, in an R kernel and in a terminal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jupyter_wb_aws.demo.names import role_arn
from tests.clients.conftest import install_paws
from tests.site import ANALYST

pytestmark = pytest.mark.long

ENGINEER = role_arn("engineer")

PAGE = Path(__file__).parents[2] / "docs/r.md"
WORKFLOW = "\n".join(re.findall(r"^```r\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL))


@pytest.fixture(scope="module")
def r_server(server):
    install_paws(server.folder / "r-library")
    (server.folder / "work/workflow.R").write_text(WORKFLOW)
    return server


@pytest.fixture(params=[ANALYST, ENGINEER], ids=["web_identity", "endpoint"])
def session(request, r_server):
    """A role session of each delivery."""
    return r_server.start(request.param, default=False)


def what_it_says(session):
    return [session["identity"]["Arn"], "2025/rainfall.csv", "README.txt", "38"]


def test_the_workflow_of_the_documentation_works_in_an_r_kernel(r_server, session):
    kernel = r_server("POST", f"/aws/sessions/{session['id']}/kernels", {"name": "ir"})
    said = r_server.run(kernel["id"], WORKFLOW)

    for text in what_it_says(session):
        assert text in said


def test_it_works_in_r_in_a_terminal(r_server, session):
    terminal = r_server("POST", f"/aws/sessions/{session['id']}/terminals")
    said = r_server.terminal("Rscript workflow.R", terminal["name"])

    for text in what_it_says(session):
        assert text in said


def test_an_r_kernel_and_an_r_terminal_see_the_role(r_server):
    ask = 'cat(Sys.getenv(c("AWS_ROLE_ARN", "JUPYTER_WB_AWS_ROLE", "AWS_REGION")), sep = "\\n")'

    for said in (
        r_server.run(r_server.kernel("ir"), ask),
        r_server.terminal(f"Rscript -e '{ask}'"),
    ):
        assert said.split() == [ANALYST, "Analyst", "us-east-2"]


def test_what_stands_in_renviron_wins_over_the_role(r_server):
    renviron = r_server.folder / "home/.Renviron"
    renviron.write_text("AWS_REGION=eu-west-1\nAWS_ACCESS_KEY_ID=AKIAEXAMPLE\n")
    try:
        said = r_server.terminal("""Rscript -e 'cat(Sys.getenv("AWS_ACCESS_KEY_ID"))' """)
    finally:
        renviron.unlink()

    assert said == "AKIAEXAMPLE"
