"""The problem of a roles file: of the whole file, or of its one bad entry."""

from jupyter_wb_aws.roles.catalogue_parser import InvalidCatalogue, parse
from tests.conftest import NOON


def problem_of(text):
    try:
        (problem,) = parse(text, NOON).problems
    except InvalidCatalogue as broken:
        return broken
    return problem
