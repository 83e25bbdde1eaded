"""Long work in a thread that leaves the event loop its turns.

Python runs one thread at a time, and takes the turn from one that does not give it away only after 5 ms
(`sys.getswitchinterval`). A request needs several turns, so it would wait 20 ms and more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

# Seconds of work, and of the pause after it: long enough for another thread to wake up.
WORK, PAUSE = 0.001, 0.0003


def paced(items: Iterable[T], pause: Callable[[float], None] = time.sleep) -> Iterator[T]:
    """Yield the items, with a pause after each millisecond of work on them. Not for the event loop's own thread.

    Args:
        items: the work.
        pause: waits for some seconds.
    """
    began = time.perf_counter()
    for item in items:
        yield item
        if time.perf_counter() - began > WORK:
            pause(PAUSE)
            began = time.perf_counter()
