"""RStudio's R sessions get the default role when they start: docs/decisions/0008-proxied-apps.md.

`rserver` starts `rsession` with a new environment, so a role in its own environment does not reach it. It
executes the program in `--rsession-path`: we name a script there, which sets the role's variables and then
becomes the real `rsession`. The script is beside the token files, and is replaced each time the default role
changes. A shell that is reading the old script reads it to its end.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import shlex
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_wb_aws.aws.file_conflicts import find_conflict
from jupyter_wb_aws.disk_threads import DiskThreads
from jupyter_wb_aws.errors import WbAwsError
from jupyter_wb_aws.injection.conflict_check import ConflictCheck
from jupyter_wb_aws.injection.environment import (
    InjectionSettings,
    environment_with_user_files,
    process_environment,
    removed_names,
)
from jupyter_wb_aws.injection.process_environments import GetEndpoint, no_endpoint
from jupyter_wb_aws.role_sessions.assignments import ProcessRole
from jupyter_wb_aws.role_sessions.endpoint_access import EndpointAccess
from jupyter_wb_aws.role_sessions.manager import RoleSessionManager
from jupyter_wb_aws.role_sessions.role_session import RoleSession
from jupyter_wb_aws.tasks import Tasks
from jupyter_wb_aws.variables import CONFLICTING_PREFIXES, ENDPOINT_URI, NAMES_SET, NO_PROXY

if TYPE_CHECKING:
    from jupyter_wb_aws.endpoint.clients import EndpointClient

log = logging.getLogger(__name__)

OPTION = "--rsession-path"
# What `with_direct_endpoint` does, for a POSIX shell.
AMEND_NO_PROXY = """\
if [ -n "$HTTP_PROXY$http_proxy$HTTPS_PROXY$https_proxy$ALL_PROXY$all_proxy" ]; then
  : "${NO_PROXY=$no_proxy}" "${no_proxy=$NO_PROXY}"
  for wb_aws_name in NO_PROXY no_proxy; do
    eval "wb_aws_hosts=\\$$wb_aws_name"
    case " $(echo "$wb_aws_hosts" | tr , ' ') " in
      " * " | *" 127.0.0.1 "*) ;;
      *) wb_aws_hosts="${wb_aws_hosts:+$wb_aws_hosts,}127.0.0.1" ;;
    esac
    export "$wb_aws_name=$wb_aws_hosts"
  done
