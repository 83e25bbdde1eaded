"""Which of a user's own files real clients prefer to a container's credentials; prints what it saw as JSON.

Run it in a network namespace of its own (`unshare --net --mount`), where it brings up the loopback: what a client
prefers may lie on other hosts, or be the machine's own role. It stands in for the credential endpoint, for STS and
for S3 on one port, and sees by the access key which provider won.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from jupyter_wb_aws.aws.file_conflicts import find_conflict

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / "tests/clients/programs"
PYTHON = ROOT / ".venv-clients/bin/python"
TOKEN = "the-endpoint-token"
EXPIRATION = "2099-01-01T00:00:00Z"
OBJECT = b"a,b\n1,2\n"
TIMEOUT = 60
# Who signed, by the access key.
SIGNERS = {
    "ASIAENDPOINT00000000": "role", "AKIAFILE000000000000": "file", "ASIAPROCESS000000000": "process",
    "ASIAPROFILE000000000": "profile", "AKIAOTHER00000000000": "other",
}  # fmt: skip
KEYS = {who: key for key, who in SIGNERS.items()}


def _static(who: str) -> str:
    return f"aws_access_key_id = {KEYS[who]}\naws_secret_access_key = secret\n"


_PROCESS = json.dumps(
    {"Version": 1, "AccessKeyId": KEYS["process"], "SecretAccessKey": "s", "SessionToken": "t", "Expiration": EXPIRATION}
)  # fmt: skip
_SSO = "sso_account_id = 111122223333\nsso_role_name = x\n"
_OTHER = f"[profile other]\n{_static('other')}"
_BOTO2 = f"[Credentials]\n{_static('file')}"
# The files of each case, below the home folder or as absolute paths, and further variables.
CASES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "nothing": ({}, {}),
    "keys in credentials": ({".aws/credentials": f"[default]\n{_static('file')}"}, {}),
    "keys in config": ({".aws/config": f"[default]\n{_static('file')}"}, {}),
    "credential_process": (
        {".aws/config": "[default]\ncredential_process = /bin/cat {home}/answer\n", "answer": _PROCESS}, {},
    ),
    "role_arn and source_profile": (
        {".aws/config": f"[default]\nrole_arn = arn:aws:iam::111122223333:role/x\nsource_profile = other\n{_OTHER}"}, {},
    ),
    "role_arn and credential_source": (
        {".aws/config": "[default]\nrole_arn = arn:aws:iam::111122223333:role/x\ncredential_source = EcsContainer\n"}, {},
    ),
    "web_identity_token_file": (
        {
            ".aws/config": "[default]\nrole_arn = arn:aws:iam::111122223333:role/x\nweb_identity_token_file = {home}/t\n",
            "t": "a.web.identity",
        },
        {},
    ),
    "sso_start_url": ({".aws/config": f"[default]\nsso_start_url = https://x.invalid/start\nsso_region = us-east-1\n{_SSO}"}, {}),
    "sso_session": (
        {".aws/config": f"[default]\nsso_session = corp\n{_SSO}[sso-session corp]\nsso_start_url = https://x.invalid/start\nsso_region = us-east-1\n"}, {},
    ),
    "login_session": ({".aws/config": "[default]\nlogin_session = arn:aws:iam::111122223333:user/x\n"}, {}),
    "region": ({".aws/config": "[default]\nregion = eu-central-1\n"}, {}),
    "another profile": ({".aws/config": _OTHER}, {}),
    "~/.boto": ({".boto": _BOTO2}, {}),
    "/etc/boto.cfg": ({"/etc/boto.cfg": _BOTO2}, {}),
    "BOTO_CONFIG": ({"boto": _BOTO2}, {"BOTO_CONFIG": "{home}/boto"}),
    "AWS_CREDENTIAL_FILE": (
        {"file": f"AWSAccessKeyId={KEYS['file']}\nAWSSecretKey=secret\n"}, {"AWS_CREDENTIAL_FILE": "{home}/file"},
    ),
}  # fmt: skip

_READ_PYARROW = """
    from pyarrow.fs import S3FileSystem
    files = S3FileSystem(endpoint_override="{host}", scheme="http", region="us-east-2")
    print(files.open_input_stream("bucket/x.csv").read())
    import os; os._exit(0)
