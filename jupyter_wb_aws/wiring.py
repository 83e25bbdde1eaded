"""The only place where the parts are wired together: from a site's settings to what the handlers call."""

from __future__ import annotations

import os
import random
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from jupyter_server.extension.application import ExtensionApp
from traitlets.config import Configurable
from traitlets.utils.importstring import import_item

from jupyter_wb_aws.clock import Clock, SystemClock
from jupyter_wb_aws.handlers.health_problems import HealthProblem, not_configured
from jupyter_wb_aws.handlers.server_state import ServerState
from jupyter_wb_aws.loopback import is_loopback
from jupyter_wb_aws.named_token_sources import SOURCES
from jupyter_wb_aws.single_user import port_of, single_user_server
from jupyter_wb_aws.unknown_settings import sections_of, unknown_settings

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

    from jupyter_wb_aws.app import WbAwsApp
    from jupyter_wb_aws.aws.sts import Credentials
    from jupyter_wb_aws.endpoint.endpoint import CredentialEndpoint
    from jupyter_wb_aws.identity.source import TokenSource
    from jupyter_wb_aws.injection.environment import InjectionSettings, UserAwsFiles
    from jupyter_wb_aws.role_sessions.manager import RoleSessionManager
    from jupyter_wb_aws.role_sessions.role_session import RoleSession
    from jupyter_wb_aws.role_sessions.role_session_sts import RoleSessionSts
    from jupyter_wb_aws.role_sessions.settings import RoleSessionSettings
    from jupyter_wb_aws.roles.role_catalogue import RoleCatalogue
    from jupyter_wb_aws.single_user import SingleUserServer

# Source: JupyterHub, `UserRedirectHandler`. It leads to the user's default server.
USER_REDIRECT = "/hub/user-redirect/"


def make_server_state(
    app: WbAwsApp, serverapp: ServerApp, source: TokenSource | None
) -> ServerState:
    """Wire the parts together, or say why the extension is not set up.

    Args:
        app: the extension, with the site's settings.
        serverapp: the Jupyter Server that it extends.
        source: the token source that the site chose; None where it chose none.
    """
    missing = missing_setting(app, source)
    hub = single_user_server(serverapp.base_url)
    if source is None or missing is not None:
        state = ServerState(setup_problems=(not_configured(str(missing)),))
    elif refused := runs_as_root_for_another():
        serverapp.log.error("%s", refused)
        hint = "Ask your administrator to run it as that user."
        state = ServerState(setup_problems=(HealthProblem("runs_as_root", refused, hint),))
    else:
        state = _wire(app, serverapp, source, hub)
    if app.owner_only and hub is None:
        sentence = "WbAwsApp.owner_only has no effect: this server was not started by a JupyterHub."
        serverapp.log.warning("%s", sentence)
        state.notices += (("owner_only_without_hub", sentence),)
    state.hub = hub
    state.only_user = hub.user if hub is not None and app.owner_only else None
    _report_unknown_settings(app, serverapp, source, state)
    return state


def missing_setting(app: WbAwsApp, source: TokenSource | None) -> str | None:
    """Return the setting without which the extension does nothing, if it is missing."""
    if source is None:
        return "WbAwsApp.token_source"
    if not app.roles_file and not source.knows_roles:
        return "WbAwsApp.roles_file"
    if (missing := source.missing_setting()) is not None:
        return missing
    if source.issuer and not (source.audience or app.audience or source.knows_roles):
        return f"{type(source).__name__}.audience"
    return None


def runs_as_root_for_another() -> str | None:
    """Return a sentence if root runs the server with another user's home, else None.

    Token files would belong to root, in a folder that the user controls.
    """
    try:
        owner = Path.home().stat().st_uid
    except (OSError, RuntimeError):
        return None
    if os.geteuid() == 0 and owner != 0:
        return (
            f"AWS roles are off: this server runs as root with the home folder of another user ({Path.home()});"
            " run it as that user."
        )
    return None


def _report_unknown_settings(
    app: WbAwsApp, serverapp: ServerApp, source: TokenSource | None, state: ServerState
) -> None:
    """Name settings that nothing reads: in the log, as notices, and beside what is missing."""
    sections = sections_of(app.config)
    # The settings of another source may stand beside those of the one in use.
    paths = (*SOURCES.values(), "jupyter_wb_aws.identity.source.TokenSource")
    named = {path.rpartition(".")[2]: path for path in paths}
    read = [import_item(path) for name, path in named.items() if name in sections]
    # A site's subclass of WbAwsApp reads the section WbAwsApp too.
    apps = [cls for cls in type(app).__mro__ if issubclass(cls, ExtensionApp)][:-1]
    classes: dict[str, type] = {cls.__name__: cls for cls in (*apps, *read)}
    for cls in type(source).__mro__ if source is not None else ():
        if issubclass(cls, Configurable) and cls.class_own_traits(config=True):
            classes[cls.__name__] = cls
    found = unknown_settings(app.config, classes, named)
    for sentence in found:
        serverapp.log.warning("%s", sentence)
    state.notices += tuple(("unknown_setting", sentence) for sentence in found)
    if state.manager is None:
        state.setup_problems += tuple(HealthProblem("unknown_setting", text) for text in found)


