"""`%aws_role` and the command line in real kernels of a real server, with boto3 as users have it."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from tests.cli.live import WB_AWS
from tests.site import ANALYST, AUDITOR

ARN = 'boto3.client("sts").get_caller_identity()["Arn"]'


@pytest.fixture
def notebook(api, run, http_server, jp_serverapp, jp_http_port, jp_base_url, monkeypatch):
    """Starts a kernel with the extension loaded; returns its id and what runs a cell in it."""
    monkeypatch.setenv("PATH", f"{WB_AWS.parent}:/usr/bin:/bin")
    for name in ("JUPYTER_SERVER_URL", "JUPYTERHUB_SERVICE_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    # As jupyter_server does: its kernels find it by their parent's process id.
    file = Path(jp_serverapp.runtime_dir) / f"jpserver-{os.getpid()}.json"
    url = f"http://127.0.0.1:{jp_http_port}{jp_base_url}"
    token = jp_serverapp.identity_provider.token
    file.write_text(json.dumps({"pid": os.getpid(), "url": url, "token": token}))
    file.chmod(0o600)

    async def start():
        kernel_id = (await api("POST", "/api/kernels", {})).data["id"]
        said = []

        async def cell(code):
            said.append(await run(kernel_id, code))
            return said[-1]

        assert await cell("%load_ext jupyter_wb_aws\nimport boto3, os, time") == ""
        return kernel_id, cell, said

    return start


class TestWithWebIdentity:
    async def test_a_switch_takes_a_restart_and_a_cell_is_refused(self, api, notebook):
        await api.start(ANALYST, default=True)
        kernel_id, cell, _ = await notebook()

        assert "web identity" in await cell("%aws_role")
        refused = await cell("%%aws_role auditor\nprint('it ran')")
        assert "takes a restart" in refused
        assert "it ran" not in refused
        assert "Kernel > Restart Kernel" in await cell("%aws_role auditor")
        assert await cell("print(os.environ['AWS_ROLE_ARN'])") == ANALYST

        await api("POST", f"/api/kernels/{kernel_id}/restart")
        assert await cell("import os; print(os.environ['AWS_ROLE_ARN'])") == AUDITOR


class TestWithTheEndpoint:
    @pytest.fixture
    def site_config(self, site_config):
        site_config["WbAwsApp"]["delivery"] = "endpoint"
        return site_config

    async def test_a_switch_is_at_once_and_a_cell_has_its_role_for_itself(
        self, api, notebook, jp_serverapp, tmp_path
    ):
        session = await api.start(ANALYST, default=True)
        kernel_id, cell, said = await notebook()

        assert "credential endpoint" in await cell("%aws_role")
        assert "/analyst/" in await cell(f"print({ARN})")

        assert "has the role Auditor now" in await cell("%aws_role auditor")
        assert "/auditor/" in await cell(f"print({ARN})")

        assert "/analyst/" in await cell(f"%%aws_role Analyst\nprint({ARN})")
        assert "/auditor/" in await cell(f"print({ARN})")
        assert await cell("%%aws_role analyst\nraise ValueError('mine')") == "ValueError: mine"
        assert "/auditor/" in await cell(f"print({ARN})")
        refused = await cell("%%aws_role misconfigured\nprint('it ran')")
        assert "UsageError" in refused
        assert "it ran" not in refused
        assert "/auditor/" in await cell(f"print({ARN})")

        mark = tmp_path / "began"
        code = f"%%aws_role analyst\nopen({str(mark)!r}, 'w').close()\ntime.sleep(60)"
        running = asyncio.create_task(cell(code))
        async with asyncio.timeout(20):
            while not mark.exists():
                await asyncio.sleep(0.05)
        await api("POST", f"/api/kernels/{kernel_id}/interrupt")
        assert "KeyboardInterrupt" in await running
        assert "/auditor/" in await cell(f"print({ARN})")

        started = await cell("!jupyter-wb-aws start analyst")
        assert "This notebook works with it now, without a restart." in started
        assert "/analyst/" in await cell(f"boto3.DEFAULT_SESSION = None\nprint({ARN})")

        await api("DELETE", f"/aws/sessions/{session['id']}")
        assert "has ended" in await cell("%aws_role")
        assert "has the role Auditor now" in await cell("%aws_role auditor")
        assert "/auditor/" in await cell(f"print({ARN})")

        path = await cell("print(os.environ['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'])")
        token = await cell(f"print(open({path!r}).read())")
        assert len(token) > 20
        assert token not in "".join(said[:-1])
        assert "SecretAccessKey" not in "".join(said)
