"""The revisions 2025-11-25 to 2024-11-05 over Streamable HTTP: in sessions, and without.

Each POST is one exchange, whichever worker it reaches. A request without a session id is answered all the same: there
are proxies that strip the header, and clients that never learnt of it.
"""

import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from functools import partial
from secrets import token_hex
from typing import Any

import anyio
from mcp.server.connection import Connection
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from mcp.shared.message import ServerMessageMetadata
from mcp_types import DEFAULT_NEGOTIATED_VERSION
from mcp_types.version import LATEST_HANDSHAKE_VERSION, is_version_at_least
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from mcp_server.auth.bearer import known_caller
from mcp_server.sessions import STANDALONE, Sessions
from mcp_server.sessions.memory import Memory
from mcp_server.sessions.session import Session, attach
from mcp_server.sessions.store import Event, Limits, Stream
from mcp_server.sessions.streams import Reader, Stands, Streams, admit
from mcp_server.transports.event_stream import send_events
from mcp_server.transports.exchange import Exchange, Kernel, connected, heard
from mcp_server.transports.messages import (
    Refused,
    accepts,
    no_such_session,
    not_allowed,
    parsed,
    refusing,
    send_json,
)
from mcp_server.transports.reply import Reply

_SESSION_ID = b"mcp-session-id"
_EVENT_ID = re.compile(r"([0-9a-f]{1,32})\.([0-9]{1,19}(?:-[0-9]{1,19})?)")
_RESUMABLE_FROM_THE_START = "2025-11-25"
"""The first revision whose clients know events without data."""

_UNSAID = DEFAULT_NEGOTIATED_VERSION.encode()

Headers = Mapping[bytes, bytes]


