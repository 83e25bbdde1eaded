"""The tables of docs/clients.md, one for each delivery: what was seen of each client.

`make compatibility` writes them, from a run of all of them; any other run holds them to what it sees.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from jupyter_wb_aws.demo.names import REGION
from tests.clients.endpoint_life import NEW, OLD, UNSIGNED

PAGE = Path(__file__).parents[2] / "docs/clients.md"


@dataclass(frozen=True)
class Table:
    """One of the tables; `begin` stands before it, on the page."""

    begin: str
    columns: tuple[str, ...]

    @property
    def head(self):
        return [_line(self.columns), "|" + "---|" * len(self.columns)]


WEB_IDENTITY = Table(
    "<!-- made by `make compatibility` -->\n\n",
    (
        "client",
        "version",
        "signed requests to",
        "STS asked",
        "lifetime",
        "bucket in",
        "after expiry",
    ),
)
ENDPOINT = Table(
    "<!-- made by `make compatibility`: endpoint -->\n\n",
    (
        "client",
        "version",
        "works",
        "another role: running client",
        "new process",
        "the end: running client",
        "new process",
        "needs `NO_PROXY`",
    ),
)
_END = "\n\n<!-- end -->"

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

# The others take a gigabyte of packages, and Debian's: `.ci/need-clients --all`.
FEW = {"boto3", "aws_v1"}


def row(name, first, later):
    """Say what was seen of a client by web identity: used once, and once more after all had expired."""
    return _line(
        (
            CLIENTS[name],
            first.version,
            _all(call.service.upper() for call in first.others),
            _all(_sts(call.host) for call in first.assuming),
            _all(_lifetime(call.form.get("DurationSeconds")) for call in first.assuming),
            _all(_bucket_in(call) for call in first.others if call.service == "s3"),
            "goes on, after a refusal" if later.refused else "goes on",
        )
    )


def endpoint_row(name, life):
    """Say what was seen of a client that has its credentials from the endpoint, over a switch and an end."""
    known = CLIENTS[name], life.version
    if not life.first.works:
        return _line((*known, "refused: it sends no endpoint token", *["-"] * 5))
    return _line(
        (
            *known,
            "yes" if life.later.works else "until its first credentials expire",
            _role_after(life.switched),
            _role_after(life.switched_new),
            _refused(life.ended, life.reason),
            _refused(life.ended_new, life.reason),
            "yes" if life.shown_to_a_proxy else "no",
        )
    )


def _line(cells):
    return "| " + " | ".join(cells) + " |"


def _role_after(attempt):
    names = {OLD: "the old role", NEW: "the new role", UNSIGNED: "unsigned requests"}
    # A refresh in the background comes after the call that began it.
    return ", then ".join(names[role] for role in names if role in attempt.roles)


def _refused(attempt, reason):
    if attempt.works:
        return "goes on"
    if UNSIGNED in attempt.roles:
        return "unsigned requests"
    shown = " ".join(reason.split()) in " ".join(re.sub(r"\x1b\[[\d;]*m", "", attempt.said).split())
    return "refused, with the reason" if shown else "refused, without the reason"


def _all(seen):
    return ", ".join(sorted(set(seen)))


def _sts(host):
    return "the region's" if host == f"sts.{REGION}.amazonaws.com" else host


def _lifetime(seconds):
    return f"{seconds} s" if seconds else "the default"


def _bucket_in(call):
    return "path" if call.host.startswith("s3.") else "host name"


def rows(table):
    """Return the page's rows, by the client's name for people."""
    found = PAGE.read_text().partition(table.begin)[2].partition(_END)[0].splitlines()[2:]
    return {line.split(" | ")[0].removeprefix("| "): line for line in found}


def being_made():
    return "WB_AWS_COMPATIBILITY" in os.environ


def write(table, name, line):
    """Put one row in, or in the place of the client's former one."""
    known = rows(table) | {CLIENTS[name]: line}
    ordered = [known[client] for client in CLIENTS.values() if client in known]
    before, begin, rest = PAGE.read_text().partition(table.begin)
    text = "\n".join([*table.head, *ordered])
    PAGE.write_text(before + begin + text + _END + rest.partition(_END)[2])


def check(table, name, line):
    """Hold the page to what was seen, or write it there.

    Args:
        table: which one.
        name: the client.
        line: its row.
    """
    if being_made():
        write(table, name, line)
    assert rows(table)[CLIENTS[name]] == line, "run: make compatibility"
