"""The configuration of the demo's site: the roles file and the server's settings. Pure.

An administrator would write these by hand; here, `lab.py` writes them to files.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from jupyter_wb_aws.demo.names import BUCKET, CLIENT_ID, REGION, role_arn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NOTEBOOKS = ("aws-in-a-notebook.ipynb", "parquet-with-pandas.ipynb")


def roles_file(request_url: str) -> str:
    """Return the role catalogue (TOML). It contains finance-admin, but does not offer it to alice.

    Args:
        request_url: the page for requesting a role.
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
description = "Reads {BUCKET}, but can't change it"
region = "{REGION}"
color = "blue"
# One call to AWS for all processes, another such role without a restart, and an end that reaches running
# clients within a minute: 660 s less the 600 s in which boto3 does without the server.
delivery = "endpoint"
lease = 660
allow = [{{ groups = ["analysts"] }}, {{ groups = ["auditors"] }}]

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
    """Return the extension's settings in the form of `jupyter_server_config.json`.

    Args:
        roles_path: the path of the role catalogue.
        issuer: the URL of the identity provider.
        aws_url: the URL of the local AWS.
        token_command: the command that prints tokens; if empty, the user signs in.
        redirect_uri: where the identity provider sends the browser after the sign-in.
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
            # The address of STS, S3 and all other services, for the SDKs and the extension itself.
            "extra_environment": {"AWS_ENDPOINT_URL": aws_url},
        },
        class_name: source,
    }


def as_json(config: Mapping[str, object]) -> str:
    """Return a configuration in the form that Jupyter reads."""
    return json.dumps(config, indent=2) + "\n"
