"""`python -m jupyter_wb_aws.doctor`: the doctor in a process that has the environment to check.

The server starts it with the environment of a notebook or terminal, and sends what it knows itself on stdin.
The report goes to stdout. Users run `jupyter wb-aws doctor` instead.
"""

from __future__ import annotations

import json
import os
import sys

from jupyter_wb_aws.doctor.diagnose import diagnose
from jupyter_wb_aws.doctor.facts import ServerFacts


def main() -> None:
    """Read what the server knows, check this process, and write the report."""
    asked = json.load(sys.stdin)
    # This interpreter started with the server's PYTHONPATH and the like; what it starts gets the kernel's.
    os.environ.clear()
    os.environ.update(asked["environment"])
    server = ServerFacts(**asked["server"])
    report = diagnose(dict(os.environ), asked["process_kind"], lambda: server, asked["timeout"])
    json.dump(report.as_json(), sys.stdout)


if __name__ == "__main__":
    main()
