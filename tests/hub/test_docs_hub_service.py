"""An administrator who follows docs/hub-service.md and docs/hub-service-deploy.md literally: a real hub, the real service.

Only what is another machine's is replaced: the host, the folders, the port, and how users log in.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess

import httpx
import pytest
from traitlets.config import PyFileConfigLoader

from tests.hub.running_hub import until
from tests.pages import ROOT, blocks
from tests.peers.ports import free_ports
from tests.running_demo import TESTED

pytestmark = [pytest.mark.long, pytest.mark.hub5]
ANALYST = "arn:aws:iam::111122223333:role/analyst"
FIRST, DEPLOY = (ROOT / "docs" / f"{name}.md" for name in ("hub-service", "hub-service-deploy"))
CONFIG_FILE = "jupyter_wb_aws_hub_config.py"


class Followed:
    """The pages' code blocks, for a hub on this machine.

    Args:
        by_itself: whether the service runs by itself, as with systemd, or is managed by the hub.
    """

    def __init__(self, *, by_itself):
        self.by_itself = by_itself
        self.port, self.hub_port = free_ports(2)
        self._process = None

    def block(self, language, contained, page=FIRST):
        """Return the text of the first block with some text."""
        return next(b.text for b in blocks(language, [page]) if contained in b.text)

    def here(self, text, hub):
        """Replace what is another machine's."""
        for theirs, ours in {
            "https://hub.example.com": hub.url.rstrip("/"),
            "http://127.0.0.1:10101": f"http://127.0.0.1:{self.port}",
            "http://127.0.0.1:8081/": f"http://127.0.0.1:{self.hub_port}/",
            "/etc/jupyterhub": str(hub.folder / "etc"),
            "/var/lib": str(hub.folder / "lib"),
            "/var/log": str(hub.folder / "log"),
        }.items():
            text = text.replace(theirs, ours)
        return text

    def config(self, hub):
        """Write the service's files, and return the hub's configuration."""
        for name in ("etc", "lib", "log"):
            (hub.folder / name).mkdir(mode=0o755)
        page = DEPLOY if self.by_itself else FIRST
        settings = self.here(self.block("python", "c.HubServiceApp.issuer", page), hub)
        if self.by_itself:
            settings += f"c.HubServiceApp.port = {self.port}\n"
        (hub.folder / "etc" / CONFIG_FILE).write_text(settings)
        (hub.folder / "etc/aws-roles.toml").write_text(self.block("toml", "request_url"))
        make_folders = self.here(self.block("console", "install -d"), hub).removeprefix("$ ")
        subprocess.run(shlex.split(make_folders), check=True)
        if self.by_itself:
            self._start(hub)
        page_text = self.block("python", "c.JupyterHub.load_roles")
        if self.by_itself:
            page_text += self.block("python", "c.JupyterHub.services", DEPLOY)
        return f"""
tests_own = c.JupyterHub.services, c.JupyterHub.load_roles, c.Spawner.environment
{self.here(page_text, hub)}
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{self.hub_port}"
c.JupyterHub.services = [*c.JupyterHub.services, *tests_own[0]]
c.JupyterHub.load_roles = [*c.JupyterHub.load_roles, *tests_own[1]]
c.Spawner.environment = {{**c.Spawner.environment, **tests_own[2]}}
"""

    def _start(self, hub):
        """Start the service as systemd does, before the hub."""
        unit = next(b.text for b in blocks("ini", [DEPLOY]))
        command = next(x for x in unit.splitlines() if x.startswith("ExecStart=")).partition("=")[2]
        words = shlex.split(self.here(command, hub))
        words[0] = str(TESTED / "bin/jupyter-wb-aws-hub")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("JUPYTERHUB")}
        with (hub.folder / "logs/service.log").open("w") as log:
            self._process = subprocess.Popen(words, env=environment, stdout=log, stderr=log)
        url = f"http://127.0.0.1:{self.port}/services/aws/keys"
        until(
            lambda: is_there(lambda: httpx.get(url, trust_env=False)), "the service does not answer"
        )

    def stop(self):
        """Stop the service, if it runs by itself."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)

    def server_config(self, hub):
        """Return the configuration of the users' servers."""
        text = self.here(self.block("python", 'token_source = "jupyterhub"'), hub)
        (hub.folder / "hub/server_config.py").write_text(text)
        loader = PyFileConfigLoader("server_config.py", path=str(hub.folder / "hub"))
        return json.loads(json.dumps(loader.load_config()))


@pytest.fixture(scope="module", params=["managed", "by itself"])
def followed(request):
    followed = Followed(by_itself=request.param == "by itself")
    yield followed
    followed.stop()


@pytest.fixture(scope="module")
def hub(followed, start_hub):
    hub = start_hub(
        users=["alice", "bob"], config=followed.config, server_config=followed.server_config
    )
    until(
        lambda: is_there(lambda: hub.fetch("GET", "services/aws/health")),
        "the service does not answer",
    )
    return hub


def is_there(ask):
    try:
        return ask().status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def alice(hub):
    return hub.start_server("alice")


def test_what_aws_reads_is_public(hub, followed):
    for line in followed.here(followed.block("console", "/keys"), hub).splitlines():
        url = shlex.split(line)[-1]
        assert httpx.get(url, trust_env=False).is_success
    discovery = httpx.get(f"{hub.url}services/aws/.well-known/openid-configuration").json()
    assert discovery["jwks_uri"] == f"{hub.url}services/aws/keys"


def test_alice_is_offered_her_role_and_nothing_else(hub, alice):
    roles = alice("GET", "/aws/roles")["roles"]
    assert [role["arn"] for role in roles] == [ANALYST]
    assert "Analyst" in alice.terminal(f"{hub.bin}/jupyter wb-aws roles")


def test_a_token_for_the_role_has_its_line_in_the_audit_log(hub, alice):
    answer = hub.fetch(
        "POST", "services/aws/tokens", token=alice.api_token, body={"role_arn": ANALYST}
    )
    assert answer.status_code == 201, answer.text
    line = json.loads(
        (hub.folder / "log/jupyter-wb-aws-hub/audit.jsonl").read_text().splitlines()[-1]
    )
    assert (line["user"], line["role"], line["event"]) == ("alice", ANALYST, "token")


def test_bob_may_ask_and_has_no_role(hub):
    bob = hub.start_server("bob")
    assert bob("GET", "/aws/roles")["roles"] == []
    refused = hub.fetch(
        "POST", "services/aws/tokens", token=bob.api_token, body={"role_arn": ANALYST}
    )
    assert (refused.status_code, refused.json()["code"]) == (403, "role_not_allowed")
