"""Partitions, their domains and regions, as in botocore's data."""

import json
import subprocess
import sys

import botocore.session
import pytest
from botocore.loaders import create_loader

from jupyter_wb_aws.aws.sts import AWS_DOMAINS, HOME_REGION
from jupyter_wb_aws.errors import InvalidRegion
from jupyter_wb_aws.roles import partitions as module
from jupyter_wb_aws.roles.partitions import partition_of, partitions
from jupyter_wb_aws.roles.role import Role, RoleArn
from tests.botocore_data import knows


@pytest.fixture
def read_again():
    partitions.cache_clear()
    yield
    partitions.cache_clear()


def test_every_partition_of_botocore_has_its_domains():
    theirs = create_loader().load_data("partitions")["partitions"]
    assert list(partitions()) == [each["id"] for each in theirs]
    for each in theirs:
        assert each["outputs"]["dnsSuffix"] in partitions()[each["id"]].domains
        assert f".{each['outputs']['dualStackDnsSuffix']}" in AWS_DOMAINS
        assert each["id"] in HOME_REGION


def test_every_region_of_botocore_is_in_its_partition():
    session = botocore.session.Session()
    for name in session.get_available_partitions():
        for region in session.get_available_regions("s3", name):
            assert partition_of(region).name == name


REGIONS = [
    ("aws-eusc", "eusc-de-east-1"),
    ("aws-iso", "us-iso-west-1"),
    ("aws", "mx-central-1"),
    ("aws", "eu-new-9"),
]


@pytest.mark.parametrize(("partition", "region"), [pair for pair in REGIONS if knows(pair[1])])
def test_a_role_takes_the_regions_of_its_partition(partition, region):
    role = Role(RoleArn.parse(f"arn:{partition}:iam::111122223333:role/x"), "x")
    assert role.region_for(region) == region
    for other in ("us-gov-west-1", "US-EAST-1", "us-a_b-1", "aws-global", f"{region}\n"):
        with pytest.raises(InvalidRegion):
            role.region_for(other)


def test_a_partition_that_comes_with_a_newer_botocore_is_known(read_again, monkeypatch, tmp_path):
    described = json.loads(json.dumps(module.FALLBACK))
    described[0] |= {"id": "aws-mars", "regionRegex": r"^mars\-\w+\-\d+$"}
    (tmp_path / "data").mkdir()
    (tmp_path / "data/partitions.json").write_text(json.dumps({"partitions": described}))
    monkeypatch.setattr(
        module,
        "find_spec",
        lambda _: type("Spec", (), {"submodule_search_locations": [str(tmp_path)]}),
    )
    assert RoleArn.parse("arn:aws-mars:iam::111122223333:role/x").partition == "aws-mars"
    assert partition_of("mars-north-1").name == "aws-mars"


@pytest.mark.parametrize(
    "content", [None, "", "[]", "{}", '{"partitions": [{}]}', '{"partitions": 7}']
)
def test_without_botocores_data_the_public_partitions_are_known(
    read_again, monkeypatch, tmp_path, content
):
    (tmp_path / "data").mkdir()
    if content is not None:
        (tmp_path / "data/partitions.json").write_text(content)
    monkeypatch.setattr(
        module,
        "find_spec",
        lambda _: type("Spec", (), {"submodule_search_locations": [str(tmp_path)]}),
    )
    assert set(partitions()) == {"aws", "aws-cn", "aws-eusc", "aws-us-gov"}
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    partitions.cache_clear()
    assert "aws" in partitions()


def test_the_data_is_found_without_importing_botocore():
    script = "import sys; from jupyter_wb_aws.roles.role import RoleArn; RoleArn.parse('arn:aws:iam::111122223333:role/x'); print('botocore' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"
