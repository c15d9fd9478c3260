"""The end of a login in the browser: a loopback server on an ephemeral port, for one answer (RFC 8252 §7.3)."""

import asyncio
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

PATH = "/callback"

_RECEIVED = "You can close this window: the program that opened it tells how the login went."
_FOREIGN = "This is not the answer to the login that is under way."


class Callback:
    """`async with Callback(state) as callback:` send the browser off with `redirect_uri`, then `await answer()`.

    An answer with another state (RFC 6749 §10.12) is refused, and the wait goes on.
    """

    def __init__(self, state: str) -> None:
        self._answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state, self._deliver))
        self.redirect_uri = f"http://127.0.0.1:{self._server.server_port}{PATH}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)

    async def __aenter__(self) -> Self:
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self._stop)  # to its end, also when nobody waits for that any more

    def _stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    async def answer(self) -> str:
        """The URL that the browser was sent to, with the authorization response in its query."""
        return await self._answer

    def _deliver(self, target: str) -> None:
        url = self.redirect_uri.removesuffix(PATH) + target
        self._answer.get_loop().call_soon_threadsafe(self._settle, url)

    def _settle(self, url: str) -> None:
        if not self._answer.done():
            self._answer.set_result(url)


def _handler(state: str, deliver: Any) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path != PATH:
                self._say(404, "There is nothing here.")
                return
            query = parse_qs(parts.query)
            if not secrets.compare_digest(query.get("state", [""])[0].encode(), state.encode()):
                self._say(400, _FOREIGN)
                return
            self._say(200, _RECEIVED)  # whether the answer is good is checked when it has been delivered
            deliver(self.path)

        def _say(self, status: int, sentence: str) -> None:
            body = sentence.encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("Referrer-Policy", "no-referrer")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """The path holds the authorization code."""

    return Handler
