"""A smaller fleet than that of benchmarks/hub_simulation.py: the schedule keeps the hub's load level."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
USERS = 500
# A small fleet has few refreshes a minute, whose number varies by chance.
MINUTES = 10


@pytest.fixture
def simulation(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield __import__("hub_simulation")
    sys.modules.pop("hub_simulation", None)
    sys.modules.pop("_hub_plot", None)


@pytest.mark.parametrize("day", ["all there", "at once", "away", "nine"])
def test_a_fleet_refreshes_evenly_and_in_time(simulation, day):
    figures = simulation.Fleet(simulation.DAYS[day], USERS, random.Random(1)).run()

    assert figures.steady_mean() > 0
    assert figures.peak_over_mean(MINUTES) <= simulation.PEAK_OVER_MEAN
    assert figures.expired == 0
    cap = simulation.HUB_REQUESTS_PER_SECOND * USERS / simulation.USERS
    assert max(figures.hub_calls.values()) <= cap


@pytest.mark.parametrize("day", ["at once", "away"])
def test_without_spreading_the_first_refresh_the_simulation_misses_its_aim(simulation, day):
    figures = simulation.Fleet(simulation.DAYS[day], USERS, random.Random(1), spread=False).run()

    assert figures.peak_over_mean(MINUTES) > simulation.PEAK_OVER_MEAN


def test_a_token_expires_if_the_service_is_away_for_longer_than_its_last_fifth(simulation):
    nine = simulation.NINE
    long_away = simulation.Day("away for half an hour", 8 * 3600, away=(nine, nine + 1800))

    assert simulation.Fleet(long_away, USERS, random.Random(1)).run().expired > 0
