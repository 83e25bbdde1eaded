"""Parquet files of pandas at an address that `AWS_ENDPOINT_URL` names, as docs/clients.md describes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/clients.md"
NOTES = PAGE.read_text().partition("## Notes on some clients")[2]
BLOCKS = re.findall(r"```python\n(.*?)```", NOTES, re.DOTALL)
ELSEWHERE = """
import os
os.environ["AWS_ENDPOINT_URL"] = {url!r}
{code}
print("done")
"""


@pytest.fixture
def run(server, amazon):
    """Runs code in a kernel that has the role, and AWS at another address; returns what went to AWS's own."""

    def run(code):
        before = len(amazon.calls)
        said = server.run(
            server.kernel("clients"), ELSEWHERE.format(url=amazon.endpoint, code=code)
        )
        return said, {call.host for call in amazon.calls[before:]}

    return run


@pytest.mark.long  # with pandas and polars
@pytest.mark.parametrize(
    "code",
    [
        "pandas.read_parquet('s3://colorado-projects/2025/rainfall.csv')",
        "pandas.DataFrame({'a': [1]}).to_parquet('s3://colorado-projects/a.parquet')",
    ],
    ids=["read", "write"],
)
def test_parquet_of_pandas_by_itself_has_no_role_there(run, code):
    said, asked = run(f"import pandas\n{code}")
    assert "ACCESS_DENIED" in said
    assert asked == set()  # nor is the role asked for at AWS


@pytest.mark.long  # with s3fs, pandas and polars
@pytest.mark.parametrize("code", BLOCKS, ids=["s3fs", "boto3", "polars"])
def test_what_the_page_says_instead_works_there(run, code):
    said, asked = run(code)
    assert said.endswith("done\n"), said
    assert asked == set()


@pytest.mark.parametrize(
    "place",
    ["docs/clients.md", "docs/data-scientists.md", "docs/demo.md", "jupyter_wb_aws/demo/notebooks/aws-in-a-notebook.ipynb"],
)  # fmt: skip
def test_it_is_said_where_a_data_scientist_looks(place):
    text = (ROOT / place).read_text()
    assert "ACCESS_DENIED" in text
    assert "s3fs.S3FileSystem()" in text
