"""Streams of events that are written by one request and read by another, here or on another worker."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from math import inf
from secrets import token_hex

from core.policy.errors import NotAuthenticated, Unavailable
from mcp_server.auth.caller import ENDED, Caller
from mcp_server.sessions.store import Event, Store, Stream

LOOK_SECONDS = 15
"""How often an open stream asks whether its token still stands, and its store whether it was missed out."""
_PATIENCE_SECONDS = 60
"""For how long an open stream waits for a store that is away."""
_AGAIN_SECONDS = 1

Stands = Callable[[Caller], Awaitable[bool]]
"""Whether a caller's token still stands. Raises Unavailable."""


async def always(_: Caller) -> bool:
    """For a service that asks nobody."""
    return True


async def admit(caller: Caller | None, stands: Stands) -> None:
    """Raises NotAuthenticated for a token that stands no more; Unavailable."""
    if caller is not None and not await stands(caller):
        raise NotAuthenticated(ENDED)


class Reader:
    """Who reads a stream, and until when: the token that opened it expires, or is revoked."""

    def __init__(self, caller: Caller | None, stands: Stands) -> None:
        self._caller = caller
        self._stands = stands
        self._look = time.monotonic() + LOOK_SECONDS
        self.id = token_hex(8)

    def seconds(self) -> float:
        """Until it has to be asked again whether it is `over`."""
        expires = inf if self._caller is None else self._caller.expires - time.time()
        return max(0.0, min(self._look - time.monotonic(), expires))

    async def over(self) -> bool:
        """Asks at most every `LOOK_SECONDS`."""
        if self._caller is not None and self._caller.expires <= time.time():
            return True
        if time.monotonic() < self._look:
            return False
        self._look = time.monotonic() + LOOK_SECONDS
        try:
            return self._caller is not None and not await self._stands(self._caller)
        except Unavailable:  # nobody can say, and nothing new is told by an open stream either
            return False


class Streams:
    """One store's. A stream has one reader at a time: a new one takes the place of the one before."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._reading: dict[Stream, _Reading] = {}

    async def append(self, stream: Stream, data: bytes, *, last: bool = False) -> None:
        """Raises Unavailable."""
        await self._store.append(stream, data, last=last)
        self.news(stream)

    async def read(self, stream: Stream, position: str, reader: Reader) -> AsyncGenerator[Event, None]:
        """What followed a position, and then what follows, until its last event or until the reader has to stop."""
        reading = _Reading(reader.id)
        self.replace(stream, "")
        self._reading[stream] = reading
        try:
            while not reading.replaced and not await reader.over():
                reading.news.clear()
                for event in await self._after(stream, position, reading):
                    yield event
                    position = event.position
                    if event.last:
                        return
                await reading.wait(reader.seconds())
        finally:
            if self._reading.get(stream) is reading:
                del self._reading[stream]

    def news(self, stream: Stream) -> None:
        """Something was appended, here or elsewhere."""
        reading = self._reading.get(stream)
        if reading is not None:
            reading.news.set()

    def news_of_any(self) -> None:
        for reading in self._reading.values():
            reading.news.set()

    def replace(self, stream: Stream, reader_id: str) -> None:
        """Somebody reads the stream elsewhere, or nobody shall."""
        reading = self._reading.get(stream)
        if reading is not None and reading.reader_id != reader_id:
            reading.replaced = True
            reading.news.set()

    def end(self, prefix: str) -> None:
        """Nobody shall read what has a name that begins like this."""
        for stream in [stream for stream in self._reading if stream.name.startswith(prefix)]:
            self.replace(stream, "")

    def being_read(self, name_ends: str) -> list[Stream]:
        """Those that somebody reads here, and whose name ends like this."""
        return [stream for stream in self._reading if stream.name.endswith(name_ends)]

    async def drop(self, stream: Stream) -> None:
        """Nobody comes back to it."""
        await self._store.drop(stream)

    async def _after(self, stream: Stream, position: str, reading: "_Reading") -> list[Event]:
        """A store that is away may be back before the client has noticed anything."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                return await self._store.after(stream, position) or []
            except Unavailable:
                if time.monotonic() > until:
                    reading.replaced = True
                    return []
                await asyncio.sleep(_AGAIN_SECONDS)


class _Reading:
    def __init__(self, reader_id: str) -> None:
        self.reader_id = reader_id
        self.news = asyncio.Event()
        self.replaced = False

    async def wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.news.wait()
        except TimeoutError:
            return
