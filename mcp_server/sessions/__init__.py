"""Sessions of clients that speak the handshake revisions: records that any worker can go on from.

What is kept is behind `store.py`, in this process (`memory.py`) or in Redis (`redis.py`). Between requests nothing is
running. What runs meanwhile - a call, a question to the client, a reader of a stream - is known to the worker that runs
it, and workers tell each other what concerns it:

    {"news": stream}                    something was appended
    {"read": stream, "by": reader}      who reads it now; "" for nobody
    {"cancelled": [session, request]}   the client cancelled a request
    {"answered": [session, message]}    the client answered a question
    {"ended": session}                  it is over
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from typing import Any

from mcp.shared.dispatcher import CallOptions, coerce_request_id
from mcp_types import LoggingLevel, RequestId
from pydantic_core import to_json

from core.policy.errors import InvalidInput, Unavailable
from mcp_server.auth.caller import Caller
from mcp_server.sessions.questions import Emit, Questions
from mcp_server.sessions.session import MAX_ID, Session, new_session, owner_of
from mcp_server.sessions.store import Event, Message, Store, Stream
from mcp_server.sessions.streams import Reader, Streams

MAX_SUBSCRIPTIONS = 100
STANDALONE = "0"


class Sessions:
    """The sessions of one service, as one of its workers knows them. What is asynchronous raises Unavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.streams = Streams(store)
        self._questions = Questions()
        self._running: dict[tuple[str, RequestId], Callable[[], None]] = {}
        self.opened = self.ended = 0
        """By clients, in this process."""

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Sessions are served while this is entered."""
        async with self._store.run(self._hear):
            yield

    async def ready(self) -> None:
        """Nothing, while sessions can be served."""
        await self._store.ready()

    async def open(self, caller: Caller | None, **fields: Any) -> Session:
        """A new session, with more `fields` of it."""
        session = new_session(caller, **fields)
        await self._store.keep(session)
        self.opened += 1
        return session

    async def find(self, session_id: str, caller: Caller | None) -> Session | None:
        """None for a session that is not there, not any more, or somebody else's: nobody can tell these apart."""
        session = await self._store.find(session_id) if len(session_id) <= MAX_ID else None
        if session is None or session.owner != owner_of(caller):
            return None
        if caller is not None and not _same_token(session.caller, caller):
            await self._store.change(session_id, lambda kept: replace(kept, caller=caller))
        return session

    async def introduce(self, session: Session, **fields: Any) -> None:
        """What the client of a session that is already open says of itself."""
        await self._store.change(session.id, lambda kept: replace(kept, **fields))

    async def end(self, session: Session) -> None:
        await self._store.forget(session.id)
        self.ended += 1
        await self._tell({"ended": session.id})

    async def ids(self) -> list[str]:
        """Of every live session, of all workers."""
        return await self._store.ids()

    async def set_log_level(self, session: Session, level: LoggingLevel) -> None:
        await self._store.change(session.id, lambda kept: replace(kept, log_level=level))

    async def subscribe(self, session: Session, uri: str) -> None:
        """Raises InvalidInput when a session subscribes to too much."""

        def more(kept: Session) -> Session:
            subscriptions = kept.subscriptions | {uri}
            if len(subscriptions) > MAX_SUBSCRIPTIONS:
                raise InvalidInput(f"A session can subscribe to {MAX_SUBSCRIPTIONS} resources: unsubscribe from some.")
            return replace(kept, subscriptions=subscriptions)

        await self._store.change(session.id, more)

    async def unsubscribe(self, session: Session, uri: str) -> None:
        await self._store.change(session.id, lambda kept: replace(kept, subscriptions=kept.subscriptions - {uri}))

    async def subscribers(self) -> list[Session]:
        """Every live session with subscriptions, of all workers."""
        return await self._store.subscribers()

    async def first(self, what: str, seconds: int) -> bool:
        """True on one worker only: for what must happen once, however many workers notice that it should."""
        return await self._store.first(what, seconds)

    async def notify(self, session: Session, method: str, params: Mapping[str, Any] | None = None) -> None:
        """A notification on the session's standalone stream, which waits there for a client that is not listening now.

        Never raises: notifications are advisory.
        """
        with suppress(Unavailable):
            await self.standalone(session).notify(method, params)

    @property
    def is_listened_to(self) -> bool:
        """Whether somebody reads a standalone stream at this worker."""
        return bool(self.streams.being_read(f"/{STANDALONE}"))

    async def tell_listeners(self, method: str) -> None:
        """A notification for every session whose standalone stream is read at this worker. Never raises."""
        message = to_json(notification(method, None))
        with suppress(Unavailable):
            for stream in self.streams.being_read(f"/{STANDALONE}"):
                await self.streams.append(stream, message)

    def standalone(self, session: Session) -> "Standalone":
        return Standalone(self, session)

    def stream(self, session: Session, name: str = STANDALONE) -> Stream:
        return Stream(session.subject, f"{session.id}/{name}")

    async def has(self, stream: Stream) -> bool:
        return await self._store.after(stream, "0") is not None

    async def end_of(self, stream: Stream) -> str:
        """The position of its newest event."""
        return await self._store.end_of(stream)

    async def read(self, stream: Stream, position: str, reader: Reader) -> AsyncGenerator[Event, None]:
        """As `Streams.read`, and in place of whoever reads it on another worker. Never raises."""
        with suppress(Unavailable):
            await self._tell({"read": stream, "by": reader.id})
        async with aclosing(self.streams.read(stream, position, reader)) as events:
            async for event in events:
                yield event

    async def close(self, stream: Stream) -> None:
        """Whoever reads it has to come back for the rest."""
        await self._tell({"read": stream, "by": ""})

    @contextmanager
    def running(self, session: Session, request_id: RequestId, cancel: Callable[[], None]) -> Iterator[None]:
        """While this is entered, the client can cancel the request."""
        key = session.id, coerce_request_id(request_id)
        self._running[key] = cancel
        try:
            yield
        finally:
            if self._running.get(key) is cancel:
                del self._running[key]

    async def cancel(self, session: Session, request_id: RequestId) -> None:
        await self._tell_unless_here({"cancelled": [session.id, request_id]})

    async def ask(
        self,
        session: Session,
        emit: Emit,
        method: str,
        params: Mapping[str, Any] | None,
        options: CallOptions | None,
    ) -> dict[str, Any]:
        """As `Questions.ask`."""
        return await self._questions.ask(session.id, emit, method, params, options)

    async def answered(self, session: Session, message: Mapping[str, Any]) -> None:
        """The client has answered a question that was asked here or on another worker."""
        await self._tell_unless_here({"answered": [session.id, message]})

    def _stop(self, session_id: str) -> None:
        """What this worker does for a session."""
        for running_in, cancel in [(key[0], cancel) for key, cancel in self._running.items()]:
            if running_in == session_id:
                cancel()
        self._questions.end(session_id)
        self.streams.end(f"{session_id}/")

    async def _tell(self, message: Message) -> None:
        self._hear(message)
        await self._store.tell(message)

    async def _tell_unless_here(self, message: Message) -> None:
        if not self._hear(message):
            await self._store.tell(message)

    def _hear(self, message: Message) -> bool:
        """Whether it concerned something here, as far as that is known."""
        match message:
            case {"news": stream}:
                self.streams.news(Stream(*stream))
            case {"read": stream, "by": reader_id}:
                self.streams.replace(Stream(*stream), reader_id)
            case {"cancelled": [session_id, request_id]}:
                cancel = self._running.get((session_id, coerce_request_id(request_id)))
                if cancel is not None:
                    cancel()
                    return True
            case {"answered": [session_id, answer]}:
                return self._questions.answered(session_id, answer)
            case {"ended": session_id}:
                self._stop(session_id)
            case _:
                self.streams.news_of_any()
        return False


class Standalone:
    """The way to a client outside of any request (`mcp.shared.dispatcher.Outbound`): the stream that a GET reads."""

    def __init__(self, sessions: Sessions, session: Session) -> None:
        self._sessions = sessions
        self._session = session

    async def emit(self, message: Mapping[str, Any]) -> None:
        """Raises Unavailable."""
        await self._sessions.streams.append(self._sessions.stream(self._session), to_json(message))

    async def notify(self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None) -> None:  # noqa: ARG002
        with suppress(Unavailable):
            await self.emit(notification(method, params))

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        return await self._sessions.ask(self._session, self.emit, method, params, opts)


def notification(method: str, params: Mapping[str, Any] | None) -> dict[str, Any]:
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
    return message if params is None else {**message, "params": params}


def _same_token(one: Caller | None, other: Caller) -> bool:
    return one is not None and one.principal.token_key == other.principal.token_key
