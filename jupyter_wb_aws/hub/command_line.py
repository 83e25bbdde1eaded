"""How a command begins and ends: misspelt options are refused, and a reader of its output may leave early."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator

from traitlets import TraitError
from traitlets.config.loader import KVArgParseConfigLoader


class StrictLoader(KVArgParseConfigLoader):
    """traitlets' own only warns of options that it does not know, and another command would run without them."""

    def _handle_unrecognized_alias(self, arg: str) -> None:
        raise TraitError(f"There is no option --{arg}. --help lists them all.")


@contextlib.contextmanager
def quiet_when_nobody_reads() -> Iterator[None]:
    """End as other commands do when `| head` has read enough: at once, and without a traceback.

    Raises:
        SystemExit: with the status that a shell reports for them.
    """
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Python writes what is left when it ends, and would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
