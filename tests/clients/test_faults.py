"""Faults in clients that docs/clients.md describes; one that is fixed can be removed there."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.long  # with DuckDB, pyarrow and rclone

SECRET = """
database.sql("CREATE OR REPLACE SECRET (TYPE s3, PROVIDER credential_chain)")
"""


def test_duckdb_that_writes_is_refused_until_it_reads_or_has_a_new_secret(clients, amazon):
    duckdb, _, _ = clients("duckdb")

    amazon.expire_all()
    assert "ExpiredToken" in duckdb.run("write()")
    assert "ExpiredToken" in duckdb.run("write()")
    assert duckdb.run("read(); write(); print('written')") == "written\n"

    amazon.expire_all()
    assert "ExpiredToken" in duckdb.run("write()")
    assert duckdb.run(f"{SECRET}\nwrite(); print('written')") == "written\n"


def test_duckdb_refreshes_nothing_by_itself(clients, amazon):
    duckdb, _, _ = clients("duckdb")
    duckdb.run(f"{SECRET}\nread()")

    amazon.expire_all()

    assert "ExpiredToken" in duckdb.run("read()")
    assert "ExpiredToken" in duckdb.run("read()")


PYARROW = """
import os, subprocess, sys
from pathlib import Path
program = Path(os.environ["CLIENT_PROGRAMS"], "pyarrow.py").read_text() + "\\nuse()\\n"
try:
    done = subprocess.run([sys.executable, "-c", program + {last!r}], timeout=15, check=True)
    print("it ended")
except subprocess.TimeoutExpired:
    print("it hangs")
"""


def test_a_script_with_pyarrow_hangs_at_its_end_unless_it_finalizes(clients):
    pyarrow, _, _ = clients("pyarrow")
    finalize = "del files; import pyarrow.fs; pyarrow.fs.finalize_s3()"

    assert pyarrow.run(PYARROW.format(last="")) == "it hangs\n"
    assert pyarrow.run(PYARROW.format(last=finalize)) == "it ended\n"


RCLONE = """
import subprocess
command = ["rclone", "cat", "--retries=1", "--low-level-retries=1", ":s3,provider=AWS,env_auth=true{region}:{bucket}/README.txt"]
env = {{k: v for k, v in (os.environ | {more}).items() if k not in {without}}}
print(subprocess.run(command, env=env, capture_output=True, text=True, check=False))
"""
WITHOUT_CA_BUNDLE = {"bucket": "colorado-projects", "without": ["AWS_CA_BUNDLE"]}


def test_rclone_takes_no_ca_bundle_of_awss(clients):
    rclone, _, _ = clients("rclone")
    settings = {**WITHOUT_CA_BUNDLE, "region": ",region=us-east-2", "more": {}}

    assert "LoadCustomCABundleError" in rclone.run(RCLONE.format(**settings | {"without": []}))
    assert "Projects of" in rclone.run(RCLONE.format(**settings))


def test_rclone_looks_for_a_bucket_in_us_east_1_unless_its_region_is_named(clients):
    rclone, _, _ = clients("rclone")
    named = {"RCLONE_S3_REGION": "us-east-2"}

    assert "us-east-1" in rclone.run(RCLONE.format(**WITHOUT_CA_BUNDLE, region="", more={}))
    assert "Projects of" in rclone.run(RCLONE.format(**WITHOUT_CA_BUNDLE, region="", more=named))
