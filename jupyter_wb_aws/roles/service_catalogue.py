"""The role catalogue of a token source that says itself who the user is, and which roles they have.

1. A start asks now; so does a user who looks at the list, unless it is seconds old. Requests at the same time
   share one question.
2. While there are role sessions, the source is asked every `check_every` seconds, up to a fifth earlier or later;
   the first time at a random part of it, so that servers that started together don't ask together.
3. A source that gives no answer takes no role away: the last good answer stays in force, and it is asked again
   after a back-off of up to `check_every`, however long a pause it asks for.
4. A definite refusal is an answer: the user has no role.
"""

from __future__ import annotations

import asyncio
import logging
import random
from datetime import datetime, timedelta

from jupyter_wb_aws.clock import Clock
from jupyter_wb_aws.errors import CatalogueUnavailable, RoleNotAllowed, WbAwsError
from jupyter_wb_aws.identity.source import FETCH_TIMEOUT, IdentityAndRoles, TokenSource
from jupyter_wb_aws.identity.token import Identity
from jupyter_wb_aws.roles.catalogue import Catalogue
from jupyter_wb_aws.roles.catalogue_file import describe_bad_entry
from jupyter_wb_aws.roles.catalogue_parser import parse_offered
from jupyter_wb_aws.roles.entry_parser import InvalidCatalogue
from jupyter_wb_aws.tasks import Tasks

log = logging.getLogger(__name__)

SPREAD = 0.2
# Seconds. The first pause after a failure. They grow to `check_every`: after an outage, tokens come first.
MIN_PAUSE = 1.0
# A page asks several times as it opens.
FRESH = timedelta(seconds=5)


class ServiceCatalogue:
    """The roles that a token source offers to this server's user.

    Args:
        source: knows the user and the roles.
        clock: dates the answers.
        rng: spreads the questions.
    """

    disk_setting: str | None = None
    what = "hub service's list of roles"
    problem: InvalidCatalogue | None = None
    unsafe_permissions: str | None = None

    def __init__(self, source: TokenSource, clock: Clock, rng: random.Random) -> None:
        self.failure: WbAwsError | None = None
        self._source = source
        self._clock = clock
        self._rng = rng
        self._good: Catalogue | None = None
        self._user: Identity | None = None
        self._tasks = Tasks()
        self._asked_at: datetime | None = None
        self._due: datetime | None = None
        self._failures = 0
        self._confirmed = False

    @property
    def where(self) -> str:
        """The source's URL, or its name."""
        return str(getattr(self._source, "where", type(self._source).__name__))

    @property
    def last_good(self) -> Catalogue | None:
        """The catalogue in force; None if the source has never answered."""
        return self._good

    @property
    def user(self) -> Identity | None:
        """The user whom the last answer named."""
        return self._user

    async def current(self) -> Catalogue:
        """Ask the source now; return the last good answer if it gives none.

        Raises:
            RoleNotAllowed: if the user may have no role at all.
            WbAwsError: if the source has never given an answer.
        """
        await self._tasks.once("ask", self._ask, "ask for the roles")
        return self._answer()

    async def ask_user(self) -> Identity | None:
        """Return the user whom the source names; an answer of the last seconds will do.

        Raises:
            RoleNotAllowed: if the user may have no role at all.
            WbAwsError: if the source has never given an answer.
        """
        if self._asked_at is None or self._clock.now() - self._asked_at > FRESH:
            await self.current()
        self._answer()
        return self._user

    async def look(self) -> Catalogue:
        """Return the last answer, or ask again if that is due.

        Raises:
            WbAwsError: see `current`.
        """
        now = self._clock.now()
        if self._due is None or self._good is None or now >= self._due:
            return await self.current()
        return self._answer()

    def next_look(self, now: datetime) -> datetime | None:
        """Return when the source is to be asked again."""
        return now if self._due is None else self._due

    async def close(self) -> None:
        """Cancel a question that is under way."""
        await self._tasks.cancel()

    def modified_within(self, seconds: float) -> bool:  # noqa: ARG002
        """Return whether only one answer says what is in force: the service may be reading half a file."""
        return not self._confirmed

    def _answer(self) -> Catalogue:
        if isinstance(self.failure, RoleNotAllowed) or self._good is None:
            raise self.failure or CatalogueUnavailable
        return self._good

    async def _ask(self) -> None:
        # After a failure, too, many servers ask together.
        together = self._due is None or self._failures > 0
        try:
            async with asyncio.timeout(FETCH_TIMEOUT):
                self._take(await self._source.identity_and_roles())
        except RoleNotAllowed as refused:
            self._failures = 0
            self._report(refused)
            self._set(Catalogue({}, refused.request_url, self._clock.now()), self._user)
        except WbAwsError as problem:
            self._report(problem)
            self._failures += 1
        except Exception as error:  # a third party's source may raise anything
            log.debug("The token source failed", exc_info=True)
            self._report(
                CatalogueUnavailable(f"The token source failed with {type(error).__name__}.")
            )
            self._failures += 1
        finally:
            self._asked_at = self._clock.now()
            self._due = self._asked_at + timedelta(seconds=self._pause(together=together))

    def _pause(self, *, together: bool) -> float:
        asked = self.failure.retry_after if self._failures and self.failure else None
        return pause_before_next(
            self._source.check_every,
            self._rng,
            failures=self._failures,
            retry_after=asked,
            together=together,
        )

    def _take(self, answer: IdentityAndRoles | None) -> None:
        if answer is None:
            raise CatalogueUnavailable(
                f"{type(self._source).__name__} knows no roles although it has `knows_roles`."
            )
        now = self._clock.now()
        catalogue = parse_offered(answer, now, self._good)
        for bad in catalogue.problems:
            if self._good is None or bad not in self._good.problems:
                log.error("The %s at %s, %s", self.what, self.where, describe_bad_entry(bad))
        self.failure, self._failures = None, 0
        self._set(catalogue, answer.identity)

    def _set(self, catalogue: Catalogue, user: Identity | None) -> None:
        """Keep the one in force if nothing has changed: what was judged by it stays judged."""
        before = self._good
        self._confirmed = (
            before is not None and user == self._user and _content(before) == _content(catalogue)
        )
        self._user = user
        if not self._confirmed:
            self._good = catalogue

    def _report(self, problem: WbAwsError) -> None:
        if self.failure is None or self.failure.detail != problem.detail:
            log.warning("The %s: %s", self.what, problem.detail)
        self.failure = problem


def pause_before_next(
    every: float,
    rng: random.Random,
    *,
    failures: int = 0,
    retry_after: int | None = None,
    together: bool = False,
) -> float:
    """Return how many seconds after a question the next one is due.

    Args:
        every: the seconds between two of them.
        rng: spreads them.
        failures: how many questions in a row had no answer.
        retry_after: the seconds that the last failure names.
        together: whether many servers may have asked at this moment.
    """
    if failures:
        ceiling = min(every, MIN_PAUSE * (1 << min(failures, 10)))
        pause = ceiling * (1 - 0.5 * rng.random())
        return max(MIN_PAUSE, pause, min(retry_after or 0, every))
    if together:
        return every * rng.random()
    return every * (1 + SPREAD * (2 * rng.random() - 1))


def _content(catalogue: Catalogue) -> tuple[object, ...]:
    return (
        list(catalogue.entries.items()),
        catalogue.request_url,
        catalogue.problems,
        catalogue.withheld,
        catalogue.has_unidentified,
    )
