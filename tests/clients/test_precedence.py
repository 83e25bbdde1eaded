"""What of a user's own files real clients prefer to the credential endpoint: the table of decision 0003."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.clients import precedence

PAGE = Path(__file__).parents[2] / "docs/decisions/0003-environment.md"
HEAD = "| `[default]` holds, or there is | boto3 | `aws` | SDK for JavaScript | pyarrow | polars | duckdb |"
# A hundred programs, of which some take seconds to import.
pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def seen():
    apart = ["unshare", "--net", "--mount", "ip", "link", "set", "lo", "up"]
    if os.geteuid() != 0 or subprocess.run(apart, check=False).returncode:
        pytest.skip("it needs root, for namespaces of its own")
    assert precedence.PYTHON.exists(), "run first: .ci/need-clients --all"
    return precedence.run_apart()


def documented():
    """Return the table's cells by its first column."""
    lines = PAGE.read_text().partition(HEAD)[2].partition("\n\n")[0].splitlines()[2:]
    rows = [[cell.strip("*` ") for cell in line.strip("|").split("|")] for line in lines]
    return {row[0].replace("`", ""): row[1:] for row in rows}


def test_the_table_of_the_endpoint_says_what_was_seen_of_real_clients(seen):
    clients = list(precedence.commands("http://127.0.0.1"))
    assert documented() == {case: [who[client] for client in clients] for case, who in seen.items()}


def test_whatever_some_client_prefers_to_the_endpoint_is_found_and_nothing_else(seen):
    removed = {"AWS_CREDENTIAL_FILE"}  # a variable, which no process with a role has
    for case in seen.keys() - removed:
        *signers, conflict = seen[case].values()
        assert bool(conflict) == (set(signers) != {"role"}), (case, seen[case])
