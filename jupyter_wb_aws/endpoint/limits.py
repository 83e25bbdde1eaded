"""How much of the endpoint one client may use. Times are in seconds, by the event loop's clock."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

# More clients than a server has; a forgotten one begins again with its whole burst.
CLIENTS_REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """The endpoint's limits.

    Args:
        connections: open at once. Together with what Jupyter itself opens, this has to stay under the limit of 1,024
            files that many systems set for a process.
        per_client: requests of one endpoint token that are being answered at once.
        seconds: from the connection to the answer. SDKs give up after 2 s (botocore) or earlier.
        rate: answers a second for one endpoint token: half of what a core can give, so that others have the other half.
            With `lease = 660`, boto3 asks at every call, so a client with many threads asks hundreds of times a second.
        burst: answers at once before the rate applies.
    """

    connections: int = 256
    per_client: int = 100
    seconds: float = 5
    rate: float = 4000
    burst: int = 400


class Pace:
    """Spreads the requests of one client over time: one that asks too fast waits, so that it asks more slowly.

    A refusal would cost it seconds, because SDKs wait 1 s before they try again (botocore's `ContainerMetadataFetcher`).
    This is the "virtual scheduling" form of the generic cell rate algorithm (ITU-T I.371).

    Args:
        limits: those of the endpoint.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._due: OrderedDict[Hashable, float] = OrderedDict()
        self._answering: Counter[Hashable] = Counter()

    def begin(self, client: Hashable, now: float) -> float | None:
        """Count a request.

        Args:
            client: whose request it is.
            now: the time in seconds.

        Returns:
            how many seconds its answer has to wait, or None if the client has too many unanswered requests. Call `end`
            after the answer, unless it is None.
        """
        if self._answering[client] >= self._limits.per_client:
            return None
        self._answering[client] += 1
        due = max(self._due.pop(client, now), now)
        self._due[client] = due + 1 / self._limits.rate
        if len(self._due) > CLIENTS_REMEMBERED:
            self._due.popitem(last=False)
        return max(0, due - now - self._limits.burst / self._limits.rate)

    def end(self, client: Hashable) -> None:
        """Count an answer."""
        self._answering[client] -= 1
        if self._answering[client] <= 0:
            del self._answering[client]
