"""What a fleet of 10,000 users asks of the hub service, and it of the hub, over a day: a simulation.

Each user has two role sessions with tokens of one hour. Their server asks every five minutes whether the
user still has the roles. The extension's own code decides when it asks, and how long it waits after a failure;
the limits are the service's. Only the clock, the network and the hub are simulated: a call costs the hub 2.8 ms
of its one core, as measured for a token that it has not seen for 30 s.

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

from jupyter_wb_aws.errors import TokenSourceFailed, WbAwsError
from jupyter_wb_aws.hub.app import HubServiceApp
from jupyter_wb_aws.hub.deadline import TURN_SECONDS
from jupyter_wb_aws.hub.rate_limits import RETRY_AFTER
from jupyter_wb_aws.identity.jupyterhub_source import JupyterHubTokenSource
from jupyter_wb_aws.identity.token import WebIdentityToken
from jupyter_wb_aws.identity.token_cache import TokenStatus
from jupyter_wb_aws.role_sessions.schedule import next_refresh
from jupyter_wb_aws.roles.service_catalogue import pause_before_next

MIDNIGHT = datetime(2026, 11, 24, tzinfo=UTC)
# Times are seconds since midnight.
MINUTE, HOUR = 60, 3600
NINE, EVENING = 9 * HOUR, 17 * HOUR
USERS = 10_000
ROLE_SESSIONS = 2
# Seconds.
TOKEN_LIFETIME = HubServiceApp.token_lifetime.default_value
CHECK_EVERY = JupyterHubTokenSource.check_every.default_value
HUB_REQUESTS_PER_SECOND = HubServiceApp.hub_requests_per_second.default_value
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
    """Answers while it is not away, as far as its cap lets it ask the hub (`HubCap` in hub/rate_limits.py).

    The hub answers one question after another.

    Args:
        day: when the service is away.
        share: of the whole fleet, this many users are simulated; cap and hub shrink with them.
        figures: counts the calls.
        rng: spreads the callers that are refused.
    """

    def __init__(self, day: Day, share: float, figures: Figures, rng: random.Random) -> None:
        self._day = day
        self._cost = HUB_COST / share
        self._figures = figures
        self._rng = rng
        # When each turn to ask the hub is free again, and when the hub is.
        self._turns = [0.0] * int(HUB_REQUESTS_PER_SECOND * share)
        self._hub_free = 0.0

    def ask(self, now: float) -> float:
        """Return when the answer is there.

        Raises:
            TokenSourceFailed: what the caller's token source makes of a refusal.
        """
        if self._day.away[0] <= now < self._day.away[1]:
            self._figures.refused[int(now / MINUTE)] += 1
            raise TokenSourceFailed("The hub service does not answer.")
        begin = max(now, self._turns[0])
        if begin - now > TURN_SECONDS:
            self._figures.refused[int(now / MINUTE)] += 1
            retry_after = self._rng.randint(*RETRY_AFTER)
            raise TokenSourceFailed("The hub service is busy.", retry_after=retry_after)
        self._figures.hub_calls[int(begin)] += 1
        answered = self._hub_free = max(begin, self._hub_free) + self._cost
        heapq.heapreplace(self._turns, answered + 1)
        return answered


@dataclass
class RolesCheck:
    """How a server's question for its user's roles goes."""

    failures: int = 0
    first: bool = True


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
        self._service = Service(day, users / USERS, self.figures, rng)
        self._rng = rng
        self._spread = spread
        self._waiting: dict[int, float] = {}
        numbers = itertools.count()
        self._events: list[tuple[float, int, TokenStatus | RolesCheck]] = []
        for _ in range(users):
            arrival = rng.gauss(day.arrival, day.deviation)
            tokens = [TokenStatus() for _ in range(ROLE_SESSIONS)]
            self._events += [(arrival, next(numbers), what) for what in (RolesCheck(), *tokens)]
        heapq.heapify(self._events)

    def run(self) -> Figures:
        """Do what is due, one after another, until the evening."""
        while self._events[0][0] < EVENING:
            now, number, what = self._events[0]
            if isinstance(what, RolesCheck):
                due = self._check(now, what)
            else:
                due = self._fetch(now, what)
                self._note_wait(now, number, what)
            heapq.heapreplace(self._events, (due, number, what))
        return self.figures

    def _note_wait(self, now: float, number: int, token_status: TokenStatus) -> None:
        """Note how long one waits for the service, from its first refusal to the token."""
        if token_status.problem is not None:
            self._waiting.setdefault(number, now)
        elif (since := self._waiting.pop(number, None)) is not None:
            self.figures.longest_wait = max(self.figures.longest_wait, now - since)

    def _check(self, now: float, check: RolesCheck) -> float:
        """Ask for the roles; return when to ask again."""
        together, retry_after = check.first or check.failures > 0, None
        check.first = False
        try:
            now = self._service.ask(now)
            check.failures = 0
        except WbAwsError as problem:
            check.failures += 1
            retry_after = problem.retry_after
        return now + pause_before_next(
            CHECK_EVERY, self._rng, failures=check.failures, retry_after=retry_after,
            together=together and self._spread,
        )  # fmt: skip

    def _fetch(self, now: float, token_status: TokenStatus) -> float:
        """Ask for a token; return when its successor is due, or the next try."""
        before = token_status.token
        try:
            now = self._service.ask(now)
        except WbAwsError as problem:
            moment = MIDNIGHT + timedelta(seconds=now)
            token_status.record_failure(problem, moment, self._rng.random())
        else:
            moment = MIDNIGHT + timedelta(seconds=now)
            self.figures.refreshes[int(now / MINUTE)] += before is not None
            self.figures.expired += before is not None and before.expires_at <= moment
            expires_at = moment + timedelta(seconds=TOKEN_LIFETIME)
            token = WebIdentityToken(str(now), {}, moment, expires_at, moment)
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
