"""What a client is told in passing, at the level that it asked for (MCP, Logging): how long a call took, what it gave.

Never what was asked or what data say. Who asked for no level gets none: since 2026-07-28 the protocol has it so, and
before it may be so.
"""

import time
from typing import Any, get_args

from mcp.server.connection import allowed_log_levels
from mcp.server.context import ServerRequestContext
from mcp_types import (
    CallToolResult,
    EmptyResult,
    LoggingLevel,
    LoggingMessageNotification,
    LoggingMessageNotificationParams,
    SetLevelRequestParams,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from mcp_server.sessions import Sessions
from mcp_server.sessions.session import session_of

_LEVELS: tuple[LoggingLevel, ...] = get_args(LoggingLevel)
"""The least severe first (RFC 5424 §6.2.1)."""
_COUNTS = ("total", "returned", "truncated")


class Logging:
    def __init__(self, sessions: Sessions | None) -> None:
        """Without `sessions` there is one client, the one at the other end of stdio."""
        self._sessions = sessions
        self._level: LoggingLevel | None = None

    async def set_level(self, context: ServerRequestContext[Any], params: SetLevelRequestParams) -> EmptyResult:
        """logging/setLevel, up to 2025-11-25. Between two requests that have no session it is forgotten."""
        session = session_of(context)
        if self._sessions is None:
            self._level = params.level
        elif session is not None:
            await self._sessions.set_log_level(session, params.level)
        return EmptyResult()

    async def tell(self, context: ServerRequestContext[Any], level: LoggingLevel, data: Any, logger: str) -> None:
        if self._wants(context, level):
            params = LoggingMessageNotificationParams(level=level, data=data, logger=logger)
            await context.session.send_notification(LoggingMessageNotification(params=params), context.request_id)

    async def tell_of(
        self, context: ServerRequestContext[Any], tool: str, began: float, result: CallToolResult
    ) -> None:
        """`info`: seconds and counts of a call that `began` then (`time.monotonic`); `warning` where more is left."""
        if not self._wants(context, "warning"):  # and so nothing less severe
            return
        body = result.structured_content or {}
        counts = {name: body[name] for name in _COUNTS if isinstance(body.get(name), int)}
        await self.tell(context, "info", {"seconds": round(time.monotonic() - began, 3), **counts}, tool)
        if body.get("truncated"):
            await self.tell(context, "warning", "There is more: narrow the question, or pass next_cursor.", tool)

    def _wants(self, context: ServerRequestContext[Any], level: LoggingLevel) -> bool:
        if context.protocol_version in MODERN_PROTOCOL_VERSIONS:
            return level in allowed_log_levels(context.protocol_version, context.meta)
        session = session_of(context)
        least = self._level if session is None else session.log_level
        return least is not None and _LEVELS.index(level) >= _LEVELS.index(least)