"""
_READ_POLARS = """
    import polars as pl
    options = {{"aws_endpoint_url": "{url}", "aws_allow_http": "true", "aws_region": "us-east-2"}}
    print(pl.scan_csv("s3://bucket/x.csv", storage_options=options, credential_provider=None).collect())
"""
_READ_DUCKDB = """
    from pathlib import Path
    import duckdb, duckdb_extension_aws, duckdb_extension_httpfs
    database = duckdb.connect()
    for package in duckdb_extension_httpfs, duckdb_extension_aws:
        (extension,) = Path(package.__file__).parent.rglob("*.duckdb_extension")
        database.load_extension(str(extension))
    database.sql("CREATE SECRET (TYPE s3, PROVIDER credential_chain, ENDPOINT '{host}', URL_STYLE 'path', USE_SSL false)")
    print(database.sql("SELECT * FROM 's3://bucket/x.csv'").fetchall())
"""
_READ_BOTO3 = """
    import boto3
    print(boto3.client("s3").get_object(Bucket="bucket", Key="x.csv")["Body"].read())
"""
_READ_JAVASCRIPT = """
    import {{ GetObjectCommand, S3Client }} from "@aws-sdk/client-s3";
    const s3 = new S3Client({{ forcePathStyle: true, endpoint: "{url}" }});
    const found = await s3.send(new GetObjectCommand({{ Bucket: "bucket", Key: "x.csv" }}));
    console.log(await found.Body.transformToString());
