"""Restores the last run's role sessions from their records; each value is checked as if a client had sent it."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

from jupyter_wb_aws.aws.sts import CallerIdentity
from jupyter_wb_aws.errors import InvalidRoleArn
from jupyter_wb_aws.identity.token import Identity
from jupyter_wb_aws.role_sessions.owner_process import Process
from jupyter_wb_aws.role_sessions.role_session import RoleSession
from jupyter_wb_aws.role_sessions.store import Record
from jupyter_wb_aws.roles.catalogue import Catalogue
from jupyter_wb_aws.roles.delivery import Delivery
from jupyter_wb_aws.roles.role import REGION_LABEL, Role, RoleArn

log = logging.getLogger(__name__)

SESSION_ID = re.compile(r"[0-9a-f]{16}")
# AssumeRoleWithWebIdentity, RoleSessionName.
SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
# STS gives at most 12 hours; some stores with an STS of their own give a week.
MAX_LIFETIME = timedelta(days=31)
MAX_TEXT_LENGTH = 2048


def restored_sessions(
    records: Iterable[Record],
    catalogue: Catalogue | None,
    token_file: Callable[[str], Path],
    now: datetime,
) -> list[RoleSession]:
    """Return the role sessions of the last run; an invalid record is left out.

    Args:
        records: what the last run kept.
        catalogue: says how each role is described today; None if it can't be read.
        token_file: returns the path of a role session's token file, by its id.
        now: the time; the clock may have been set back since.
    """
    sessions: dict[str, RoleSession] = {}
    for record in records:
        try:
            session = _session(record, catalogue, token_file, now)
            if session.id in sessions:
                raise ValueError("id")
        except (InvalidRoleArn, ValueError, TypeError, KeyError, AttributeError, OverflowError):
            log.warning("A role session of the last run is lost: its record is invalid")
        else:
            sessions[session.id] = session
    return list(sessions.values())


def _session(
    record: Record, catalogue: Catalogue | None, token_file: Callable[[str], Path], now: datetime
) -> RoleSession:
    if not SESSION_ID.fullmatch(record.id):
        raise ValueError("id")  # it becomes a part of a file's name
    arn = RoleArn.parse(record.role_arn)
    described = catalogue.find_role(arn) if catalogue else None
    if record.region is not None and not REGION_LABEL.fullmatch(record.region):
        raise ValueError("region")
    if not SESSION_NAME.fullmatch(record.session_name):
        raise ValueError("session_name")
    owner = Identity(_text(record.issuer), _text(record.subject), record.subject, (), {})
    caller = {name: _text(record.caller[name]) for name in ("UserId", "Account", "Arn")}
    if type(record.shared) is not bool:
        raise TypeError("shared")
    return RoleSession(
        id=record.id,
        role=described or Role(arn, arn.name, region=record.region),
        region=record.region,
        session_name=record.session_name,
        owner=owner,
        caller=CallerIdentity(caller["UserId"], caller["Account"], caller["Arn"]),
        token_file=token_file(record.id),
        started_at=min(_moment(record.started_at), now),
        credential_lifetime=_lifetime(record.credential_lifetime),
        shared=record.shared,
        process=_process(record),
        delivery=_delivery(record.delivery),
    )


def _delivery(value: object) -> Delivery:
    if value not in ("web_identity", "endpoint"):
        raise ValueError("delivery")
    return value


def _text(value: object) -> str:
    """Accept a text that a token or STS can hold, and that a log and an answer can show."""
    if not isinstance(value, str):
        raise TypeError("text")
    if len(value) > MAX_TEXT_LENGTH:
        raise ValueError("text")
    value.encode()  # raises a ValueError for half a surrogate pair
    return value


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("started_at")
    return moment.astimezone(UTC)


def _lifetime(seconds: object) -> timedelta:
    if type(seconds) not in (int, float):
        raise TypeError("credential_lifetime")
    lifetime = timedelta(seconds=cast("float", seconds))
    if not timedelta() < lifetime <= MAX_LIFETIME:
        raise ValueError("credential_lifetime")
    return lifetime


def _process(record: Record) -> Process | None:
    if record.process is None:
        return None
    process = Process(**record.process)
    if type(process.pid) is not int or process.pid <= 0:
        raise TypeError("pid")
    _text(process.started)
    return process
