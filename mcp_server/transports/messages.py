"""JSON-RPC messages in HTTP bodies, and the refusals of those that are none."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any

from mcp.server.streamable_http import check_accept_headers
from mcp_types import (
    INVALID_REQUEST,
    PARSE_ERROR,
    JSONRPCError,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
)
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json, to_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from core.policy.errors import NotAuthenticated, Unavailable
from mcp_server.auth.bearer import RETRY_SECONDS, refuse_instead

_SHORT = 500
"""Bytes, of what is remembered."""
MAX_INTRODUCTION = 16 * 1024
"""Bytes of an initialize, of which a session keeps what the client says of itself."""


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """A request that is answered by its transport. The response is a JSON-RPC error without an id."""

    def __init__(self, status: int, sentence: str, code: int = INVALID_REQUEST, **headers: str) -> None:
        super().__init__(sentence)
        body = {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": sentence}}
        self.response = Response(to_json(body), status, headers, "application/json")


def no_such_session() -> Refused:
    """The client initializes again (MCP 2025-11-25, Session Management, 4). Whose it is does not show."""
    return Refused(404, "Session not found: it has ended, or never was. Initialize again.")


def not_allowed(*methods: str) -> Refused:
    return Refused(405, f"Only {' and '.join(methods)} here.", Allow=", ".join(methods))


@asynccontextmanager
async def refusing(scope: Scope, receive: Receive, send: Send) -> AsyncIterator[None]:
    """Answers for what is inside where it raises Refused, NotAuthenticated or Unavailable."""
    try:
        yield
    except Refused as refused:
        await refused.response(scope, receive, send)
    except NotAuthenticated as error:
        await refuse_instead(scope, receive, send, error)
    except Unavailable as error:
        await _unavailable(str(error)).response(scope, receive, send)


def _unavailable(sentence: str) -> Refused:
    return Refused(503, sentence, -32000, **{"Retry-After": str(RETRY_SECONDS)})


async def send_json(body: bytes, send: Send, *headers: tuple[bytes, bytes], status: int = 200) -> None:
    """A JSON-RPC response. The handshake revisions tell errors by it alone, with status 200."""
    described = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": described})
    await send({"type": "http.response.body", "body": body})


def parsed(body: bytes) -> dict[str, Any]:
    """One JSON-RPC message. Raises Refused."""
    try:
        message = from_json(body, allow_inf_nan=False)
    except ValueError:  # also for what is nested too deeply
        raise Refused(400, "Parse error: the body is not JSON that can be read here.", PARSE_ERROR) from None
    if isinstance(message, list):
        raise Refused(400, "Send one JSON-RPC message per request: batches are not taken here.")
    try:
        _kind(message).model_validate(message)
    except (ValidationError, TypeError):
        raise Refused(400, "The body is not a JSON-RPC 2.0 message.") from None
    if message.get("method") == "initialize" and len(body) > MAX_INTRODUCTION:
        raise Refused(400, f"An initialize has at most {MAX_INTRODUCTION} bytes: say less of the client.")
    read: dict[str, Any] = message
    return read


def _kind(message: Any) -> type[BaseModel]:
    """By its members (JSON-RPC 2.0 §4, §5). Raises TypeError for what has none."""
    if "method" in message:
        return JSONRPCRequest if "id" in message else JSONRPCNotification
    return JSONRPCError if "error" in message else JSONRPCResponse


def accepts(header: bytes) -> tuple[bool, bool]:
    """Whether `Accept` allows application/json, and text/event-stream."""
    return _accepts(header) if len(header) <= _SHORT else _accepts.__wrapped__(header)


@lru_cache(1_000)
def _accepts(header: bytes) -> tuple[bool, bool]:
    return check_accept_headers(Request({"type": "http", "headers": [(b"accept", header)]}))


def headers_of(scope: Mapping[str, Any]) -> dict[bytes, bytes]:
    return dict(scope["headers"])
