"""A local AWS: moto implements S3 and STS, behind a strict layer of our own."""

from __future__ import annotations

from jupyter_wb_aws.demo.local_aws.server import LocalAws

__all__ = ["LocalAws"]
