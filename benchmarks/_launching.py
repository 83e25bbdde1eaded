"""A role session without a server, and so without its noise, and a user's home folder."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from _support import FakeAws, role_arn, site

from jupyter_wb_aws.aws.sts import AssumedRole, CallerIdentity, StsRequest
from jupyter_wb_aws.clock import SystemClock
from jupyter_wb_aws.identity.file_source import FileTokenSource
from jupyter_wb_aws.identity.token_cache import TokenCache
from jupyter_wb_aws.role_sessions.manager import RoleSessionManager
from jupyter_wb_aws.role_sessions.settings import RoleSessionSettings
from jupyter_wb_aws.roles.catalogue_file import CatalogueFile


class _Sts:
    async def assume(self, request: StsRequest) -> AssumedRole:
        caller = CallerIdentity("AROA:x", request.role.account_id, "arn:aws:sts::1:x")
        return AssumedRole(caller, datetime.now(UTC) + timedelta(hours=1))


@asynccontextmanager
async def started(base: Path) -> AsyncIterator[RoleSessionManager]:
    """Yield a manager whose default role session is that of `role_arn(0)`."""
    aws = FakeAws()
    config = site(base / "launch", aws)
    token_file = base / "launch" / "token"
    token_file.write_text(aws.token())
    clock, rng = SystemClock(), random.Random(1)
    manager = RoleSessionManager(
        RoleSessionSettings(
            base / "launch" / "tokens", base / "launch" / "store", base / "without"
        ),
        TokenCache(FileTokenSource(path=str(token_file)), clock, rng),
        CatalogueFile(Path(config["WbAwsApp"]["roles_file"]), clock),
        clock=clock,
        rng=rng,
        emit=lambda _name, _data: None,
        sts=_Sts(),  # type: ignore[arg-type]
    )
    await manager.open()
    try:
        await manager.starter.start(role_arn(0))
        yield manager
    finally:
        await manager.close()


def home_with_profiles(base: Path) -> Path:
    """Make a home folder whose `~/.aws` files have twenty profiles."""
    (base / ".aws").mkdir()
    for name, header in (("config", "profile "), ("credentials", "")):
        profiles = (
            f"[{header}p{n}]\nregion = us-east-2\nrole_arn = {role_arn(n)}\n" for n in range(20)
        )
        (base / ".aws" / name).write_text("\n".join(profiles))
    return base
