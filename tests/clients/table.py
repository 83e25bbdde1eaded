"""The table of docs/clients.md: what was seen of each client.

`make compatibility` writes it, from a run of all of them; any other run holds it to what it sees.
"""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_wb_aws.demo.names import REGION

PAGE = Path(__file__).parents[2] / "docs/clients.md"
HEAD = [
    "| client | version | signed requests to | STS asked | lifetime | bucket in | after expiry |",
    "|---|---|---|---|---|---|---|",
]
_BEGIN, _END = "<!-- made by `make compatibility` -->\n\n", "\n\n<!-- end -->"

# With their names for people, in the table's order.
CLIENTS = {
    "boto3": "boto3",
    "aiobotocore": "aiobotocore",
    "s3fs": "s3fs",
    "aws_v1": "AWS CLI, version 1",
    "aws_v2": "AWS CLI, version 2",
    "javascript": "AWS SDK for JavaScript",
    "pyarrow": "pyarrow",
    "polars": "polars, with boto3 installed",
    "polars_alone": "polars, without boto3",
    "deltalake": "deltalake",
    "duckdb": "DuckDB",
    "rclone": "rclone",
    "r": "R, doing what paws does",
}


def row(name, first, later):
    """Say what was seen of a client: used once, and once more after all had expired."""
    cells = [
        CLIENTS[name],
        first.version,
        _all(call.service.upper() for call in first.others),
        _all(_sts(call.host) for call in first.assuming),
        _all(_lifetime(call.form.get("DurationSeconds")) for call in first.assuming),
        _all(_bucket_in(call) for call in first.others if call.service == "s3"),
        "goes on, after a refusal" if later.refused else "goes on",
    ]
    return "| " + " | ".join(cells) + " |"


def _all(seen):
    return ", ".join(sorted(set(seen)))


def _sts(host):
    return "the region's" if host == f"sts.{REGION}.amazonaws.com" else host


def _lifetime(seconds):
    return f"{seconds} s" if seconds else "the default"


def _bucket_in(call):
    return "path" if call.host.startswith("s3.") else "host name"


def rows():
    """Return the page's rows, by the client's name for people."""
    found = PAGE.read_text().partition(_BEGIN)[2].partition(_END)[0].splitlines()[len(HEAD) :]
    return {line.split(" | ")[0].removeprefix("| "): line for line in found}


def being_made():
    return "WB_AWS_COMPATIBILITY" in os.environ


def write(name, line):
    """Put one row in, or in the place of the client's former one."""
    known = rows() | {CLIENTS[name]: line}
    ordered = [known[client] for client in CLIENTS.values() if client in known]
    before, begin, rest = PAGE.read_text().partition(_BEGIN)
    table = "\n".join([*HEAD, *ordered])
    PAGE.write_text(before + begin + table + _END + rest.partition(_END)[2])
