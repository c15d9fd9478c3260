"""A tool call as a client of the 2026-07-28 revision sends it: one POST that stands alone."""

import json
from typing import Any

from benchmarks.load import Request, request

VERSION = "2026-07-28"
_META = {"io.modelcontextprotocol/protocolVersion": VERSION, "io.modelcontextprotocol/clientCapabilities": {}}


def tool_call(port: int, name: str, arguments: dict[str, Any], **headers: str) -> Request:
    return _asked(port, "tools/call", {"name": name, "arguments": arguments}, mcp_name=name, **headers)


def list_request(port: int, method: str, **headers: str) -> Request:
    """`tools/list`, and others of its kind."""
    return _asked(port, method, {}, **headers)


def _asked(port: int, method: str, params: dict[str, Any], **headers: str) -> Request:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": _META}}
    return request(
        port,
        "/mcp",
        json.dumps(body).encode(),
        content_type="application/json",
        accept="application/json, text/event-stream",
        mcp_protocol_version=VERSION,
        mcp_method=method,
        **headers,
    )
