"""The response to a POST: JSON, or a stream of events as soon as something goes out before the answer."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from typing import Any

from pydantic_core import to_json
from starlette.requests import Request
from starlette.types import Send

from core.policy.errors import Unavailable
from mcp_server.sessions.store import Event, Stream
from mcp_server.sessions.streams import Reader, Streams
from mcp_server.transports.event_stream import send_events

SILENT_SECONDS = 5
"""After which a stream begins though nothing was said, so that no proxy takes the silence for an end."""
_LAST_TRIES = 10
_AGAIN_SECONDS = 1


class Reply:
    """A client that goes away cancels nothing (MCP 2025-11-25, Sending Messages to the Server, 6): what it has asked is
    answered into the stream, from where it can fetch it.
    """

    def __init__(
        self,
        streams: Streams,
        stream: Stream,
        reader: Callable[[], Reader],
        request: Request,
        send: Send,
        *,
        ids: str = "",
        primed: bool = False,
    ) -> None:
        """`ids` of events begin with this name of the stream; without it there are none. A `primed` stream begins with
        an id, so that it can be resumed from its very beginning."""
        self._streams = streams
        self._stream = stream
        self._reader = reader
        self._request = request
        self._send = send
        self._ids = ids
        self._primed = primed
        self._opening = asyncio.Lock()
        self._response: asyncio.Task[None] | None = None
        self._silence: asyncio.Task[None] | None = None
        self._closed = False

    async def around(self, answering: Awaitable[Mapping[str, Any]], *, streams: bool) -> bytes | None:
        """The answer as the body of the response; None when it has gone into the stream, and the stream is over.

        If `streams` may be, one begins when the answer takes long.
        """
        timer = asyncio.get_running_loop().call_later(SILENT_SECONDS, self._break_silence) if streams else None
        try:
            answer = to_json(await answering)
            if self._silence is not None:
                await self._silence
            if self._response is None:
                return answer
            await self._end(answer)
            await self._response
        except BaseException:
            if self._response is not None:
                self._response.cancel()
            raise
        finally:
            if timer is not None:
                timer.cancel()
        return None

    async def emit(self, message: Mapping[str, Any]) -> None:
        """Raises Unavailable."""
        await self._open()
        await self._streams.append(self._stream, to_json(message))

    async def close(self) -> None:
        """The client has to come back for what follows."""
        with suppress(Unavailable):
            await self._open()
            self._closed = True
            self._streams.replace(self._stream, "")

    async def _open(self) -> None:
        async with self._opening:
            if self._response is None:
                if self._primed:
                    await self._streams.append(self._stream, b"")
                self._response = asyncio.create_task(self._respond())

    async def _end(self, answer: bytes) -> None:
        """A store that restarts meanwhile is waited for: the answer was promised."""
        for _ in range(_LAST_TRIES):
            with suppress(Unavailable):
                await self._streams.append(self._stream, answer, last=True)
                return
            await asyncio.sleep(_AGAIN_SECONDS)
        self._streams.replace(self._stream, "")

    def _break_silence(self) -> None:
        self._silence = asyncio.create_task(self._open_if_possible())

    async def _open_if_possible(self) -> None:
        with suppress(Unavailable):
            await self._open()

    async def _respond(self) -> None:
        request = self._request
        await send_events(self._events(), self._ids, request.scope, request.receive, self._send, drains=True)

    async def _events(self) -> AsyncGenerator[Event, None]:
        async with aclosing(self._streams.read(self._stream, "0", self._reader())) as events:
            async for event in events:
                yield event
                if self._closed:
                    return
