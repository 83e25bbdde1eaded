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
from jupyter_wb_aws.identity.token import MAX_TOKEN_READ, WebIdentityToken
from jupyter_wb_aws.identity.token_source import FETCH_TIMEOUT, TokenRequest, TokenSource

# What a well-behaved program needs to find its own files, its language and the network, and
# nothing that might hold a secret.
PASSED_ON = re.compile(
    r"PATH|HOME|USER|LOGNAME|LANG|LC_\w+|TZ|TMPDIR|XDG_RUNTIME_DIR"
    r"|(HTTPS?|NO|ALL)_PROXY|(https?|no|all)_proxy|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE"
)
# Variables of `environment` whose values the program's complaints may not show, and the shortest word of
# its output that may be a token.
SECRET_NAME = re.compile(
    r"secret|token|pass|pwd|(?<![a-z])pin(?![a-z])|keys?(?![a-z])|cred|auth", re.IGNORECASE
)
SHORTEST_TOKEN = 16
STDERR_SHOWN, STDERR_KEPT = 500, 64 * 1024
ROOT = "/"
# BSD's sysexits.h, EX_NOPERM: the program's way to say "the user must sign in first".
EX_NOPERM = 77


class CommandTokenSource(TokenSource):
    """A program that prints a JWT: anything with a command line can be a token source."""

    short_name: ClassVar[str] = "command"

    command = List(
        Unicode(),
        config=True,
        help="""The program and its arguments, as a list; no shell is involved. It prints the token,
        and nothing else, on standard output and exits with 0; with 77 it says that the user must sign
        in first. What it writes on standard error is shown to the user as a hint. It runs in the folder
        `/`: name the program by an absolute path, or by a name that is found in PATH.""",
    )
    timeout = Float(
        10.0,
        min=0.1,
        max=FETCH_TIMEOUT,
        config=True,
        help=f"""Seconds after which the program is ended and counts as failed; {FETCH_TIMEOUT:g} at
        most, since somebody waits for it.""",
    )
    environment = Dict(
        key_trait=Unicode(),
        value_trait=Unicode(),
        config=True,
        help="""Variables to add to the program's environment, which is otherwise minimal: PATH, HOME,
        the user's name, the language, and proxy and CA settings.""",
    )

    @validate("command")
    def _a_list(self, proposal: Bunch) -> list[str]:
        command: list[str] = proposal["value"]
        # traitlets makes a list of one out of a text, and that is no program's name.
        if len(command) == 1 and " " in command[0] and not Path(command[0]).exists():
            raise TraitError(
                "The 'command' trait of CommandTokenSource is a list, with each argument an item of its"
                f" own; it got one text: {command[0]!r}"
            )
        return command

    def missing_setting(self) -> str | None:
        """Want a program."""
        return None if self.command else "CommandTokenSource.command"

    async def fetch(self, request: TokenRequest) -> WebIdentityToken:
        """Run the program once.

        Raises:
            SignInRequired: if it exits with 77.
            TokenSourceFailed: if it can't be started, fails, prints too much, or takes too long.
            TokenInvalid: if what it prints is no token.
        """
        process = await self._start(request)
        try:
            async with asyncio.timeout(self.timeout):
                output, errors = await asyncio.gather(
                    _read_up_to(process.stdout, MAX_TOKEN_READ),
                    _read_end(process.stderr, STDERR_KEPT),
                )
                status = await process.wait()
        except TimeoutError:
            raise self._failed(f"did not finish within {self.timeout:g} s") from None
        except _TooMuch:
            raise self._failed(
                f"printed more than {MAX_TOKEN_READ} characters, which is no token"
            ) from None
        finally:
            await _end(process)
        # In a thread: a long complaint is searched for what the program was given.
        return await asyncio.to_thread(self._token, output, errors, status)

    async def _start(self, request: TokenRequest) -> subprocess.Process:
        environment = {k: v for k, v in os.environ.items() if PASSED_ON.fullmatch(k)}
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
                # Not the notebooks' folder (on a hub, that is the user's home): what lies there, from a
                # repository or somebody else, must not be what a program loads or runs.
                cwd=ROOT,
                start_new_session=True,  # so that its own children can be ended with it
            )
        except OSError as error:
            how = f"can't be started: {error.strerror}"
            if "/" in self.command[0] and not self.command[0].startswith("/"):
                how += ". Its path is relative, and it runs in the folder /, not in the notebooks' folder"
            raise self._failed(how) from None
        except ValueError as error:  # a NUL in an argument, a `=` in a variable's name
            raise self._failed(f"can't be started: {error}") from None

    def _token(self, output: bytes, errors: bytes, status: int) -> WebIdentityToken:
        proxies = [value for name, value in os.environ.items() if name.lower().endswith("_proxy")]
        said = redact_userinfo(errors.decode("utf-8", errors="replace"), *proxies)
        said = redact_secrets(redact_values(said, self._secrets(output)), STDERR_SHOWN)
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
        """Return what the command was given or printed that its complaint may not show."""
        given = [value for name, value in self.environment.items() if SECRET_NAME.search(name)]
        words = output.decode("ascii", errors="replace").split()
        return [*given, *(word for word in words if len(word) >= SHORTEST_TOKEN)]

    def _failed(self, how: str, said: str = "") -> TokenSourceFailed:
        return TokenSourceFailed(
            f"The token command ({self.command[0]}) {how}." + (f" It says: {said}" if said else ""),
            admin_hint="Run CommandTokenSource.command by hand, as the server's user, to see what it prints.",
        )


class _TooMuch(Exception):
    """A pipe held more than it may."""


async def _read_up_to(stream: asyncio.StreamReader | None, limit: int) -> bytes:
    content = b""
    while stream is not None and (chunk := await stream.read(limit + 1)):
        content += chunk
        if len(content) > limit:
            raise _TooMuch
    return content


async def _read_end(stream: asyncio.StreamReader | None, limit: int) -> bytes:
    """Read all of it and keep the end: a program that says much is not broken."""
    content = b""
    while stream is not None and (chunk := await stream.read(limit)):
        content += chunk
        if len(content) > limit:
            # The first word is cut, and what is left of a token would not look like one.
            content = re.split(rb"\s", content[-limit:], maxsplit=1)[-1]
    return content


async def _end(process: subprocess.Process) -> None:
    """End the program and whatever it started; the group outlives a leader that is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    # A daemon of its own session escapes that, and may hold the pipes: until they are closed,
    # `wait` does not return (before Python 3.13), and asyncio has no public way to close them.
    process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001
    await process.wait()
