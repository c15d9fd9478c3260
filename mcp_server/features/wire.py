"""Results of tools, and the list of them, as 2026-07-28 has them on the wire, made once (docs/adr/0046).

The SDK dumps a result, reads it by the revision's schema, dumps it again and copies the server's name into it, each
time. What tools here answer has that shape already; a test holds it to the schema. The list is the same each time.
"""

from typing import Any

from mcp.server import Server
from mcp.server.caching import apply_cache_hint
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp_types import SERVER_INFO_META_KEY, CallToolResult, ListToolsResult, TextContent
from mcp_types.methods import serialize_server_result, validate_client_request
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

_OURS = {"tools/call", "tools/list"}
_PLAIN_RESULT = {"content", "structured_content", "is_error"}
_PLAIN_TEXT = {"type", "text"}


class WireResults:
    """Middleware of the server whose results it writes, next to the handler."""

    def __init__(self, server: Server[Any]) -> None:
        self._handler_of = server.get_request_handler
        self._hint = server.cache_hints.get("tools/list")
        self._server = {SERVER_INFO_META_KEY: server.server_info_stamp}
        self._listed: tuple[ListToolsResult, dict[str, Any]] | None = None
        """The list that was asked for last, before and after."""

    async def __call__(self, ctx: ServerRequestContext[Any], call_next: CallNext) -> HandlerResult:
        handler = self._handler_of(ctx.method) if ctx.method in _OURS else None
        if handler is None or ctx.protocol_version not in MODERN_PROTOCOL_VERSIONS:
            return await call_next(ctx)
        validate_client_request(ctx.method, ctx.protocol_version, ctx.params)
        result = await handler.handler(ctx, handler.params_type.model_validate(ctx.params, by_name=False))
        if isinstance(result, ListToolsResult):
            return self._list(result, ctx.protocol_version)
        return self._plain(result) or self._dumped(result)

    def _list(self, result: ListToolsResult, version: str) -> dict[str, Any]:
        if self._listed is None or self._listed[0] is not result:
            hinted = result if self._hint is None else apply_cache_hint(result, self._hint)
            dumped = hinted.model_dump(by_alias=True, mode="json", exclude_none=True)
            sieved = serialize_server_result("tools/list", version, dumped)
            self._listed = result, {"resultType": "complete", **sieved, "_meta": self._meta(sieved)}
        return self._listed[1]

    def _plain(self, result: HandlerResult) -> dict[str, Any] | None:
        """Text and structured content, which is what all tools of our own answer."""
        if type(result) is not CallToolResult or not result.model_fields_set <= _PLAIN_RESULT:
            return None
        content = []
        for part in result.content:
            if type(part) is not TextContent or not part.model_fields_set <= _PLAIN_TEXT:
                return None
            content.append({"type": "text", "text": part.text})
        structured = {} if result.structured_content is None else {"structuredContent": result.structured_content}
        said = {"content": content, **structured, "isError": result.is_error}
        return {**said, "resultType": "complete", "_meta": self._server}

    def _dumped(self, result: Any) -> dict[str, Any]:
        dumped: dict[str, Any] = result.model_dump(by_alias=True, mode="json", exclude_none=True)
        return {"resultType": "complete", **dumped, "_meta": self._meta(dumped)}

    def _meta(self, dumped: dict[str, Any]) -> dict[str, Any]:
        return {**self._server, **(dumped.get("_meta") or {})}
