"""The way to PostgreSQL: a bounded pool that waits, gives up in a bounded time, and replaces dead connections."""

import logging
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, Self

import asyncpg

from core.policy.errors import Unavailable
from mcp_server.connections import Connections, NoneFreeError
from mcp_server.queries import Question, unframed
from mcp_server.settings import Exchange

_log = logging.getLogger(__name__)

_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.InternalClientError,  # asked on a connection while its end was being told
    OSError,
)
"""The connection failed, not the statement."""


class TookTooLong(Unavailable):
    """The statement ran into its time limit and was stopped."""


class Database:
    """Asks framed questions. Opening it connects to nothing, so the server starts while PostgreSQL is down.

    A statement that meets a dead connection is asked once more on a fresh one. Each statement reads, and writes one
    audit row; in the rare case that it was committed and only its answer was lost, the trail tells of the access twice.
    That is the error to prefer: an access told twice misleads nobody, one told never would.
    """

    def __init__(self, url: str, *, size: int, wait: float, statement_timeout: float) -> None:
        """`size` connections at most; `wait` and `statement_timeout` in seconds."""
        self._size = size
        self._wait = wait
        self._statement_timeout = statement_timeout
        self._connect = partial(
            asyncpg.connect,
            url,
            timeout=wait,
            # The server ends a long statement itself; this one is for a server that no longer answers at all.
            command_timeout=statement_timeout + 5,
            max_cached_statement_lifetime=0,
            server_settings={
                "application_name": "jhe-mcp",
                "statement_timeout": str(round(statement_timeout * 1000)),
                "idle_in_transaction_session_timeout": "10000",
                "tcp_keepalives_idle": "60",  # an idle connection is kept: nothing on the way may forget it
                "plan_cache_mode": "force_generic_plan",
                "jit": "off",
                "timezone": "UTC",
            },
        )
        self._connections: Connections | None = None

    @classmethod
    def of(cls, settings: Exchange) -> Self:
        return cls(
            settings.database_url,
            size=settings.pool_size,
            wait=settings.pool_wait,
            statement_timeout=settings.statement_timeout,
        )

    async def __aenter__(self) -> Self:
        self._connections = Connections(self._size, self._wait, self._connect)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connections is not None:
            connections, self._connections = self._connections, None
            with suppress(TimeoutError):
                await connections.close()

    @property
    def in_use(self) -> int:
        """Connections that a question is being asked on."""
        return 0 if self._connections is None else self._connections.in_use

    @property
    def waits(self) -> int:
        """How often a question had to wait for a connection."""
        return 0 if self._connections is None else self._connections.waits

    async def check(self) -> None:
        """Raises Unavailable when the database does not answer."""
        await self.row(unframed("alive", for_narrowed=True), {})

    async def row(self, question: Question, values: Mapping[str, Any]) -> asyncpg.Record:
        """The one row that a framed question gives. What has a `person_id` among its values is that person's question.

        Raises Unavailable when no connection is free in time or the database does not answer, TookTooLong when it takes
        too long.
        """
        if self._connections is None:
            raise RuntimeError("The database is not open: use it as an async context manager.")
        arguments = [values[name] for name in question.parameters]
        person = values.get("person_id")
        try:
            return await self._once(self._connections, question, arguments, person)
        except _LOST as error:
            _log.warning("A database connection was lost (%s); trying once more on a fresh one", type(error).__name__)
        try:
            self._connections.forget_free()  # what killed one has probably killed the others
            return await self._once(self._connections, question, arguments, person)
        except _LOST as error:
            raise Unavailable("The exchange's database does not answer: try again in a minute.") from error

    async def _once(
        self, connections: Connections, question: Question, arguments: list[Any], person: int | None
    ) -> asyncpg.Record:
        try:
            row = await connections.fetchrow(question.sql, *arguments, person=person)
        except NoneFreeError as error:
            raise Unavailable("The exchange is busy: try again in a few seconds.") from error
        except (TimeoutError, asyncpg.QueryCanceledError) as error:
            raise TookTooLong(
                f"This took more than {self._statement_timeout:g} s and was stopped: ask for less, such as fewer days."
            ) from error
        if row is None:
            raise RuntimeError(f"{question.name} gave no row.")
        return row
