"""The AWS role of the kernel in which this code itself runs: show it, switch it, borrow another.

The server does the work, as it does for the command line. What only code in the kernel can do is to let go
of the clients that would go on with the previous role.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

from jupyter_wb_aws.cli import lookup, switching, this_process
from jupyter_wb_aws.cli.client import Client, connect
from jupyter_wb_aws.cli.errors import CliError, ExitCode, local_problem
from jupyter_wb_aws.cli.output import format_time, print_text, print_wrapped
from jupyter_wb_aws.cli.this_process import Assignable, EndpointClient, Session
from jupyter_wb_aws.variables import KERNEL_ID

NO_ROLE = "none"
# Codes with which the server refuses a role session that has ended.
ENDED = {"role_session_ended", "role_session_not_found"}
RESTART = "Restart the kernel (Kernel > Restart Kernel) to get it; variables are lost by that."


class KernelRole:
    """The role of this kernel, or of the terminal that IPython runs in.

    Args:
        client: the server.
        held: this process as a client of the credential endpoint, if it is one.
        process: what the server can assign a role session to, if it knows this process.
    """

    def __init__(
        self, client: Client, held: EndpointClient | None, process: Assignable | None
    ) -> None:
        self._client = client
        self._held = held
        self._process = process

    @classmethod
    def of_this_process(cls) -> KernelRole:
        """Find this process's server, and what it knows of this process.

        Raises:
            CliError: if the server can't be asked.
        """
        client = connect()
        held = this_process.endpoint_client(client, os.environ)
        environment = {KERNEL_ID: _kernel_id(), **os.environ}
        return cls(client, held, this_process.assignable(environment, held))

    @property
    def _kind(self) -> str:
        return self._process.kind if self._process else "kernel"

    def show(self) -> None:
        """Print which role it is, and how it is delivered.

        Raises:
            CliError: if the server can't be asked.
        """
        sessions = self._client.get("/aws/sessions").data["sessions"]
        mine = this_process.role_session(sessions, os.environ, self._held)
        if mine is None:
            note = this_process.other_role_note(
                sessions, os.environ, self._held, "%aws_role {}".format
            )
            when = "at once" if self._held else "at its next restart"
            none = f"This {self._kind} has no AWS role. `%aws_role ROLE` gives it one {when}."
            print_wrapped(note or none)
            return
        until = mine["credentials_expire_at"] or mine["token_expires_at"]
        rows = {
            "Role": mine["label"],
            "ARN": mine["role_arn"],
            "Delivery": "credential endpoint (a switch takes effect at once)"
            if self._held
            else "web identity (a switch takes a restart of the kernel)",
            "Region": this_process.region(mine, os.environ),
            "Until": f"{format_time(until, datetime.now(UTC))}; refreshed automatically",
        }
        for name, value in rows.items():
            print_text(f"{name:<9} {value}")
        if mine["problem"]:
            print_wrapped(sentence(mine["problem"]))

    def switch(self, word: str) -> None:
        """Switch to a role, and print what has it now and what has not.

        Args:
            word: the role's name, label or ARN, or `none`.

        Raises:
            CliError: if the role can't be used, or this process can't be switched.
        """
        session = self._started(word)
        switch = self._assign(session)
        label = session["label"] if session else "no AWS role"
        if not switching.applies_now(switch):
            why = self._why_at_restart(session)
            print_wrapped(
                f"This kernel gets {label} at its next restart, not at once: {why}. {RESTART}"
            )
            return
        _let_go_of_clients()
        print_wrapped(f"This {self._kind} has {'' if session is None else 'the role '}{label} now.")
        for one in switching.what_stays(switch, to_role=session is not None):
            print_wrapped(one)

    @contextlib.contextmanager
    def other_role(self, word: str) -> Iterator[None]:
        """Have another role in a `with` block, and then the one before, whatever happens.

        Args:
            word: the role's name, label or ARN, or `none`.

        Raises:
            CliError: if the role can't be used here without a restart, or the one before can't be put back.
        """
        if self._held is None:
            raise self._restart_needed(None)
        session = self._started(word)
        if session is not None and session["delivery"] != "endpoint":
            raise self._restart_needed(session)
        try:
            switch = self._lend(session)
            _let_go_of_clients()
            if switch["at_restart"]:
                names = ", ".join(switch["at_restart"])
                print_wrapped(f"In this cell too, these variables stay as they are: {names}.")
            yield
        finally:
            with _without_interrupts():
                self._put_back(self._held)

    def _put_back(self, before: EndpointClient) -> None:
        """Give this process the role back that it had.

        Args:
            before: this process as it was.
        """
        failing = (
            sys.exc_info()[0] is not None
        )  # then the cell's error must be the one that is shown
        label = before["label"] or NO_ROLE
        try:
            ended = self._return_unless_ended(before["session_id"])
        except CliError as error:
            why = sentence(error.problem)
            text = f"This {self._kind} could not be switched back: {why} Run `%aws_role {label}` before you go on."
            if not failing:
                raise _problem("not_switched_back", text) from None
            print_text(text, file=sys.stderr)
            return
        finally:
            _let_go_of_clients()
        if ended:
            print_wrapped(
                f"Meanwhile the role session of {label} has ended, so this {self._kind} has no AWS role now."
                f" `%aws_role {label}` starts it again."
            )

    def _lend(self, session: Session | None) -> switching.Switch:
        """Switch this process, but not what a restart gives it: a crash in a cell must not keep the cell's role."""
        try:
            return self._assign_id(session["id"] if session else None, until_restart=True)
        except CliError as error:
            if error.problem.get("code") in switching.NOT_SWITCHED:
                raise self._restart_needed(session) from None
            raise

    def _return_unless_ended(self, session_id: str | None) -> bool:
        """Switch back to a role session, or to no AWS role if it has ended; return whether it has."""
        try:
            self._assign_id(session_id, until_restart=True)
        except CliError as error:
            if error.problem.get("code") not in ENDED:
                raise
            self._assign_id(None, until_restart=True)
            return True
        return False

    def _started(self, word: str) -> Session | None:
        if word.casefold() == NO_ROLE:
            return None
        arn = lookup.find_role_arn(word, lambda: self._client.get("/aws/roles").data["roles"])
        session: Session = self._client.post("/aws/sessions", {"role_arn": arn}).data
        return session

    def _assign(self, session: Session | None) -> switching.Switch:
        return self._assign_id(session["id"] if session else None)

    def _assign_id(
        self, session_id: str | None, *, until_restart: bool = False
    ) -> switching.Switch:
        if self._process is None:
            raise _not_known()
        try:
            return switching.assign(
                self._client, self._process, session_id, until_restart=until_restart
            )
        except CliError as error:
            raise _not_known() if error.problem["code"] == switching.NOT_HERE else error from None

    def _why_at_restart(self, session: Session | None) -> str:
        if self._held is None:
            return f"this {self._kind} was not started with the credential endpoint"
        if session is not None and session["delivery"] != "endpoint":
            return f"{session['label']} is delivered by web identity"
        return f"the server can't switch this {self._kind} while it runs"

    def _restart_needed(self, session: Session | None) -> CliError:
        return _problem(
            "restart_needed",
            f"%%aws_role can't run this cell with another role: {self._why_at_restart(session)}, so a switch takes a"
            " restart.",
            "Choose the role with %aws_role, restart the kernel, and run the cell without %%aws_role.",
        )


