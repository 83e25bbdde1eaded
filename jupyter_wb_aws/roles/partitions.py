"""AWS's partitions: their names, domains and regions, from the data of the installed botocore.

The data is read as a file: importing botocore would slow down the server's start. A partition that the
installed botocore does not know doesn't work in boto3 either, which would look for it in ``amazonaws.com``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# From botocore 1.44; used only if its data can't be found, as in a program packed into one file.
FALLBACK: list[dict[str, Any]] = [
    {
        "id": name,
        "regionRegex": regions,
        "regions": {},
        "outputs": {"dnsSuffix": domain, "dualStackDnsSuffix": dual, "implicitGlobalRegion": home},
    }
    for name, regions, domain, dual, home in (
        ("aws", r"^(us|eu|ap|sa|ca|me|af|il|mx)\-\w+\-\d+$", "amazonaws.com", "api.aws", "us-east-1"),
        ("aws-cn", r"^cn\-\w+\-\d+$", "amazonaws.com.cn", "api.amazonwebservices.com.cn", "cn-northwest-1"),
        ("aws-eusc", r"^eusc\-(de)\-\w+\-\d+$", "amazonaws.eu", "api.amazonwebservices.eu", "eusc-de-east-1"),
        ("aws-us-gov", r"^us\-gov\-\w+\-\d+$", "amazonaws.com", "api.aws", "us-gov-west-1"),
    )
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Partition:
    """A group of regions with its own domains and accounts.

    `home_region` is the region of global services, and of STS for a role without a region.
    """

    name: str
    domains: tuple[str, ...]
    home_region: str
    regions: frozenset[str]
    pattern: re.Pattern[str]

    def has_region(self, region: str) -> bool:
        """Whether a region is in this partition, by its name."""
        return region in self.regions or self.pattern.fullmatch(region) is not None


@cache
def partitions() -> Mapping[str, Partition]:
    """Return all partitions by name."""
    return {described["id"]: _partition(described) for described in _described()}


def partition_of(region: str) -> Partition | None:
    """Return the partition of a region; None if no partition has it."""
    return next((each for each in partitions().values() if each.has_region(region)), None)


def _described() -> list[dict[str, Any]]:
    try:
        spec = find_spec("botocore")
        folders = spec.submodule_search_locations if spec else None
        path = Path(next(iter(folders or ())), "data", "partitions.json")
        described: list[dict[str, Any]] = json.loads(path.read_bytes())["partitions"]
        return described if all(map(_partition, described)) else FALLBACK
    except (OSError, ValueError, LookupError, TypeError, StopIteration, re.error):
        return FALLBACK


def _partition(described: dict[str, Any]) -> Partition:
    outputs = described["outputs"]
    return Partition(
        described["id"],
        tuple(
            dict.fromkeys(filter(None, (outputs["dnsSuffix"], outputs.get("dualStackDnsSuffix"))))
        ),
        outputs["implicitGlobalRegion"],
        frozenset(name for name in described["regions"] if not name.endswith("-global")),
        re.compile(described["regionRegex"], re.ASCII),
    )
