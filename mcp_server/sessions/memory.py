"""The store of a service that is one process. Everything is gone when it ends."""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count

from core.policy.errors import Unavailable
from mcp_server.sessions.session import Session
from mcp_server.sessions.store import EVENTS_SECONDS, MAX_EVENTS, Edit, Event, Hear, Limits, Message, Stream

MAX_BYTES = 8 * 1024 * 1024
"""What one subject's streams hold together; whole streams give way, the oldest first, and then the oldest events."""
_SWEEP_SECONDS = 30
FULL = "This server keeps as many sessions as it can: try again in some minutes, or without a session."


@dataclass(slots=True)
class _Stream:
    events: deque[Event] = field(default_factory=lambda: deque(maxlen=MAX_EVENTS))
    size: int = 0
    touched: float = 0.0

    def append(self, event: Event) -> int:
        """By how many bytes it grew."""
        before = self.size
        if len(self.events) == MAX_EVENTS:
            self.size -= len(self.events[0].data)
        self.events.append(event)
        self.size += len(event.data)
        self.touched = time.monotonic()
        return self.size - before

    def shorten(self) -> int:
        """By how many bytes it shrank."""
        shrunk = len(self.events.popleft().data)
        self.size -= shrunk
        return shrunk


@dataclass(slots=True)
class _Streams:
    """One subject's, in the order of their newest events."""

    by_name: OrderedDict[str, _Stream] = field(default_factory=OrderedDict)
    size: int = 0

    def append(self, name: str, event: Event) -> None:
        stream = self.by_name.setdefault(name, _Stream())
        self.size += stream.append(event)
        self.by_name.move_to_end(name)
        while self.size > MAX_BYTES and len(self.by_name) > 1:
            self.drop(next(iter(self.by_name)))
        while self.size > MAX_BYTES and len(stream.events) > 1:
            self.size -= stream.shorten()

    def drop(self, name: str) -> None:
        self.size -= self.by_name.pop(name).size


class Memory:
    """As `mcp_server.sessions.store.Store` says; sessions and streams are in the order in which they were last used."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._sessions: OrderedDict[str, tuple[Session, float]] = OrderedDict()
        self._of_subject: dict[str, OrderedDict[str, None]] = {}
        self._streams: dict[str, _Streams] = {}
        self._positions = count(1)
        self._asked: dict[str, float] = {}

    @asynccontextmanager
    async def run(self, hear: Hear) -> AsyncIterator[None]:  # noqa: ARG002 - there is nobody else to hear
        sweeping = asyncio.create_task(self._sweep_now_and_then())
        try:
            yield
        finally:
            sweeping.cancel()
            with suppress(asyncio.CancelledError):
                await sweeping

    async def ready(self) -> None:
        """It always is."""

    async def keep(self, session: Session) -> None:
        self._sweep_sessions()
        if len(self._sessions) >= self._limits.sessions:
            raise Unavailable(FULL)
        theirs = self._of_subject.setdefault(session.subject, OrderedDict())
        if len(theirs) >= self._limits.per_subject:
            self._remove(next(iter(theirs)))
            theirs = self._of_subject.setdefault(session.subject, OrderedDict())
        theirs[session.id] = None
        self._sessions[session.id] = session, time.monotonic()

    async def find(self, session_id: str) -> Session | None:
        session, used = self._sessions.get(session_id, (None, 0.0))
        now = time.monotonic()
        if session is None or now - used > self._limits.idle_seconds:
            return None
        self._sessions[session_id] = session, now
        self._sessions.move_to_end(session_id)
        self._of_subject[session.subject].move_to_end(session_id)
        return session

    async def change(self, session_id: str, edit: Edit) -> None:
        if session_id in self._sessions:
            session, used = self._sessions[session_id]
            self._sessions[session_id] = edit(session), used

    async def forget(self, session_id: str) -> None:
        if session_id in self._sessions:
            self._remove(session_id)

    async def ids(self) -> list[str]:
        self._sweep_sessions()
        return list(self._sessions)

    async def subscribers(self) -> list[Session]:
        self._sweep_sessions()
        return [session for session, _ in self._sessions.values() if session.subscriptions]

    async def append(self, stream: Stream, data: bytes, *, last: bool = False) -> None:
        event = Event(str(next(self._positions)), data, last)
        self._streams.setdefault(stream.subject, _Streams()).append(stream.name, event)
        await asyncio.sleep(0)  # who follows gets their turn, however fast events are appended

    async def after(self, stream: Stream, position: str) -> list[Event] | None:
        found = self._find(stream)
        if found is None:
            return None
        return [event for event in found.events if int(event.position) > int(position.partition("-")[0])]

    async def end_of(self, stream: Stream) -> str:
        found = self._find(stream)
        return found.events[-1].position if found else "0"

    async def drop(self, stream: Stream) -> None:
        if self._find(stream) is not None:
            streams = self._streams[stream.subject]
            streams.drop(stream.name)
            if not streams.by_name:
                del self._streams[stream.subject]

    async def tell(self, message: Message) -> None:
        """There is nobody else."""

    async def first(self, what: str, seconds: int) -> bool:
        now = time.monotonic()
        if self._asked.get(what, 0.0) > now:
            return False
        self._asked[what] = now + seconds
        return True

    def _remove(self, session_id: str) -> None:
        session, _ = self._sessions.pop(session_id)
        theirs = self._of_subject[session.subject]
        del theirs[session_id]
        if not theirs:
            del self._of_subject[session.subject]

    def _find(self, stream: Stream) -> _Stream | None:
        streams = self._streams.get(stream.subject)
        return None if streams is None else streams.by_name.get(stream.name)

    async def _sweep_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            self._sweep_sessions()
            self._sweep_streams()
            now = time.monotonic()
            self._asked = {what: until for what, until in self._asked.items() if until > now}

    def _sweep_sessions(self) -> None:
        oldest = time.monotonic() - self._limits.idle_seconds
        while self._sessions:
            session, used = next(iter(self._sessions.values()))
            if used >= oldest:
                return
            self._remove(session.id)

    def _sweep_streams(self) -> None:
        oldest = time.monotonic() - EVENTS_SECONDS
        for subject, streams in list(self._streams.items()):
            while streams.by_name and next(iter(streams.by_name.values())).touched < oldest:
                streams.drop(next(iter(streams.by_name)))
            if not streams.by_name:
                del self._streams[subject]
