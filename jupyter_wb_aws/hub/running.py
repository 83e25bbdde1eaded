"""Runs the hub service: from its settings to a server that answers, and its orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import signal
import ssl
from pathlib import Path

from tornado.netutil import bind_sockets
from traitlets import TraitError

from jupyter_wb_aws.clock import SystemClock
from jupyter_wb_aws.hub.async_keys import AsyncKeys
from jupyter_wb_aws.hub.audit import AuditLog
from jupyter_wb_aws.hub.caller import AccessRules
from jupyter_wb_aws.hub.catalogue import open_catalogue
from jupyter_wb_aws.hub.claims import ClaimSettings
from jupyter_wb_aws.hub.connections import BoundedServer, allow_connections
from jupyter_wb_aws.hub.errors import KeysUnavailable
from jupyter_wb_aws.hub.handlers import Shared, make_application
from jupyter_wb_aws.hub.health import LOGGED, Health
from jupyter_wb_aws.hub.hub_client import HubClient, certificates_of
from jupyter_wb_aws.hub.keys import SigningKeys
from jupyter_wb_aws.hub.metrics import Metrics
from jupyter_wb_aws.hub.rate_limits import CallerLimit, HubCap
from jupyter_wb_aws.hub.service_settings import ServiceSettings
from jupyter_wb_aws.hub.setting_checks import warnings_about
from jupyter_wb_aws.hub.token_service import TokenService

log = logging.getLogger(__name__)

# Bytes. Larger bodies end the connection; those below it get an answer that says so. Each connection may need as much.
MAX_BODY = 64 * 1024
# Seconds that a client may take for the body of its request, and that an idle connection is kept.
BODY_TIMEOUT = 10.0
IDLE_TIMEOUT = 120.0
# Seconds that calls have to be answered once the service is to stop. The hub kills it after five.
GRACE = 4.0
# Calls of one caller, refused ones and `GET roles` among them, for each token that one user may have.
CALLS_PER_TOKEN = 4
# Seconds: nobody should keep the public documents for longer than a part of the lead of a new key.
LONGEST_MAX_AGE = 3600


def run(settings: ServiceSettings) -> None:
    """Run the service until it gets SIGTERM or SIGINT.

    Raises:
        TraitError: if something that a setting names can't be used.
    """
    asyncio.run(_run(settings))


async def _run(settings: ServiceSettings) -> None:
    shared = make_shared(settings)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await _open_keys(shared.service.keys)
        _open_audit(settings, shared.service.audit)
        server = _listen(settings, shared)
        log.info("%s answers at port %d below %s", settings.issuer, settings.port, settings.prefix)
        for problem in await shared.health.problems():
            if problem.code not in LOGGED:  # with the names of files, or the hub's URL
                log.warning("%s (%s)", problem.detail, problem.code)
        await stop.wait()
        log.info("The service stops.")
        server.stop()
        try:
            async with asyncio.timeout(GRACE):
                await shared.calls.wait_for_last()
                await shared.service.keys.finish()
                await server.close_all_connections()
        except TimeoutError:
            log.warning("The service stops before every call is answered.")
    finally:
        shared.hub.close()
        shared.service.audit.close()


def make_shared(settings: ServiceSettings) -> Shared:
    """Make the service's parts from its settings.

    Raises:
        TraitError: if something that a setting names can't be used.
    """
    clock, rng, metrics = SystemClock(), random.SystemRandom(), Metrics()
    claims = ClaimSettings(
        settings.issuer, settings.audience, settings.subject_template, settings.token_lifetime
    )
    for warning in warnings_about(settings, os.environ):
        log.warning("%s", warning)
    rules = AccessRules(settings.service_name, settings.only_from_servers)
    limit = CallerLimit(
        settings.tokens_per_minute, "This user has asked for too many tokens in the last minute."
    )
    asks = CallerLimit(
        CALLS_PER_TOKEN * settings.tokens_per_minute,
        "This caller has called too often in the last minute.",
    )
    hub = HubClient(
        settings.hub_api_url, HubCap(settings.hub_requests_per_second, rng), asks, rng,
        observe=metrics.hub_request, certificates=_certificates(settings),
    )  # fmt: skip
    roles_file = open_catalogue(Path(settings.roles_file).expanduser(), clock, claims)
    folder = Path(settings.keys_dir).expanduser()
    keys = AsyncKeys(
        SigningKeys(
            folder, settings.algorithm, settings.token_lifetime, settings.publish_lead, clock
        )
    )
    audit = AuditLog(Path(settings.audit_log).expanduser(), clock)
    service = TokenService(claims, rules, roles_file, keys, audit, limit, clock)
    return Shared(
        service, hub, Health(hub, keys, roles_file, audit), metrics,
        public_max_age=min(LONGEST_MAX_AGE, settings.publish_lead // 4),
    )  # fmt: skip


def _certificates(settings: ServiceSettings) -> ssl.SSLContext | None:
    own = os.environ.get("JUPYTERHUB_SSL_CERTFILE", "")
    key = os.environ.get("JUPYTERHUB_SSL_KEYFILE", "")
    try:
        return certificates_of(settings.hub_ca_bundle, key, own)
    except OSError as error:
        raise TraitError(
            f"The hub's certificates can't be read: HubServiceApp.hub_ca_bundle is {settings.hub_ca_bundle!r}"
            f" ({error.strerror or type(error).__name__})."
        ) from None


async def _open_keys(keys: AsyncKeys) -> None:
    # The health has what went wrong, and the next call tries again.
    with contextlib.suppress(KeysUnavailable):
        await keys.open()


def _open_audit(settings: ServiceSettings, audit: AuditLog) -> None:
    try:
        audit.open()
    except OSError as error:
        folder = Path(settings.audit_log).expanduser().absolute().parent
        why = f"{error.strerror}. The service's own account must be able to write to it."
        if not folder.is_dir():
            why = f"there is no folder {folder}. Make it, with the service's own account as its owner."
        raise TraitError(
            f"HubServiceApp.audit_log: {settings.audit_log} can't be opened: {why}"
        ) from None


def _listen(settings: ServiceSettings, shared: Shared) -> BoundedServer:
    server = BoundedServer(
        make_application(settings.prefix, shared), max_body_size=MAX_BODY, body_timeout=BODY_TIMEOUT,
        idle_connection_timeout=IDLE_TIMEOUT, max_connections=allow_connections(),
    )  # fmt: skip
    try:
        server.add_sockets(bind_sockets(settings.port, settings.ip, reuse_port=False))
    except OSError as error:
        raise TraitError(
            f"The service can't listen at {settings.ip}:{settings.port}: {error.strerror}."
        ) from None
    return server
