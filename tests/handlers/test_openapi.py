"""The contract is a valid document, and knows every code of ours."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from openapi_spec_validator import validate

import jupyter_wb_aws.aws.iam_claims
import jupyter_wb_aws.handlers
from jupyter_wb_aws.errors import WbAwsError

METHODS = {"get", "put", "post", "delete"}


@pytest.fixture(scope="module")
def contract():
    path = Path(jupyter_wb_aws.handlers.__file__).with_name("openapi.yaml")
    return yaml.safe_load(path.read_text("utf-8"))


def operations(contract):
    return [
        operation
        for path in contract["paths"].values()
        for method, operation in path.items()
        if method in METHODS
    ]


def codes_of(error: type[WbAwsError]) -> dict[str, int]:
    """Return the codes of the extension; the hub service's have a contract of their own."""
    found = {error.code: error.status}
    for kind in error.__subclasses__():
        if not kind.__module__.startswith("jupyter_wb_aws.hub."):
            found |= codes_of(kind)
    return found


def test_the_contract_is_valid_openapi(contract):
    validate(contract)


def test_every_domain_error_has_its_status_and_meaning_in_the_contract(contract):
    reported = {code: entry["status"] for code, entry in contract["x-codes"].items()}
    assert codes_of(WbAwsError).items() <= reported.items()


def test_the_codes_of_a_problem_are_the_codes_that_are_explained(contract):
    assert contract["components"]["schemas"]["Code"]["enum"] == list(contract["x-codes"])


def test_every_code_is_named_by_the_response_of_its_status(contract):
    texts = {
        "BadRequest": 400, "Forbidden": 403, "NotFound": 404, "MethodNotAllowed": 405,
        "Conflict": 409, "BodyTooLarge": 413, "UnsupportedMediaType": 415,
        "InternalError": 500, "BadAnswer": 502, "Unavailable": 503, "Timeout": 504,
    }  # fmt: skip
    responses = contract["components"]["responses"]
    named = {
        code: status
        for name, status in texts.items()
        for code in contract["x-codes"]
        if f"`{code}`" in responses[name]["description"]
    }
    assert named == {code: entry["status"] for code, entry in contract["x-codes"].items()}


def test_every_warning_about_a_token_is_in_the_contract(contract):
    source = Path(jupyter_wb_aws.aws.iam_claims.__file__).read_text("utf-8")
    raised = dict.fromkeys(re.findall(r'ClaimWarning\(\s*"(\w+)"', source))
    listed = contract["components"]["schemas"]["ClaimWarning"]["properties"]["code"]["enum"]
    assert listed == list(raised)


def test_what_we_answer_and_accept_has_no_unnamed_members(contract):
    open_schemas = {
        name
        for name, schema in contract["components"]["schemas"].items()
        if schema.get("type") == "object" and schema.get("additionalProperties", True) is True
    }
    assert open_schemas == {"Kernel", "Terminal"}  # Jupyter's own models


def test_every_operation_says_how_authentication_and_our_own_defects_look(contract):
    for operation in operations(contract):
        assert {"403", "500"} <= operation["responses"].keys(), operation["operationId"]
