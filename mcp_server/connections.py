"""Connections to PostgreSQL: so many and no more, each used for one statement after another.

asyncpg's own pool does this too. It takes more of the event loop's time than the statement itself does
(docs/adr/0013), and every tool call is one statement.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import asyncpg

_SECONDS_TO_CLOSE = 5

Connect = Callable[[], Coroutine[Any, Any, asyncpg.Connection]]


class NoneFreeError(Exception):
    """All connections stayed in use, or PostgreSQL would not give another one, for as long as one may wait."""


class Connections:
    """A stack of places: the connection that was used last is used next, so few stay warm where few will do."""

    def __init__(self, size: int, wait: float, connect: Connect) -> None:
        """`size` connections at most; `wait` in seconds. Nothing is connected to before it is needed."""
        self._size = size
        self._wait = wait
        self._connect = connect
        self._free: asyncio.LifoQueue[asyncpg.Connection | None] = asyncio.LifoQueue()
        for _ in range(size):
            self._free.put_nowait(None)
        self.waits = 0
        """How often none was free."""

    @property
    def in_use(self) -> int:
        return self._size - self._free.qsize()

    async def fetchrow(self, sql: str, *arguments: Any) -> asyncpg.Record | None:
        """The statement's first row. Raises NoneFreeError, and what asyncpg raises.

        A statement that did not end well, or whose caller went away, is stopped, and its connection is not used again.
        """
        connection = await self._take()
        try:
            row = await connection.fetchrow(sql, *arguments)
        except BaseException:
            await self._discard(connection)
            raise
        self._free.put_nowait(connection)
        return row

    def forget_free(self) -> None:
        """What ended one connection has probably ended the others: who asks next gets a fresh one."""
        free = [self._free.get_nowait() for _ in range(self._free.qsize())]
        for connection in free:
            if connection is not None:
                connection.terminate()
            self._free.put_nowait(None)

    async def close(self) -> None:
        """Waits for those in use. Raises TimeoutError when that takes too long."""
        async with asyncio.timeout(_SECONDS_TO_CLOSE):
            for _ in range(self._size):
                connection = await self._free.get()
                if connection is not None:
                    await _close(connection)

    async def _take(self) -> asyncpg.Connection:
        try:
            connection = await self._next()
        except TimeoutError as error:
            raise NoneFreeError from error
        if connection is not None and not connection.is_closed():
            return connection
        try:
            return await self._connect()
        except (TimeoutError, asyncpg.TooManyConnectionsError) as error:
            self._free.put_nowait(None)
            raise NoneFreeError from error
        except BaseException:
            self._free.put_nowait(None)
            raise

    async def _next(self) -> asyncpg.Connection | None:
        if not self._free.empty():
            return self._free.get_nowait()
        self.waits += 1
        async with asyncio.timeout(self._wait):
            return await self._free.get()

    async def _discard(self, connection: asyncpg.Connection) -> None:
        """The place is free again once the connection is closed, also when nobody waits for that any more."""
        closing = asyncio.create_task(_close(connection))
        closing.add_done_callback(lambda _: self._free.put_nowait(None))
        await asyncio.shield(closing)


async def _close(connection: asyncpg.Connection) -> None:
    """What is still running is cancelled first; asyncpg does that on a connection of its own."""
    with suppress(TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        await connection.close(timeout=_SECONDS_TO_CLOSE)
