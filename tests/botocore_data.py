"""What the installed botocore knows: the oldest one that we support knows fewer partitions and regions."""

import botocore.session
from botocore.exceptions import UnknownRegionError

PARTITIONS = botocore.session.Session().get_available_partitions()


def knows(region: str) -> bool:
    """Say whether a region is of one of its partitions."""
    try:
        botocore.session.Session().get_partition_for_region(region)
    except UnknownRegionError:
        return False
    return True
