"""The command line in a process of its own, against a real server, a strict local AWS and all."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

WB_AWS = Path(sys.executable).with_name("jupyter-wb-aws")


@dataclass
class Done:
    code: int
    out: str
    err: str


class CommandLine:
    """Runs `jupyter wb-aws …` as a user of the server does, in a terminal of it."""

    def __init__(self, environment):
        self.environment = environment

    async def begin(self, *words, env=None, **how):
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), asyncio.subprocess.PIPE)
        return await asyncio.create_subprocess_exec(
            WB_AWS, *words, env={**self.environment, **(env or {})}, **{**pipes, **how}
        )

    async def __call__(self, *words, input="", **how):  # noqa: A002 - as subprocess.run has it
        process = await self.begin(*words, **how)
        async with asyncio.timeout(60):
            out, err = await process.communicate(input.encode())
        reported = [(text or b"").decode(errors="surrogateescape") for text in (out, err)]
        return Done(process.returncode, *reported)


async def in_shell(script, environment):
    """Run a script whose last command is `env`; return the variables that it prints."""
    process = await asyncio.create_subprocess_exec(
        "sh", "-euc", script, env=environment, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return dict(line.partition("=")[::2] for line in out.decode().splitlines())
