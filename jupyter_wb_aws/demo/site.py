"""What an administrator would write for the demo's site: the roles file and the server's settings.

Text in, text out; `lab.py` puts it into files.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from jupyter_wb_aws.demo.names import BUCKET, CLIENT_ID, REGION, role_arn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NOTEBOOK = "aws-in-a-notebook.ipynb"


def roles_file(request_url: str) -> str:
    """Return the role catalogue (TOML); finance-admin is in it, and not offered to alice.

    Args:
        request_url: where roles are asked for.
    """
    return f"""\
# Which roles are offered to whom. The extension reads this file again whenever it changes.
request_url = "{request_url}"

[[roles]]
arn = "{role_arn("analyst")}"
label = "Analyst"
description = "Reads and writes {BUCKET}"
region = "{REGION}"
color = "green"
allow = [{{ groups = ["analysts"] }}]

[[roles]]
arn = "{role_arn("auditor")}"
label = "Auditor"
description = "Reads {BUCKET}, changes nothing"
region = "{REGION}"
color = "blue"
allow = [{{ groups = ["analysts"] }}, {{ groups = ["auditors"] }}]

[[roles]]
arn = "{role_arn("misconfigured")}"
label = "Misconfigured"
description = "Set up wrongly in AWS, to show how that is explained"
region = "{REGION}"
color = "orange"
allow = "everyone"

[[roles]]
arn = "{role_arn("finance-admin")}"
label = "Finance administrator"
description = "For the finance team only"
region = "{REGION}"
color = "red"
request_url = "{request_url}?team=finance"
allow = [{{ groups = ["finance"] }}]
"""


def server_config(
    *,
    roles_path: str,
    issuer: str,
    aws_url: str,
    token_command: Sequence[str] = (),
    redirect_uri: str = "",
) -> dict[str, dict[str, object]]:
    """Return the extension's settings, as they would stand in `jupyter_server_config.json`.

    Args:
        roles_path: the role catalogue.
        issuer: the identity provider.
        aws_url: the local AWS.
        token_command: prints tokens; where there is none, the user signs in.
        redirect_uri: where the identity provider sends the browser back to then.
    """
    source: dict[str, object] = {"issuer": issuer, "audience": CLIENT_ID}
    if token_command:
        name, class_name = "command", "CommandTokenSource"
        source["command"] = list(token_command)
    else:
        name, class_name = "oidc", "OidcTokenSource"
        source |= {"client_id": CLIENT_ID, "redirect_uri": redirect_uri}
    return {
        "WbAwsApp": {
            "token_source": name,
            "roles_file": roles_path,
            "audience": CLIENT_ID,
            # STS, S3 and everything else: for the SDKs and for the extension itself.
            "extra_environment": {"AWS_ENDPOINT_URL": aws_url},
        },
        class_name: source,
    }


def as_json(config: Mapping[str, object]) -> str:
    """Write a configuration as Jupyter reads it."""
    return json.dumps(config, indent=2) + "\n"
