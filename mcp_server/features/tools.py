"""tools/list and tools/call."""

import logging
import time
from collections.abc import Mapping
from typing import Any

from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp_types import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    CallToolRequestParams,
    CallToolResult,
    InputRequiredResult,
    ListToolsResult,
    PaginatedRequestParams,
)

from core.policy.errors import DomainError
from mcp_server import errors
from mcp_server.backends import Backend
from mcp_server.features import progress
from mcp_server.features.asking import InputRequired
from mcp_server.features.elsewhere import Elsewhere
from mcp_server.features.logging import Logging
from mcp_server.tool import Tool

_log = logging.getLogger(__name__)


class Tools:
    def __init__(
        self,
        backend: Backend,
        tools: Mapping[str, Tool[Any]],
        logging: Logging,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self._backend = backend
        self._elsewhere = elsewhere
        self._logging = logging
        self._tools = tools
        self._listing = ListToolsResult(tools=[tool.listed() for tool in tools.values()])
        self._input_schemas = {tool.name: tool.input_schema for tool in self._listing.tools}

    def input_schema(self, name: str) -> Mapping[str, Any] | None:
        return self._input_schemas.get(name)

    async def list(self, context: ServerRequestContext[Any], params: PaginatedRequestParams | None) -> ListToolsResult:
        try:
            await self._backend.admit(context)
        except DomainError as error:
            raise MCPError(code=INVALID_REQUEST, message=str(error)) from None
        return await self._elsewhere.added(context, params, self._listing) if self._elsewhere else self._listing

    async def call(
        self, context: ServerRequestContext[Any], params: CallToolRequestParams
    ) -> CallToolResult | InputRequiredResult:
        tool = self._tools.get(params.name)
        if tool is None:
            return await self._call_elsewhere(context, params)
        began = time.monotonic()
        progress.begin()
        try:
            result = await self._backend.call(tool, params.arguments, context)
        except InputRequired as more:
            return more.result
        except MCPError:
            raise
        except Exception:  # noqa: BLE001 - the outermost line of this door: the log keeps where, never with what
            _log.exception("%s failed", tool.name)
            return errors.said(errors.INTERNAL)
        await self._logging.tell_of(context, tool.name, began, result)
        return result

    async def _call_elsewhere(
        self, context: ServerRequestContext[Any], params: CallToolRequestParams
    ) -> CallToolResult:
        try:
            result = await self._elsewhere.call(context, params) if self._elsewhere else None
        except MCPError:
            raise
        except Exception:  # noqa: BLE001 - the outermost line of this door, too
            _log.exception("A tool of a peer failed")
            return errors.said(errors.INTERNAL)
        if result is None:
            raise MCPError(code=INVALID_PARAMS, message=f"Unknown tool. There are: {', '.join(self._tools)}.")
        return result
