"""A local AWS: moto for S3's and STS's workings, behind a strict layer of ours."""

from __future__ import annotations

from jupyter_wb_aws.demo.local_aws.server import LocalAws

__all__ = ["LocalAws"]
