"""A job that outlives its kernel or terminal: asks the credential endpoint each time that a test says so.

It is run as a program of its own, with the standard library alone. `ask` and `answer` are for the tests.
"""

import asyncio
import json
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

LIFETIME = 300


def main(folder: Path) -> None:
    """Answer by files, until the folder has a file `stop`."""
    ends = time.monotonic() + LIFETIME
    folder.joinpath("started").write_text(str(os.getpid()))
    while time.monotonic() < ends and not folder.joinpath("stop").exists():
        if folder.joinpath("ask").exists():
            folder.joinpath("ask").unlink()
            said = folder.joinpath("being-written")
            said.write_text(json.dumps(asked()))
            said.rename(folder / "answer")
        time.sleep(0.02)


def asked() -> object:
    """Ask as SDKs do."""
    token = Path(os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]).read_text()
    request = urllib.request.Request(
        os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"], headers={"Authorization": token}
    )
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refusal:
        return json.load(refusal)


async def answer(folder: Path) -> dict[str, str]:
    """Let the job ask, and return what the endpoint answered."""
    await there(folder / "started")
    folder.joinpath("ask").touch()
    said = json.loads(await there(folder / "answer"))
    folder.joinpath("answer").unlink()
    return said


async def there(path: Path, seconds: float = 30) -> str:
    """Wait for a file, and return its text."""
    async with asyncio.timeout(seconds):
        while not path.exists():
            await asyncio.sleep(0.02)
    return path.read_text()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