fi"""
# Seconds. The roles file and ~/.aws may change without notice.
CHECK_INTERVAL = 10.0
# Seconds. The user who changes the default role waits for it.
WRITE_TIMEOUT = 2.0


@dataclass(slots=True)
class Script:
    """The script that one `rserver` runs; `offered` has the ids of the role sessions that it has given.

    `clients` are those of its R sessions, the newest last. `content` is empty while the file's content is not known.
    """

    app_id: str
    path: Path
    rsession: Path
    environment: Mapping[str, str]
    clients: list[EndpointClient] = field(default_factory=list)
    content: str = ""
    offered: set[str] = field(default_factory=set)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class RStudioSessions:
    """Writes the scripts that start R sessions, for all RStudio apps of one server.

    Args:
        manager: knows the default role session, and the folder of the token files.
        site: the site's settings.
        endpoint: returns the credential endpoint.
    """

    def __init__(
        self,
        manager: RoleSessionManager,
        site: InjectionSettings,
        endpoint: GetEndpoint = no_endpoint,
    ) -> None:
        self._manager = manager
        self._site = site
        self._endpoint = endpoint
        self._scripts: dict[str, Script] = {}
        self._conflict_check = ConflictCheck()
        self._threads = DiskThreads(2)
        self._tasks = Tasks()
        manager.choices.followers.append(self.follow)

    async def command_for(
        self, app_id: str, command: Sequence[str], environment: Mapping[str, str]
    ) -> Sequence[str]:
        """Return the command that starts an app, with our script in it if the app is RStudio.

        Args:
            app_id: the app's name.
            command: the app's own command.
            environment: the app's environment, without a role.
        """
        at = rserver_in(command)
        if at is None:
            return command
        rsession = await self._threads.run(rsession_of, command[at:], environment)
        if rsession is None:
            log.error("R sessions of %r get no AWS role: no rsession was found", app_id)
            return command
        name = hashlib.sha256(app_id.encode()).hexdigest()[:16]
        script = Script(app_id, self._manager.files.script_path(name), rsession, environment)
        try:
            await self._write(script)
        except (WbAwsError, OSError) as problem:
            log.error("R sessions of %r get no AWS role: %s", app_id, _sentence(problem))
            return command
        if not await self._threads.run(os.access, script.path, os.X_OK):
            log.error(
                "R sessions of %r get no AWS role: nothing can be executed in %s; set WbAwsApp.token_dir",
                app_id, script.path.parent,
            )  # fmt: skip
            return command
        if not self._scripts:
            self._tasks.begin(self._keep(), "R sessions")
        self._scripts[app_id] = script
        return [*command[: at + 1], f"{OPTION}={script.path}", *without_option(command[at + 1 :])]

    def offered(self, app_id: str) -> set[str]:
        """Return the ids of the role sessions that an app's R sessions may have."""
        return self._scripts[app_id].offered if app_id in self._scripts else set()

    def clients_of(self, app_id: str) -> list[EndpointClient]:
        """Return the clients of the credential endpoint that an app's R sessions are."""
        clients = self._scripts[app_id].clients if app_id in self._scripts else []
        return [client for client in clients if client.state == "running"]

    def follows_default(self, app_id: str) -> bool:
        """Return whether an app's R sessions get the default role without a relaunch of the app."""
        return app_id in self._scripts

    async def follow(self) -> None:
        """Rewrite the scripts, so that new R sessions get the current default role."""
        for script in list(self._scripts.values()):
            try:
                # On NFS, the script is written when the disk answers.
                async with asyncio.timeout(WRITE_TIMEOUT):
                    await self._write(script)
            except TimeoutError:
                log.error("R sessions get the previous default role until the disk answers")
            except (WbAwsError, OSError) as problem:
                log.error("R sessions get the previous default role: %s", _sentence(problem))

    async def close(self) -> None:
        """Stop checking; the scripts are removed with the token files."""
        await self._tasks.cancel()

    async def _keep(self) -> None:
        while True:
            await self._manager.clock.sleep(CHECK_INTERVAL)
            await self.follow()

    async def _write(self, script: Script) -> None:
        async with script.lock:  # who reads the default role last also writes last
            process_role = self._manager.choices.next_role_of_app(script.app_id)
            access = await self._access(script, process_role.session)
            # Each R session starts in the folder of its project, so cwd is not known.
            looked_at = environment_with_user_files(
                script.environment, process_role, self._site, access=access
            )
            conflict = await self._conflict_check.find(looked_at, None, find_conflict)
            content = script_text(
                process_role, self._site, script.rsession,
                has_conflict=conflict is not None, access=access,
            )  # fmt: skip
            if process_role.session is not None:
                script.offered.add(process_role.session.id)
            if content != script.content or not await self._threads.run(script.path.exists):
                script.content = ""  # if we are cancelled, the write goes on
                await self._manager.files.write_script(script.path, content)
                script.content = content

    async def _access(self, script: Script, session: RoleSession | None) -> EndpointAccess | None:
        """Return how new R sessions reach the credential endpoint; those that run keep their endpoint token.

        Raises:
            WbAwsError: if the endpoint does not run, or its token can't be written.
        """
        if session is None or session.delivery == "web_identity":
            return None
        newest = script.clients[-1] if script.clients else None
        # It may have been ended by hand.
        if newest is None or newest.state != "running" or newest.session is not session:
            endpoint = self._endpoint()
            endpoint.ensure_running()
            clients = endpoint.clients
            client = clients.client_for("app", script.app_id, session, key=object())
            await asyncio.wrap_future(clients.write_files(client))
            script.clients = [*self.clients_of(script.app_id), client]
        return script.clients[-1].access


