"""Where answers come from: the database (direct), or another MCP server of the exchange (forward)."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from mcp.server.context import ServerRequestContext
from mcp.shared.subscriptions import ServerEvent
from mcp_types import CallToolResult, CompleteRequestParams, SubscriptionFilter

from mcp_server.tool import Tool


@dataclass(frozen=True, slots=True)
class Watching:
    honored: SubscriptionFilter
    """What of it the caller may see, and will be told of (MCP 2026-07-28, subscriptions/listen)."""
    changes: AsyncIterator[ServerEvent]
    """What has changed since, and may be seen at that moment. It ends when the login does."""


class Backend(Protocol):
    async def admit(self, context: ServerRequestContext[Any]) -> None:
        """Let somebody see what there is to ask. Raises a DomainError for whose token does not stand any more."""

    async def call(
        self, tool: Tool[Any], arguments: Mapping[str, Any] | None, context: ServerRequestContext[Any]
    ) -> CallToolResult:
        """Raises InputRequired (mcp_server/features/asking.py) in a `tools/call`, and in nothing else."""

    async def complete(
        self,
        completion: Tool[Any],
        arguments: Mapping[str, Any],
        params: CompleteRequestParams,
        context: ServerRequestContext[Any],
    ) -> CallToolResult:
        """The answer of a completion (mcp_server/completions.py), which is asked elsewhere by `params`."""

    def watch(
        self, wanted: SubscriptionFilter, context: ServerRequestContext[Any]
    ) -> AbstractAsyncContextManager[Watching]:
        """Raises a DomainError for too much, and MCPError for what an exchange elsewhere refuses."""
