"""What is wrong with a roles file: as a whole, or with the one entry that is bad."""

from jupyter_wb_aws.roles.catalogue_parser import InvalidCatalogue, parse
from tests.conftest import NOON


def problem_of(text):
    try:
        (problem,) = parse(text, NOON).problems
    except InvalidCatalogue as broken:
        return broken
    return problem
