import json
import os
import subprocess
from pathlib import Path

program = subprocess.Popen(
    ["node", Path(os.environ["CLIENT_PROGRAMS"], "javascript.mjs")],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    text=True,
)
VERSION = json.loads(program.stdout.readline())


def use():
    program.stdin.write("\n")
    program.stdin.flush()
    said = json.loads(program.stdout.readline())
    if "error" in said:
        raise RuntimeError(said["error"])
    return said["answer"]