def _wire(
    app: WbAwsApp, serverapp: ServerApp, source: TokenSource, hub: SingleUserServer | None
) -> ServerState:
    from jupyter_wb_aws.aws.sts import BlockingStsClient
    from jupyter_wb_aws.injection.environment import InjectionSettings
    from jupyter_wb_aws.role_sessions.boto3_sessions import Boto3Sessions

    site = InjectionSettings(app.extra_environment, cast("UserAwsFiles", app.user_aws_files))
    state = ServerState(site=site, hub=hub)
    if source.knows_roles and app.roles_file:
        sentence = (
            "WbAwsApp.roles_file is not read: the token source says which roles the user has."
        )
        serverapp.log.warning("%s", sentence)
        state.notices += (("roles_file_not_read", sentence),)
    on_demand = EndpointOnDemand(state, site)
    state.manager = manager = _make_manager(app, serverapp, source, state, on_demand)
    state.boto3_sessions = Boto3Sessions(
        manager.context, manager.sessions, manager.choices, BlockingStsClient()
    )
    _inject(serverapp, state, manager, on_demand)
    return state


def _make_manager(
    app: WbAwsApp,
    serverapp: ServerApp,
    source: TokenSource,
    state: ServerState,
    on_demand: EndpointOnDemand,
) -> RoleSessionManager:
    from jupyter_wb_aws.aws.sts_subprocess import SubprocessStsClient
    from jupyter_wb_aws.events import emitter
    from jupyter_wb_aws.identity.token_cache import TokenCache
    from jupyter_wb_aws.injection.sts_environment import sts_environment
    from jupyter_wb_aws.role_sessions.manager import RoleSessionManager, ServerHooks

    if source.sign_in is not None:
        from jupyter_wb_aws.identity.oidc_source import OidcTokenSource

        if isinstance(source, OidcTokenSource):
            source.registered_redirect_uri = partial(
                redirect_uri, serverapp, source.redirect_uri, state.hub
            )
    clock, rng = SystemClock(), random.SystemRandom()
    return RoleSessionManager(
        # A service that knows the user's roles knows the user from the hub.
        _settings(app, serverapp, None if source.knows_roles else state.hub),
        TokenCache(source, clock, rng, app.audience),
        _catalogue(app, source, clock, rng),
        clock=clock,
        rng=rng,
        emit=emitter(serverapp.event_logger),
        sts=SubprocessStsClient(state.children),
        hooks=ServerHooks(
            partial(sts_environment, site=on_demand.site, conflict_check=state.conflict_check),
            state.role_sessions_in_use,
            on_demand,
        ),
    )


class EndpointOnDemand:
    """Makes the credential endpoint with the first role session that it delivers; see `EndpointDelivery`.

    Args:
        state: gets the endpoint.
        site: the site's settings.
    """

    def __init__(self, state: ServerState, site: InjectionSettings) -> None:
        self._state = state
        self.site = site

    async def open(self, session: RoleSession, credentials: Credentials | None, /) -> None:
        """Let the endpoint answer for a role session.

        Raises:
            WbAwsError: if it can't.
        """
        await self.get().open(session, credentials)

    def abandon(self, session: RoleSession, /) -> None:
        """Undo `open` for a role session that does not start after all."""
        self.get().abandon(session)

    async def refresh(self, session: RoleSession, /) -> None:
        """Fetch new credentials now.

        Raises:
            WbAwsError: what STS says.
        """
        await self.get().refresh(session)

    def credentials(self, session: RoleSession, /) -> Credentials:
        """Return current credentials to code in this server.

        Raises:
            WbAwsError: why there are none.
        """
        return self.get().credentials_of(session)

    def look(self) -> None:
        """Look at the role sessions and the endpoint again."""
        if self._state.endpoint is not None:
            self._state.endpoint.look()

    def get(self) -> CredentialEndpoint:
        """Return the endpoint, which is made the first time; it may not run yet."""
        if self._state.endpoint is None:
            from jupyter_wb_aws.endpoint.endpoint import CredentialEndpoint

            manager = self._state.require_manager()
            self._state.endpoint = CredentialEndpoint(
                manager.context,
                manager.sessions,
                manager.files,
                self._make_sts,
                manager.context.random,
            )
        return self._state.endpoint

    def _make_sts(self) -> RoleSessionSts:
        """Return what asks STS from the endpoint's loop, with nothing that waits in Jupyter's."""
        from jupyter_wb_aws.aws.sts_subprocess import SubprocessStsClient
        from jupyter_wb_aws.child_processes import ChildProcesses
        from jupyter_wb_aws.injection.conflict_check import ConflictCheck
        from jupyter_wb_aws.injection.sts_environment import sts_environment
        from jupyter_wb_aws.role_sessions.role_session_sts import RoleSessionSts

        environment = partial(sts_environment, site=self.site, conflict_check=ConflictCheck())
        timeout = self._state.require_manager().settings.start_timeout
        return RoleSessionSts(SubprocessStsClient(ChildProcesses()), environment, timeout)


