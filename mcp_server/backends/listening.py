"""Being told what changes by an exchange elsewhere (MCP 2026-07-28, subscriptions/listen), while it is wanted."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import anyio
from mcp import Client, MCPError
from mcp.client.subscriptions import Subscription, SubscriptionLost
from mcp.shared.subscriptions import ResourcesListChanged, ResourceUpdated, ServerEvent, ToolsListChanged
from mcp_types import SubscriptionFilter

from mcp_server.backends import Watching

_PATIENCE = (1, 2, 5, 15, 60)
"""Seconds until each next try; the last one for all that follow."""


@asynccontextmanager
async def listening(client: Client, wanted: SubscriptionFilter) -> AsyncIterator[Watching]:
    """Raises MCPError when the exchange refuses. A stream that ends later is opened again."""
    async with _listen(client, wanted) as first:
        yield Watching(first.honored, _changes(client, first))


async def _changes(client: Client, first: Subscription) -> AsyncIterator[ServerEvent]:
    async for event in _until_lost(first):
        yield event
    honored, tries = first.honored, 0
    while True:
        await anyio.sleep(_PATIENCE[min(tries, len(_PATIENCE) - 1)])
        tries += 1
        try:
            async with _listen(client, honored) as again:
                tries = 0
                for event in _everything(again.honored):  # what has changed meanwhile is not told again
                    yield event
                async for event in _until_lost(again):
                    yield event
        except (MCPError, SubscriptionLost, TimeoutError):
            continue


async def _until_lost(stream: Subscription) -> AsyncIterator[ServerEvent]:
    try:
        async for event in stream:
            yield event
    except SubscriptionLost:
        return


def _everything(honored: SubscriptionFilter) -> list[ServerEvent]:
    lists: list[ServerEvent] = [ResourcesListChanged()] if honored.resources_list_changed else []
    tools: list[ServerEvent] = [ToolsListChanged()] if honored.tools_list_changed else []
    return [*tools, *lists, *(ResourceUpdated(uri) for uri in honored.resource_subscriptions or ())]


def _listen(client: Client, wanted: SubscriptionFilter) -> AbstractAsyncContextManager[Subscription]:
    return client.listen(
        tools_list_changed=bool(wanted.tools_list_changed),
        resources_list_changed=bool(wanted.resources_list_changed),
        resource_subscriptions=wanted.resource_subscriptions or (),
    )
