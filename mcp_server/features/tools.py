"""tools/list and tools/call."""

import logging
from collections.abc import Mapping
from typing import Any

from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp_types import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
)

from core.policy.errors import DomainError
from mcp_server import errors
from mcp_server.backends import Backend
from mcp_server.tool import Tool

_log = logging.getLogger(__name__)


class Tools:
    def __init__(self, backend: Backend, tools: Mapping[str, Tool[Any]]) -> None:
        self._backend = backend
        self._tools = tools
        self._listing = ListToolsResult(tools=[tool.listed() for tool in tools.values()])
        self._input_schemas = {tool.name: tool.input_schema for tool in self._listing.tools}

    def input_schema(self, name: str) -> Mapping[str, Any] | None:
        return self._input_schemas.get(name)

    async def list(self, context: ServerRequestContext[Any], _: PaginatedRequestParams | None) -> ListToolsResult:
        try:
            await self._backend.admit(context)
        except DomainError as error:
            raise MCPError(code=INVALID_REQUEST, message=str(error)) from None
        return self._listing

    async def call(self, context: ServerRequestContext[Any], params: CallToolRequestParams) -> CallToolResult:
        tool = self._tools.get(params.name)
        if tool is None:
            raise MCPError(code=INVALID_PARAMS, message=f"Unknown tool. There are: {', '.join(self._tools)}.")
        try:
            return await self._backend.call(tool, params.arguments, context)
        except Exception:  # noqa: BLE001 - the outermost line of this door: the log keeps where, never with what
            _log.exception("%s failed", tool.name)
            return errors.said(errors.INTERNAL)