def sentence(problem: Mapping[str, object]) -> str:
    """Say on one line what is wrong and what to do."""
    detail, hint = (" ".join(str(problem.get(key) or "").split()) for key in ("detail", "hint"))
    return f"{detail or problem.get('title')} {hint}".strip()


def _problem(code: str, detail: str, hint: str = "") -> CliError:
    return local_problem(
        code, "The AWS role", detail=detail, hint=hint, exit_code=ExitCode.CANNOT_ASK
    )


def _not_known() -> CliError:
    return _problem(
        "kernel_not_found",
        "Your Jupyter server does not know this kernel: it runs elsewhere, or another program started it.",
        "Use a notebook that the server with your AWS roles has started.",
    )


def _kernel_id() -> str:
    """Return the id of this kernel by its connection file, as jupyter_server names it; empty if it is no kernel.

    A kernel that was started before anything was chosen has no variable with it.
    """
    module = sys.modules.get("ipykernel.kernelapp")
    if module is None or not module.IPKernelApp.initialized():
        return ""
    return PurePath(module.IPKernelApp.instance().connection_file).stem.removeprefix("kernel-")


def _let_go_of_clients() -> None:
    """Let the next use of the libraries' shared clients ask for credentials again."""
    boto3: Any = sys.modules.get("boto3")
    shared = getattr(boto3, "DEFAULT_SESSION", None)
    if shared is not None and shared.profile_name == "default":
        boto3.setup_default_session(region_name=shared.region_name)
    fsspec: Any = sys.modules.get("fsspec")
    if fsspec is not None:
        _forget_file_systems(fsspec.AbstractFileSystem)


def _forget_file_systems(kind: Any) -> None:
    """Forget fsspec's instances of a kind, and of those built on it: a file system on S3 may be within another."""
    kind.clear_instance_cache()
    for one in kind.__subclasses__():
        _forget_file_systems(one)


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Let Ctrl-C wait: a second one must not leave the kernel with the other role."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
