"""Long work in a thread gives other threads their turns."""

from __future__ import annotations

import time

from jupyter_wb_aws.pacing import PAUSE, WORK, paced


def worked(seconds):
    until = time.perf_counter() + seconds
    while time.perf_counter() <= until:
        pass


def test_work_pauses_after_each_item_that_takes_its_time():
    pauses = []

    for _ in paced(range(3), pauses.append):
        worked(WORK * 2)

    assert pauses == [PAUSE] * 3


def test_all_items_come_in_order():
    assert list(paced(range(1000), lambda _: None)) == list(range(1000))
