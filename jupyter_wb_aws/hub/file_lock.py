"""A lock on a file (flock), with a deadline: the process that holds it may be stopped, and hold it for ever."""

from __future__ import annotations

import fcntl
import time

# Seconds between two tries. The first are quick: most holders write one line, or one key.
FIRST_PAUSE = 0.001
LONGEST_PAUSE = 0.05


def lock_until(descriptor: int, give_up_at: float) -> bool:
    """Take the lock, and return whether it is taken. Closing the descriptor releases it.

    Args:
        descriptor: the open file.
        give_up_at: until when to try (of `time.monotonic`); there is one try at least.

    Raises:
        OSError: if the file system has no locks.
    """
    pause = FIRST_PAUSE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= give_up_at:
                return False
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        else:
            return True
