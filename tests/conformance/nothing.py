"""A backend without data: whoever asks is admitted, there is nothing there for them, and it can be told to change."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
from mcp.server.context import ServerRequestContext
from mcp.shared.subscriptions import ServerEvent
from mcp_types import CallToolResult, CompleteRequestParams, SubscriptionFilter

from mcp_server import errors
from mcp_server.backends import Watching
from mcp_server.tool import Tool


class Nothing:
    async def admit(self, _: ServerRequestContext[Any]) -> None:
        pass

    async def call(self, _: Tool[Any], __: Mapping[str, Any] | None, ___: ServerRequestContext[Any]) -> CallToolResult:
        return errors.said("There is nothing here.")

    async def complete(
        self, _: Tool[Any], __: Mapping[str, Any], ___: CompleteRequestParams, ____: ServerRequestContext[Any]
    ) -> CallToolResult:
        return errors.said("There is nothing here.")

    @asynccontextmanager
    async def watch(self, wanted: SubscriptionFilter, _: ServerRequestContext[Any]) -> AsyncIterator[Watching]:
        async def never() -> AsyncIterator[ServerEvent]:
            await anyio.sleep_forever()
            yield  # type: ignore[misc]

        yield Watching(SubscriptionFilter(prompts_list_changed=wanted.prompts_list_changed), never())
