"""What role sessions need of the credential endpoint, which stands above them; see `jupyter_wb_aws/endpoint/`."""

from __future__ import annotations

from typing import Protocol

from jupyter_wb_aws.aws.sts import Credentials
from jupyter_wb_aws.errors import EndpointUnavailable
from jupyter_wb_aws.role_sessions.role_session import RoleSession


class EndpointDelivery(Protocol):
    """Delivers role sessions by the credential endpoint. Called in the server's event loop."""

    async def open(self, session: RoleSession, credentials: Credentials | None, /) -> None:
        """Let the endpoint answer for a role session, and set its `access`.

        Args:
            session: the role session, which may not be known to the registry yet.
            credentials: those of its start; None for one of the last run, whose credentials are fetched.

        Raises:
            WbAwsError: if the endpoint can't be started, or the token file can't be written.
        """

    def abandon(self, session: RoleSession, /) -> None:
        """Undo `open` for a role session that does not start after all: nothing of it stays."""

    async def refresh(self, session: RoleSession, /) -> None:
        """Fetch new credentials now, even if STS has refused before.

        Raises:
            WbAwsError: what STS says; the credentials that there are stay in force until they expire.
        """

    def credentials(self, session: RoleSession, /) -> Credentials:
        """Return a role session's current credentials to code in this server. Blocking; called in any thread.

        Raises:
            RoleSessionEnded: if it has ended.
            WbAwsError: why there are none.
        """

    def look(self) -> None:
        """Notice that a token has changed, or that a role session has ended; start the endpoint again if it is down."""


class NoEndpoint:
    """Where there is no endpoint; `open` and `refresh` say so."""

    async def open(self, _session: RoleSession, _credentials: Credentials | None) -> None:
        """Refuse.

        Raises:
            EndpointUnavailable: always.
        """
        raise EndpointUnavailable

    def abandon(self, _session: RoleSession) -> None:
        """Do nothing."""

    async def refresh(self, _session: RoleSession) -> None:
        """Refuse.

        Raises:
            EndpointUnavailable: always.
        """
        raise EndpointUnavailable

    def credentials(self, _session: RoleSession) -> Credentials:
        """Refuse.

        Raises:
            EndpointUnavailable: always.
        """
        raise EndpointUnavailable

    def look(self) -> None:
        """Do nothing."""
