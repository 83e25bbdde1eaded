"""Marks for values of parametrised tests."""

import pytest


def long(*values):
    """Return values that only `make test-all` uses: others show the same in a `make test`."""
    return [pytest.param(value, marks=pytest.mark.long) for value in values]
