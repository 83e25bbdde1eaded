"""Files in the hub service's folder of keys with extreme numbers, times and names: no call fails on them."""

import json
import tempfile
from datetime import timedelta, timezone
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from jupyter_wb_aws.hub.key_changes import make_key
from jupyter_wb_aws.hub.key_files import as_file
from tests.conftest import FakeClock
from tests.hub_service.signing_keys import (
    LEAD,
    change_file,
    kids,
    open_keys,
    sign,
    verify,
    write_key,
)

LIFETIME_FILE = "longest-token-lifetime"
DAMAGED_KEY = as_file(make_key("ES256", FakeClock().now(), FakeClock().now()))


def use_in_all_ways(keys, clock):
    """Sign, publish, rotate and withdraw, as the service does; a call that fails raises."""
    assert verify(sign(keys.signing_key(), sub="user:alice"), keys.public_keys())
    keys.rotate()
    clock.advance(LEAD)
    assert verify(sign(keys.signing_key(), sub="user:alice"), keys.public_keys())
    stolen = keys.signing_key().kid
    keys.rotate(stolen)
    assert stolen not in kids(keys)
    assert keys.signing_key().kid in kids(keys)
    return keys.problems


NUMBERS = {"4000 digits": "9" * 4000, "5000 digits": "9" * 5000}


@pytest.mark.parametrize(
    "content",
    [
        *("86399999999999", "-1", "0", "43201", "1e9", "NaN", "²"),
        *(pytest.param(digits, id=name) for name, digits in NUMBERS.items()),
    ],
)
def test_an_extreme_longest_lifetime_is_named_and_stops_no_call(tmp_path, clock, content):
    """Also where the file is damaged while the service runs."""
    keys = open_keys(tmp_path / "keys", clock)
    (tmp_path / "keys" / LIFETIME_FILE).write_text(content)

    problems = use_in_all_ways(keys, clock)
    assert [problem.code for problem in problems] == ["key_file_refused"]
    assert problems[0].detail.startswith(f"{LIFETIME_FILE} in the folder")


def test_the_longest_lifetime_that_a_setting_allows_is_used(tmp_path, clock):
    open_keys(tmp_path / "keys", clock, lifetime=12 * 3600)
    assert open_keys(tmp_path / "keys", clock).problems == []
    assert (tmp_path / "keys" / LIFETIME_FILE).read_text() == "43200\n"


@pytest.mark.parametrize("name", ["made_at", "signs_from", "published_until"])
@pytest.mark.parametrize(
    "time", ["9999-12-31T23:59:59.999999+00:00", "9000-01-01T00:00:00+00:00", "0001-01-01T00:00:00+14:00"]
)  # fmt: skip
def test_a_key_with_an_extreme_time_is_named_and_stops_no_call(tmp_path, clock, name, time):
    keys = open_keys(tmp_path / "keys", clock)
    damaged = write_key(tmp_path / "keys", clock)
    change_file(damaged, **{name: time})

    (problem,) = use_in_all_ways(keys, clock)
    assert problem.code == "key_file_refused"
    assert problem.detail.startswith(damaged.name)
    assert f"has a {name} " in problem.detail


def test_a_link_to_itself_is_named_and_stops_no_call(tmp_path, clock):
    keys = open_keys(tmp_path / "keys", clock)
    name = f"{'A' * 43}.json"
    (tmp_path / "keys" / name).symlink_to(name)

    (problem,) = use_in_all_ways(keys, clock)
    assert problem.detail.startswith(name)


OFFSETS = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(timezones=OFFSETS | st.none()).map(lambda time: time.isoformat())
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
MEMBERS = st.sampled_from(["kty", "crv", "x", "y", "n", "e", "kid", "alg"])
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "made_at": TIMES | ODD,
        "signs_from": TIMES | ODD,
        "published_until": TIMES | ODD,
        "public_key": ODD | st.dictionaries(MEMBERS, st.sampled_from(["EC", "RSA", "P-256"]) | ODD),
        "private_key": ODD,
    },
)
LIFETIMES = st.integers().map(lambda number: str(number).encode()) | st.binary(max_size=40)


@hypothesis.given(FIELDS, LIFETIMES)
@hypothesis.settings(max_examples=100)
def test_no_content_of_a_file_stops_a_call(fields, lifetime):
    clock = FakeClock()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        keys = open_keys(folder, clock)
        damaged = folder / f"{json.loads(DAMAGED_KEY)['public_key']['kid']}.json"
        damaged.touch(mode=0o600)
        damaged.write_text(json.dumps({**json.loads(DAMAGED_KEY), **fields}))
        (folder / LIFETIME_FILE).write_bytes(lifetime)

        use_in_all_ways(keys, clock)
