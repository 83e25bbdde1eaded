"""The server extension: a site's settings, and what Jupyter Server calls."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from jupyter_server.extension.application import ExtensionApp
from traitlets import Bool, Dict, Enum, Integer, TraitError, Unicode, validate
from traitlets.utils.bunch import Bunch
from traitlets.utils.importstring import import_item

from jupyter_wb_aws.named_token_sources import SOURCES, source_class
from jupyter_wb_aws.roles.delivery import DEFAULT_LEASE, DELIVERIES, MAX_LEASE, MIN_LEASE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jupyter_server.serverapp import ServerApp

    from jupyter_wb_aws.handlers.server_state import ServerState
    from jupyter_wb_aws.identity.source import TokenSource
    from jupyter_wb_aws.role_sessions.session_files import SessionFiles


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
        `file` (see FileTokenSource), `command` (see CommandTokenSource), `jupyterhub` (the hub service; see
        JupyterHubTokenSource), or the import path of your own subclass of TokenSource. While it is
        empty, the extension does nothing.""",
    )
    roles_file = Unicode(
        "",
        config=True,
        help="""The TOML file that lists the roles and who may use them. The server reads it again when it
        changes. With `jupyterhub`, the hub service says which roles the user has, and no file is read.""",
    )
    default_role = Unicode(
        "",
        config=True,
        help="""The ARN of the role that starts together with the server. If it is empty, the first of the
        user's roles that has `default = true` in the roles file starts.""",
    )
    audience = Unicode(
        "",
        config=True,
        help="The `aud` to ask the token source for. If it is empty, the token source uses its own.",
    )
    session_name_template = Unicode(
        "{user}-{session_id}",
        config=True,
        help="""The RoleSessionName, which CloudTrail shows: {user} is the user's name, {subject} the
        token's `sub` (with `jupyterhub`, the hub user), and {session_id} the role session's id, which is appended if you leave it out.
        Characters that AWS does not accept become `-`.""",
    )
    extra_environment = Dict(
        key_trait=Unicode(),
        value_trait=Unicode(),
        config=True,
        help="""Variables that every role session adds to its processes, such as endpoints, proxies and CA
        bundles. Variables of a role in the roles file take precedence. The server uses them too when it
        calls STS to start a role.""",
    )
    delivery = Enum(
        DELIVERIES,
        "web_identity",
        config=True,
        help="""How a role session reaches its processes: each gets a web identity token and asks STS itself
        (`web_identity`), or the server asks STS once and each process gets credentials from the server's
        credential endpoint (`endpoint`). A role's own `delivery` in the roles file takes precedence.""",
    )
    lease = Integer(
        DEFAULT_LEASE,
        min=MIN_LEASE,
        max=MAX_LEASE,
        config=True,
        help="""With `delivery = "endpoint"`: for how many seconds a process may use the credentials of one
        answer, so how soon the end of a role session stops a running client: boto3 `lease` - 600 s after it at
        most, other SDKs `lease` seconds. boto3 asks again once less than 900 s are left, and fails below 600 s.
        A role's own `lease` in the roles file takes precedence.""",
    )
    user_aws_files = Enum(
        ["hide_if_conflicting", "hide", "keep"],
        "hide_if_conflicting",
        config=True,
        help="""When a role session hides the user's own ~/.aws/config and ~/.aws/credentials from its
        processes (by AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE, and with the credential endpoint
        the files of boto 2 by BOTO_CONFIG): if their default profile takes precedence over the role in
        an AWS SDK or an SDK fails on them (`hide_if_conflicting`), always (`hide`), or never (`keep`).""",
    )
    hub_user_claim = Unicode(
        "",
        config=True,
        help="""The claim of the token that holds the user's name on JupyterHub, such as `email`, or a path such
        as `hub.name`. If it is empty, the hub's user (JUPYTERHUB_USER) is compared with the token's user name
        and `sub`. Upper and lower case count as equal. Nothing is compared with the token source `jupyterhub`,
        whose user is the hub's.""",
    )
    hub_user_differs = Enum(
        ["notice", "refuse", "ignore"],
        "notice",
        config=True,
        help="""What happens if the token's user is not the hub's user: users and administrators are shown a notice
        (`notice`), no role starts (`refuse`), or nothing (`ignore`).""",
    )
    owner_only = Bool(
        default_value=False,
        config=True,
        help="""On JupyterHub, refuse changes by others than the user whose server it is (JUPYTERHUB_USER);
        reading stays allowed. This is not a boundary: anyone who may use the server can run code on it.""",
    )
    max_role_sessions = Integer(
        0,
        min=0,
        config=True,
        help="""How many role sessions a user may have at the same time. 0 means no limit.""",
    )
    idle_timeout = Integer(
        0,
        min=0,
        config=True,
        help="""After how many seconds a role session ends that no running kernel, terminal or app uses. Use
        by code inside the server counts too. 0 means that it continues until the user ends it.""",
    )
    token_dir = Unicode(
        "",
        config=True,
        help="""The folder in which the extension makes a folder of its own for token files. If it is empty:
        XDG_RUNTIME_DIR, Jupyter's runtime folder or the folder for temporary files, the first that is
        usable.""",
    )
    state_dir = Unicode(
        "",
        config=True,
        help="""The folder for what a restart of the server must not lose: which role sessions there were and
        what the user chose. It holds no secrets. If it is empty: a folder in Jupyter's data folder or, if
        that is not usable, in one of the folders listed at `token_dir`.""",
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
                "The 'session_name_template' trait of WbAwsApp may contain {user}, {subject} and"
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

    server_state: ServerState | None = None
    _source: TokenSource | None = None
    _opening: asyncio.Task[None] | None = None
    _at_exit: Callable[[], None] | None = None

    def _link_jupyter_server_extension(self, serverapp: Any) -> None:
        # Without this, a wrong value would end in a traceback and a server without the extension, where
        # kernels silently work as the machine's role. Jupyter's own way is one sentence, and exit.
        with refusing_to_start(serverapp):
            super()._link_jupyter_server_extension(serverapp)
            self._source = self.make_source()

    def make_source(self) -> TokenSource | None:
        """Make the token source that the site chose; None if it chose none.

        Raises:
            TraitError: if `token_source` names nothing that can be used, or its own settings are wrong.
        """
        chosen = source_class(self.token_source)
        return chosen(parent=self) if chosen is not None else None

    def initialize_handlers(self) -> None:
        """Wire the parts together and add the handlers to the server."""
        assert self.serverapp is not None  # set once the extension is linked
        if sys.platform == "win32":
            self.serverapp.log.warning(
                "jupyter_wb_aws does not support Windows yet, and does nothing here."
            )
            return
        from jupyter_wb_aws.handlers import routes
        from jupyter_wb_aws.wiring import make_server_state

        # As jupyter_server does for tornado's own loggers.
        logger = logging.getLogger("jupyter_wb_aws")
        logger.parent, logger.propagate = self.serverapp.log, True
        logger.setLevel(self.serverapp.log.level)
        with refusing_to_start(self.serverapp):
            self.server_state = make_server_state(self, self.serverapp, self._source)
        self.handlers.extend(routes(self.server_state))
        if self.server_state.manager is not None:
            # Not every way to run a server calls the start hook, but each runs its event loop.
            self.serverapp.io_loop.add_callback(self._ensure_open)

    async def _start_jupyter_server_extension(self, _serverapp: Any) -> None:
        await self._ensure_open()

    async def _ensure_open(self) -> None:
        state = self.server_state
        if state is None or state.manager is None or self._opening is not None:
            return
        if state.apps is not None:
            state.apps.install()  # by now every extension has added its handlers
        # Without a terminal, SIGINT ends Jupyter Server by KeyboardInterrupt, which stops no extension.
        self._at_exit = partial(_remove_files, state.manager.files, os.getpid())
        atexit.register(self._at_exit)
        self._opening = asyncio.create_task(state.manager.open(), name="wb-aws open")
        await self._opening

    async def stop_extension(self) -> None:
        """Stop the background work and remove the token files."""
        state = self.server_state
        if state is None or state.manager is None or self._opening is None:
            return
        await asyncio.gather(self._opening, return_exceptions=True)
        if state.apps is not None:
            await state.apps.r_sessions.close()
        if state.endpoint is not None:
            await state.endpoint.close()
        await state.manager.close()
        if self._at_exit is not None:
            atexit.unregister(self._at_exit)


def _remove_files(files: SessionFiles, owner: int) -> None:
    if os.getpid() == owner:  # and not a fork of the server
        files.close_at_exit()


@contextlib.contextmanager
def refusing_to_start(serverapp: ServerApp) -> Iterator[None]:
    """Log what is wrong in a sentence and exit, as Jupyter Server does for its own settings."""
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
