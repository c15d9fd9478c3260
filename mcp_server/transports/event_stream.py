"""Streams of events as responses (text/event-stream, HTML Living Standard §9.2)."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.types import Receive, Scope, Send

from mcp_server.sessions.store import Event

RETRY_MILLISECONDS = 1_000
"""After which a client comes back to a stream that ended before its last event."""
_SEND_SECONDS = 30
"""A client that takes nothing for as long is gone; what it missed is in the stream."""
_DRAIN_SECONDS = 8
"""For a call under way when the service ends; less than uvicorn's own patience."""


async def send_events(
    events: AsyncGenerator[Event, None],
    name: str,
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    first: ServerSentEvent | None = None,
    drains: bool,
) -> None:
    """`name` of the stream begins the ids of its events; without it there are none. `drains`: it ends by itself.
    Ahead of them goes what is `first`."""
    response = EventSourceResponse(
        _shown(events, name, first),
        headers={"Cache-Control": "no-cache, no-transform"},
        send_timeout=_SEND_SECONDS,
        shutdown_grace_period=_DRAIN_SECONDS if drains else 0,
    )
    try:
        await response(scope, receive, send)
    except SendTimeoutError:
        return


async def _shown(
    events: AsyncGenerator[Event, None], name: str, first: ServerSentEvent | None
) -> AsyncIterator[ServerSentEvent]:
    async with aclosing(events):
        if first is not None:
            yield first
        async for event in events:
            event_id = f"{name}.{event.position}" if name else None
            if event.data:
                yield ServerSentEvent(event.data.decode(), event="message", id=event_id)
            else:
                yield ServerSentEvent("", id=event_id, retry=RETRY_MILLISECONDS)
