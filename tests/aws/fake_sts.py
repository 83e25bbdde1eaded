"""An STS on loopback that answers as a test says, in AWS's Query protocol."""

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

CREDENTIALS = """<Credentials><AccessKeyId>ASIAFAKEKEY</AccessKeyId>
<SecretAccessKey>fake-secret-access-key</SecretAccessKey><SessionToken>fake-session-token</SessionToken>
<Expiration>2026-11-24T13:00:00Z</Expiration></Credentials>"""
ASSUMED_USER = """<AssumedRoleUser><Arn>arn:aws:sts::111122223333:assumed-role/analyst/alice-1</Arn>
<AssumedRoleId>AROAFAKE:alice-1</AssumedRoleId></AssumedRoleUser>"""


def assumed(content=CREDENTIALS + ASSUMED_USER):
    action = "AssumeRoleWithWebIdentity"
    return 200, (
        f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result>{content}'
        f"</{action}Result><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></{action}Response>"
    )


def caller(
    arn="arn:aws:sts::111122223333:assumed-role/analyst/alice-1",
    user="AROAFAKE:alice-1",
    account="111122223333",
):
    return 200, (
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
        f"<Arn>{arn}</Arn><UserId>{user}</UserId><Account>{account}</Account></GetCallerIdentityResult>"
        "<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
    )


def error(code, status=400, message="It went wrong."):
    return status, (
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
        f"<Code>{code}</Code><Message>{message}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
    )


def answer_id(value):
    """Name a test by the status and the error code, or the text, of an answer."""
    if not isinstance(value, tuple):
        return None
    status, text = value
    code = re.search(r"<Code>(\w+)", text)
    root = re.match(r"<\w+", text)
    return f"{status} {root[0]}> {code[1]}" if code and root else f"{status} {text}"[:50]


class FakeSts:
    """Answers by action; `calls` holds (action, form fields, headers) of each call."""

    def __init__(self):
        self.answers = {"AssumeRoleWithWebIdentity": assumed(), "GetCallerIdentity": caller()}
        self.calls = []
        self.released = threading.Event()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                fields = {name: values[0] for name, values in parse_qs(body).items()}
                fake.calls.append((fields["Action"], fields, dict(self.headers)))
                answer = fake.answers[fields["Action"]]
                if answer == "hang":
                    fake.released.wait(10)
                elif isinstance(answer, bytes):
                    self.wfile.write(answer)
                else:
                    status, text = answer
                    self.send_response(status)
                    self.send_header("Content-Type", "text/xml")
                    self.send_header("Content-Length", str(len(text.encode())))
                    self.end_headers()
                    self.wfile.write(text.encode())

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=lambda: self._server.serve_forever(0.01))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @property
    def actions(self):
        return [action for action, _, _ in self.calls]

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
