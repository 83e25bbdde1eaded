"""Token source `command`: run a program that prints a token."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from asyncio import subprocess
from codecs import BOM_UTF8
from pathlib import Path
from typing import ClassVar

from traitlets import Dict, Float, List, TraitError, Unicode, validate
from traitlets.utils.bunch import Bunch

from jupyter_wb_aws.errors import SignInRequired, TokenSourceFailed
from jupyter_wb_aws.identity.redact import redact_secrets, redact_userinfo
from jupyter_wb_aws.identity.redact_values import redact_values
from jupyter_wb_aws.identity.source import FETCH_TIMEOUT, TokenRequest, TokenSource
from jupyter_wb_aws.identity.token import MAX_TOKEN_READ, WebIdentityToken

# The variables that a well-behaved program needs to find its own files, its language and the network.
# None of them should hold a secret.
INHERITED = re.compile(
    r"PATH|HOME|USER|LOGNAME|LANG|LC_\w+|TZ|TMPDIR|XDG_RUNTIME_DIR"
    r"|(HTTPS?|NO|ALL)_PROXY|(https?|no|all)_proxy|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE"
)
# The names of variables in `environment` whose values a message of the program must not show.
SECRET_NAME = re.compile(
    r"secret|token|pass|pwd|(?<![a-z])pin(?![a-z])|keys?(?![a-z])|cred|auth", re.IGNORECASE
)
# A shorter word in the program's output is not treated as a secret.
MIN_SECRET_LENGTH = 16
MAX_STDERR_SHOWN, MAX_STDERR_KEPT = 500, 64 * 1024
ROOT = "/"
# BSD's sysexits.h, EX_NOPERM: the program exits so if the user must sign in first.
EX_NOPERM = 77


class CommandTokenSource(TokenSource):
    """A program that prints a JWT."""

    short_name: ClassVar[str] = "command"

    command = List(
        Unicode(),
        config=True,
        help="""The program and its arguments, as a list; it runs without a shell. It must print only the
        token on standard output and exit with 0, or exit with 77 if the user must sign in first. Its
        standard error is shown to the user as a hint. It runs in the folder `/`: give an absolute path,
        or a name that is found in PATH.""",
    )
    timeout = Float(
        10.0,
        min=0.1,
        max=FETCH_TIMEOUT,
        config=True,
        help=f"""Seconds after which the program is ended and counts as failed; at most
        {FETCH_TIMEOUT:g}, since a user may be waiting.""",
    )
    environment = Dict(
        key_trait=Unicode(),
        value_trait=Unicode(),
        config=True,
        help="""Variables to add to the program's environment, which is otherwise minimal: PATH, HOME,
        the user's name, the language, and proxy and CA settings.""",
    )

    @validate("command")
    def _valid_command(self, proposal: Bunch) -> list[str]:
        command: list[str] = proposal["value"]
        # traitlets turns a text into a list of one item, which is not the name of a program.
        if len(command) == 1 and " " in command[0] and not Path(command[0]).exists():
            raise TraitError(
                "The 'command' trait of CommandTokenSource must be a list with one item for each argument,"
                f" not one text: {command[0]!r}"
            )
        return command

    def missing_setting(self) -> str | None:
        """Require a program."""
        return None if self.command else "CommandTokenSource.command"

    async def fetch(self, request: TokenRequest) -> WebIdentityToken:
        """Run the program once.

        Raises:
            SignInRequired: if it exits with 77.
            TokenSourceFailed: if it can't be started, fails, prints too much, or takes too long.
            TokenInvalid: if it prints something that is not a token.
        """
        process = await self._start(request)
        try:
            async with asyncio.timeout(self.timeout):
                output, errors = await asyncio.gather(
                    _read_up_to(process.stdout, MAX_TOKEN_READ),
                    _read_end(process.stderr, MAX_STDERR_KEPT),
                )
                status = await process.wait()
        except TimeoutError:
            raise self._failed(f"did not finish within {self.timeout:g} s") from None
        except _OutputTooLong:
            raise self._failed(
                f"printed more than {MAX_TOKEN_READ} characters, which is not a token"
            ) from None
        finally:
            await _end(process)
        # In a thread: a long message is searched for the secrets that the program was given.
        return await asyncio.to_thread(self._token, output, errors, status)

    async def _start(self, request: TokenRequest) -> subprocess.Process:
        environment = {k: v for k, v in os.environ.items() if INHERITED.fullmatch(k)}
        environment.update(self.environment)
        if audience := request.audience or self.audience:
            environment["JUPYTER_WB_AWS_AUDIENCE"] = audience
        try:
            return await asyncio.create_subprocess_exec(
                *self.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                # Not the notebooks' folder (on a hub, the user's home): a program must not load or run
                # files there, which may come from a repository or another user.
                cwd=ROOT,
                start_new_session=True,  # so that its children can be ended with it
            )
        except OSError as error:
            how = f"can't be started: {error.strerror}"
            if "/" in self.command[0] and not self.command[0].startswith("/"):
                how += ". Its path is relative, but it runs in the folder /, not in the notebooks' folder"
            raise self._failed(how) from None
        except ValueError as error:  # a NUL in an argument, a `=` in a variable's name
            raise self._failed(f"can't be started: {error}") from None

    def _token(self, output: bytes, errors: bytes, status: int) -> WebIdentityToken:
        proxies = [value for name, value in os.environ.items() if name.lower().endswith("_proxy")]
        said = redact_userinfo(errors.decode("utf-8", errors="replace"), *proxies)
        said = redact_secrets(redact_values(said, self._secrets(output)), MAX_STDERR_SHOWN)
        if status == EX_NOPERM:
            raise SignInRequired(
                f"The token command says that you must sign in first. {said}".strip()
            )
        if status != 0:
            how = f"failed with status {status}" if status > 0 else f"was ended by signal {-status}"
            raise self._failed(how, said)
        text = output.removeprefix(BOM_UTF8).decode("ascii", errors="replace").strip()
        if not text:
            raise self._failed("printed nothing", said)
        return WebIdentityToken.parse(text, self.clock.now())

    def _secrets(self, output: bytes) -> list[str]:
        """Return the secrets that the command was given or printed, which its message must not show."""
        given = [value for name, value in self.environment.items() if SECRET_NAME.search(name)]
        words = output.decode("ascii", errors="replace").split()
        return [*given, *(word for word in words if len(word) >= MIN_SECRET_LENGTH)]

    def _failed(self, how: str, said: str = "") -> TokenSourceFailed:
        return TokenSourceFailed(
            f"The token command ({self.command[0]}) {how}." + (f" It says: {said}" if said else ""),
            admin_hint="Run CommandTokenSource.command by hand, as the server's user, to see what it prints.",
        )


class _OutputTooLong(Exception):
    """The program printed more than a token can have."""


async def _read_up_to(stream: asyncio.StreamReader | None, limit: int) -> bytes:
    content = b""
    while stream is not None and (chunk := await stream.read(limit + 1)):
        content += chunk
        if len(content) > limit:
            raise _OutputTooLong
    return content


async def _read_end(stream: asyncio.StreamReader | None, limit: int) -> bytes:
    """Read everything and keep the end: a program with many messages is not broken."""
    content = b""
    while stream is not None and (chunk := await stream.read(limit)):
        content += chunk
        if len(content) > limit:
            # The first word is cut off: the rest of a token would not look like one.
            content = re.split(rb"\s", content[-limit:], maxsplit=1)[-1]
    return content


async def _end(process: subprocess.Process) -> None:
    """End the program and its children; the process group outlives its leader."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    # A daemon in its own session escapes that, and may hold the pipes. Until they are closed,
    # `wait` does not return (before Python 3.13), and asyncio has no public way to close them.
    process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001
    await process.wait()
