"""What the workers of one service know together: sessions, the events of streams, and what they tell each other."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple, Protocol

from mcp_server.sessions.session import Session

MAX_EVENTS = 256
"""Per stream. The oldest give way: who reads too slowly misses them."""
EVENTS_SECONDS = 300
"""How long a stream is kept after its last event."""

Message = Mapping[str, Any]
"""JSON, of one key that says what it is about (mcp_server/sessions/__init__.py)."""
Hear = Callable[[Message], object]
Edit = Callable[[Session], Session]


class Stream(NamedTuple):
    subject: str
    """In whose share it is kept."""
    name: str
    """Begins with the session's id, so that nobody can ask for a stream of another session."""


class Event(NamedTuple):
    position: str
    """Digits, and among them "-"; grows along a stream."""
    data: bytes
    """A JSON-RPC message; nothing in the event that only gives a client a place to resume from."""
    last: bool
    """Nothing follows."""


class Limits(NamedTuple):
    sessions: int
    """Of everybody: one more is refused."""
    per_subject: int
    """Of one person: one more ends the one that was not used for longest."""
    idle_seconds: float
    """A session that is not used for as long is gone."""


class Store(Protocol):
    """Every method but `run` raises Unavailable when what is behind it does not answer."""

    def run(self, hear: Hear) -> AbstractAsyncContextManager[None]:
        """Entered once, before anything else is asked. `hear` is called with what other workers tell; it is quick. With
        an empty message it is called when something may have been missed."""

    async def ready(self) -> None:
        """Nothing, when what is behind it answers."""

    async def keep(self, session: Session) -> None:
        """A new session. Raises Unavailable when there are too many."""

    async def find(self, session_id: str) -> Session | None:
        """Using a session keeps it from lapsing."""

    async def change(self, session_id: str, edit: Edit) -> None:
        """Does nothing when there is no such session. `edit` may be called more than once."""

    async def forget(self, session_id: str) -> None: ...

    async def ids(self) -> list[str]: ...

    async def subscribers(self) -> list[Session]:
        """The sessions with subscriptions."""

    async def append(self, stream: Stream, data: bytes, *, last: bool = False) -> None:
        """An event at the end of a stream. It is bounded what one subject's streams hold."""

    async def after(self, stream: Stream, position: str) -> list[Event] | None:
        """What followed a position, "0" being the beginning, as far as it is kept. None for a stream that is not."""

    async def end_of(self, stream: Stream) -> str:
        """The position of the newest event; "0" when there is none."""

    async def drop(self, stream: Stream) -> None: ...

    async def tell(self, message: Message) -> None:
        """To all other workers that are there now. It may come back to this one."""

    async def first(self, what: str, seconds: int) -> bool:
        """True for the first worker that asks about `what` in so many seconds."""
