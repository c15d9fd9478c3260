"""The database as its owner, beside the server that is being tested."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from mcp_server.settings import HttpService


@asynccontextmanager
async def owner_of(settings: HttpService) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(settings.database_url.replace("jhe_mcp@", "postgres@"))
    try:
        yield connection
    finally:
        await connection.close()


async def trail(settings: HttpService) -> list[dict[str, Any]]:
    """Every audit row, the oldest first."""
    async with owner_of(settings) as owner:
        return [dict(row) for row in await owner.fetch("SELECT * FROM core_auditevent ORDER BY id")]
