"""A real server whose kernels find the local AWS under AWS's own names, and clients in its kernels."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import jwt
import pytest

from jupyter_wb_aws.demo.identity_provider import IdentityProvider
from jupyter_wb_aws.demo.local_aws import LocalAws
from jupyter_wb_aws.demo.names import CLIENT_ID
from jupyter_wb_aws.demo.site import roles_file
from tests.clients.amazon import CA_BUNDLE, Call, LocalAmazon, impossible
from tests.peers.jupyter_server import JupyterServer
from tests.site import ANALYST

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / ".venv-clients/bin"
PROGRAMS = Path(__file__).parent / "programs"
# The demo's, with the site's lease for the first of the two roles by the credential endpoint: the auditor.
ROLES = roles_file("https://example.com/request").replace("lease = 660\n", "", 1)
TOKEN_SECONDS = 20
CREDENTIAL_SECONDS = 15

# As at a site whose proxy looks into TLS: for clients that bring CA certificates of their own.
TRUST = dict.fromkeys(("AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"), str(CA_BUNDLE))


@pytest.fixture(scope="module")
def credential_seconds():
    """How long AWS's credentials last; modules may have another."""
    return CREDENTIAL_SECONDS


@pytest.fixture(scope="module")
def amazon(tmp_path_factory, credential_seconds):
    """The local AWS, with the identity provider that it trusts."""
    if reason := impossible():
        pytest.skip(reason)
    assert CLIENTS.exists(), "run first: .ci/need-clients"
    with (
        IdentityProvider(token_lifetime=TOKEN_SECONDS) as provider,
        LocalAws(provider.issuer) as endpoint,
        LocalAmazon(
            tmp_path_factory.mktemp("amazon"), credential_lifetime=credential_seconds
        ) as amazon,
    ):
        amazon.provider, amazon.endpoint = provider, endpoint.url
        yield amazon


@pytest.fixture(scope="module")
def server(amazon, tmp_path_factory):
    """A server whose user has a role by web identity; tests may start others."""
    with running_server(amazon, tmp_path_factory.mktemp("server")) as server:
        server.session = server.start(ANALYST)
        assert server.session["state"] == "active"
        yield server


