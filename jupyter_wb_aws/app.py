"""The server extension: a site's configuration, and the only place where the parts are wired together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import sys
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from jupyter_server.extension.application import ExtensionApp
from traitlets import Dict, Enum, Integer, TraitError, Unicode, validate
from traitlets.config import Configurable
from traitlets.utils.bunch import Bunch
from traitlets.utils.importstring import import_item

from jupyter_wb_aws.clock import SystemClock
from jupyter_wb_aws.loopback import is_loopback
from jupyter_wb_aws.unknown_settings import sections_of, unknown_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_server.serverapp import ServerApp

    from jupyter_wb_aws.child_processes import ChildProcesses
    from jupyter_wb_aws.handlers.server_state import ServerState
    from jupyter_wb_aws.identity.token_source import TokenSource
    from jupyter_wb_aws.injection.conflict_check import ConflictCheck
    from jupyter_wb_aws.injection.environment import SiteSettings, UserAwsFiles
    from jupyter_wb_aws.role_sessions.manager import RoleSessionManager

# By name: a server pays for the import of the one that it uses.
SOURCES = {
    "command": "jupyter_wb_aws.identity.command_source.CommandTokenSource",
    "file": "jupyter_wb_aws.identity.file_source.FileTokenSource",
    "oidc": "jupyter_wb_aws.identity.oidc_source.OidcTokenSource",
}


def configurable_classes() -> list[type[Any]]:
    """Return the classes whose settings a site can choose."""
    return [WbAwsApp, *(import_item(path) for path in SOURCES.values())]


class WbAwsApp(ExtensionApp):
    """Workbench-managed AWS credentials for the kernels and terminals of a Jupyter Server."""

    name = "jupyter_wb_aws"
    load_other_extensions = True
    extension_url = "/lab"

    token_source = Unicode(
        "",
        config=True,
        help="""Where web identity tokens come from: `oidc` (the user signs in; see OidcTokenSource),
        `file` (see FileTokenSource), `command` (see CommandTokenSource), or the import path of a TokenSource of your own. Empty: the extension
        does nothing.""",
    )
    roles_file = Unicode(
        "",
        config=True,
        help="""The TOML file with the roles that may be offered, and to whom. It is read again when
        it changes.""",
    )
    default_role = Unicode(
        "",
        config=True,
        help="""The ARN of the role that starts by itself with the server. Empty: the first of the
        user's roles that has `default = true` in the roles file, if any.""",
    )
    audience = Unicode(
        "",
        config=True,
        help="The `aud` to ask the token source for. Empty: the source's own.",
    )
    session_name_template = Unicode(
        "{user}-{session_id}",
        config=True,
        help="""AWS's RoleSessionName, as it stands in CloudTrail: {user} is the user's name,
        {subject} the token's `sub`, {session_id} the role session's id, which is added where it is
        missing. What AWS does not take in a name becomes `-`.""",
    )
    extra_environment = Dict(
        key_trait=Unicode(),
        value_trait=Unicode(),
        config=True,
        help="""Variables that every role session adds to its processes: endpoints, proxies, CA
        bundles. A role's own, in the roles file, win over these. The server itself asks STS
        with them when a role starts.""",
    )
    user_aws_files = Enum(
        ["hide_if_conflicting", "hide", "keep"],
        "hide_if_conflicting",
        config=True,
        help="""When a role session sets the user's own ~/.aws/config and ~/.aws/credentials aside (by
        AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE): when their default profile would win over
        the role in some AWS SDK or an SDK fails on them, always, or never.""",
    )
    max_role_sessions = Integer(
        0,
        min=0,
        config=True,
        help="""How many role sessions a user may have at once. 0: as many as they like.""",
    )
    idle_timeout = Integer(
        0,
        min=0,
        config=True,
        help="""A role session that no living kernel, terminal or app uses for this many seconds is ended.
        What code inside the server signs with it counts too. 0: it goes on until the user ends it.""",
    )
    token_dir = Unicode(
        "",
        config=True,
        help="""The folder below which token files are kept, in a folder of our own. Empty:
        XDG_RUNTIME_DIR, Jupyter's runtime folder, or the folder for temporary files: the first that can be used.""",
    )
    state_dir = Unicode(
        "",
        config=True,
        help="""The folder with what outlives the server: which role sessions there were, and what was
        chosen; nothing secret. Empty: a folder in Jupyter's data folder; where that can't be used, in those of `token_dir`.""",
    )

    @validate("token_source")
    def _known_source(self, proposal: Bunch) -> str:
        source_class(proposal["value"])
        return cast("str", proposal["value"])

    @validate("default_role")
    def _an_arn(self, proposal: Bunch) -> str:
        from jupyter_wb_aws.errors import InvalidRoleArn
        from jupyter_wb_aws.roles.role import RoleArn

        try:
            if proposal["value"]:
                RoleArn.parse(proposal["value"])
        except InvalidRoleArn as error:
            raise TraitError(
                f"The 'default_role' trait of WbAwsApp must be a role's ARN: {error}"
            ) from None
        return cast("str", proposal["value"])

    @validate("session_name_template")
    def _a_template(self, proposal: Bunch) -> str:
        template = cast("str", proposal["value"])
        try:
            template.format(user="", subject="", session_id="")
        except (KeyError, IndexError, ValueError, AttributeError, TypeError):
            raise TraitError(
                "The 'session_name_template' trait of WbAwsApp may hold {user}, {subject} and"
                f" {{session_id}}, and no other braces: {template!r}"
            ) from None
        return template

    @validate("extra_environment")
    def _free_names(self, proposal: Bunch) -> dict[str, str]:
        from jupyter_wb_aws.variables import extra_environment_error

        if wrong := extra_environment_error(proposal["value"]):
            raise TraitError(f"The 'extra_environment' trait of WbAwsApp: {wrong}")
        return cast("dict[str, str]", proposal["value"])

    @validate("roles_file", "token_dir", "state_dir")
    def _a_path(self, proposal: Bunch) -> str:
        path = cast("str", proposal["value"])
        try:
            Path(path).expanduser()
        except RuntimeError as error:
            name = proposal["trait"].name
            raise TraitError(f"The '{name}' trait of WbAwsApp: {path}: {error}") from None
        return path

    server: ServerState | None = None
    _source: TokenSource | None = None
    _opening: asyncio.Task[None] | None = None

    # --- Jupyter Server's hooks ------------------------------------------------------------

    def _link_jupyter_server_extension(self, serverapp: Any) -> None:
        # A wrong value would else end in a traceback, and in a server without the extension, where
        # kernels silently work as the machine's role. Jupyter's own way is one sentence, and exit.
        with refusing_to_start(serverapp):
            super()._link_jupyter_server_extension(serverapp)
            self._source = self._make_source()

    def initialize_handlers(self) -> None:
        """Wire the parts together, and add them to the server."""
        if sys.platform == "win32":
            self._jupyter.log.warning(
                "jupyter_wb_aws does not support Windows yet, and does nothing here."
            )
            return
        from jupyter_wb_aws.handlers import routes

        # As jupyter_server does for tornado's own loggers.
        logger = logging.getLogger("jupyter_wb_aws")
        logger.parent, logger.propagate = self._jupyter.log, True
        logger.setLevel(self._jupyter.log.level)
        with refusing_to_start(self._jupyter):
            self.server = self._make_server()
        self._name_unknown_settings(self.server)
        self.handlers.extend(routes(self.server))
        if self.server.manager is not None:
            # Not every way to run a server calls the start hook; each runs its event loop.
            self._jupyter.io_loop.add_callback(self._ensure_open)

    async def _start_jupyter_server_extension(self, _serverapp: Any) -> None:
        await self._ensure_open()

    async def _ensure_open(self) -> None:
        if self.server is None or self.server.manager is None or self._opening is not None:
            return
        if self.server.apps is not None:
            self.server.apps.install()  # by now every extension has added its handlers
        self._opening = asyncio.create_task(self.server.manager.open(), name="wb-aws open")
        await self._opening

    async def stop_extension(self) -> None:
        """Stop the background work; token files go."""
        if (
            self.server is not None
            and self.server.manager is not None
            and self._opening is not None
        ):
            await asyncio.gather(self._opening, return_exceptions=True)
            if self.server.apps is not None:
                await self.server.apps.r_sessions.close()
            await self.server.manager.close()

    @property
    def _jupyter(self) -> ServerApp:
        """The server that we extend; it is set once this extension is linked."""
        assert self.serverapp is not None
        return self.serverapp

    # --- Parts -----------------------------------------------------------------------------

    def _make_source(self) -> TokenSource | None:
        chosen = source_class(self.token_source)
        return chosen(parent=self) if chosen is not None else None

    def _missing_setting(self) -> str | None:
        """Name the setting without which there is nothing to do."""
        if self._source is None:
            return "WbAwsApp.token_source"
        if not self.roles_file:
            return "WbAwsApp.roles_file"
        if (missing := self._source.missing_setting()) is not None:
            return missing
        if self._source.issuer and not (self._source.audience or self.audience):
            return f"{type(self._source).__name__}.audience"
        return None

    def _name_unknown_settings(self, server: ServerState) -> None:
        from jupyter_wb_aws.handlers.health_problems import HealthProblem

        sections = sections_of(self.config)
        # Another source's settings may stand beside those of the one that is chosen.
        paths = (*SOURCES.values(), "jupyter_wb_aws.identity.token_source.TokenSource")
        named = {path.rpartition(".")[2]: path for path in paths}
        read = [import_item(path) for name, path in named.items() if name in sections]
        classes = {cls.__name__: cls for cls in (WbAwsApp, *read)}
        for cls in type(self._source).__mro__ if self._source is not None else ():
            if issubclass(cls, Configurable) and cls.class_own_traits(config=True):
                classes[cls.__name__] = cls
        found = unknown_settings(self.config, classes, named)
        for sentence in found:
            self._jupyter.log.warning("%s", sentence)
        server.notices += tuple(("unknown_setting", sentence) for sentence in found)
        if server.manager is None:
            server.setup_problems += tuple(HealthProblem("unknown_setting", text) for text in found)

    def _make_server(self) -> ServerState:
        from jupyter_wb_aws.handlers.health_problems import HealthProblem, not_configured
        from jupyter_wb_aws.handlers.server_state import ServerState

        missing = self._missing_setting()
        if missing is not None:
            return ServerState(setup_problems=(not_configured(missing),))
        if refused := runs_as_root_for_another():
            self._jupyter.log.error("%s", refused)
            hint = "Ask your administrator to run it as that user."
            return ServerState(setup_problems=(HealthProblem("runs_as_root", refused, hint),))
        return self._wired()

    def _wired(self) -> ServerState:
        from jupyter_wb_aws.aws.sts import InProcessSts
        from jupyter_wb_aws.child_processes import ChildProcesses
        from jupyter_wb_aws.handlers.server_state import ServerState
        from jupyter_wb_aws.injection.conflict_check import ConflictCheck
        from jupyter_wb_aws.injection.environment import SiteSettings
        from jupyter_wb_aws.role_sessions.boto3_sessions import Boto3Sessions

        site = SiteSettings(self.extra_environment, cast("UserAwsFiles", self.user_aws_files))
        children, conflict_check = ChildProcesses(), ConflictCheck()
        manager = self._make_manager(children, site, conflict_check)
        server = ServerState(manager, site=site, children=children, conflict_check=conflict_check)
        server.boto3_sessions = Boto3Sessions(
            manager.context, manager.sessions, manager.choices, InProcessSts()
        )
        self._inject(server, manager, site)
        return server

    def _make_manager(
        self, children: ChildProcesses, site: SiteSettings, conflict_check: ConflictCheck
    ) -> RoleSessionManager:
        from jupyter_wb_aws.aws.sts_subprocess import SubprocessSts
        from jupyter_wb_aws.events import emitter
        from jupyter_wb_aws.identity.token_cache import TokenCache
        from jupyter_wb_aws.injection.server_environment import environment_of
        from jupyter_wb_aws.role_sessions.manager import RoleSessionManager
        from jupyter_wb_aws.role_sessions.settings import Settings
        from jupyter_wb_aws.roles.catalogue_file import CatalogueFile
        from jupyter_wb_aws.site_folders import store_places, token_places

        assert self._source is not None
        if self._source.sign_in is not None:
            from jupyter_wb_aws.identity.oidc_source import OidcTokenSource

            if isinstance(self._source, OidcTokenSource):
                self._source.registered_redirect_uri = partial(
                    redirect_uri, self._jupyter, self._source.redirect_uri
                )
        clock, rng = SystemClock(), random.SystemRandom()
        contents = self._jupyter.contents_manager
        tokens, records = token_places(self.token_dir), store_places(self.state_dir)
        return RoleSessionManager(
            Settings(
                token_dir=tokens[0].path,
                state_dir=records[0].path,
                root_dir=Path(self._jupyter.root_dir),
                hidden_shown=bool(getattr(contents, "allow_hidden", False)),
                session_name_template=self.session_name_template,
                default_role=self.default_role,
                extra_environment=self.extra_environment,
                max_role_sessions=self.max_role_sessions,
                idle_timeout=timedelta(seconds=self.idle_timeout),
                token_places=tokens,
                store_places=records,
            ),
            TokenCache(self._source, clock, rng, self.audience),
            CatalogueFile(Path(self.roles_file).expanduser(), clock),
            clock=clock,
            rng=rng,
            emit=emitter(self._jupyter.event_logger),
            sts=SubprocessSts(children),
            process_environment=partial(environment_of, site=site, conflict_check=conflict_check),
            in_use=self._role_sessions_in_use,
        )

    def _role_sessions_in_use(self) -> set[str]:
        """Return the ids of the role sessions that living processes of this server use."""
        server = self.server
        parts = (server.kernels, server.terminals, server.apps) if server else ()
        return set().union(*(part.used() for part in parts if part is not None))

    def _inject(self, server: ServerState, manager: RoleSessionManager, site: SiteSettings) -> None:
        from jupyter_wb_aws.injection.kernels import KernelInjection
        from jupyter_wb_aws.injection.proxied_apps import ProxiedAppInjection
        from jupyter_wb_aws.injection.terminals import TerminalInjection

        kernels = self._jupyter.kernel_manager
        if (
            getattr(self.serverapp, "gateway_config", None)
            and self._jupyter.gateway_config.gateway_enabled
        ):
            sentence = "Kernels run on a gateway, where this server's token files do not exist: they get no AWS role."
            self._jupyter.log.warning("%s", sentence)
            server.notices += (("kernels_elsewhere", sentence),)
        else:
            server.kernels = KernelInjection(kernels, manager, site)
            server.kernels.install()
        terminals = self._jupyter.web_app.settings.get("terminal_manager")
        if terminals is not None:
            server.terminals = TerminalInjection(terminals, manager, site)
            server.terminals.install()
        server.apps = ProxiedAppInjection(self._jupyter.web_app, manager, site)


