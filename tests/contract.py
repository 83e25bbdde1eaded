"""openapi.yaml as a judge: what it does not allow in an exchange."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

import jupyter_wb_aws.handlers

CONTRACT = yaml.safe_load(
    Path(jupyter_wb_aws.handlers.__file__).with_name("openapi.yaml").read_text("utf-8")
)


def violations(method: str, path: str, body: Any, status: int, data: Any) -> list[str]:
    """What in this exchange openapi.yaml does not allow."""
    operation = next(
        (
            item[method.lower()]
            for template, item in CONTRACT["paths"].items()
            if re.fullmatch(re.sub(r"\{.*?\}", "[^/]+", template), path) and method.lower() in item
        ),
        None,
    )
    if operation is None:
        return [f"{method} {path} is not in the contract"]
    response = operation["responses"].get(str(status), {})
    if "$ref" in response:
        response = CONTRACT["components"]["responses"][response["$ref"].rpartition("/")[2]]
    found = errors_of(response.get("content"), data) if data is not None else []
    if body is not None:
        found += errors_of(operation["requestBody"]["content"], body)
    return [f"{method} {path}: {error}" for error in found]


def errors_of(content: Any, data: Any) -> list[str]:
    if not content:
        return ["not in the contract"]
    schema = next(iter(content.values()))["schema"]
    validator = Draft202012Validator({**schema, "components": CONTRACT["components"]})
    return [error.message for error in validator.iter_errors(data)]