class Handshake:
    def __init__(
        self, kernel: Kernel, security: TransportSecuritySettings, sessions: Sessions, stands: Stands, *, keeps: bool
    ) -> None:
        """Without `keeps`, no session is opened, and none is looked for."""
        self._kernel = kernel
        self._security = TransportSecurityMiddleware(security)
        self._sessions = sessions
        self._stands = stands
        self._keeps = keeps
        self._methods = ("POST", "GET", "DELETE") if keeps else ("POST",)
        self._unkept = Streams(Memory(Limits(0, 0, 0)))
        """For requests without a session: nobody can come back to their streams."""

    async def __call__(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        async with refusing(scope, receive, send):
            refusal = await self._security.validate_request(request, is_post=scope["method"] == "POST")
            if refusal is not None:
                await refusal(scope, receive, send)
            else:
                await self._by_method(request, headers, send)

    async def _by_method(self, request: Request, headers: Headers, send: Send) -> None:
        method = request.scope["method"]
        if method not in self._methods:
            raise not_allowed(*self._methods)
        if method == "POST":
            await self._post(request, headers, send)
            return
        session = await self._session(request, headers)
        if session is None:
            raise not_allowed("POST")
        await admit(known_caller(request.scope), self._stands)
        if method == "GET":
            await self._read(session, request, headers, send)
        else:
            await self._sessions.end(session)
            await Response(status_code=204)(request.scope, request.receive, send)

    async def _session(self, request: Request, headers: Headers) -> Session | None:
        """Raises Refused for a session that is not there for this caller."""
        session_id = headers.get(_SESSION_ID)
        if session_id is None or not self._keeps:
            return None
        session = await self._sessions.find(session_id.decode("latin-1"), known_caller(request.scope))
        if session is None:
            raise no_such_session()
        attach(request.scope, session)
        return session

    async def _post(self, request: Request, headers: Headers, send: Send) -> None:
        has_json, has_events = accepts(headers.get(b"accept", b""))
        if not has_json:
            raise Refused(406, "Not acceptable: the client must accept application/json.")
        message = parsed(await request.body())
        if message.get("method") == "initialize":
            await self._initialize(message, request, send)
            return
        session = await self._session(request, headers)
        if "method" not in message or "id" not in message:
            if session is not None:
                metadata = ServerMessageMetadata(request_context=request)
                await heard(self._kernel, self._sessions, session, message, metadata)
            await Response(status_code=202)(request.scope, request.receive, send)
        elif session is None:
            version = headers.get(b"mcp-protocol-version", _UNSAID).decode("latin-1")
            await self._alone(message, request, version, send, streams=has_events)
        else:
            await self._in_session(message, session, request, send, streams=has_events)

    async def _initialize(self, message: dict[str, Any], request: Request, send: Send) -> None:
        if self._keeps:
            await admit(known_caller(request.scope), self._stands)
        connection = Connection.from_envelope(LATEST_HANDSHAKE_VERSION, None, None)
        exchange = Exchange(message, ServerMessageMetadata(request_context=request))
        answer = await self._kernel.answer(message, exchange, connection, anyio.CancelScope())
        headers = []
        if self._keeps and "result" in answer:
            caller, version = known_caller(request.scope), connection.protocol_version
            session = await self._sessions.open(caller, protocol_version=version, client=connection.client_params)
            headers.append((_SESSION_ID, session.id.encode()))
        await send_json(to_json(answer), send, *headers)

    async def _alone(
        self, message: dict[str, Any], request: Request, version: str, send: Send, *, streams: bool
    ) -> None:
        caller = known_caller(request.scope)
        stream = Stream(caller.subject if caller else "", token_hex(8))
        reply = Reply(self._unkept, stream, self._reader(request), request, send)
        exchange = Exchange(message, ServerMessageMetadata(request_context=request), reply.emit if streams else None)
        connection = Connection.from_envelope(version, None, None)
        answer = self._kernel.answer(message, exchange, connection, anyio.CancelScope())
        try:
            body = await reply.around(answer, streams=streams)
        finally:
            await self._unkept.drop(stream)
        if body is not None:
            await send_json(body, send)

    async def _in_session(
        self, message: dict[str, Any], session: Session, request: Request, send: Send, *, streams: bool
    ) -> None:
        sessions, name = self._sessions, token_hex(8)
        resumable = streams and _is_resumable(session)
        stream = sessions.stream(session, name)
        reply = Reply(sessions.streams, stream, self._reader(request), request, send, ids=name, primed=resumable)
        exchange = Exchange(
            message,
            ServerMessageMetadata(
                request_context=request,
                close_sse_stream=reply.close if resumable else None,
                close_standalone_sse_stream=partial(sessions.close, sessions.stream(session)) if resumable else None,
            ),
            reply.emit if streams else None,
            partial(sessions.ask, session, reply.emit) if streams else None,
        )
        scope = anyio.CancelScope()
        with sessions.running(session, message["id"], scope.cancel):
            answer = self._kernel.answer(message, exchange, connected(sessions, session), scope)
            body = await reply.around(answer, streams=streams)
        if body is not None:
            await send_json(body, send)

    def _reader(self, request: Request) -> Callable[[], Reader]:
        return lambda: Reader(known_caller(request.scope), self._stands)

    async def _read(self, session: Session, request: Request, headers: Headers, send: Send) -> None:
        """The standalone stream from now on, or any stream of the session from the event that the client had last."""
        if not accepts(headers.get(b"accept", b""))[1]:
            raise Refused(406, "Not acceptable: the client must accept text/event-stream.")
        last = headers.get(b"last-event-id")
        if last is None:
            name, stream = STANDALONE, self._sessions.stream(session)
            position = await self._sessions.end_of(stream)
        else:
            name, position = _event_id(last)
            stream = self._sessions.stream(session, name)
            if name != STANDALONE and not await self._sessions.has(stream):
                raise Refused(400, "The events of this stream are not kept any more: ask again.")
        events = self._sessions.read(stream, position, self._reader(request)())
        if last is None and _is_resumable(session):
            events = _primed(position, events)
        await send_events(events, name, request.scope, request.receive, send, drains=False)


def _is_resumable(session: Session) -> bool:
    return is_version_at_least(session.protocol_version, _RESUMABLE_FROM_THE_START)


def _event_id(last: bytes) -> tuple[str, str]:
    """The stream's name in the session, and the position in it. Raises Refused."""
    match = _EVENT_ID.fullmatch(last.decode("latin-1"))
    if match is None:
        raise Refused(400, "Last-Event-ID is not an id of this server's events.")
    return match[1], match[2]


async def _primed(position: str, events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
    """An event without data first, so that the client can resume from where the stream began."""
    async with aclosing(events):
        yield Event(position, b"", False)
        async for event in events:
            yield event
