"""A site for tests: a real Jupyter Server with the extension, an identity provider, a local AWS."""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from dataclasses import dataclass
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError

from jupyter_wb_aws.demo.identity_provider import IdentityProvider
from jupyter_wb_aws.demo.local_aws import LocalAws
from jupyter_wb_aws.demo.names import CLIENT_ID, role_arn
from jupyter_wb_aws.demo.site import roles_file
from tests.contract import violations

ANALYST = role_arn("analyst")
AUDITOR = role_arn("auditor")
MISCONFIGURED = role_arn("misconfigured")
FINANCE = role_arn("finance-admin")


@pytest.fixture(scope="module")
def idp():
    with IdentityProvider(token_lifetime=600) as provider:
        yield provider


@pytest.fixture(scope="module")
def aws(idp):
    with LocalAws(idp.issuer) as local:
        yield local


@pytest.fixture
def client_file(idp, tmp_path):
    path = tmp_path / "token-client.json"
    idp.write_client_file(path)
    return path


@pytest.fixture
def roles_path(tmp_path):
    path = tmp_path / "roles.toml"
    # The demo's, with the site's delivery for the first of the two that name one: the auditor.
    text = roles_file("https://example.com/request-an-aws-role")
    path.write_text(text.replace('delivery = "endpoint"\nlease = 660\n', "", 1))
    return path


@pytest.fixture
def site_config(idp, aws, client_file, roles_path, tmp_path, monkeypatch):
    """What an administrator would write; a test may change it before the server starts."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    return {
        "ServerApp": {
            "jpserver_extensions": {"jupyter_wb_aws": True, "jupyter_server_terminals": True}
        },
        "WbAwsApp": {
            "token_source": "command",
            "roles_file": str(roles_path),
            "audience": CLIENT_ID,
            "extra_environment": {"AWS_ENDPOINT_URL": aws.url},
        },
        "CommandTokenSource": {
            "command": [sys.executable, "-m", "jupyter_wb_aws.demo.print_token", str(client_file)],
            "issuer": idp.issuer,
            "audience": CLIENT_ID,
        },
    }


@pytest.fixture
def jp_server_config(site_config):
    return site_config


@dataclass
class Answer:
    status: int
    headers: Any
    raw: bytes

    @property
    def data(self) -> Any:
        return json.loads(self.raw)


class Api:
    """Asks a server; what /aws answers is held to openapi.yaml."""

    def __init__(self, fetch) -> None:
        self._fetch = fetch

    async def __call__(
        self, method: str, path: str, body: Any = None, *, known: bool = True, **more: Any
    ) -> Answer:
        raw = (
            body
            if isinstance(body, str | bytes)
            else json.dumps(body)
            if body is not None
            else None
        )
        headers = {"Content-Type": "application/json", **more.pop("headers", {})}
        target, _, query = path.partition("?")
        params = dict(pair.split("=") for pair in query.split("&")) if query else None
        try:
            response = await self._fetch(
                *target.strip("/").split("/"),
                method=method, body=raw, headers=headers, params=params,
                allow_nonstandard_methods=True, request_timeout=60, **more,
            )  # fmt: skip
        except HTTPClientError as error:
            response = error.response
        answer = Answer(response.code, response.headers, response.body)
        checked = known and target.startswith("/aws/") and "yaml" not in target
        if checked and answer.raw:
            asked = body if isinstance(body, dict) and answer.status < 400 else None
            assert violations(method, target, asked, answer.status, answer.data) == []
        return answer

    async def start(self, role: str = ANALYST, **body: Any) -> dict[str, Any]:
        answer = await self("POST", "/aws/sessions", {"role_arn": role, **body})
        assert answer.status in {200, 201}, answer.data
        return answer.data


@pytest.fixture
def api(jp_fetch, jp_serverapp):
    return Api(jp_fetch)


@pytest.fixture
def run(jp_ws_fetch):
    """Runs code in a kernel over its websocket; returns what it printed, or the error."""

    async def run(kernel_id, code):
        # A kernel that was restarted before it was up may be restarted once more, on other ports
        # (jupyter_client.restarter): what the first was asked is lost then, so ask again.
        for _ in range(4):
            channel = await jp_ws_fetch("api", "kernels", kernel_id, "channels")
            try:
                async with asyncio.timeout(20):
                    return await answer(channel, code)
            except TimeoutError:
                continue
            finally:
                channel.close()
        raise AssertionError(f"kernel {kernel_id} did not answer")

    async def answer(channel, code):
        message_id = uuid.uuid4().hex
        await channel.write_message(execute_request(message_id, code))
        said = []
        while True:
            message = json.loads(await channel.read_message())
            if message["parent_header"].get("msg_id") != message_id:
                continue
            content = message["content"]
            if message["msg_type"] == "stream":
                said.append(content["text"])
            elif message["msg_type"] == "error":
                said.append(f"{content['ename']}: {content['evalue']}")
            elif content.get("execution_state") == "idle":
                return "".join(said).strip()

    return run


def execute_request(message_id, code):
    """Source: jupyter_client, "Messaging in Jupyter"; jupyter_server's websocket takes it as JSON."""
    header = {
        "msg_id": message_id,
        "msg_type": "execute_request",
        "session": message_id,
        "username": "",
        "version": "5.3",
    }
    content = {
        "code": code,
        "silent": False,
        "store_history": False,
        "user_expressions": {},
        "allow_stdin": False,
    }
    return json.dumps(
        {
            "header": header,
            "parent_header": {},
            "metadata": {},
            "content": content,
            "channel": "shell",
            "buffers": [],
        }
    )
