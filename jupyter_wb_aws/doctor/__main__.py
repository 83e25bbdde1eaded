"""`python -m jupyter_wb_aws.doctor`: the doctor in a process that has the environment in question.

The server starts it with what a notebook or terminal would get, and passes on stdin what it knows
itself; the report goes to stdout. For people there is `jupyter wb-aws doctor`.
"""

from __future__ import annotations

import json
import os
import sys

from jupyter_wb_aws.doctor.diagnose import diagnose
from jupyter_wb_aws.doctor.facts import ServerFacts


def main() -> None:
    """FileContent what the server knows, look at this process, and write the report."""
    asked = json.load(sys.stdin)
    # This interpreter has started with the server's PYTHONPATH and the like; what it starts has the kernel's.
    os.environ.clear()
    os.environ.update(asked["environment"])
    server = ServerFacts(**asked["server"])
    report = diagnose(dict(os.environ), asked["place"], lambda: server, asked["timeout"])
    json.dump(report.as_json(), sys.stdout)


if __name__ == "__main__":
    main()