def _catalogue(
    app: WbAwsApp, source: TokenSource, clock: Clock, rng: random.Random
) -> RoleCatalogue:
    if source.knows_roles:
        from jupyter_wb_aws.roles.service_catalogue import ServiceCatalogue

        return ServiceCatalogue(source, clock, rng)
    from jupyter_wb_aws.roles.catalogue_file import CatalogueFile

    return CatalogueFile(Path(app.roles_file).expanduser(), clock)


def _settings(
    app: WbAwsApp, serverapp: ServerApp, hub: SingleUserServer | None
) -> RoleSessionSettings:
    from jupyter_wb_aws.role_sessions.server_owner import ServerOwner
    from jupyter_wb_aws.role_sessions.settings import RoleSessionSettings
    from jupyter_wb_aws.site_folders import store_places, token_places

    tokens, records = token_places(app.token_dir), store_places(app.state_dir)
    return RoleSessionSettings(
        token_dir=tokens[0].path,
        state_dir=records[0].path,
        root_dir=Path(serverapp.root_dir),
        allow_hidden=bool(getattr(serverapp.contents_manager, "allow_hidden", False)),
        session_name_template=app.session_name_template,
        default_role=app.default_role,
        extra_environment=app.extra_environment,
        max_role_sessions=app.max_role_sessions,
        idle_timeout=timedelta(seconds=app.idle_timeout),
        delivery=app.delivery,
        lease=app.lease,
        token_places=tokens,
        store_places=records,
        # Also of a server that the user starts in a terminal of a hub's: it has a slot beside that one's.
        server_name=os.environ.get("JUPYTERHUB_SERVER_NAME", ""),
        server_owner=ServerOwner(
            hub.user, app.hub_user_claim, refuses=app.hub_user_differs == "refuse"
        )
        if hub is not None and app.hub_user_differs != "ignore"
        else None,
    )


def _inject(
    serverapp: ServerApp,
    state: ServerState,
    manager: RoleSessionManager,
    on_demand: EndpointOnDemand,
) -> None:
    """Give role sessions to the kernels, terminals and apps that this server starts."""
    from jupyter_wb_aws.injection.kernels import KernelInjection
    from jupyter_wb_aws.injection.proxied_apps import ProxiedAppInjection
    from jupyter_wb_aws.injection.terminals import TerminalInjection

    site, endpoint = on_demand.site, on_demand.get
    gateway = getattr(serverapp, "gateway_config", None)
    if gateway and gateway.gateway_enabled:
        sentence = "Kernels run on a gateway, where this server's token files do not exist: they get no AWS role."
        serverapp.log.warning("%s", sentence)
        state.notices += (("kernels_elsewhere", sentence),)
    else:
        state.kernels = KernelInjection(serverapp.kernel_manager, manager, site, endpoint)
        state.kernels.install()
    terminals = serverapp.web_app.settings.get("terminal_manager")
    if terminals is not None:
        state.terminals = TerminalInjection(terminals, manager, site, endpoint)
        state.terminals.install()
    state.apps = ProxiedAppInjection(serverapp.web_app, manager, site, endpoint)


def redirect_uri(
    serverapp: ServerApp, registered: str, hub: SingleUserServer | None = None
) -> str | None:
    """Return where the identity provider can send a browser back to; None if there is no such place.

    It comes from the configuration alone: the sender of a request can write anything into its `Host`
    header. Ask again each time, since the server takes another port if its own is in use.

    Args:
        serverapp: the server.
        registered: `OidcTokenSource.redirect_uri`.
        hub: the server as a hub's, if a hub has started it.
    """
    base_url = serverapp.base_url
    if registered:
        port = serverapp.port if hub is None else hub.public_port
        if port is None and "{port" in registered:
            return None
        uri = registered.format(port=port, base_url=base_url)
        return uri if _leads_here(uri, port, hub) else None
    public = urlsplit(serverapp.custom_display_url)
    if not (public.scheme and public.netloc):
        return None
    path = public.path.rstrip("/") + "/" if public.path.strip("/") else base_url
    return f"{public.scheme}://{public.netloc}{path}aws/sign-in/callback"


def _leads_here(uri: str, port: int | None, hub: SingleUserServer | None) -> bool:
    """Return whether a redirect URI can lead a browser to this server.

    Args:
        uri: the redirect URI.
        port: that browsers see; None if it is not known.
        hub: the server as a hub's, if a hub has started it.
    """
    if hub is not None and hub.name and USER_REDIRECT in urlsplit(uri).path:
        return False
    if not is_loopback(uri) or port is None:
        return True
    # Another port of this machine would be another server's.
    return port_of(uri) == port and (hub is None or is_loopback(hub.public_url))
