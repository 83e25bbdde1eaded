"""The configuration of the demo's hub, of its service and of its users' servers. Pure.

An administrator would write these by hand; here, `running.py` writes them to files.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_wb_aws.demo.names import BUCKET, HUB_AUDIENCE, REGION, role_arn

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVICE = "aws"
"""The service's name on the hub, and so in its address."""
LINK_PATH = "/demo"
"""The page of the hub that lets a browser in, below `/hub`."""
GROUPS = {"analysts": ["alice"]}
USERS = ("alice", "bob")
MARK = "JUPYTER_WB_AWS_DEMO"
"""The variable that all processes of a run have, with the path of the state folder."""
TEMPLATES = Path(__file__).with_name("templates")
_START_TIMEOUT = 90

ROLES_FILE = f"""\
# Which roles the hub service gives to whom, by the groups of the hub.
# The service reads this file again whenever it changes.

[[roles]]
arn = "{role_arn("analyst")}"
label = "Analyst"
description = "Reads and writes {BUCKET}"
region = "{REGION}"
color = "green"
allow = [{{ groups = ["analysts"] }}]
tags = {{ Team = "analytics" }}

[[roles]]
arn = "{role_arn("auditor")}"
label = "Auditor"
description = "Reads {BUCKET}, but can't change it"
region = "{REGION}"
color = "blue"
# One call to AWS for all processes, another such role without a restart, and an end that reaches running
# clients within a minute: 660 s less the 600 s in which boto3 does without the server.
delivery = "endpoint"
lease = 660
allow = [{{ groups = ["analysts"] }}]

[[roles]]
arn = "{role_arn("engineer")}"
label = "Data engineer"
description = "Reads and writes {BUCKET}"
region = "{REGION}"
color = "purple"
delivery = "endpoint"
lease = 660
allow = [{{ groups = ["analysts"] }}]

[[roles]]
arn = "{role_arn("misconfigured")}"
label = "Misconfigured"
description = "Set up wrongly in AWS, to show how a failure is explained"
region = "{REGION}"
color = "orange"
allow = [{{ groups = ["analysts"] }}]
"""


def issuer(port: int) -> str:
    """Return the issuer of the service's tokens, which is its address on the hub at `port`."""
    return f"http://127.0.0.1:{port}/services/{SERVICE}"


def service_config(state: Path, port: int, token_lifetime: int) -> dict[str, dict[str, object]]:
    """Return the settings of the hub service.

    Args:
        state: the run's state folder.
        port: the hub's public port.
        token_lifetime: seconds that a token is valid.
    """
    return {
        "HubServiceApp": {
            "issuer": issuer(port),
            "audience": HUB_AUDIENCE,
            "roles_file": str(state / "roles.toml"),
            "keys_dir": str(state / "keys"),
            "audit_log": str(state / "audit.jsonl"),
            "token_lifetime": token_lifetime,
            # Nothing keeps the public keys here, and the first key must sign at once.
            "publish_lead": 0,
        }
    }


def server_settings(port: int, aws_url: str) -> dict[str, dict[str, object]]:
    """Return the extension's settings in the users' servers: the same for all of them.

    Args:
        port: the hub's public port.
        aws_url: the URL of the local AWS.
    """
    return {
        "WbAwsApp": {
            "token_source": "jupyterhub",
            # The address of STS, S3 and all other services, for the SDKs and the extension itself.
            "extra_environment": {"AWS_ENDPOINT_URL": aws_url},
        },
        "JupyterHubTokenSource": {"service_url": issuer(port) + "/"},
    }


def hub_config(
    state: Path,
    *,
    ports: tuple[int, int, int, int],
    link_token: str,
    python: str,
    environments: Mapping[str, Mapping[str, str]],
) -> dict[str, dict[str, Any]]:
    """Return the hub's configuration.

    Args:
        state: the run's state folder.
        ports: of the proxy (for browsers), the hub, the proxy's API, and the service.
        link_token: what the printed link has in it.
        python: the interpreter of the servers.
        environments: what each user's server has in its environment, besides the hub's variables.
    """
    public, hub, proxy_api, service = ports
    return {
        "JupyterHub": {
            "bind_url": f"http://127.0.0.1:{public}/",
            "hub_bind_url": f"http://127.0.0.1:{hub}",
            "authenticator_class": "jupyter_wb_aws.demo.hub.log_in.LinkAuthenticator",
            "spawner_class": "jupyter_wb_aws.demo.hub.spawner.HomeSpawner",
            "load_groups": {name: {"users": users} for name, users in GROUPS.items()},
            "load_roles": _hub_roles(),
            "services": [_service(state, service)],
            "template_paths": [str(TEMPLATES)],
        },
        "ConfigurableHTTPProxy": {"api_url": f"http://127.0.0.1:{proxy_api}"},
        "LinkAuthenticator": {"allowed_users": list(USERS), "link_token": link_token},
        "HomeSpawner": {
            "cmd": [python, "-m", "jupyterhub.singleuser"],
            "home_dir_template": str(state / "users/{username}/home"),
            "environments": environments,
            "default_url": "/lab",
            "start_timeout": _START_TIMEOUT,
            "http_timeout": _START_TIMEOUT,
            # A server without a terminal ends at SIGINT; if it does not, the demo's end must not wait long.
            "interrupt_timeout": 5,
            "term_timeout": 2,
        },
    }


def _hub_roles() -> list[dict[str, Any]]:
    """Let both users ask the service, and their servers on their behalf.

    The role `server` replaces the hub's own, and repeats what that has.
    """
    access = f"access:services!service={SERVICE}"
    return [
        {"name": "server", "scopes": ["users:activity!user", "access:servers!server", access]},
        {"name": SERVICE, "scopes": [access], "users": list(USERS)},
    ]


def _service(state: Path, port: int) -> dict[str, Any]:
    return {
        "name": SERVICE,
        "url": f"http://127.0.0.1:{port}",
        "command": ["jupyter-wb-aws-hub", f"--config={state / 'service_config.json'}"],
        "environment": {MARK: str(state)},
        "display": False,
    }
