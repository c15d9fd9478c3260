"""HTTP+SSE, the transport of 2024-11-05: messages come by POST to one address, and all answers go out by one stream.

The stream is the standalone stream of a session, so the messages may reach another worker than the one that holds it.
"""

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import anyio
from mcp.server.connection import Connection
from mcp.server.transport_security import RequestBodyLimitMiddleware, TransportSecurityMiddleware
from mcp.shared.message import ServerMessageMetadata
from mcp_types.version import LATEST_HANDSHAKE_VERSION, OLDEST_SUPPORTED_VERSION
from sse_starlette import ServerSentEvent
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from core.policy.errors import Unavailable
from core.policy.sse_endpoints import sse_urls
from mcp_server.auth.bearer import known_caller
from mcp_server.auth.step_up import MAX_READ
from mcp_server.sessions import Sessions
from mcp_server.sessions.session import Session, attach
from mcp_server.sessions.streams import Reader, Stands, admit, always
from mcp_server.settings import HttpService
from mcp_server.transports.event_stream import send_events
from mcp_server.transports.exchange import Exchange, Kernel, connected, heard
from mcp_server.transports.messages import no_such_session, not_allowed, parsed, refusing
from mcp_server.transports.origins import security


class Sse:
    """Two ASGI applications, both behind the guard, at the two paths of `sse_paths`."""

    def __init__(self, kernel: Kernel, settings: HttpService, sessions: Sessions, stands: Stands = always) -> None:
        """`kernel` and `sessions` are those of `StreamableHttp`, which runs them."""
        self._kernel = kernel
        self._sessions = sessions
        self._stands = stands
        self._security = TransportSecurityMiddleware(security(settings))
        _, self._messages = sse_paths(settings)
        self.stream: ASGIApp = self._answering(self._stream, "GET")
        self.message: ASGIApp = RequestBodyLimitMiddleware(self._answering(self._message, "POST"), MAX_READ)

    def _answering(self, answer: Any, method: str) -> ASGIApp:
        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            request = Request(scope, receive, send)
            with suppress(ClientDisconnect):  # amid its body: there is nobody to be told
                async with refusing(scope, receive, send):
                    if scope["method"] != method:
                        raise not_allowed(method)
                    refusal = await self._security.validate_request(request, is_post=method == "POST")
                    if refusal is None:
                        await answer(request, send)
                    else:
                        await refusal(scope, receive, send)

        return application

    async def _stream(self, request: Request, send: Send) -> None:
        """A session lasts as long as its stream."""
        caller = known_caller(request.scope)
        await admit(caller, self._stands)
        session = await self._sessions.open(caller, protocol_version=OLDEST_SUPPORTED_VERSION)
        events = self._sessions.read(self._sessions.stream(session), "0", Reader(caller, self._stands))
        endpoint = ServerSentEvent(f"{quote(self._messages)}?session_id={session.id}", event="endpoint")
        try:
            await send_events(events, "", request.scope, request.receive, send, first=endpoint, drains=False)
        finally:
            with anyio.CancelScope(shield=True):
                await self._sessions.end(session)

    async def _message(self, request: Request, send: Send) -> None:
        session_id = parse_qs(request.url.query).get("session_id", [""])[0]
        session = await self._sessions.find(session_id, known_caller(request.scope))
        if session is None:
            raise no_such_session()
        message = parsed(await request.body())
        attach(request.scope, session)
        await Response(status_code=202)(request.scope, request.receive, send)
        metadata = ServerMessageMetadata(request_context=request)
        if "method" not in message or "id" not in message:
            await heard(self._kernel, self._sessions, session, message, metadata)
        elif message["method"] == "initialize":
            await self._initialize(message, session, metadata)
        else:
            await self._request(message, session, metadata)

    async def _initialize(self, message: Mapping[str, Any], session: Session, metadata: ServerMessageMetadata) -> None:
        connection = Connection.from_envelope(LATEST_HANDSHAKE_VERSION, None, None)
        answer = await self._kernel.answer(message, Exchange(message, metadata), connection, anyio.CancelScope())
        if "result" in answer:
            said = {"protocol_version": connection.protocol_version, "client": connection.client_params}
            await self._sessions.introduce(session, **said)
        await self._say(session, answer)

    async def _request(self, message: Mapping[str, Any], session: Session, metadata: ServerMessageMetadata) -> None:
        emit = self._sessions.standalone(session).emit
        exchange = Exchange(message, metadata, emit, partial(self._sessions.ask, session, emit))
        scope = anyio.CancelScope()
        with self._sessions.running(session, message["id"], scope.cancel):
            connection = connected(self._sessions, session)
            await self._say(session, await self._kernel.answer(message, exchange, connection, scope))

    async def _say(self, session: Session, answer: Mapping[str, Any]) -> None:
        """A store that is away takes the answer with it: its request was accepted, so nothing else can be said."""
        with suppress(Unavailable):
            await self._sessions.standalone(session).emit(answer)


def sse_paths(settings: HttpService) -> tuple[str, str]:
    """Of the stream and of the messages, beside the endpoint's path."""
    stream, messages = (urlsplit(url).path for url in sse_urls(settings.mcp_url))
    return stream, messages
