"""AWS for code that runs inside the server, which has none of the variables that kernels get.

Everything here may be called in any thread.
"""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

from jupyter_wb_aws.aws.sts import BlockingStsClient, Credentials, StsRequest
from jupyter_wb_aws.errors import TokenSourceFailed
from jupyter_wb_aws.identity.token import WebIdentityToken
from jupyter_wb_aws.role_sessions.choices import Choices
from jupyter_wb_aws.role_sessions.context import Context
from jupyter_wb_aws.role_sessions.registry import Registry
from jupyter_wb_aws.role_sessions.role_session import MAX_NAME_LENGTH, RoleSession

if TYPE_CHECKING:
    from jupyter_wb_aws.aws.refreshing_session import Boto3Session

# AssumeRoleWithWebIdentity's characters for a RoleSessionName. It is so short that some of the user's
# name, which is cut where there is no room, still fits beside the role session's id.
CONSUMER = re.compile(r"[\w+=,.@-]{1,24}", re.ASCII)


class Boto3Sessions:
    """The `boto3.Session` of each consumer and role session, made at first use and kept.

    A consumer is a part of the server that uses AWS; CloudTrail shows its name.

    Args:
        context: what all parts share.
        sessions: the role sessions.
        choices: know the default one.
        sts: AWS STS, which gives the credentials.
    """

    def __init__(
        self, context: Context, sessions: Registry, choices: Choices, sts: BlockingStsClient
    ) -> None:
        self._context = context
        self._sessions = sessions
        self._choices = choices
        self._sts = sts
        self._made: dict[tuple[str, str], tuple[dict[str, str], Boto3Session]] = {}
        self._making = threading.Lock()

    def boto3_session(self, consumer: str, session_id: str | None = None) -> Boto3Session:
        """Return a `boto3.Session` for a role session; None is the default one.

        Raises:
            ValueError: if `consumer` can't be part of a RoleSessionName.
            NoDefaultRoleSession: if there is no default role session.
            RoleSessionNotFound, RoleSessionEnded, RoleSessionNotShared: if the named one can't be used.
        """
        if not CONSUMER.fullmatch(consumer):
            raise ValueError(
                f"{consumer!r} can't stand in AWS's RoleSessionName: 1 to 24 letters, digits and _+=,.@-"
            )
        if session_id is None:
            session = self._choices.default_session()
            session.require_living()
        else:
            session = self._sessions.get_shared(session_id)
        environment = self._context.settings.extra_variables(session.role)
        with self._making:
            self._forget_ended()
            known = self._made.get((session.id, consumer))
            if known is None or known[0] != environment:
                known = environment, self._make(session, consumer, environment)
                self._made[session.id, consumer] = known
        return known[1]

    def _forget_ended(self) -> None:
        living = {session.id for session in self._sessions.living()}
        self._made = {key: made for key, made in self._made.items() if key[0] in living}

    def _make(
        self, session: RoleSession, consumer: str, environment: dict[str, str]
    ) -> Boto3Session:
        # It costs a tenth of a second and 12 MiB, so only servers with such a consumer import it.
        from jupyter_wb_aws.aws.refreshing_session import Boto3Session, RefreshingCredentials

        clock = self._context.clock
        name = consumer_session_name(session, consumer)

        def fetch() -> Credentials:
            if session.delivery == "endpoint":
                return self._context.endpoint.credentials(session)
            token = self._token_of(session)
            request = StsRequest(session.role.arn, session.region, name, token, environment)
            return self._sts.credentials(request)

        def check() -> None:
            session.require_living()
            session.last_used = clock.now()

        credentials = RefreshingCredentials(fetch, check, session.credential_lifetime, clock.now)
        return Boto3Session(credentials, environment, session.region)

    def _token_of(self, session: RoleSession) -> WebIdentityToken:
        """Read the token file: the same token as the kernels have, at the same time."""
        now = self._context.clock.now()
        try:
            token = WebIdentityToken.parse(session.token_file.read_text("ascii"), now)
        except (OSError, UnicodeDecodeError):
            session.require_living()
            raise TokenSourceFailed("The role session's token file is not there.") from None
        if token.expires_at <= now:
            raise self._sessions.why_no_token(session, token)
        return token


def consumer_session_name(session: RoleSession, consumer: str) -> str:
    """Return the RoleSessionName of a consumer: the role session's own, followed by the consumer's name.

    If that is too long, the user's part is cut, so that the id is always whole.
    """
    name = f"{session.session_name}-{consumer}"
    if len(name) <= MAX_NAME_LENGTH:
        return name
    tail = f"-{session.id}-{consumer}"
    user = session.session_name.replace(session.id, "").strip("-")
    return f"{user[: MAX_NAME_LENGTH - len(tail)]}{tail}"
