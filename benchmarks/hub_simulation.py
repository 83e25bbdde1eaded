"""What a fleet of 10,000 users asks of the hub service, and it of the hub, over a day: a simulation.

Each user has two role sessions with tokens of one hour. Their server asks every five minutes whether the
user still has the roles. The extension's own code decides when a token is refreshed and how long it waits
after a failure. Only the clock, the network and the hub are simulated: a call costs the hub 2.8 ms of its
one core, as measured for a token that it has not seen for 30 s.

Four days are simulated: everybody arrives around nine; the service is also away for ten minutes at nine;
everybody is there when it goes away; everybody's server starts within a minute. In each, the busiest minute
of the steady state may have at most 1.5 times the mean of refreshes. No token may expire, because a token
that is due has more than ten minutes left.

    python benchmarks/hub_simulation.py [--users N] [--plot docs/pictures/hub-refreshes.svg]
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import random
import statistics
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from _hub_plot import Panel, draw

from jupyter_wb_aws.errors import TokenSourceFailed
from jupyter_wb_aws.identity.token import WebIdentityToken
from jupyter_wb_aws.identity.token_cache import TokenStatus
from jupyter_wb_aws.role_sessions.schedule import next_refresh

MIDNIGHT = datetime(2026, 11, 24, tzinfo=UTC)
# Times are seconds since midnight.
MINUTE, HOUR = 60, 3600
NINE, EVENING = 9 * HOUR, 17 * HOUR
USERS = 10_000
ROLE_SESSIONS = 2
TOKEN_LIFETIME = timedelta(hours=1)
CHECK_EVERY, CHECK_JITTER = 300.0, 0.2
# The hub's cap and the pause that the service asks for when it is reached.
HUB_REQUESTS_PER_SECOND, RETRY_AFTER = 100, 5
# Seconds of one core that the hub needs to answer "who is it?": docs/measurements.md.
HUB_COST = 0.0028
# The aim: refreshes in the busiest minute of the steady state, over their mean.
PEAK_OVER_MEAN = 1.5
# From then on it is the steady state: everybody has had a token's life to spread out.
STEADY_FROM = 10.5 * HOUR


@dataclass(frozen=True)
class Day:
    """What happens on a day.

    Args:
        name: what is special about it.
        arrival: the mean time of the users' arrivals.
        deviation: their standard deviation.
        away: from when until when the service does not answer.
    """

    name: str
    arrival: float = NINE
    deviation: float = 10 * MINUTE
    away: tuple[float, float] = (0, 0)


DAYS = {
    "nine": Day("Everybody arrives around nine"),
    "away": Day("The same, and the service is away from 9:00 to 9:10", away=(NINE, NINE + 600)),
    "all there": Day("Everybody is there when it goes away", 8 * HOUR, away=(NINE, NINE + 600)),
    "at once": Day("Everybody's server starts within a minute", deviation=10),
}


@dataclass
class Figures:
    """What was counted on a day: by minute, and the calls to the hub by second."""

    refreshes: Counter[int] = field(default_factory=Counter)
    refused: Counter[int] = field(default_factory=Counter)
    hub_calls: Counter[int] = field(default_factory=Counter)
    expired: int = 0
    longest_wait: float = 0

    def peak_over_mean(self, minutes: int = 1) -> float:
        """Return the refreshes of the busiest time of the steady state, over their mean.

        Args:
            minutes: how long a time; a small fleet has too few refreshes in one.
        """
        steady = self._steady()
        times = [sum(steady[i : i + minutes]) / minutes for i in range(0, len(steady), minutes)]
        return max(times) / self.steady_mean()

    def steady_mean(self) -> float:
        """Return the refreshes of a minute of the steady state."""
        return statistics.mean(self._steady())

    def _steady(self) -> list[int]:
        return [self.refreshes[i] for i in range(int(STEADY_FROM / MINUTE), int(EVENING / MINUTE))]


class Service:
    """Answers while it is not away, and asks the hub no more often than its cap allows.

    Args:
        day: when it is away.
        cap: the most requests to the hub in a second.
        figures: counts them.
    """

    def __init__(self, day: Day, cap: float, figures: Figures) -> None:
        self._day = day
        self._cap = cap
        self._figures = figures

    def ask(self, now: float) -> TokenSourceFailed | None:
        """Return None if the caller gets what it asked for, or what its token source makes of the answer."""
        if self._day.away[0] <= now < self._day.away[1]:
            self._figures.refused[int(now / MINUTE)] += 1
            return TokenSourceFailed("The hub service does not answer.")
        if self._figures.hub_calls[int(now)] >= self._cap:
            self._figures.refused[int(now / MINUTE)] += 1
            return TokenSourceFailed("The hub service is busy.", retry_after=RETRY_AFTER)
        self._figures.hub_calls[int(now)] += 1
        return None


class Fleet:
    """The users' servers on one day.

    Args:
        day: what happens.
        users: how many there are; the cap shrinks with them.
        rng: draws arrivals and jitter.
        spread: whether the first refresh is spread over a token's life, as the extension does.
    """

    def __init__(self, day: Day, users: int, rng: random.Random, *, spread: bool = True) -> None:
        self.figures = Figures()
        self._service = Service(day, HUB_REQUESTS_PER_SECOND * users / USERS, self.figures)
        self._rng = rng
        self._spread = spread
        self._waiting: dict[int, float] = {}
        numbers = itertools.count()
        self._events: list[tuple[float, int, TokenStatus | None]] = []
        for _ in range(users):
            arrival = rng.gauss(day.arrival, day.deviation)
            tokens = [TokenStatus() for _ in range(ROLE_SESSIONS)]
            self._events += [(arrival, next(numbers), what) for what in (None, *tokens)]
        heapq.heapify(self._events)

    def run(self) -> Figures:
        """Do what is due, one after another, until the evening."""
        while self._events[0][0] < EVENING:
            now, number, token_status = self._events[0]
            if token_status is None:
                due = self._check(now)
            else:
                due = self._fetch(now, token_status)
                self._note_wait(now, number, token_status)
            heapq.heapreplace(self._events, (due, number, token_status))
        return self.figures

    def _note_wait(self, now: float, number: int, token_status: TokenStatus) -> None:
        """Note how long one waits for the service, from its first refusal to the token."""
        if token_status.problem is not None:
            self._waiting.setdefault(number, now)
        elif (since := self._waiting.pop(number, None)) is not None:
            self.figures.longest_wait = max(self.figures.longest_wait, now - since)

    def _check(self, now: float) -> float:
        """Ask for the roles; return when to ask again."""
        self._service.ask(now)
        return now + CHECK_EVERY * self._rng.uniform(1 - CHECK_JITTER, 1 + CHECK_JITTER)

    def _fetch(self, now: float, token_status: TokenStatus) -> float:
        """Ask for a token; return when its successor is due, or the next try."""
        moment = MIDNIGHT + timedelta(seconds=now)
        problem, before = self._service.ask(now), token_status.token
        if problem is not None:
            token_status.record_failure(problem, moment, self._rng.random())
        else:
            self.figures.refreshes[int(now / MINUTE)] += before is not None
            self.figures.expired += before is not None and before.expires_at <= moment
            token = WebIdentityToken(str(now), {}, moment, moment + TOKEN_LIFETIME, moment)
            token_status.record_token(token, moment, self._rng.random(), always_new=self._spread)
        return (next_refresh(token_status, moment) - MIDNIGHT).total_seconds()


def report(day: Day, figures: Figures) -> bool:
    """Print the figures of a day, and return whether they reach the aim."""
    peak, calls = figures.peak_over_mean(), figures.hub_calls
    steady = [calls[second] for second in range(int(STEADY_FROM), EVENING)]
    print(day.name)
    print(f"  refreshes, peak over mean {peak:17.2f}   target: at most {PEAK_OVER_MEAN}")
    print(f"  tokens that expired {figures.expired:23}   target: 0")
    print(
        f"  calls to the hub in a second, steady {statistics.mean(steady):6.1f} (at most {max(steady)})"
    )
    print(f"  the same, as a share of the hub's core {statistics.mean(steady) * HUB_COST:4.0%}")
    print(
        f"  the busiest second of the day {max(calls.values()):13}   cap: {HUB_REQUESTS_PER_SECOND}"
    )
    print(f"  calls refused or not answered {sum(figures.refused.values()):13}")
    print(f"  the longest wait for a token {figures.longest_wait:16.0f} s", flush=True)
    return peak <= PEAK_OVER_MEAN and not figures.expired


def panel_of(day: Day, figures: Figures, before: Figures) -> Panel:
    """Return what is drawn of a day."""
    away = (day.away[0] / MINUTE, day.away[1] / MINUTE)
    aim = PEAK_OVER_MEAN * figures.steady_mean()
    return day.name, away, figures.refreshes, before.refreshes, aim


def main(users: int, plot: Path | None) -> int:
    """Simulate the days, and draw them into `plot`; return 1 if one does not reach the aim."""
    reached, panels = [], []
    for day in DAYS.values():
        figures = Fleet(day, users, random.Random(1)).run()
        reached.append(report(day, figures))
        if plot is not None:
            before = Fleet(day, users, random.Random(1), spread=False).run()
            panels.append(panel_of(day, figures, before))
    if plot is not None:
        plot.write_text(draw(panels), "utf-8")
    return 0 if all(reached) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=USERS)
    parser.add_argument("--plot", type=Path, help="an SVG file")
    arguments = parser.parse_args()
    sys.exit(main(arguments.users, arguments.plot))
