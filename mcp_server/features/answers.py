"""A tool's answer for the features that are not tools: its body, or the JSON-RPC error that says why there is none."""

import logging
from collections.abc import Awaitable
from typing import Any

from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, CallToolResult
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from core.policy.errors import DomainError, InvalidInput, NotVisible, Unavailable
from mcp_server import errors
from mcp_server.backends import Backend

_log = logging.getLogger(__name__)

_RESOURCE_NOT_FOUND = -32002
"""MCP 2025-11-25 server/resources, Error Handling; since 2026-07-28 it is -32602."""
_CODES = {
    NotVisible.__name__: INVALID_PARAMS,
    InvalidInput.__name__: INVALID_PARAMS,
    Unavailable.__name__: INTERNAL_ERROR,
}


async def admitted(backend: Backend, context: ServerRequestContext[Any]) -> None:
    """Raises MCPError for whose token does not stand any more."""
    try:
        await backend.admit(context)
    except DomainError as error:
        raise refused(error) from None


async def body_of(answer: Awaitable[CallToolResult], feature: str) -> dict[str, Any]:
    """The answer's structured content. Raises MCPError."""
    try:
        result = await answer
    except MCPError:
        raise
    except Exception:  # noqa: BLE001 - the outermost line of this door: the log keeps where, never with what
        _log.exception("%s failed", feature)
        raise MCPError(code=INTERNAL_ERROR, message=errors.INTERNAL) from None
    if result.structured_content is None:
        sentence = " ".join(getattr(part, "text", "") for part in result.content)
        kind = (result.meta or {}).get(errors.KIND)
        raise MCPError(code=_CODES.get(str(kind), INVALID_REQUEST), message=sentence, data={errors.KIND: kind})
    body: dict[str, Any] = result.structured_content
    return body


def refused(error: DomainError) -> MCPError:
    kind = type(error).__name__
    return MCPError(code=_CODES.get(kind, INVALID_REQUEST), message=str(error), data={errors.KIND: kind})


def is_missing(error: MCPError) -> bool:
    """It does not exist, or the caller may not see it."""
    data = error.error.data
    return isinstance(data, dict) and data.get(errors.KIND) == NotVisible.__name__


def of_resource(error: MCPError, uri: str, context: ServerRequestContext[Any]) -> MCPError:
    """The same error as `resources/read` says it, in the revision that the client speaks."""
    told = error.error
    code = (
        _RESOURCE_NOT_FOUND
        if is_missing(error) and context.protocol_version not in MODERN_PROTOCOL_VERSIONS
        else told.code
    )
    return MCPError(code=code, message=told.message, data={"uri": uri})
