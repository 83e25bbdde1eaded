"""Regions: each SDK reads its own variables."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jupyter_wb_aws.aws.iam_claims import printable
from jupyter_wb_aws.doctor.addresses import sts_endpoint
from jupyter_wb_aws.doctor.checks.remedies import export, unset
from jupyter_wb_aws.doctor.codes import BOTO, JS, PYARROW, new_finding
from jupyter_wb_aws.doctor.facts import Facts
from jupyter_wb_aws.doctor.finding import Finding, Severity

NEW, OLD = "AWS_REGION", "AWS_DEFAULT_REGION"
# botocore's endpoints.json, `regionRegex` of all partitions. Other stores have names of their own.
REGION = re.compile(r"[a-z]{2,5}(-[a-z]+)+-\d+|[a-z0-9][a-z0-9-]{0,62}", re.ASCII)
STARTED = " (or start the role with one: jupyter wb-aws start ROLE --region us-east-2)"


def check(facts: Facts) -> Iterator[Finding]:
    """Check both variables, and the profile."""
    new, old = facts.get(NEW), facts.get(OLD)
    in_file = facts.profile.text("region") if facts.profile else None
    for name, value in ((NEW, new), (OLD, old)):
        if value and not REGION.fullmatch(value):
            yield new_finding(
                "region_malformed",
                f"{name} is not a region: {printable(value)!r}.",
                export(facts, name, "us-east-2"),
            )
    if new and old and new != old:
        yield new_finding(
            "regions_differ",
            f"{NEW} is {printable(new)} and {OLD} is {printable(old)}. boto3 and version 1 of the aws command use the"
            " second, other SDKs the first.",
            export(facts, OLD, new),
        )
    elif new and not old and not in_file:
        yield new_finding(
            "region_not_for_boto3",
            f"Only {NEW} is set. boto3 and version 1 of the aws command ignore it, call the global STS, and fail if a"
            " service needs a region.",
            export(facts, OLD, new),
        )
    elif old and not new and not in_file:
        yield new_finding(
            "region_not_for_javascript",
            f"Only {OLD} is set. The SDK for JavaScript ignores it, and fails without a region.",
            export(facts, NEW, old),
        )
    elif not (new or old):
        yield _nowhere(facts) if not in_file else _in_file(facts, in_file)
    if facts.get("AWS_STS_REGIONAL_ENDPOINTS") == "legacy":
        yield new_finding(
            "sts_global",
            "AWS_STS_REGIONAL_ENDPOINTS is `legacy`: SDKs call the global STS, which is in another region than yours.",
            unset(facts, "AWS_STS_REGIONAL_ENDPOINTS"),
        )


def _nowhere(facts: Facts) -> Finding:
    if facts.lacks_role:
        return new_finding(
            "region_missing",
            f"Neither {NEW} nor {OLD} is set. A role session sets both if its role has a region.",
            severity=Severity.INFO,
            sdks=(),
        )
    elsewhere = sts_endpoint(facts.environment, facts.profile) is not None
    boto3 = "signs no request to your own endpoint" if elsewhere else "calls the global STS"
    return new_finding(
        "region_missing",
        f"Neither {NEW} nor {OLD} is set: the SDK for JavaScript fails, pyarrow sends unsigned requests, and boto3"
        f" {boto3}.",
        f"{export(facts, NEW, 'us-east-2')}; do the same for {OLD}{STARTED}",
        sdks=(*BOTO, JS, PYARROW) if elsewhere else None,
    )


def _in_file(facts: Facts, region: str) -> Finding:
    assert facts.profile is not None
    return new_finding(
        "region_in_file_only",
        f"The region, {printable(region)}, is only in {facts.profile.lines.get('region', 'a profile')}. polars and deltalake"
        " never read that file, and use us-east-1.",
        f"{export(facts, NEW, region)}; do the same for {OLD}",
    )
