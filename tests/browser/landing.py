"""Where a browser is sent back to: a client's redirect URI on a loopback port, which tells what it was called with."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

SECONDS = 30


class Landing:
    """`url` is the redirect URI. `came()` is the URL of the next request to it, `said()` its query."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/callback"
        self.requests: Queue[str] = Queue()

    async def came(self) -> str:
        return await asyncio.to_thread(self.requests.get, timeout=SECONDS)

    async def said(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(await self.came()).query).items()}


@contextmanager
def listening() -> Iterator[Landing]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if urlsplit(self.path).path == "/callback":  # a browser may also ask for an icon
                landing.requests.put(f"http://127.0.0.1:{server.server_port}{self.path}")
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.end_headers()
            self.wfile.write(b"You can close this window.")

        def log_message(self, *_: Any) -> None:
            """The path holds the authorization code."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        landing = Landing(server.server_port)
        serving = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
        serving.start()
        try:
            yield landing
        finally:
            server.shutdown()
            serving.join()
