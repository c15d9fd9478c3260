"""Refusals by HTTP status that an MCP client can show: each is a JSON-RPC error with a sentence, too."""

from starlette.responses import JSONResponse, Response

_SERVER_ERROR = -32000
"""JSON-RPC 2.0 §5.1 leaves it to us."""


def refusal(status: int, sentence: str, *, retry_after: float | None = None) -> Response:
    """`retry_after` in seconds, where trying again will do (RFC 9110 §10.2.3)."""
    error = {"code": _SERVER_ERROR, "message": sentence}
    body = {"jsonrpc": "2.0", "id": None, "error": error, "error_description": sentence}
    headers = {} if retry_after is None else {"Retry-After": str(max(1, round(retry_after)))}
    return JSONResponse(body, status, headers)
