"""A proxied app for tests: answers with its environment; `/crash` and `/end` end it, with an error or without."""

from __future__ import annotations

import json
import os
import signal
import socketserver
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/crash":
            os._exit(1)
        answer = json.dumps({"pid": os.getpid(), "environment": dict(os.environ)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
        if self.path == "/end":
            self.wfile.flush()
            os._exit(0)

    def address_string(self):
        return "nobody"

    def log_message(self, *args):
        pass


class OnSocket(socketserver.UnixStreamServer):
    pass


if __name__ == "__main__":
    if "STUBBORN" in os.environ:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    where = sys.argv[1]
    server = (
        HTTPServer(("127.0.0.1", int(where)), Handler)
        if where.isdecimal()
        else OnSocket(where, Handler)
    )
    server.serve_forever()
