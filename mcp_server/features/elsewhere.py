"""Tools that this server does not have itself."""

from typing import Any, Protocol

from mcp.server.context import ServerRequestContext
from mcp_types import CallToolRequestParams, CallToolResult, ListToolsResult, PaginatedRequestParams


class Elsewhere(Protocol):
    async def added(
        self, context: ServerRequestContext[Any], params: PaginatedRequestParams | None, own: ListToolsResult
    ) -> ListToolsResult:
        """The list with what else the caller can use; the same one where there is nothing."""

    async def call(self, context: ServerRequestContext[Any], params: CallToolRequestParams) -> CallToolResult | None:
        """None for a tool that is not there for this caller."""
