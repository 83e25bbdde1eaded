"""A server that answers as a test says, and a client for one request to it."""

import asyncio
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from jupyter_wb_aws.demo.background_server import BackgroundServer
from jupyter_wb_aws.identity.http.client import HttpClient
from tests.openid import say


class Answering(BackgroundServer):
    """A server that answers every request as `answer` says; its URL is `url`."""

    def __init__(self, context=None):
        answering = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                answering.asked.append((self.path, dict(self.headers)))
                answering.answer(self)

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                self.do_GET()

            def log_message(self, *args):
                pass

        self.asked = []
        self.answer = lambda handler: say(handler, b'{"fine": true}')
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        self._scheme = "https" if context else "http"
        super().__init__(server)

    @property
    def url(self):
        return f"{self._scheme}://localhost:{self._server.server_port}"


def get_json(url, settings):
    """Fetch one document, as a client of its own."""

    async def get():
        http = HttpClient(settings)
        try:
            return await http.get_json(url)
        finally:
            await http.close()

    return asyncio.run(get())
