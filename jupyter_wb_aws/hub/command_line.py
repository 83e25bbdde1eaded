"""A command line whose misspelt options are refused: without its option, another command would run."""

from __future__ import annotations

from traitlets import TraitError
from traitlets.config.loader import KVArgParseConfigLoader


class StrictLoader(KVArgParseConfigLoader):
    """traitlets' own only warns of options that it does not know."""

    def _handle_unrecognized_alias(self, arg: str) -> None:
        raise TraitError(f"There is no option --{arg}. --help lists them all.")
