"""The local AWS under AWS's own names, for clients that use no other endpoint.

It answers over TLS on port 443 of a loopback address. Clients run in a mount namespace of their own,
in which `/etc/hosts` has AWS's names and the CA certificates include one more. So no client needs a
setting, and nothing on the machine changes.
"""

from __future__ import annotations

import io
import os
import random
import re
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server
from werkzeug.test import run_wsgi_app

from jupyter_wb_aws.demo.background_server import BackgroundServer
from jupyter_wb_aws.demo.local_aws import accounts
from jupyter_wb_aws.demo.local_aws.strict import StrictAws
from jupyter_wb_aws.demo.names import BUCKET, REGION
from tests.clients.certificates import Authority

CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
HOSTS = Path("/etc/hosts")
NAMES = (
    f"sts.{REGION}.amazonaws.com",
    f"s3.{REGION}.amazonaws.com",
    f"{BUCKET}.s3.{REGION}.amazonaws.com",
    # Where clients go that missed the region.
    "sts.amazonaws.com",
    "sts.us-east-1.amazonaws.com",
    "s3.amazonaws.com",
    f"{BUCKET}.s3.amazonaws.com",
)
AT_ONCE = 2.0
_SIGNED_BY = re.compile(r"Credential=(?P<key>\w+)/\d{8}/(?P<region>[\w-]+)/(?P<service>\w+)/")


def impossible() -> str | None:
    """Return why it can't run here, or None."""
    if not CA_BUNDLE.exists():
        return f"the machine's CA certificates are not in {CA_BUNDLE}"
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"], check=False).returncode:
        return "it needs root, for port 443 and a mount namespace"
    return None


@dataclass
class Call:
    """One request as it came; secrets are not shown."""

    host: str
    action: str
    """What was asked of STS, or the method of HTTP."""
    form: dict[str, str] = field(repr=False)
    key: str | None
    """The access key that signed it, if any did."""
    region: str | None
    service: str | None
    status: int = 0

    @classmethod
    def of(cls, environ):
        form = dict(_form(environ))
        signed = _SIGNED_BY.search(environ.get("HTTP_AUTHORIZATION", ""))
        return cls(
            host=environ["HTTP_HOST"],
            action=form.get("Action", environ["REQUEST_METHOD"]),
            form=form,
            key=signed and signed["key"],
            region=signed and signed["region"],
            service=signed and signed["service"],
        )

    @property
    def assumes_role(self):
        return self.action == "AssumeRoleWithWebIdentity"


def _form(environ):
    if not environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        return parse_qsl(environ.get("QUERY_STRING", ""))
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    environ["wsgi.input"] = io.BytesIO(body)
    return parse_qsl(body.decode())


class LocalAmazon(BackgroundServer):
    """What a `LocalAws` holds, at AWS's names; `calls` are what it was asked.

    STS gives the same answer to the same request for two seconds. botocore refreshes at each use any
    credentials that last less than 15 minutes, and polars asks it for the key and the secret one
    after the other: otherwise they would not belong together.

    Args:
        folder: an empty one.
        credential_lifetime: seconds.
    """

    def __init__(self, folder: Path, *, credential_lifetime: int) -> None:
        self.calls = []
        self._aws = StrictAws(credential_lifetime)
        self._half_life = credential_lifetime / 2
        self._given = {}
        self._lock = threading.Lock()
        self._folder = folder
        # Of the 2^24 loopback addresses, so that two runs on a machine don't meet.
        self.address = (
            f"127.{random.randint(1, 254)}.{random.randint(0, 255)}.{random.randint(1, 254)}"
        )
        authority = Authority()
        server = make_server(
            self.address,
            443,
            self._answer,
            threaded=True,
            request_handler=_SilentHandler,
            ssl_context=authority.server_context(folder, *NAMES),
        )
        hosts = HOSTS.read_text() + "".join(f"{self.address} {name}\n" for name in NAMES)
        (folder / "hosts").write_text(hosts)
        (folder / "ca.crt").write_text(CA_BUNDLE.read_text() + authority.certificate)
        super().__init__(server)

    @property
    def within(self):
        """What a command is run by so that it, and all that it starts, finds AWS here."""
        script = 'mount --bind "$1" "$2" && mount --bind "$3" "$4" && shift 4 && exec "$@"'
        mounted = (self._folder / "hosts", HOSTS, self._folder / "ca.crt", CA_BUNDLE)
        return ["unshare", "--mount", "sh", "-c", script, "sh", *map(str, mounted)]

    def expire_all(self):
        """End all credentials that anything was signed with, before their time."""
        with self._lock:
            self._given.clear()
            for key in {call.key for call in self.calls} - {None}:
                accounts.find_credentials(key).expiration = accounts.utcnow()

    def _answer(self, environ, start_response):
        call = Call.of(environ)
        self.calls.append(call)

        def started(status, headers, exc_info=None):
            call.status = int(status.partition(" ")[0])
            return start_response(status, headers)

        if not call.assumes_role:
            return self._aws(environ, started)
        body, status, headers = self._same_answer(call, environ)
        started(status, list(headers))
        return body

    def _same_answer(self, call, environ):
        question = tuple(sorted(call.form.items()))
        with self._lock:
            now = time.monotonic()
            given_at, asked_at, answer = self._given.get(question, (0.0, 0.0, None))
            if answer is None or now - asked_at > AT_ONCE or now - given_at > self._half_life:
                body, status, headers = run_wsgi_app(self._aws, environ, buffered=True)
                given_at, answer = now, ([b"".join(body)], status, headers)
            self._given[question] = (given_at, now, answer)
        return answer


class _SilentHandler(MotoRequestHandler):
    def log(self, *args):
        pass
