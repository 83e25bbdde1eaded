"""Print a web identity token of the demo's identity provider: `python -m … CLIENT_FILE`.

The extension's `command` token source runs this, as it would run a site's own program. It uses only
the standard library, so that it starts within some ten milliseconds. `http.client` follows no
redirects and uses no proxy.
"""

from __future__ import annotations

import http.client
import json
import sys
from pathlib import Path
from urllib.parse import urlencode, urlsplit

_TIMEOUT = 5.0


class _CannotGetToken(Exception):
    """There is no token; the message is a sentence for the user."""


def fetch_token(client_file: Path) -> str:
    """Request a token from the identity provider that `client_file` names.

    Raises:
        _CannotGetToken: if the file can't be read, or the identity provider does not answer or
            refuses.
    """
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
            f"{client_file} can't be read. The demo writes it when it starts and removes it "
            "when it stops: is the demo still running?"
        ) from error


def main(argv: list[str]) -> int:
    """Print the token, or an error message on standard error."""
    if len(argv) != 1:
        sys.stderr.write("Pass exactly one argument: the client file that the demo wrote.\n")
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
