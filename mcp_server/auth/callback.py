"""The end of a login in the browser: a loopback server on an ephemeral port, for one answer (RFC 8252 §7.3)."""

import asyncio
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from core.policy.errors import DomainError
from mcp_server.auth import pages

PATH = "/callback"
_PAGE_SECONDS = 60
"""How long the browser's page waits to be told how the login went: longer than both requests that this takes."""


class Callback:
    """`async with Callback(state) as callback:` send the browser off with `redirect_uri`, then `await answer()`.

    The browser gets its page when the block ends, so that the page tells the truth: that the login is kept, or the
    DomainError that ended the block. An answer with another state (RFC 6749 §10.12) is refused, and the wait goes on.
    """

    def __init__(self, state: str) -> None:
        self._state = state
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[str] = self._loop.create_future()
        self._page: Future[pages.Page] = Future()
        self._shown = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self._respond))
        self._host = f"127.0.0.1:{self._server.server_port}"
        self.redirect_uri = f"http://{self._host}{PATH}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)

    async def __aenter__(self) -> Self:
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._page.set_result(pages.LOGGED_IN)
        else:
            self._page.set_result(pages.failed(str(error) if isinstance(error, DomainError) else "It was given up."))
        await asyncio.to_thread(self._stop)  # to its end, also when nobody waits for that any more

    def _stop(self) -> None:
        if self._answer.done() and not self._answer.cancelled():
            self._shown.wait(5)
        self._server.shutdown()
        self._server.server_close()

    async def answer(self) -> str:
        """The URL that the browser was sent to, with the authorization response in its query."""
        return await self._answer

    def _respond(self, host: str, target: str, send: Callable[[pages.Page], None]) -> None:
        """In a thread of the server's."""
        parts = urlsplit(target)
        if host != self._host:  # a name that resolves to this machine: another site's page asks (DNS rebinding)
            send(pages.NOT_HERE)
        elif parts.path != PATH:
            send(pages.NOTHING)
        elif not secrets.compare_digest(parse_qs(parts.query).get("state", [""])[0].encode(), self._state.encode()):
            send(pages.FOREIGN)
        else:
            self._loop.call_soon_threadsafe(self._settle, f"http://{self._host}{target}")
            with suppress(NotInTime):
                send(self._page.result(_PAGE_SECONDS))
            self._shown.set()

    def _settle(self, url: str) -> None:
        if not self._answer.done():
            self._answer.set_result(url)


def _handler(respond: Callable[[str, str, Callable[[pages.Page], None]], None]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        server_version = "jupyterhealth"
        sys_version = ""

        def do_GET(self) -> None:
            with suppress(ConnectionError):  # the person has closed the window
                respond(self.headers.get("Host", ""), self.path, self._send)

        def _send(self, page: pages.Page) -> None:
            body = page.html.encode()
            self.send_response(page.status)
            for name, value in (*pages.HEADERS, ("Content-Length", str(len(body)))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """The path holds the authorization code."""

    return Handler
