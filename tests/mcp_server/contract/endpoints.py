"""Endpoints to be checked: scripted ones, each wrong in one way, and real ones in this process."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import uvicorn
from starlette.types import ASGIApp

TOKEN = "sk-another-server's/own+token_0123456789"
"""Not of our kind: every server has its own."""

ECHO = {
    "name": "echo",
    "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}},
    "outputSchema": {"type": "object", "properties": {"said": {"type": "string"}}, "required": ["said"]},
}

_EVERY_RESULT = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}


@dataclass
class Endpoint:
    """How one path answers: as a server of the newest revision should, but for what is said here."""

    token: str | None = None
    challenge: str = 'Bearer resource_metadata="{origin}/metadata"'
    resource: str | None = None
    """What its metadata call it; None for its own URL."""
    status: int = 200
    body: str | None = None
    """Instead of a message."""
    hangs: bool = False
    results: dict[str, Any] = field(default_factory=dict)
    """By method; an `error` is told as one."""
    echoes_token: bool = False

    def result(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        usual: dict[str, Any] = {
            "server/discover": {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}},
            "tools/list": {"tools": [ECHO]},
            "tools/call": {"content": [], "structuredContent": {"said": "hello"}},
        }
        found = self.results.get(method, usual.get(method))
        if callable(found):
            found = found(params)
        return {"error": {"code": -32601, "message": f"no {method}"}} if found is None else found


class Scripted(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.endpoint = Endpoint()
        self.released = Event()
        self.scheme = "http"

    @property
    def origin(self) -> str:
        return f"{self.scheme}://localhost:{self.server_port}"

    @property
    def url(self) -> str:
        return f"{self.origin}/mcp"


class _Handler(BaseHTTPRequestHandler):
    server: Scripted

    def do_GET(self) -> None:
        document = {
            "resource": self.server.endpoint.resource or self.server.url,
            "authorization_servers": ["https://issuer.example"],
        }
        if self.path == "/healthz":
            self._say(200, "{}")
        elif self.path == "/metadata" and self.server.endpoint.resource != "":
            self._say(200, json.dumps(document))
        else:
            self._say(404, "{}")

    def do_POST(self) -> None:
        endpoint = self.server.endpoint
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if endpoint.hangs:
            self.server.released.wait()
        given = self.headers.get("Authorization", "")
        if endpoint.token is not None and given != f"Bearer {endpoint.token}":
            self._say(401, "{}", {"WWW-Authenticate": endpoint.challenge.format(origin=self.server.origin)})
        elif "id" not in message:
            self._say(202, "")
        elif endpoint.body is not None or endpoint.status != 200:
            self._say(endpoint.status, endpoint.body or "{}")
        else:
            found = endpoint.result(message["method"], message.get("params", {}))
            if endpoint.echoes_token:
                found = {"error": {"code": -32000, "message": f"what is {given}?"}}
            answer = found if "error" in found else {"result": {**_EVERY_RESULT, **found}}
            self._say(200, json.dumps({"jsonrpc": "2.0", "id": message["id"], **answer}))

    def _say(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def scripted(tls: ssl.SSLContext | None = None) -> Iterator[Scripted]:
    with Scripted() as server:
        if tls is not None:
            server.scheme, server.socket = "https", tls.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()
            thread.join()


@asynccontextmanager
async def served(app: ASGIApp, port: int) -> AsyncIterator[str]:
    """A real service on a port of this machine; gives the URL of its MCP endpoint."""
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, timeout_graceful_shutdown=1))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{port}/mcp"
    server.should_exit = True
    await serving
