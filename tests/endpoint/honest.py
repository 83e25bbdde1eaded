"""An honest program: asks an endpoint as SDKs do, about fifty times a second, and prints the duration (s) of each answer.

    python honest.py PORT SECONDS

A refusal, or none, is printed as `inf`. Its token is that of its environment, if it has one.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import time
from pathlib import Path


def own_token():
    path = os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    return Path(path).read_text() if path else "honest"


def answered(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)  # as botocore
    try:
        connection.request("GET", "/credentials", headers={"Authorization": own_token()})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def main():
    port, seconds = int(sys.argv[1]), float(sys.argv[2])
    durations, began = [], time.monotonic()
    while time.monotonic() - began < seconds:
        asked = time.monotonic()
        durations.append(time.monotonic() - asked if answered(port) else "inf")
        time.sleep(0.02)
    print(json.dumps(durations))


if __name__ == "__main__":
    main()
