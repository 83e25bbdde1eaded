"""A user's whole day in a real `jupyter server`, and no secret in anything that it leaves behind."""

from __future__ import annotations

import contextlib
import json
import subprocess
from dataclasses import dataclass, field
from typing import Any

import psutil
import pytest

from tests.peers.jupyter_server import JUPYTER, jupyter_server
from tests.peers.seaweedfs import ANALYST
from tests.peers.sign_in_pages import Browser
from tests.peers.site import CONTENT, READ

SHOW_ALL = "import os; print(dict(os.environ)); %env"


@dataclass
class Day:
    """What was seen of it. `secrets` is everything that may be seen nowhere but in token files."""

    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    texts: dict[str, str] = field(default_factory=dict)
    token_files: dict[str, str] = field(default_factory=dict, repr=False)
    said: dict[str, str] = field(default_factory=dict)
    problem: Any = None

    def places_of(self, secrets, texts):
        return sorted(
            {f"{kind} in {place}" for value, kind in secrets.items() for place in texts
             if value in texts[place]}
        )  # fmt: skip


@pytest.fixture(scope="module")
def provider(one_provider):
    """With a confidential client, whose secret may be seen nowhere either."""
    one_provider.reset()
    one_provider.demand_secret()
    one_provider.restart()
    yield one_provider
    one_provider.demand_secret(demanded=False)
    one_provider.restart()


@pytest.fixture(scope="module")
def day(provider, store, tmp_path_factory):
    folder, elsewhere = tmp_path_factory.mktemp("alice"), tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "client-secret").write_text(provider.client_secret)
    day = Day()
    settings = {"client_secret_file": str(elsewhere / "client-secret")}
    with Browser() as browser, jupyter_server(folder, provider, store, **settings) as server:
        # By device, in a terminal.
        signing_in = server.begin_in_terminal(f"{JUPYTER} wb-aws sign-in")
        address = signing_in.shows(r"(http://\S+user_code=\S+)").group(1)
        look_at_processes(day, server, "while signing in")
        browser.approve_device(address, "alice")
        day.said["sign-in"] = signing_in.rest()
        work(day, server, "by device")
        day.said["sign-out"] = server.terminal(f"{JUPYTER} wb-aws sign-out")
        # By code, in a browser.
        page = browser.sign_in_at_server(server.url, server.token, "alice")
        work(day, server, "by code")
        look_at_files(day, folder)
        # And what goes wrong: a callback that comes twice, and a sign-in that the provider ends.
        again = browser.http.get(page.url, headers={"Accept": "text/html"})
        provider.revoke("alice")
        (session,) = server("GET", "/aws/sessions")["sessions"]
        day.problem = server("POST", f"/aws/sessions/{session['id']}/refresh")
    day.secrets = {issued.value: issued.kind for issued in provider.issued()}
    day.secrets[provider.client_secret] = "client_secret"
    day.texts |= {f"what the terminal said: {name}": text for name, text in day.said.items()}
    day.texts |= {
        "the log": server.log,
        "the answers": "\n".join(server.answered),
        "the events": json.dumps(server.heard.all),
        "the page": page.text,
        "the page that came twice": again.text,
    }
    return day


def work(day, server, how):
    """Start a role and a kernel, read, refresh the token twice, read again, and look around."""
    session = server.start(ANALYST, default=True)  # after signing out, "no role" is what was chosen
    kernel = server.kernel()
    said = [server.run(kernel, READ)]
    for _ in range(2):
        server("POST", f"/aws/sessions/{session['id']}/refresh")
    said.append(server.run(kernel, READ))
    day.said[f"notebook {how}"] = "".join(said)
    day.texts[f"what a notebook shows {how}"] = server.run(kernel, SHOW_ALL)
    for path in ("sign-in", "health", "sessions", "roles", "identity?verify=true", "assignments"):
        server("GET", f"/aws/{path}")
    look_at_processes(day, server, f"while working {how}")


def look_at_processes(day, server, when):
    day.texts[f"the process list {when}"] = subprocess.run(
        ["ps", "-efww"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    for process in server.processes():
        with contextlib.suppress(psutil.NoSuchProcess):  # it has ended meanwhile
            with_what = [process.cmdline(), process.environ()]
            day.texts[f"process {process.pid} {when}"] = json.dumps(with_what)


def look_at_files(day, folder):
    for path in folder.rglob("*"):
        if path.is_file():
            texts = day.token_files if path.suffix == ".token" else day.texts
            texts[f"the file {path.relative_to(folder)}"] = path.read_text(errors="replace")


def test_a_terminal_signs_in_and_out(day):
    assert "You are signed in as alice." in day.said["sign-in"]
    assert "Signed out. Every role session has ended" in day.said["sign-out"]


@pytest.mark.parametrize("how", ["by device", "by code"])
def test_a_notebook_reads_before_and_after_refreshes(day, how):
    assert day.said[f"notebook {how}"].split() == CONTENT.split() * 2


def test_nothing_secret_is_anywhere_but_in_the_token_file(day):
    kinds = set(day.secrets.values())
    assert kinds == {
        "authorization_code", "device_code", "access_token", "id_token", "refresh_token", "client_secret"
    }  # fmt: skip
    assert len([place for place in day.texts if place.startswith("process ")]) >= 8
    assert "the token endpoint of" in day.texts["the log"]
    # Every library logs all there is; boto3 asks STS in a process of its own, whose log goes nowhere.
    assert "DEBUG:jupyterlab" in day.texts["the log"]
    assert day.places_of(day.secrets, day.texts) == []
    assert "is not known here" in day.texts["the page that came twice"]
    assert day.problem["code"] == "sign_in_required"
    # What is looked for would have been found.
    (token_file,) = day.token_files
    assert day.places_of(day.secrets, day.token_files) == [f"id_token in {token_file}"]