"""


def commands(url: str) -> dict[str, list[str]]:
    """Return how each client reads one object of the store at `url`."""

    def code(text: str) -> str:
        return textwrap.dedent(text).format(url=url, host=url.partition("://")[2])

    script = ["node", "--input-type=module", "--eval", code(_READ_JAVASCRIPT)]
    return {
        "boto3": [str(PYTHON), "-Pc", code(_READ_BOTO3)],
        "aws": [str(PYTHON), "-Pm", "awscli", "s3api", "get-object", "--bucket", "bucket", "--key", "x.csv", "/dev/null"],
        "javascript": script,
        "pyarrow": [str(PYTHON), "-Pc", code(_READ_PYARROW)],
        "polars": [str(PYTHON), "-Pc", code(_READ_POLARS)],
        "duckdb": [str(PYTHON), "-Pc", code(_READ_DUCKDB)],
    }  # fmt: skip


class Store(ThreadingHTTPServer):
    """The endpoint, STS and S3; `keys` are those that signed a request for an object."""

    daemon_threads = True

    def __init__(self) -> None:
        self.keys: list[str | None] = []
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: Store
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/credentials":
            self._credentials()
            return
        signed = re.search(r"Credential=(\w+)/", self.headers.get("Authorization", ""))
        self.server.keys.append(signed and signed[1])
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first, last = (int(asked[1]), int(asked[2] or len(OBJECT) - 1)) if asked else (0, None)
        part = OBJECT[first : last + 1 if last is not None else None]
        extra = {"Content-Range": f"bytes {first}-{first + len(part) - 1}/{len(OBJECT)}"}
        self._say(206 if asked else 200, part, "text/csv", ETag='"1"', **(extra if asked else {}))

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        action = re.search(r"Action=(\w+)", form)
        name = action[1] if action else "AssumeRole"
        self._say(200, _ASSUMED.format(name=name, key=KEYS["profile"]).encode(), "text/xml")

    def _credentials(self) -> None:
        if self.headers.get("Authorization") != TOKEN:
            self._say(
                403, b'{"Code": "EndpointTokenUnknown", "Message": "No."}', "application/json"
            )
            return
        answer = {
            "AccessKeyId": KEYS["role"], "SecretAccessKey": "s", "Token": "t", "Expiration": EXPIRATION,
            "AccountId": "111122223333", "RoleArn": "arn:aws:iam::111122223333:role/analyst",
        }  # fmt: skip
        self._say(200, json.dumps(answer).encode(), "application/json")

    def _say(self, status: int, body: bytes, kind: str, **headers: str) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": kind, "Content-Length": str(len(body)), "Accept-Ranges": "bytes",
            "Last-Modified": "Sun, 01 Nov 2026 00:00:00 GMT", **headers,
        }.items():  # fmt: skip
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


_ASSUMED = (
    '<{name}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{name}Result><Credentials>'
    "<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
    f"<Expiration>{EXPIRATION}</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>A:s</AssumedRoleId>"
    "<Arn>arn:aws:sts::111122223333:assumed-role/x/s</Arn></AssumedRoleUser></{name}Result>"
    "<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></{name}Response>"
)


def who_signs(client: str, case: str) -> str:
    """Run a client once; return who signed, `unsigned`, or `error` if it asked the store for nothing."""
    store = Store()
    Thread(target=store.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{store.server_port}"
    with tempfile.TemporaryDirectory() as home:
        environment = _environment(Path(home), url, case)
        subprocess.run(
            commands(url)[client],
            env=environment,
            cwd=PROGRAMS,
            check=False,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=TIMEOUT,
        )
    store.shutdown()
    store.server_close()
    signers = sorted({SIGNERS.get(key, key) if key else "unsigned" for key in store.keys})
    return " and ".join(signers) or "error"


def _environment(home: Path, url: str, case: str) -> dict[str, str]:
    files, variables = CASES[case]
    (home / ".aws").mkdir()
    for name, text in files.items():
        (home / name).write_text(text.replace("{home}", str(home)))
    (home / "endpoint-token").write_text(TOKEN)
    return {
        "PATH": f"{ROOT / '.venv-clients/bin'}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home), "AWS_REGION": "us-east-2", "AWS_DEFAULT_REGION": "us-east-2",
        "AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1", "AWS_ENDPOINT_URL": url,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(home / "endpoint-token"),
        **{name: value.replace("{home}", str(home)) for name, value in variables.items()},
    }  # fmt: skip


def what_conflicts(case: str) -> str | None:
    """Return what the extension finds in the way of the role."""
    with tempfile.TemporaryDirectory() as home:
        environment = _environment(Path(home), "http://127.0.0.1:9", case)
        found = find_conflict(environment)
        return found and found.replace(home, "~")


def measured(case: str, clients: Sequence[str]) -> dict[str, str | None]:
    """Return who signs in a case, by client, and what the extension finds; two clients at once."""
    with ThreadPoolExecutor(2) as pool:
        seen = dict(zip(clients, pool.map(partial(who_signs, case=case), clients), strict=True))
    return {**seen, "conflict": what_conflicts(case)}


def run_apart() -> dict[str, dict[str, str | None]]:
    """Measure all clients and cases in namespaces of their own."""
    # A copy of /etc, where one case adds a file; nothing on the machine changes.
    script = (
        'ip link set lo up && cp -a /etc "$1" && mount --bind "$1/etc" /etc && shift && exec "$@"'
    )
    with tempfile.TemporaryDirectory() as folder:
        program = [sys.executable, "-m", "tests.clients.precedence"]
        command = ["unshare", "--net", "--mount", "sh", "-c", script, "sh", folder, *program]
        done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    seen: dict[str, dict[str, str | None]] = json.loads(done.stdout)
    return seen


if __name__ == "__main__":
    names = list(commands("http://127.0.0.1"))
    seen = {}
    for case, (files, _) in CASES.items():
        seen[case] = measured(case, names)
        for name in filter(None, (name if name.startswith("/") else None for name in files)):
            Path(name).unlink()
    json.dump(seen, sys.stdout)
