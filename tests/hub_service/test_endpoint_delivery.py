"""A role that the hub service offers by the credential endpoint: a running service, a real server, the strict local AWS."""

from __future__ import annotations

import json
import os

import pytest

from jupyter_wb_aws.demo.local_aws import LocalAws, accounts
from jupyter_wb_aws.demo.names import ACCOUNT_ID, REGION
from tests.hub.hub_site import AUDIENCE, BY_CLAIM, READS, trust_policy
from tests.hub_service.fake_hub import user
from tests.hub_service.running_service import running_service
from tests.waiting import until

NAME = "hub-by-endpoint"
ROLE = f"arn:aws:iam::{ACCOUNT_ID}:role/{NAME}"
ROLES = f"""
[[roles]]
arn = "{ROLE}"
label = "Analyst"
region = "{REGION}"
delivery = "endpoint"
lease = 660
allow = [{{ groups = ["analysts"] }}]
"""
VARIABLES = "import json, os; print(json.dumps([n for n in os.environ if n.startswith('AWS_')]))"
CLIENT = """
import boto3
session = boto3.Session()
sts, s3 = session.client("sts"), session.client("s3")
credentials = session.get_credentials()
def ask():
    print(sts.get_caller_identity()["Arn"].split("/")[1], credentials.method, credentials.access_key)
ask()
"""
NEW_CLIENT = """
try:
    boto3.Session().client("sts").get_caller_identity()
except Exception as error:
    print(error)
"""


@pytest.fixture(scope="module")
def _service(_hub, tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    (folder / "roles.toml").write_text(ROLES)
    with running_service(folder, hub_api_url=_hub.api_url, audience=AUDIENCE) as service:
        yield service


@pytest.fixture(scope="module")
def aws(_service):
    """AWS, where the role's trust policy needs the roles claim of the service's tokens."""
    with LocalAws("http://127.0.0.1:9/another-issuer") as aws:
        provider = accounts.register_provider(_service.settings["issuer"], [AUDIENCE])
        accounts.add_role(NAME, trust_policy(provider, BY_CLAIM, []), READS)
        yield aws


@pytest.fixture
def jp_server_config(service, aws, monkeypatch, tmp_path):
    """Configure alice's server as a site does that has a hub service."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "alice-token")
    return {
        "ServerApp": {"jpserver_extensions": {"jupyter_wb_aws": True}},
        "WbAwsApp": {
            "token_source": "jupyterhub",
            "extra_environment": {"AWS_ENDPOINT_URL": aws.url},
        },
        "JupyterHubTokenSource": {"service_url": service.url, "check_every": 1},
    }


async def test_a_role_of_the_hub_service_reaches_a_kernel_by_the_endpoint_until_it_is_withdrawn(
    api, run, hub, service
):
    session = await api.start(ROLE)
    kernel_id = (await api("POST", "/api/kernels", {"name": "python3"})).data["id"]
    assert (session["delivery"], session["lease"]) == ("endpoint", 660)
    names = set(json.loads(await run(kernel_id, VARIABLES)))
    assert "AWS_CONTAINER_CREDENTIALS_FULL_URI" in names
    assert not {"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"} & names
    name, method, first = (await run(kernel_id, CLIENT)).split()
    assert (name, method) == (NAME, "container-role")

    # The token's successor brings new credentials, also to a client that runs: boto3 asks within 900 s of the end.
    issued = len(tokens_issued(service))
    refreshed = await api("POST", f"/aws/sessions/{session['id']}/refresh")
    assert refreshed.data["state"] == "active"
    assert len(tokens_issued(service)) == issued + 1
    name, _, second = (await run(kernel_id, "ask()")).split()
    assert name == NAME
    assert second != first

    # The group is taken away on the hub.
    hub.tokens["alice-token"] = user(groups=[])
    await until(lambda: ended(api, session))
    said = await run(kernel_id, NEW_CLIENT)
    assert "RoleSessionEnded" in said
    assert "The role session of Analyst has ended (the role is no longer in your list of" in said
    answer = await api("POST", "/aws/sessions", {"role_arn": ROLE})
    assert (answer.status, answer.data["code"]) == (403, "role_not_allowed")


def tokens_issued(service):
    return [line for line in service.audit if line["event"] == "token"]


async def ended(api, session):
    return (await api("GET", f"/aws/sessions/{session['id']}")).data["state"] == "ended"
