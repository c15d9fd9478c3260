"""Where answers come from: the database (direct), or another MCP server of the exchange (forward)."""

from collections.abc import Mapping
from typing import Any, Protocol

from mcp.server.context import ServerRequestContext
from mcp_types import CallToolResult

from mcp_server.tool import Tool


class Backend(Protocol):
    async def admit(self, context: ServerRequestContext[Any]) -> None:
        """Let somebody see what there is to ask. Raises a DomainError for whose token does not stand any more."""

    async def call(
        self, tool: Tool[Any], arguments: Mapping[str, Any] | None, context: ServerRequestContext[Any]
    ) -> CallToolResult: ...
