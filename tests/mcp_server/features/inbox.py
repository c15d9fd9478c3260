"""What tests of subscriptions share."""

import asyncio
from collections.abc import Callable
from typing import Any

import mcp_types as types
from asgiref.sync import sync_to_async
from django.db import connection

SOON = 10
"""Seconds in which something is told, if it ever is."""


class Inbox:
    """What a host of a handshake revision is told."""

    def __init__(self) -> None:
        self.uris: asyncio.Queue[str] = asyncio.Queue()

    async def __call__(self, message: Any) -> None:
        if isinstance(message, types.ResourceUpdatedNotification):
            self.uris.put_nowait(str(message.params.uri))

    async def next(self) -> str:
        async with asyncio.timeout(SOON):
            return await self.uris.get()


async def written(change: Callable[..., Any], *args: Any, **fields: Any) -> Any:
    """What `change` makes, in a thread with a connection of its own."""

    def closing() -> Any:
        try:
            return change(*args, **fields)
        finally:
            connection.close()

    return await sync_to_async(closing)()