@contextmanager
def running_server(amazon, folder, variables=None):
    """Run a server whose kernels have the clients.

    Args:
        amazon: the local AWS.
        folder: an empty one.
        variables: of its environment, besides the machine's.
    """
    amazon.provider.write_client_file(folder / "token-client.json")
    (folder / "roles.toml").write_text(ROLES)
    specification = folder / "home/.local/share/jupyter/kernels/clients/kernel.json"
    specification.parent.mkdir(parents=True)
    argv = [str(CLIENTS / "python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    specification.write_text(json.dumps({"argv": argv, "display_name": "c", "language": "python"}))
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.endswith("_CA_BUNDLE")]:
            patch.delenv(name)
        path = [str(CLIENTS), str(Path(sys.executable).parent), os.environ["PATH"]]
        patch.setenv("PATH", os.pathsep.join(path))
        # Not in our own environment, which this server's client uses.
        within = [*amazon.within, "env", *(f"{k}={v}" for k, v in (variables or {}).items())]
        with JupyterServer(folder, _configuration(folder, amazon), within) as server:
            yield server


def _configuration(folder, amazon):
    command = [sys.executable, "-m", "jupyter_wb_aws.demo.print_token"]
    return {
        "ServerApp": {
            "jpserver_extensions": {"jupyter_wb_aws": True, "jupyter_server_terminals": True},
            "terminado_settings": {"shell_command": [shutil.which("bash"), "--norc"]},
        },
        "WbAwsApp": {
            "token_source": "command",
            "roles_file": str(folder / "roles.toml"),
            "audience": CLIENT_ID,
            "extra_environment": {
                **TRUST,
                "CLIENT_PROGRAMS": str(PROGRAMS),
                "R_LIBS": str(folder / "r-library"),
            },
        },
        "CommandTokenSource": {
            "command": [*command, str(folder / "token-client.json")],
            "issuer": amazon.provider.issuer,
            "audience": CLIENT_ID,
        },
    }


USE = {
    "clients": """
import inspect, json
_answer = use()
print("ANSWER" + json.dumps([VERSION, await _answer if inspect.isawaitable(_answer) else _answer]))
""",
    "ir": """cat("ANSWER", jsonlite::toJSON(list(VERSION, use()), auto_unbox = TRUE))""",
}


IN_A_PROCESS = {
    "clients": """
import asyncio, inspect, json, os, sys
try:
    _answer = use()
    if inspect.isawaitable(_answer):
        async def _wait(): return await _answer
        _answer = asyncio.run(_wait())
    print("ANSWER" + json.dumps([VERSION, _answer]))
except Exception as error:
    print(f"{type(error).__name__}: {error}")
sys.stdout.flush()
os._exit(0)  # pyarrow may hang at its end, and aiobotocore complains of open clients
""",
    "ir": USE["ir"],
}


@dataclass
class Use:
    """What came of using a client once."""

    version: str
    answer: object
    calls: list[Call]

    @property
    def assuming(self):
        return [call for call in self.calls if call.assumes_role]

    @property
    def others(self):
        return [call for call in self.calls if not call.assumes_role]

    @property
    def refused(self):
        return [call for call in self.others if call.status in (400, 403)]

    @property
    def tokens(self):
        return {call.form["WebIdentityToken"] for call in self.assuming}

    @property
    def keys(self):
        return {call.key for call in self.others}


class Client:
    """A client in a kernel of its own.

    Args:
        name: of its program.
        server: where the kernel runs.
        amazon: the local AWS.
        session_id: the role session of the kernel; by default, the user's default role.
    """

    def __init__(self, name, server, amazon, session_id=None):
        (self._program,) = PROGRAMS.glob(f"{name}.[Rp]*")
        self._server, self._amazon = server, amazon
        self._language = "clients"
        if self._program.suffix == ".R":
            self._language = "ir"
            install_paws(server.folder / "r-library")
        path = f"/aws/sessions/{session_id}/kernels" if session_id else "/api/kernels"
        self.kernel = server("POST", path, {"name": self._language})["id"]
        self._begun_by = []
        said, self._begun_by = self.watched(self._program.read_text())
        assert "Error" not in said, said

    def run(self, code):
        return self._server.run(self.kernel, code)

    def variable(self, name):
        """Return a variable of the kernel's environment."""
        return self.run(
            f"import os; print(os.environ['{name}'])"
            if self._language == "clients"
            else f"cat(Sys.getenv('{name}'))"
        ).strip()

    def version(self):
        return self.run("print(VERSION)" if self._language == "clients" else "cat(VERSION)").strip()

    def use(self):
        """Use it; what it has asked AWS at its start belongs to the first use."""
        said, calls = self.attempt()
        assert "ANSWER" in said, said
        version, answer = json.loads(said.partition("ANSWER")[2])
        return Use(version, answer, calls)

    def attempt(self):
        """Use it; return what a person sees, and what came to AWS."""
        return self.watched(USE[self._language])

    def attempt_in_new_process(self, more="", without=()):
        """Use it in a process that the kernel starts; return the same as `attempt`.

        Args:
            more: variables of the process, as in a shell.
            without: variables that it does not have.
        """
        text = self._program.read_text() + IN_A_PROCESS[self._language]
        program = self._server.folder / f"new-{self._program.name}"
        program.write_text(text)
        interpreter = "Rscript" if self._language == "ir" else str(CLIENTS / "python")
        removed = " ".join(f"-u {name}" for name in without)
        command = f"timeout 60 env {removed} {more} {interpreter} {program} 2>&1"
        ask = (
            "!{}"
            if self._language == "clients"
            else "cat(system({!r}, intern = TRUE), sep = '\\n')"
        )
        return self.watched(ask.format(command))

    def watched(self, code):
        """Run code; return what it prints, and what came to AWS meanwhile."""
        before = len(self._amazon.calls)
        said = self.run(code)
        begun_by, self._begun_by = self._begun_by, []
        return said, begun_by + self._amazon.calls[before:]


def install_paws(library):
    """Install what stands in for paws, for every R that starts afterwards."""
    if not library.exists():
        library.mkdir()
        command = ["R", "CMD", "INSTALL", "--no-docs", f"--library={library}", PROGRAMS / "paws"]
        subprocess.run(command, check=True, capture_output=True)


class Clients:
    """The clients, each started and used once when it is first asked for."""

    def __init__(self, server, amazon):
        self._server, self._amazon = server, amazon
        self._begun, self._later = {}, {}

    def __call__(self, name):
        """Return a client, its first use, and when that was."""
        if name not in self._begun:
            client = Client(name, self._server, self._amazon)
            self._begun[name] = client, client.use(), time.time()
        return self._begun[name]

    def long_after(self, name):
        """Use it once more, when the credentials and the token that it began with have expired."""
        client, first, used_at = self(name)
        if name in self._later:
            return self._later[name]
        expiries = [_expiry(token) for token in first.tokens]
        until = max(used_at + CREDENTIAL_SECONDS, *expiries) + 1
        time.sleep(max(0, until - time.time()))
        self._later[name] = client.use()
        return self._later[name]


def _expiry(token):
    return jwt.decode(token, options={"verify_signature": False})["exp"]


@pytest.fixture(scope="module")
def clients(server, amazon):
    return Clients(server, amazon)
