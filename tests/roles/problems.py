"""What is wrong with a roles file: as a whole, or with the one entry that is bad."""

from jupyter_wb_aws.roles.parsing import BrokenCatalogue, parse
from tests.conftest import NOON


def problem_of(text):
    try:
        (problem,) = parse(text, NOON).problems
    except BrokenCatalogue as broken:
        return broken
    return problem