def redirect_uri(serverapp: ServerApp, registered: str) -> str | None:
    """Return where the identity provider can send a browser back to, None where that is nowhere.

    From the configuration alone: a request's `Host` header is whatever its sender wrote. It is asked
    for anew each time, since the server takes another port where its own is in use.

    Args:
        registered: `OidcTokenSource.redirect_uri`.
    """
    base_url = serverapp.base_url
    if registered:
        uri = registered.format(port=serverapp.port, base_url=base_url)
        parts = urlsplit(uri)
        # Another port of this machine would be another server's.
        port = parts.port or (443 if parts.scheme == "https" else 80)
        elsewhere = is_loopback(uri) and port != serverapp.port
        return None if elsewhere else uri
    public = urlsplit(serverapp.custom_display_url)
    if not (public.scheme and public.netloc):
        return None
    path = public.path.rstrip("/") + "/" if public.path.strip("/") else base_url
    return f"{public.scheme}://{public.netloc}{path}aws/sign-in/callback"


def runs_as_root_for_another() -> str | None:
    """Say so, where root runs the server with another user's home.

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


def source_class(name: str) -> type[TokenSource] | None:
    """Find a token source by its short name or import path; None for the empty name.

    Raises:
        TraitError: if there is none.
    """
    if not name:
        return None
    from jupyter_wb_aws.identity.token_source import TokenSource

    try:
        found = import_item(SOURCES.get(name, name))
    except Exception as error:  # noqa: BLE001 - what is imported may raise anything
        listed = ", ".join(SOURCES)
        from difflib import get_close_matches

        close = get_close_matches(name.strip().lower(), SOURCES, 1, 0.5)
        nearest = f"; the nearest is {close[0]!r}" if close else ""
        raise TraitError(
            f"The 'token_source' trait of WbAwsApp is one of {listed}, or the import path of a TokenSource;"
            f" {name!r} can't be imported ({type(error).__name__}: {error}){nearest}."
        ) from None
    if not (isinstance(found, type) and issubclass(found, TokenSource)):
        raise TraitError(
            f"The 'token_source' trait of WbAwsApp: {name} does not extend TokenSource."
        )
    return found


@contextlib.contextmanager
def refusing_to_start(serverapp: ServerApp) -> Iterator[None]:
    """Say in a sentence what is wrong, and exit as Jupyter Server does for its own settings."""
    try:
        yield
    except TraitError as error:
        serverapp.log.critical("Bad config encountered during initialization: %s", error)
        sys.exit(1)
    except Exception as error:
        serverapp.log.critical(
            "jupyter_wb_aws can't start (%s: %s); `jupyter server extension disable jupyter_wb_aws` leaves it out.",
            type(error).__name__, error, exc_info=serverapp.log.isEnabledFor(logging.DEBUG),
        )  # fmt: skip
        sys.exit(1)
