"""The calls to AWS STS for a role session, made as a process of that role session would make them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from jupyter_wb_aws.aws.credential_options import CredentialOptions
from jupyter_wb_aws.aws.sts import AssumedRole, CallerIdentity, StsRequest
from jupyter_wb_aws.aws.sts_subprocess import AsyncStsClient
from jupyter_wb_aws.errors import StartTimeout, StsTimeout
from jupyter_wb_aws.identity.token import WebIdentityToken
from jupyter_wb_aws.role_sessions.role_session import RoleSession

T = TypeVar("T")

# Returns the environment of a call: the whole one that a process started with the role session would get.
StsEnvironment = Callable[[RoleSession], Awaitable[Mapping[str, str]]]

ENVIRONMENT_TOO_LATE = (
    "The environment of the role's processes was not ready in time, because a disk is slow."
)


class RoleSessionSts:
    """Asks STS with a process's own environment: the same proxies, endpoints and CA bundles.

    Args:
        sts: AWS STS.
        environment: returns the environment of a process of a role session.
        start_timeout: how long a start may take, in seconds; for the message of a timeout.
    """

    def __init__(
        self, sts: AsyncStsClient, environment: StsEnvironment, start_timeout: float
    ) -> None:
        self._sts = sts
        self._environment = environment
        self._start_timeout = start_timeout

    async def assume(
        self,
        session: RoleSession,
        token: WebIdentityToken,
        deadline: float,
        options: CredentialOptions | None = None,
    ) -> AssumedRole:
        """Have STS say whether the token's user may have the role; the endpoint gets the credentials, too.

        Args:
            session: the role session, which need not have started yet.
            token: the user's.
            deadline: when to give up, in the event loop's time.
            options: lifetime, policies and the like of the credentials; None for the role session's own.

        Raises:
            StartTimeout: if the environment of a process was not ready by the deadline.
            StsTimeout: if STS did not answer by then.
            WbAwsError: what STS says.
        """
        request = await self._request(session, token, deadline)
        if options is not None:
            request = replace(request, options=options)
        return await self._answer(self._sts.assume(request), deadline)

    async def verify(
        self, session: RoleSession, token: WebIdentityToken, deadline: float
    ) -> CallerIdentity:
        """Ask STS for the caller identity now.

        Args:
            session: the role session.
            token: its owner's.
            deadline: when to give up, in the event loop's time.

        Raises:
            StartTimeout: if the environment of a process was not ready by the deadline.
            StsTimeout: if STS did not answer by then.
            WbAwsError: what STS says.
        """
        request = await self._request(session, token, deadline)
        return await self._answer(self._sts.verify(request), deadline)

    async def _request(
        self, session: RoleSession, token: WebIdentityToken, deadline: float
    ) -> StsRequest:
        try:
            async with asyncio.timeout_at(deadline):
                environment = await self._environment(session)
        except TimeoutError:
            raise StartTimeout(ENVIRONMENT_TOO_LATE) from None
        name = session.session_name
        return StsRequest(
            session.role.arn, session.region, name, token, environment, deadline,
            session.credential_options, wants_credentials=session.delivery == "endpoint",
        )  # fmt: skip

    async def _answer(self, asking: Awaitable[T], deadline: float) -> T:
        try:
            async with asyncio.timeout_at(deadline):
                return await asking
        except TimeoutError:
            sentence = f"AWS STS did not answer within {self._start_timeout:g} s."
            raise StsTimeout(sentence) from None


def known_answer(sessions: Iterable[RoleSession], name: str, now: datetime) -> AssumedRole | None:
    """Return what STS would answer for another role session, if it has let this user into this role already.

    A command under `jupyter wb-aws exec` should not wait for STS to repeat what it said of an `active` role session
    of the same role, region and user: the two differ by the RoleSessionName alone, which is at the end of the caller
    identity. STS's answer counts for as long as the credentials that came with it. If the trust policy has changed
    since, the command's own first call is refused, and says so. STS is always asked for a shared role session, so
    that only those have an answer of their own to go by.

    Args:
        sessions: active ones of the same role, region and user.
        name: the RoleSessionName of the other one.
        now: the time.
    """
    for session in sessions:
        if not session.shared or now - session.started_at >= session.credential_lifetime:
            continue
        if (caller := renamed(session.caller, session.session_name, name)) is not None:
            return AssumedRole(caller, now + session.credential_lifetime)
    return None


def renamed(caller: CallerIdentity, old: str, new: str) -> CallerIdentity | None:
    """Put another RoleSessionName into a caller identity; None if the old one is not in it.

    Source: AssumeRoleWithWebIdentity, `AssumedRoleUser`: ``AROA…:name`` and ``…assumed-role/role/name``.
    An S3-compatible store may write something else.

    Args:
        caller: the caller identity.
        old: the RoleSessionName that it has.
        new: the one to have instead.
    """
    user_id, arn = caller.user_id.removesuffix(f":{old}"), caller.arn.removesuffix(f"/{old}")
    if user_id == caller.user_id or arn == caller.arn:
        return None
    return replace(caller, user_id=f"{user_id}:{new}", arn=f"{arn}/{new}")
