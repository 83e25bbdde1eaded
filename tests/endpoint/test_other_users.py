"""Another user's process on the same machine: it reaches the port, as any process does, and gets nothing."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from jupyter_wb_aws.private_folder import PrivateFolder, make_private
from tests.endpoint.asking import TOKEN, Counting, ask, running

NOBODY = 65534
# It becomes the other user after the imports: that user may not be able to read this Python.
INTRUDER = """
import encodings.idna, http.client, json, os, sys
uri, token_file, user = sys.argv[1:]
os.setgroups([]); os.setgid(int(user)); os.setuid(int(user))
host, _, path = uri.removeprefix("http://").partition("/")
found = {}
try:
    found["token"] = open(token_file).read()
except OSError as error:
    found["token"] = type(error).__name__
for name, headers in {"without": {}, "guessed": {"Authorization": "guessed"}}.items():
    asking = http.client.HTTPConnection(host, timeout=20)
    asking.request("GET", "/" + path, headers=headers)
    answer = asking.getresponse()
    found[name] = [answer.status, json.loads(answer.read())["code"]]
print(json.dumps(found))
"""


def run_as_nobody(uri, token_file):
    command = [sys.executable, "-c", INTRUDER, uri, str(token_file), str(NOBODY)]
    ended = subprocess.run(command, capture_output=True, check=False)
    return json.loads(ended.stdout or json.dumps({"failed": ended.stderr.decode()}))


@pytest.fixture
def open_folder():
    """A folder that other users can enter: what is in it has to keep them out."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process of another user")
async def test_another_user_can_not_read_the_token_and_gets_nothing_without_it(open_folder):
    private = open_folder / "private"
    make_private(private)
    folder = PrivateFolder.open(private)
    folder.write("token", TOKEN.encode())
    folder.close()
    answer = Counting()

    async with running(answer) as server:
        found = await asyncio.to_thread(run_as_nobody, server.uri, private / "token")
        own = await ask(server.port, token=(private / "token").read_text())

    assert found == {
        "token": "PermissionError",
        "without": [403, "EndpointTokenUnknown"],
        "guessed": [403, "EndpointTokenUnknown"],
    }
    assert own[0] == 200
    assert answer.asked == {None: 1, "guessed": 1, TOKEN: 1}
