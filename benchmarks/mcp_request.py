"""A tool call as a client of the 2026-07-28 revision sends it: one POST that stands alone."""

import json
from typing import Any

from benchmarks.load import Request, request

VERSION = "2026-07-28"
_META = {"io.modelcontextprotocol/protocolVersion": VERSION, "io.modelcontextprotocol/clientCapabilities": {}}


def tool_call(port: int, name: str, arguments: dict[str, Any], **headers: str) -> Request:
    params = {"name": name, "arguments": arguments, "_meta": _META}
    return request(
        port,
        "/mcp",
        json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode(),
        content_type="application/json",
        accept="application/json, text/event-stream",
        mcp_protocol_version=VERSION,
        mcp_method="tools/call",
        mcp_name=name,
        **headers,
    )
