"""The clock, and how times are written."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from jupyter_wb_aws.clock import SystemClock, rfc3339


def test_the_machines_time_has_its_zone():
    assert SystemClock().now().utcoffset() == timedelta(0)
    assert abs(SystemClock().now() - datetime.now(UTC)) < timedelta(seconds=5)


async def test_the_machines_clock_waits():
    before = datetime.now(UTC)
    await SystemClock().sleep(0.01)
    assert datetime.now(UTC) > before


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 11, 24, 12, 0, 0, 999_999, UTC), "2026-11-24T12:00:00Z"),
        (
            datetime(2026, 11, 24, 1, 0, tzinfo=timezone(timedelta(hours=-5))),
            "2026-11-24T06:00:00Z",
        ),
    ],
)
def test_times_are_written_in_utc_and_whole_seconds(moment, text):
    assert rfc3339(moment) == text
