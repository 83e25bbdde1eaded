"""A Jupyter Server in a process of its own, and how a client talks to it."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
import uuid

import websocket

from tests.site import execute_request


class RunningServer:
    """A server at `url`, whose clients show `token`."""

    def __init__(self, process, port, token):
        self.process = process
        self.port = port
        self.token = token
        self.url = f"http://127.0.0.1:{port}/"

    def __call__(self, method, path, body=None):
        content = self.ask(method, path, None if body is None else json.dumps(body).encode())
        return json.loads(content) if content else None

    def ask(self, method, path, content):
        """Send a request; return what was answered, a failure too."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            method=method,
            data=content,
            headers={"Authorization": f"token {self.token}", "Content-Type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            return error.read()

    def start(self, role_arn, **body):
        return self("POST", "/aws/sessions", {"role_arn": role_arn, **body})

    def kernel(self, name="python3"):
        """Start a kernel; return its id."""
        return self("POST", "/api/kernels", {"name": name})["id"]

    def socket(self, path):
        return websocket.create_connection(
            f"ws://127.0.0.1:{self.port}{path}",
            header=[f"Authorization: token {self.token}"],
            timeout=60,
        )

    def run(self, kernel_id, code):
        """Run code in a kernel over its websocket; return what it printed, drew, or failed with."""
        channel = self.socket(f"/api/kernels/{kernel_id}/channels")
        message_id = uuid.uuid4().hex
        channel.send(execute_request(message_id, code))
        said = []
        while True:
            message = json.loads(channel.recv())
            if message["parent_header"].get("msg_id") != message_id:
                continue
            content = message["content"]
            if message["msg_type"] == "stream":
                said.append(content["text"])
            elif message["msg_type"] in {"display_data", "execute_result"}:
                said.append(" ".join(content["data"]))
            elif message["msg_type"] == "error":
                said.append(f"{content['ename']}: {content['evalue']}")
            elif content.get("execution_state") == "idle":
                channel.close()
                return "".join(said)

    def terminal(self, command, name=None):
        """Run a command in a terminal; return what it printed."""
        running = self.begin_in_terminal(command, name)
        return running.rest()

    def begin_in_terminal(self, command, name=None):
        name = name or self("POST", "/api/terminals")["name"]
        return InTerminal(self.socket(f"/terminals/websocket/{name}"), command)


class InTerminal:
    """A command that runs in a terminal."""

    def __init__(self, pty, command):
        self._pty = pty
        self._said = ""
        pty.send(json.dumps(["set_size", 50, 400]))
        pty.send(json.dumps(["stdin", f"printf 'BEG''IN'; {command}; printf 'E''ND'\r"]))

    def shows(self, pattern):
        """Wait until it has printed what a pattern matches; return the match."""
        while not (found := re.search(pattern, self._said.partition("BEGIN")[2])):
            kind, *content = json.loads(self._pty.recv())
            self._said += content[0] if kind == "stdout" else ""
        return found

    def rest(self):
        """Wait until it has ended; return all that it printed."""
        self.shows("END")
        self._pty.close()
        return self._said.partition("BEGIN")[2].partition("END")[0].replace("\r", "")
