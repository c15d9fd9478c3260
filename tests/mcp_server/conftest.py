"""The MCP service in this process, on the test database, with tokens of a test issuer."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mcp_server.settings import HttpService
from tests import tokens
from tests.mcp_server.tools.world import Clinic


class KeyServer(ThreadingHTTPServer):
    """Serves a key set, counts who asks for it, and can be told to fail."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.keys = tokens.jwks()
        self.body: bytes | None = None
        self.status = 200
        self.asked = 0
        self.paths: set[str] = set()

    @property
    def jwks_url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/jwks.json"


class _Answers(BaseHTTPRequestHandler):
    server: KeyServer

    def do_GET(self) -> None:
        self.server.asked += 1
        self.server.paths.add(self.path)
        body = json.dumps(self.server.keys).encode() if self.server.body is None else self.server.body
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[KeyServer]:
    with KeyServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def issuer() -> Iterator[KeyServer]:
    with serving() as server:
        yield server


@pytest.fixture
def settings_without_database(issuer: KeyServer) -> HttpService:
    """For what is decided before the database is asked."""
    return HttpService(
        database_url="postgresql://nobody@127.0.0.1:1/nowhere",
        issuer=tokens.ISSUER,
        given_url=tokens.RESOURCE,
        given_jwks_url=issuer.jwks_url,
        pool_wait=0.5,
    )


@pytest.fixture
def settings(settings_without_database: HttpService, mcp_database_url: str) -> HttpService:
    return settings_without_database.model_copy(update={"database_url": mcp_database_url, "pool_wait": 5})


@pytest.fixture
def clinic(transactional_db: None) -> Clinic:
    return Clinic()
