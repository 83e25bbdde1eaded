"""Bad input of every kind gets a 4xx with a code, never a 500, and changes nothing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_wb_aws.errors import BadRequest
from jupyter_wb_aws.request_body import parse_body
from tests.site import ANALYST, AUDITOR

BAD_BODIES = {
    "nothing": b"",
    "no JSON": b"role_arn=x",
    "no object": b"[]",
    "null": b"null",
    "no UTF-8": b'{"role_arn": "\xff\xfe"}',
    "a field twice": json.dumps({"role_arn": ANALYST})[:-1].encode() + b', "role_arn": "x"}',
    "an unknown field": json.dumps({"role_arn": ANALYST, "defualt": True}).encode(),
    "a missing field": b'{"default": true}',
    "a number for a text": b'{"role_arn": 1}',
    "a text for a boolean": json.dumps({"role_arn": ANALYST, "default": "yes"}).encode(),
    "a number for a boolean": json.dumps({"role_arn": ANALYST, "default": 1}).encode(),
    "null for a text": b'{"role_arn": null}',
    "half a surrogate": b'{"role_arn": "\\ud800"}',
    "deep nesting": b'{"role_arn":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "not a number": b'{"role_arn": NaN}',
}  # fmt: skip

BAD_ARNS = [
    "", "analyst", "arn:aws:iam::111122223333:role/", "arn:aws:iam::1111:role/analyst",
    "arn:aws-moon:iam::111122223333:role/analyst", "arn:aws:iam:us-east-1:111122223333:role/analyst",
    "arn:aws:s3:::bucket", "arn:aws:iam::111122223333:user/alice", "arn:aws:iam::111122223333:role//x",
    "arn:aws:iam::111122223333:role/../analyst\n", "arn:aws:iam::111122223333:role/" + "x" * 65,
    "arn:aws:iam::111122223333:role/" + "p/" * 400 + "x", "ARN:aws:iam::111122223333:role/analyst",
    ANALYST + " ", ANALYST + "\0", "arn:aws:iam::١١١١٢٢٢٢٣٣٣٣:role/analyst",
]  # fmt: skip


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
async def test_a_body_that_cannot_be_meant_is_refused(api, body):
    answer = await api("POST", "/aws/sessions", body)

    assert (answer.status, answer.data["code"]) == (400, "bad_request")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (await api("GET", "/aws/sessions")).data == {"sessions": []}


async def test_an_invalid_arn_is_refused(api):
    for arn in BAD_ARNS:
        answer = await api("POST", "/aws/sessions", {"role_arn": arn})
        assert answer.status == 400, arn
        assert answer.data["code"] in {"invalid_role_arn", "bad_request"}, arn


@pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov"])
async def test_the_other_partitions_exist(api, partition):
    arn = f"arn:{partition}:iam::111122223333:role/analyst"

    answer = await api("POST", "/aws/sessions", {"role_arn": arn})

    assert (answer.status, answer.data["code"]) == (403, "role_not_allowed")


@pytest.mark.parametrize(
    "region", ["", "mars", "us_east_2", "us-east-2\n", "cn-north-1", "us-gov-west-1", "x" * 300]
)
async def test_a_region_of_another_partition_is_refused(api, region):
    answer = await api("POST", "/aws/sessions", {"role_arn": ANALYST, "region": region})

    assert answer.status == 400
    assert answer.data["code"] in {"invalid_region", "bad_request"}


async def test_too_large_a_body_is_refused(api):
    answer = await api("POST", "/aws/sessions", b'{"role_arn": "' + b"x" * 70_000 + b'"}')

    assert (answer.status, answer.data["code"]) == (413, "body_too_large")


async def test_a_body_of_another_kind_is_refused(api):
    answer = await api(
        "POST",
        "/aws/sessions",
        b"role_arn=x",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )

    assert (answer.status, answer.data["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/aws/sessions/nope", None),
        ("GET", "/aws/sessions/%2e%2e%2froles", None),
        ("DELETE", "/aws/sessions/nope", None),
        ("POST", "/aws/sessions/nope/refresh", {}),
        ("POST", "/aws/sessions/nope/kernels", {}),
        ("POST", "/aws/sessions/nope/terminals", {}),
        ("PUT", "/aws/default", {"session_id": "nope"}),
        ("GET", "/aws/identity?session_id=nope", None),
    ],
)
async def test_an_unknown_role_session_is_not_found(api, method, path, body):
    answer = await api(method, path, body)

    assert (answer.status, answer.data["code"]) == (404, "role_session_not_found")


@pytest.mark.parametrize(
    "path", ["/aws", "/aws/", "/aws/nothing", "/aws/sessions/a/b/c", "/aws/roles/x"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_an_unknown_path_is_a_problem_too(api, method, path):
    answer = await api(method, path, {} if method == "POST" else None, known=False)

    assert answer.status == 404
    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_a_wrong_method_names_the_right_ones(api):
    answer = await api("DELETE", "/aws/sessions", known=False)

    assert (answer.status, answer.data["code"]) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == "GET, POST"


async def test_an_assignment_of_an_unknown_kernel_is_not_found(api):
    session = await api.start()

    for method, body in (
        ("PUT", {"session_id": session["id"]}),
        ("PUT", {"session_id": None}),
        ("DELETE", None),
    ):
        answer = await api(method, "/aws/assignments/0000-nope", body)
        assert (answer.status, answer.data["code"]) == (404, "kernel_not_found")


@pytest.mark.parametrize(
    "body",
    [
        {"path": "../.."},
        {"path": "a/../../b"},
        {"name": "no-such-kernel"},
        {"name": "../x"},
        {"path": "a\0b"},
    ],
)
async def test_a_kernel_that_cannot_be_meant_is_refused(api, body):
    session = await api.start()

    answer = await api("POST", f"/aws/sessions/{session['id']}/kernels", body)

    assert (answer.status, answer.data["code"]) == (400, "bad_request")
    assert (await api("GET", "/api/kernels")).data == []


async def test_verify_takes_true_or_false(api):
    assert (await api("GET", "/aws/identity?verify=perhaps")).data["code"] == "bad_request"


async def test_a_refused_request_leaves_the_choice_as_it_was(api):
    session = await api.start(ANALYST)
    await api.start(AUDITOR)

    for body in (
        b"{}",
        b'{"session_id": 1}',
        b'{"session_id": "nope"}',
        b'{"session_id": null, "x": 1}',
    ):
        assert (await api("PUT", "/aws/default", body)).status in {400, 404}

    assert (await api("GET", "/aws/identity")).data["session_id"] == session["id"]


@given(
    st.binary(max_size=200)
    | st.text(max_size=200).map(str.encode)
    | st.from_regex(rb'\{"[a-z]{1,3}": .{0,20}\}')
)
def test_any_bytes_are_read_or_refused(raw):
    try:
        document = parse_body(raw, {"a": str, "b": bool, "c": (str, None)}, frozenset())
    except BadRequest:
        return
    assert set(document) <= {"a", "b", "c"}


@pytest.mark.parametrize("path", ["/aws/sessions/%ff", "/aws/identity?session_id=%ff"])
async def test_what_is_not_utf_8_is_a_bad_request(raw_fetch, path):
    status, code = await raw_fetch(path)

    assert (status, code) == (400, "bad_request")


@pytest.fixture
def raw_fetch(http_server_client, jp_base_url, jp_auth_header, jp_serverapp):
    """Fetches a path as it is written: jp_fetch would quote it."""

    async def fetch(path):
        response = await http_server_client.fetch(
            jp_base_url.rstrip("/") + path, headers=jp_auth_header, raise_error=False
        )
        return response.code, json.loads(response.body)["code"]

    return fetch
