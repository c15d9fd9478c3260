"""Being told what changes: resources/subscribe in the handshake revisions, subscriptions/listen since 2026-07-28.

Each watch asks as its own caller, so what a stream is told was allowed at that moment (mcp_server/backends/watches.py).
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any

import anyio
import mcp_types as types
from anyio.abc import TaskGroup, TaskStatus
from mcp.server import Server
from mcp.server.context import ServerRequestContext
from mcp.server.session import ServerSession
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ServerEvent, SubscriptionBus

from core.policy.errors import DomainError, InvalidInput, NotVisible
from mcp_server.backends import Backend, Watching
from mcp_server.backends.session_watches import SessionWatches
from mcp_server.features.answers import of_resource, refused
from mcp_server.sessions import Sessions
from mcp_server.sessions.session import session_of

_NO_SESSION = "Subscriptions need a session: initialize one, or use subscriptions/listen of MCP 2026-07-28."


class Subscriptions:
    def __init__(
        self,
        backend: Backend,
        sessions: Sessions | None,
        bus: SubscriptionBus,
        watches: SessionWatches | None = None,
    ) -> None:
        """`bus` carries what does not depend on a caller: that the tools have changed. `watches` tell sessions."""
        self._backend = backend
        self._sessions = sessions
        self._watches = watches
        self._bus = bus
        self._listening: set[ListenHandler] = set()

    @asynccontextmanager
    async def running(self, _: Server[Any]) -> AsyncIterator["Connected"]:
        """The server's lifespan; over stdio that of its one connection, whose subscriptions end with it."""
        async with anyio.create_task_group() as group:
            yield Connected(group)
            self.close()
            group.cancel_scope.cancel()

    def close(self) -> None:
        """End every stream in good order; clients listen again."""
        for handler in tuple(self._listening):
            handler.close()

    async def listen(
        self, context: ServerRequestContext[Any], params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        wanted = params.notifications
        try:
            async with self._backend.watch(wanted, context) as watching:
                return await self._told(watching, wanted, context, params)
        except DomainError as error:
            raise refused(error) from None

    async def _told(
        self,
        watching: Watching,
        wanted: types.SubscriptionFilter,
        context: ServerRequestContext[Any],
        params: types.SubscriptionsListenRequestParams,
    ) -> types.SubscriptionsListenResult:
        """A bus and a handler for this one stream, whose caller nobody else's changes concern."""
        tools = wanted.tools_list_changed or None
        honored = watching.honored.model_copy(update={"tools_list_changed": tools})
        bus = InMemorySubscriptionBus()
        handler = ListenHandler(bus)
        async with anyio.create_task_group() as group:
            with self._open(handler, bus, group):
                group.start_soon(_pass_on, watching, bus, handler)
                ended = await handler(context, params.model_copy(update={"notifications": honored}))
            group.cancel_scope.cancel()
        return ended

    @contextmanager
    def _open(self, handler: ListenHandler, bus: InMemorySubscriptionBus, group: TaskGroup) -> Iterator[None]:
        leave = self._bus.subscribe(lambda event: _start(group, bus, event))
        self._listening.add(handler)
        try:
            yield
        finally:
            self._listening.discard(handler)
            leave()

    async def subscribe(
        self, context: ServerRequestContext[Any], params: types.SubscribeRequestParams
    ) -> types.EmptyResult:
        session = session_of(context)
        try:
            if session is not None and self._sessions is not None:
                async with self._watch(params.uri, context):
                    await (self._watches or self._sessions).subscribe(session, params.uri)
            elif context.request is not None:
                raise InvalidInput(_NO_SESSION)
            else:
                await _connected(context).follow(params.uri, context.session, self._watch(params.uri, context))
        except DomainError as error:
            raise of_resource(refused(error), params.uri, context) from None
        return types.EmptyResult()

    async def unsubscribe(
        self, context: ServerRequestContext[Any], params: types.UnsubscribeRequestParams
    ) -> types.EmptyResult:
        session = session_of(context)
        if session is not None and self._sessions is not None:
            await self._sessions.unsubscribe(session, params.uri)
        elif context.request is None:
            _connected(context).leave(params.uri)
        return types.EmptyResult()

    @asynccontextmanager
    async def _watch(self, uri: str, context: ServerRequestContext[Any]) -> AsyncIterator[Watching]:
        """Raises NotVisible for what the caller cannot see, and for what never changes."""
        async with self._backend.watch(types.SubscriptionFilter(resource_subscriptions=[uri]), context) as watching:
            if watching.honored.resource_subscriptions:
                yield watching
                return
        raise NotVisible("There is no such resource that you can see and that changes.")


class Connected:
    """What a connection over stdio is subscribed to."""

    def __init__(self, group: TaskGroup) -> None:
        self._group = group
        self._followed: dict[str, anyio.CancelScope] = {}

    async def follow(self, uri: str, session: ServerSession, watch: AbstractAsyncContextManager[Watching]) -> None:
        """Raises what entering `watch` raises."""
        if uri not in self._followed:
            await self._group.start(self._tell, uri, session, watch)

    def leave(self, uri: str) -> None:
        if uri in self._followed:
            self._followed.pop(uri).cancel()

    async def _tell(
        self,
        uri: str,
        session: ServerSession,
        watch: AbstractAsyncContextManager[Watching],
        *,
        task_status: TaskStatus[None],
    ) -> None:
        with anyio.CancelScope() as scope:
            async with watch as watching:
                self._followed[uri] = scope
                task_status.started()
                async for _ in watching.changes:
                    await session.send_resource_updated(uri)
        if self._followed.get(uri) is scope:
            del self._followed[uri]


def _connected(context: ServerRequestContext[Any]) -> Connected:
    connected: Connected = context.lifespan_context
    return connected


async def _pass_on(watching: Watching, bus: InMemorySubscriptionBus, handler: ListenHandler) -> None:
    """The stream ends when the login does."""
    async for event in watching.changes:
        await bus.publish(event)
    handler.close()


def _start(group: TaskGroup, bus: InMemorySubscriptionBus, event: ServerEvent) -> None:
    """A listener does not wait."""
    group.start_soon(bus.publish, event)
