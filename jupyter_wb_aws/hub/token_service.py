"""What the hub service does for its callers: their roles, a token for one of them, and new keys."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from jupyter_wb_aws.clock import Clock, rfc3339
from jupyter_wb_aws.errors import WbAwsError
from jupyter_wb_aws.hub.async_keys import AsyncKeys
from jupyter_wb_aws.hub.audit import AuditLog
from jupyter_wb_aws.hub.caller import AccessRules, Caller, check_access, check_may_rotate
from jupyter_wb_aws.hub.catalogue import current_catalogue, hub_identity, offered_role
from jupyter_wb_aws.hub.claims import ClaimSettings, make_claims, sign
from jupyter_wb_aws.hub.errors import KeysUnavailable
from jupyter_wb_aws.hub.key_changes import Rotation
from jupyter_wb_aws.hub.names import encoded
from jupyter_wb_aws.hub.rate_limits import CallerLimit
from jupyter_wb_aws.identity.token import Identity
from jupyter_wb_aws.roles.catalogue import Catalogue
from jupyter_wb_aws.roles.catalogue_file import CatalogueFile
from jupyter_wb_aws.roles.role import Role, RoleArn
from jupyter_wb_aws.roles.token_content import USER

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TokenService:
    """The service's own part of a call, once the hub has said who calls.

    Each step is as late as it can be: the audit line of a token is written when the token is signed, and before
    anybody has it.
    """

    settings: ClaimSettings
    rules: AccessRules
    roles_file: CatalogueFile
    keys: AsyncKeys
    audit: AuditLog
    limit: CallerLimit
    clock: Clock

    async def roles_of(self, caller: Caller) -> dict[str, object]:
        """Return who the caller is and what they are offered, as `GET roles` answers.

        Raises:
            NotAUser, NotAServer, ScopeMissing: if this token gives no access.
            NameNotAllowed: if no token can have the user's name.
            RolesUnavailable: if the roles are not known.
        """
        try:
            check_access(caller, self.rules)
            catalogue = await current_catalogue(self.roles_file)
            subject = self.settings.subject_template.replace(USER, encoded(caller.name))
        except WbAwsError as refused:
            await self._note_refusal(caller, refused, None)
            raise
        identity = hub_identity(self.settings.issuer, caller.name, caller.groups)
        roles = catalogue.offered_to(identity)
        return {
            "issuer": self.settings.issuer,
            "user": caller.name,
            "subject": subject,
            "audience": self.settings.audience,
            "token_lifetime": self.settings.token_lifetime,
            "identity": {
                "subject": identity.subject,
                "name": identity.name,
                "groups": list(identity.groups),
                "issuer": identity.issuer,
            },
            "roles": [self._role_json(role) for role in roles],
            "request_url": catalogue.request_url,
            "withheld": _withheld(catalogue, identity, roles),
            "incomplete": catalogue.has_unidentified,
            "key_ids": await self._key_ids(),
        }

    async def issue(self, caller: Caller, role_arn: str) -> dict[str, object]:
        """Return a token for one role, as `POST tokens` answers.

        Args:
            caller: who asks.
            role_arn: the role that it shall be good for.

        Raises:
            InvalidRoleArn: if that is not a role's ARN.
            NotAUser, NotAServer, ScopeMissing: if this token gives no access.
            RoleNotAllowed: if the role is not offered to the caller.
            NameNotAllowed: if AWS does not take the user's name where it is to be.
            TooManyTokens: if the caller asks too often.
            RolesUnavailable, KeysUnavailable, AuditUnavailable, CallOutOfTime: if no token is possible now.
        """
        try:
            check_access(caller, self.rules)
            arn = RoleArn.parse(role_arn)
            self.limit.use(caller.name)
            identity = hub_identity(self.settings.issuer, caller.name, caller.groups)
            role = await offered_role(self.roles_file, self.clock, identity, arn)
            now = self.clock.now()
            claims = make_claims(self.settings, caller.name, caller.groups, role, now)
            key = await self.keys.signing_key()
        except WbAwsError as refused:
            await self._note_refusal(caller, refused, role_arn)
            raise
        token = sign(claims, key)
        await self.audit.token_issued(caller, str(arn), claims, key.kid)
        log.info("A token for %a, role %s (jti %s)", caller.name, arn, claims["jti"])
        return {
            "token": str(token),
            "expires_at": rfc3339(datetime.fromtimestamp(claims["exp"], UTC)),
            "role_arn": str(arn),
            "issuer": self.settings.issuer,
        }

    async def rotate(self, caller: Caller, compromised: str | None) -> Mapping[str, object]:
        """Make a new key, as `POST keys` answers.

        Args:
            caller: who asks.
            compromised: the key that shall no longer be published at once; None for none.

        Raises:
            ScopeMissing: if the caller may not.
            UnknownKey: if there is no such key.
            KeysReadOnly, RotationRefused, StillPublished, KeysUnavailable: if it is not possible, or not now.
        """
        try:
            check_may_rotate(caller)
        except WbAwsError as refused:
            await self._note_refusal(caller, refused, None)
            raise

        async def note(made: Rotation) -> None:
            log.warning("%a has rotated the keys; the next one is %s", caller.name, made.kid)
            await self.audit.keys_rotated(caller, made, compromised)

        made = await self.keys.rotate(compromised, note)
        return {
            "kid": made.kid,
            "signs_from": rfc3339(made.signs_from),
            "was_made": made.was_made,
            "withdrawn": list(made.withdrawn),
        }

    async def key_age(self) -> float:
        """Return how many seconds ago the key that signs now was made; NaN if there is none."""
        try:
            key = await self.keys.signing_key()
        except KeysUnavailable:
            return math.nan
        return (self.clock.now() - key.made_at).total_seconds()

    async def _key_ids(self) -> list[str] | None:
        try:
            return [key["kid"] for key in (await self.keys.public_keys())["keys"]]
        except WbAwsError:  # what a user is offered does not depend on it
            return None

    async def _note_refusal(
        self, caller: Caller, refused: WbAwsError, role_arn: str | None
    ) -> None:
        if refused.status not in {403, 429}:
            return
        log.info("Refused %a, role %.600a: %s", caller.name, role_arn, refused.code)
        await self.audit.refused(caller, refused.code, role_arn)

    def _role_json(self, role: Role) -> dict[str, object]:
        return {
            **role.as_json(),
            "audience": role.token_content.audience or self.settings.audience,
            "extra_environment": dict(role.extra_environment),
            "lease": role.lease,
            "credential_lifetime": role.credential_lifetime,
        }


def _withheld(catalogue: Catalogue, identity: Identity, offered: Iterable[Role]) -> list[str]:
    """Return the roles that the user can't get now, but may not have lost either."""
    others = (catalogue.entries.keys() | catalogue.withheld) - {role.arn for role in offered}
    return sorted(str(arn) for arn in others if catalogue.may_continue(identity, arn))
