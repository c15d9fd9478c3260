"""The revision 2026-07-28: every request stands alone. The SDK serves it; what is added is when it ends."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
from mcp.server._streamable_http_modern import handle_modern_request
from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from mcp_server.auth.bearer import known_caller
from mcp_server.sessions.streams import Reader, Stands
from mcp_server.transports.exchange import Kernel
from mcp_server.transports.messages import accepts
from mcp_server.transports.quick_calls import QuickCalls

LISTEN = b"subscriptions/listen"
_STREAMS_ONLY = (b'"progressToken"', b'"io.modelcontextprotocol/logLevel"')
"""Who asks for these wants to hear something before the answer."""
_QUICK_SECONDS = 0.25
"""A client that goes away sooner is answered all the same: looking for it would take longer than most answers do."""
_SEND_SECONDS = 30


class Modern:
    """JSON answers, a stream where only that can carry what was asked for."""

    def __init__(self, kernel: Kernel, security: TransportSecuritySettings, stands: Stands) -> None:
        self._kernel = kernel
        self._security = security
        self._stands = stands
        self._quick = QuickCalls(kernel, security)
        self._streams: set[anyio.CancelScope] = set()

    def end_streams(self) -> None:
        for stream in self._streams:
            stream.cancel()

    async def __call__(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send) -> None:
        request = await receive()
        if request["type"] == "http.disconnect":
            raise ClientDisconnect
        if _wants_stream(headers, request.get("body", b"")):
            await self._stream(request, scope, receive, send)
        else:
            await self._json(request, scope, headers, receive, send)

    async def _json(
        self, request: Message, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        with anyio.CancelScope() as call:
            with _After(_QUICK_SECONDS, lambda: _until_gone(receive, call)):
                if request.get("more_body") or not await self._quick.answer(scope, headers, request["body"], send):
                    await self._handle(True, request, scope, receive, send)

    async def _stream(self, request: Message, scope: Scope, receive: Receive, send: Send) -> None:
        reader = Reader(known_caller(scope), self._stands)
        with anyio.CancelScope() as stream:

            async def patient(message: Message) -> None:
                with anyio.move_on_after(_SEND_SECONDS) as sending:
                    await send(message)
                if sending.cancelled_caught:
                    stream.cancel()

            self._streams.add(stream)
            try:
                with _After(_QUICK_SECONDS, lambda: _until_over(reader, stream)):
                    await self._handle(False, request, scope, receive, patient)
            finally:
                self._streams.discard(stream)

    async def _handle(self, as_json: bool, request: Message, scope: Scope, receive: Receive, send: Send) -> None:
        waiting = [request]

        async def with_request() -> Message:
            return waiting.pop() if waiting else await receive()

        kernel = self._kernel
        await handle_modern_request(
            kernel.server, self._security, as_json, kernel.lifespan_state, scope, with_request, send
        )


def _wants_stream(headers: dict[bytes, bytes], body: bytes) -> bool:
    """By a look that costs next to nothing; where it is wrong, the SDK answers with JSON."""
    if headers.get(b"mcp-method") == LISTEN:
        return True
    return any(wish in body for wish in _STREAMS_ONLY) and accepts(headers.get(b"accept", b""))[1]


class _After:
    """Runs `start()` beside what is inside, should that take longer than `seconds`. A class: a generator costs more."""

    __slots__ = ("_beside", "_seconds", "_start", "_timer")

    def __init__(self, seconds: float, start: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._seconds = seconds
        self._start = start
        self._beside: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._begin)

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        if self._beside is not None:
            self._beside.cancel()

    def _begin(self) -> None:
        self._beside = asyncio.create_task(self._start())


async def _until_gone(receive: Receive, call: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    call.cancel()


async def _until_over(reader: Reader, stream: anyio.CancelScope) -> None:
    while not await reader.over():
        await asyncio.sleep(reader.seconds())
    stream.cancel()
