"""Print a web identity token of the demo's identity provider: `python -m … CLIENT_FILE`.

The extension's `command` token source runs this, as it would run a site's own program. Standard
library only, so that it starts in a few tens of milliseconds; `http.client` follows no redirect
and uses no proxy.
"""

from __future__ import annotations

import http.client
import json
import sys
from pathlib import Path
from urllib.parse import urlencode, urlsplit

_TIMEOUT = 5.0


class _CannotGetToken(Exception):
    """Why there is no token, in a sentence."""


def fetch_token(client_file: Path) -> str:
    """Ask the identity provider that `client_file` names for a token."""
    client = _read(client_file)
    endpoint = urlsplit(client["token_endpoint"])
    connection = http.client.HTTPConnection(endpoint.netloc, timeout=_TIMEOUT)
    headers = {
        "Authorization": f"Bearer {client['secret']}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    try:
        connection.request("POST", endpoint.path, urlencode({"user": client["user"]}), headers)
        response = connection.getresponse()
        answer = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise _CannotGetToken(
            f"The demo's identity provider at {endpoint.netloc} does not answer. "
            "Is the demo still running?"
        ) from error
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise _CannotGetToken(
            f"The demo's identity provider refused to give a token (HTTP {response.status})."
        )
    return str(json.loads(answer)["id_token"])


def _read(client_file: Path) -> dict[str, str]:
    try:
        return dict(json.loads(client_file.read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise _CannotGetToken(
            f"{client_file} can't be read; the demo writes it when it starts and removes it "
            "when it stops."
        ) from error


def main(argv: list[str]) -> int:
    """Print the token, or a sentence on standard error."""
    if len(argv) != 1:
        sys.stderr.write("Give the client file that the demo wrote, and nothing else.\n")
        return 2
    try:
        token = fetch_token(Path(argv[0]))
    except _CannotGetToken as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{token}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
