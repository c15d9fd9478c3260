"""Connections to PostgreSQL: so many and no more, each used for one statement after another.

asyncpg's own pool does this too. It takes more of the event loop's time than the statement itself does
(docs/adr/0013), and every tool call is one statement.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import asyncpg

_SECONDS_TO_CLOSE = 5

Connect = Callable[[], Coroutine[Any, Any, asyncpg.Connection]]
Place = asyncpg.Connection | None
"""Of a connection; None where none is open yet, or any more."""


class NoneFreeError(Exception):
    """All connections stayed in use, or PostgreSQL would not give another one, for as long as one may wait."""


class Connections:
    """A stack of places: the connection that was used last is used next, so few stay warm where few will do.

    One person has at most three quarters of them, and who has the fewest is next: nobody's slow questions keep others
    from asking theirs.
    """

    def __init__(self, size: int, wait: float, connect: Connect) -> None:
        """`size` connections at most; `wait` in seconds. Nothing is connected to before it is needed."""
        self._size = size
        self._share = size - size // 4
        self._wait = wait
        self._connect = connect
        self._free: list[Place] = [None] * size
        self._held: defaultdict[int | None, int] = defaultdict(int)
        self._waiting: dict[asyncio.Future[Place], int | None] = {}
        """For whom, in the order in which they came."""
        self.waits = 0
        """How often none was free."""

    @property
    def in_use(self) -> int:
        return self._size - len(self._free)

    async def fetchrow(self, sql: str, *arguments: Any, person: int | None = None) -> asyncpg.Record | None:
        """The statement's first row. Raises NoneFreeError, and what asyncpg raises.

        `person` is whose question it is; None for the service's own, which may take all connections. A statement that
        did not end well, or whose caller went away, is stopped, and its connection is not used again.
        """
        connection = await self._take(person)
        try:
            row = await connection.fetchrow(sql, *arguments)
        except BaseException:
            await self._discard(connection, person)
            raise
        self._give_back(connection, person)
        return row

    def forget_free(self) -> None:
        """What ended one connection has probably ended the others: who asks next gets a fresh one."""
        for connection in self._free:
            if connection is not None:
                connection.terminate()
        self._free = [None] * len(self._free)

    async def close(self) -> None:
        """Waits for those in use. Raises TimeoutError when that takes too long."""
        async with asyncio.timeout(_SECONDS_TO_CLOSE):
            for _ in range(self._size):
                connection = await self._place(None)
                if connection is not None:
                    await _close(connection)

    async def _take(self, person: int | None) -> asyncpg.Connection:
        try:
            connection = await self._place_in_time(person)
        except TimeoutError as error:
            raise NoneFreeError from error
        if connection is not None and not connection.is_closed():
            return connection
        try:
            return await self._connect()
        except (TimeoutError, asyncpg.TooManyConnectionsError) as error:
            self._give_back(None, person)
            raise NoneFreeError from error
        except BaseException:
            self._give_back(None, person)
            raise

    async def _place_in_time(self, person: int | None) -> Place:
        if self._has_room(person):
            return self._given(person)
        self.waits += 1
        async with asyncio.timeout(self._wait):
            return await self._place(person)

    async def _place(self, person: int | None) -> Place:
        """Waits for as long as it takes."""
        if self._has_room(person):
            return self._given(person)
        place: asyncio.Future[Place] = asyncio.get_running_loop().create_future()
        self._waiting[place] = person
        try:
            return await place
        except asyncio.CancelledError:
            self._waiting.pop(place, None)
            if not place.cancelled():  # it came in the same moment
                self._give_back(place.result(), person)
            raise

    def _has_room(self, person: int | None) -> bool:
        return bool(self._free) and (person is None or self._held.get(person, 0) < self._share)

    def _given(self, person: int | None) -> Place:
        self._held[person] += 1
        return self._free.pop()

    def _give_back(self, place: Place, person: int | None) -> None:
        self._held[person] -= 1
        if not self._held[person]:
            del self._held[person]
        self._free.append(place)
        self._let_next()

    def _let_next(self) -> None:
        while self._waiting:
            place = min(self._waiting, key=lambda waiting: self._held.get(self._waiting[waiting], 0))
            person = self._waiting[place]
            if not self._has_room(person):
                return
            del self._waiting[place]
            if not place.cancelled():
                place.set_result(self._given(person))
                return

    async def _discard(self, connection: asyncpg.Connection, person: int | None) -> None:
        """The place is free again once the connection is closed, also when nobody waits for that any more."""
        closing = asyncio.create_task(_close(connection))
        closing.add_done_callback(lambda _: self._give_back(None, person))
        await asyncio.shield(closing)


async def _close(connection: asyncpg.Connection) -> None:
    """What is still running is cancelled first; asyncpg does that on a connection of its own."""
    with suppress(TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        await connection.close(timeout=_SECONDS_TO_CLOSE)
