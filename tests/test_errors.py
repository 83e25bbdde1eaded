"""The failures that a user can meet: each says what happened, and what to do next."""

import json

import pytest

from jupyter_wb_aws import errors
from jupyter_wb_aws.errors import RoleNotAllowed, TrustRefused, WbAwsError

# Whose classes are imported from `jupyter_wb_aws.errors`, as docs/python.md promises.
MODULES = {"jupyter_wb_aws.base_error", "jupyter_wb_aws.sts_failures"}


def kinds():
    found = [WbAwsError]
    for kind in found:
        found.extend(kind.__subclasses__())
    return [kind for kind in found if kind.__module__ in {errors.__name__, *MODULES}]


def test_every_kind_of_the_package_is_imported_from_one_place():
    ours = [kind for kind in kinds() if kind.__module__.startswith("jupyter_wb_aws.")]
    assert [kind for kind in ours if getattr(errors, kind.__name__, None) is not kind] == []
    assert {kind.__name__ for kind in ours} == set(errors.__all__)
    assert {kind.__module__ for kind in ours} == {errors.__name__, *MODULES}


def test_every_code_means_one_thing():
    codes = [kind.code for kind in kinds()]
    assert len(codes) == len(set(codes)) > 20


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.code)
def test_every_failure_is_a_whole_problem_document(kind):
    problem = kind("What happened.").as_problem()
    assert json.loads(json.dumps(problem)) == problem
    assert problem["type"] == f"urn:jupyter-wb-aws:problem:{kind.code}"
    assert problem["detail"] == problem["message"] == "What happened."
    assert problem["title"] == problem["reason"] != ""
    assert problem["hint"]
    assert 400 <= problem["status"] < 600


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.code)
def test_without_a_sentence_of_its_own_a_failure_is_described_by_its_title(kind):
    assert str(kind()) == kind.title == kind().detail


def test_hints_of_this_time_win_over_the_kinds_own():
    error = TrustRefused("No.", hint="Ask.", admin_hint="Look.", retry_after=5)
    assert (error.hint, error.admin_hint, error.retry_after) == ("Ask.", "Look.", 5)
    assert TrustRefused("No.", hint="").hint == ""


def test_a_refused_role_says_where_to_ask_for_it():
    assert RoleNotAllowed("No.", request_url="https://ask").as_problem()["request_url"] == (
        "https://ask"
    )
    assert RoleNotAllowed("No.").as_problem()["request_url"] is None
