"""Keys, tokens and audit lines after a day's work on a hub: only where they belong.

Everything logs all there is: the hub, its proxy, the service and the users' servers.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.hub.hub_site import ANALYST, AUDITOR, CONTENT, FINANCE, READ, ROTATING, HubSite

pytestmark = [pytest.mark.long, pytest.mark.hub5]
WEB_IDENTITY_TOKEN = re.compile(r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}(?:\.[\w-]*)?")
PUBLISH_LEAD = 0


@dataclass
class Day:
    """What was seen: texts by their place, and what is looked for in them."""

    texts: dict[str, str] = field(default_factory=dict, repr=False)
    api_tokens: dict[str, str] = field(default_factory=dict, repr=False)
    private_keys: dict[str, str] = field(default_factory=dict, repr=False)
    said: dict[str, str] = field(default_factory=dict)

    def places_of(self, value):
        return {place for place, text in self.texts.items() if value in text}


@pytest.fixture(scope="module")
def site(start_hub):
    with contextlib.ExitStack() as stack:
        site = HubSite(stack, service={"publish_lead": PUBLISH_LEAD, "log_level": "DEBUG"})
        more = """
c.JupyterHub.log_level = "DEBUG"
c.ConfigurableHTTPProxy.debug = True
c.Spawner.args = ["--allow-root", "--debug"]
"""
        settings = site.options["config"]
        site.start(start_hub, config=lambda hub: settings(hub) + more)
        yield site


@pytest.fixture(scope="module")
def servers(site):
    return site.hub.start_servers("alice", "bob")


@pytest.fixture(scope="module")
def day(site, servers):
    day = Day()
    remember_keys(day, site)
    for user, role in (("alice", ANALYST), ("bob", FINANCE)):
        server = servers[user]
        session = server.start(role, default=True)
        kernel = server.kernel()
        server("POST", f"/aws/sessions/{session['id']}/refresh")
        day.said[user] = server.run(kernel, READ)
        day.texts[f"{user}: what a notebook shows of AWS"] = server.run(
            kernel, "import os; print({k: v for k, v in os.environ.items() if 'AWS' in k})"
        )
        server("POST", "/aws/sessions", {"role_arn": FINANCE if user == "alice" else AUDITOR})
        for path in ("health", "sessions", "roles", "identity?verify=true", "assignments"):
            day.texts[f"{user}: the answer of {path}"] = json.dumps(server("GET", f"/aws/{path}"))
        day.api_tokens[user] = server.api_token
    assert site.ask("POST", "keys", ROTATING, body={}).status_code == 201
    remember_keys(day, site)
    servers["alice"].start(AUDITOR)
    for path in ("roles", "keys", "health", "metrics", ".well-known/openid-configuration"):
        day.texts[f"the service: {path}"] = site.ask("GET", path, servers["alice"].api_token).text
    site.mint("a-token-that-the-hub-does-not-know")
    site.mint(day.api_tokens["bob"], ANALYST)
    day.api_tokens["rotating"] = ROTATING
    look_at_processes(day, site)
    look_at_files(day, site)
    return day


def remember_keys(day, site):
    """Keep the private halves that are in the folder: lines of the PEM, and the number as a JSON Web Key has it."""
    for path in site.keys.glob("*.json"):
        pem = json.loads(path.read_text()).get("private_key")
        if pem is not None:
            number = load_pem_private_key(pem.encode(), None).private_numbers().d
            encoded = base64.urlsafe_b64encode(number.to_bytes(256)).decode()
            # The lines before hold the modulus, which is public.
            lines = pem.splitlines()[10:-2]
            day.private_keys |= dict.fromkeys([*lines, encoded[:40]], path.stem)


def look_at_processes(day, site):
    by_pid = {server: user for user, server in pids(site).items()}
    for process in site.hub.processes():
        with contextlib.suppress(psutil.NoSuchProcess):
            ancestors = [process.pid, *(parent.pid for parent in process.parents())]
            owner = next((by_pid[pid] for pid in ancestors if pid in by_pid), "the hub")
            place = f"{owner}: process {process.pid} ({process.name()})"
            day.texts[f"{place}: command line"] = " ".join(process.cmdline())
            day.texts[f"{place}: environment"] = json.dumps(process.environ())


def pids(site):
    listed = site.hub.api("GET", "/users").json()
    return {
        user["name"]: server["state"]["pid"]
        for user in listed
        for server in user["servers"].values()
    }


def look_at_files(day, site):
    day.texts["the hub: log"] = site.hub.log
    day.texts["the service: log"] = site.log_path.read_text()
    for user, home in site.hub.homes.items():
        day.texts[f"{user}: log"] = site.hub.server_log(user)
        for path in home.rglob("*"):
            if path.is_file():
                content = path.read_bytes().decode("utf-8", "replace")
                day.texts[f"{user}: file {path.relative_to(home)}"] = content


def test_the_day_was_one_of_work(day, site):
    assert day.said == {"alice": f"{CONTENT}\n", "bob": f"{CONTENT}\n"}
    assert len(site.audit()) >= 5
    assert len([place for place in day.texts if place.endswith("environment")]) >= 6
    # They log all there is.
    assert "DEBUG" in day.texts["the service: log"] or "[D " in day.texts["the service: log"]
    for place in ("the hub: log", "alice: log", "bob: log"):
        assert "[D " in day.texts[place]


def test_web_identity_tokens_are_in_the_users_token_files_only(day):
    places = {place for place, text in day.texts.items() if WEB_IDENTITY_TOKEN.search(text)}
    assert {place.partition(":")[0] for place in places} == {"alice", "bob"}
    assert {place for place in places if not re.search(r": file .*\.token$", place)} == set()


def test_private_keys_are_in_the_services_folder_only(day, site):
    first, *later = dict.fromkeys(day.private_keys.values())
    assert later
    assert {place for key in day.private_keys for place in day.places_of(key)} == set()
    assert day.places_of("PRIVATE KEY") == set()
    assert "private_key" not in json.loads((site.keys / f"{first}.json").read_text())
    for path in (site.keys, *site.keys.iterdir(), site.audit_path):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
        assert path.stat().st_uid == os.getuid()


def test_the_hubs_tokens_are_in_what_their_owners_have_of_jupyterhub_only(day):
    for user in ("alice", "bob"):
        places = day.places_of(day.api_tokens[user])
        assert f"{user}: " in str(places)
        # JupyterHub gives it to a server in its environment, and Jupyter's own commands find it in a file.
        own = rf"{user}: (process .*: environment|file \.local/share/jupyter/runtime/jpserver-.*)"
        assert {place for place in places if not re.fullmatch(own, place)} == set()
    assert day.places_of(day.api_tokens["rotating"]) == set()


def test_the_audit_is_with_the_service_only(day, site):
    """Its own log names each token by its `jti`, too."""
    for line in site.audit():
        if "jti" in line:
            assert day.places_of(line["jti"]) <= {"the service: log"}
        if "token_id" in line:
            assert day.places_of(f'"{line["token_id"]}"') == set()


def test_a_token_carries_nothing_that_names_the_hub_token_or_the_groups(site, servers):
    token = site.web_identity(servers["alice"].api_token)
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert "groups" not in claims
    assert servers["alice"].api_token not in json.dumps(claims)


def test_another_user_of_the_machine_reads_none_of_it(day, site, servers):
    if not site.hub.own_uids:
        pytest.skip("all servers run under one uid here")
    session = servers["alice"]("GET", "/aws/sessions")["sessions"][0]
    token_file = session["environment"]["AWS_WEB_IDENTITY_TOKEN_FILE"]
    wanted = [token_file, *site.keys.iterdir(), site.audit_path, site.log_path,
              f"/proc/{servers['alice'].pid}/environ"]  # fmt: skip
    code = f"""
for path in {[str(path) for path in wanted]!r}:
    try:
        open(path).close()
        print("opened", path)
    except PermissionError:
        pass
"""
    server = servers["bob"]
    assert server.run(server.kernel(), code) == ""
    assert all(Path(path).exists() for path in wanted)
