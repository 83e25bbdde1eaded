"""When credentials are replaced, and until when an answer may be used."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_wb_aws.endpoint.lease import lease_end, refresh_at
from tests.conftest import NOON


def seconds(number):
    return timedelta(seconds=number)


@pytest.mark.parametrize(
    ("life", "age"),
    [
        (15, 5),
        (600, 200),
        (899, 899 / 3),
        (900, 300),
        (1200, 600),
        (1800, 1200),
        (3000, 2400),
        (3600, 2880),
        (43200, 34560),
    ],
)
def test_credentials_are_replaced_at_this_age(life, age):
    assert refresh_at(NOON, NOON + seconds(life)) == NOON + seconds(age)


@given(st.integers(min_value=900, max_value=43200))
def test_ten_minutes_are_left_when_credentials_of_aws_sts_are_replaced(life):
    expiration = NOON + seconds(life)

    assert expiration - refresh_at(NOON, expiration) >= seconds(600)


@given(st.integers(min_value=1, max_value=40_000_000))
def test_credentials_are_replaced_while_they_are_good_and_never_at_once(life):
    expiration = NOON + seconds(life)

    assert NOON + seconds(life) / 3 <= refresh_at(NOON, expiration) < expiration


@pytest.mark.parametrize(
    ("left", "lease", "answered"),
    [(3600, 960, 960), (3600, 660, 660), (700, 960, 700), (15, 660, 15), (-1, 960, -1)],
)
def test_an_answer_is_good_for_a_lease_but_no_longer_than_the_credentials(left, lease, answered):
    assert lease_end(NOON + seconds(left), seconds(lease), NOON) == NOON + seconds(answered)