def _sentence(problem: WbAwsError | OSError) -> str:
    return problem.detail if isinstance(problem, WbAwsError) else str(problem)


def script_text(
    process_role: ProcessRole,
    site: InjectionSettings,
    rsession: Path,
    *,
    has_conflict: bool,
    access: EndpointAccess | None = None,
) -> str:
    """Return the script, for a POSIX shell. It changes the environment as `process_environment` does.

    Args:
        process_role: the role for new R sessions.
        site: the site's settings.
        rsession: the real program.
        has_conflict: whether the user's own AWS files would override the role in some SDK.
        access: how R sessions reach the credential endpoint.
    """
    lines = [
        "#!/bin/sh",
        "# Written by jupyter_wb_aws each time the default AWS role changes. Starts an R session with that role.",
    ]
    names, prefixes = removed_names(process_role), CONFLICTING_PREFIXES
    if names:
        edits = "; ".join(rf"s/^\({prefix}[A-Za-z0-9_]*\)=.*/\1/p" for prefix in prefixes)
        lines += [
            f"unset {' '.join(sorted(names))}",
            f'for name in $(env | sed -n {shlex.quote(edits)}); do unset "$name"; done',
        ]
    variables = process_environment(
        {}, process_role, site, has_conflict=has_conflict, access=access
    )
    if ENDPOINT_URI in variables:  # the script amends what an R session has
        own = variables[NAMES_SET].split()
        variables = {n: v for n, v in variables.items() if n not in NO_PROXY or n in own}
    lines += [f"export {name}={shlex.quote(value)}" for name, value in sorted(variables.items())]
    if ENDPOINT_URI in variables:
        lines.append(AMEND_NO_PROXY)
    return "\n".join([*lines, f'exec {shlex.quote(str(rsession))} "$@"', ""])


def rserver_in(command: Sequence[str]) -> int | None:
    """Return the index of RStudio's `rserver` in a command (`env` or `nice` may precede it), or None."""
    return next((at for at, word in enumerate(command) if Path(word).name == "rserver"), None)


def without_option(words: Iterable[str]) -> list[str]:
    """Return a command's words without `--rsession-path` and its value."""
    kept, follows = [], False
    for word in words:
        if not follows and not word.startswith(f"{OPTION}=") and word != OPTION:
            kept.append(word)
        follows = word == OPTION
    return kept


def rsession_of(command: Sequence[str], environment: Mapping[str, str]) -> Path | None:
    """Find the program that `rserver` would execute: in its command, in rserver.conf, or beside it.

    Source: rstudio, ServerOptions.cpp; a relative path is below the installation folder.
    """
    rserver = shutil.which(command[0], path=environment.get("PATH"))
    if rserver is None:
        return None
    named = _named_in(command) or _configured(environment) or "rsession"
    folder = Path(os.path.realpath(rserver)).parent
    candidates = (folder / named, folder.parent / named, Path(rserver).parent / named)
    return next((path for path in candidates if os.access(path, os.X_OK)), None)


def _named_in(command: Sequence[str]) -> str | None:
    for word, following in zip(command, [*command[1:], ""], strict=True):
        if word == OPTION:
            return following
        if word.startswith(f"{OPTION}="):
            return word.partition("=")[2]
    return None


def _configured(environment: Mapping[str, str]) -> str | None:
    """Read `rsession-path` of rserver.conf. Source: RStudio's administration guide, "Configuration"."""
    folders = [
        environment.get("RSTUDIO_CONFIG_DIR", ""),
        *(
            f"{below}/rstudio"
            for below in environment.get("XDG_CONFIG_DIRS", "").split(":")
            if below
        ),
        "/etc/rstudio",
    ]
    for folder in filter(None, folders):
        try:
            lines = Path(folder, "rserver.conf").read_text("utf-8", errors="replace").splitlines()
        except OSError:
            continue
        for line in lines:
            name, _, value = line.partition("=")
            if name.strip() == OPTION[2:] and value.strip():
                return value.strip()
        return None
    return None
