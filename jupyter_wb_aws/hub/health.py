"""The health of one process of the service: the hub, the keys, the roles file, the audit log."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from jupyter_wb_aws.errors import CatalogueUnavailable, WbAwsError
from jupyter_wb_aws.hub.async_keys import AsyncKeys
from jupyter_wb_aws.hub.audit import AuditLog
from jupyter_wb_aws.hub.errors import AuditUnavailable, HubBusy, HubUnavailable, KeysUnavailable
from jupyter_wb_aws.hub.hub_client import HubClient
from jupyter_wb_aws.roles.catalogue import BadEntry
from jupyter_wb_aws.roles.catalogue_file import CatalogueFile

# Seconds for which the hub's answer is kept: anybody may ask for the health.
HUB_KEPT = 5.0
# Anybody may ask, so no file and no owner is named.
_OF_THE_KEYS = {
    "key_file_refused": "Files in the folder with the keys that are not used: {}. The log says why.",
    "keys_dir_refused": "The folder with the keys is not used. The log says why.",
    "keys_dir_not_written": "The folder with the keys can't be changed. The log says why.",
}
# The codes of what the keys and the hub's client have logged themselves.
LOGGED = frozenset({*_OF_THE_KEYS, HubUnavailable.code})


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong. Where it `stops_tokens`, the service gives nobody a token until it is corrected."""

    code: str
    detail: str
    stops_tokens: bool


@dataclass(slots=True)
class Health:
    """Looks at the parts of the service."""

    hub: HubClient
    keys: AsyncKeys
    roles_file: CatalogueFile
    audit: AuditLog
    _hub_problem: Problem | None = None
    _asked_at: float | None = None
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def problems(self) -> list[Problem]:
        """Return what is wrong now."""
        found = [*await self._of_the_keys(), *await self._of_the_roles()]
        if (hub := await self._of_the_hub()) is not None:
            found.append(hub)
        return [*found, *await self._of_the_audit_log()]

    async def _of_the_audit_log(self) -> list[Problem]:
        why = await self.audit.check()
        if why is None:
            try:
                if not await self.audit.others_may_use_it():
                    return []
            except OSError as error:
                why = error.strerror
            else:
                detail = "The audit log can be read or written by other users of this machine; mode 0600 is right."
                return [Problem("audit_permissions", detail, stops_tokens=False)]
        detail = f"The audit log can't be written: {why}."
        return [Problem(AuditUnavailable.code, detail, stops_tokens=True)]

    async def _of_the_hub(self) -> Problem | None:
        loop = asyncio.get_running_loop()
        async with self._asking:
            if self._asked_at is None or loop.time() - self._asked_at > HUB_KEPT:
                try:
                    await self.hub.check()
                except HubBusy:  # what is known of it stays
                    pass
                except WbAwsError as problem:
                    self._hub_problem = Problem(problem.code, problem.detail, stops_tokens=True)
                else:
                    self._hub_problem = None
                self._asked_at = loop.time()
            return self._hub_problem

    async def _of_the_keys(self) -> list[Problem]:
        problems = await self.keys.problems()
        files, details = Counter[str](), {}
        for found in problems:
            files[found.code] += found.files
            details[found.code] = _OF_THE_KEYS.get(found.code, found.detail)
        return [
            Problem(code, detail.format(files[code]), stops_tokens=code == KeysUnavailable.code)
            for code, detail in details.items()
        ]

    async def _of_the_roles(self) -> list[Problem]:
        try:
            catalogue = await self.roles_file.current()
        except CatalogueUnavailable as problem:
            return [Problem("roles_unavailable", problem.detail, stops_tokens=True)]
        found = [
            Problem(
                "roles_entry", f"{_where(bad)} can't be used; the log says why.", stops_tokens=False
            )
            for bad in catalogue.problems
        ]
        if self.roles_file.problem is not None:
            detail = "The roles file is broken; its last good version stays in force. The log says what is wrong."
            found.append(Problem("roles_file", detail, stops_tokens=False))
        if self.roles_file.unsafe_permissions:
            detail = "Other users of this machine could change the roles file. The log says how."
            found.append(Problem("roles_permissions", detail, stops_tokens=False))
        return found


def _where(bad: BadEntry) -> str:
    # Anybody may ask for the health, so no role is named.
    return f"Line {bad.line} of the roles file" if bad.line else "An entry of the roles file"
