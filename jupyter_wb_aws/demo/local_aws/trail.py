"""The trail: one line for each decision about a genuine token, as CloudTrail would have one.

The lines are JSON, on the logger `jupyter_wb_aws.demo.local_aws.trail`. A token's `jti` is in them,
so that a line can be matched with the issuer's own audit; the token is not.
"""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jupyter_wb_aws.demo.local_aws.answers import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_wb_aws.demo.local_aws.web_identity import WebIdentity

_log = logging.getLogger(__name__)


@contextmanager
def recorded(role_arn: str, session_name: str, identity: WebIdentity) -> Iterator[None]:
    """Write a line about the decision that is made in the `with` block.

    Args:
        role_arn: the role that was asked for.
        session_name: the `RoleSessionName`.
        identity: the contents of the token.
    """
    code = None
    try:
        yield
    except AwsError as error:
        code = error.code
        raise
    finally:
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "role_arn": role_arn,
            "role_session_name": session_name,
            "issuer": identity.issuer,
            "subject": identity.subject,
            "jti": identity.token_id,
            "role_authorized_by_idp": identity.roles is not None,
            "source_identity": identity.source_identity,
            "tags": dict(identity.tags.values),
            "error": code,
        }
        _log.info("%s", json.dumps(line))
