"""`tools/call` and `tools/list` of 2026-07-28 by the shortest way (docs/adr/0046).

Only what is well formed and wants one JSON answer goes here, through the SDK's own checks and its kernel. Everything
else, and every refusal, is left to the SDK's handler.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from mcp.server.connection import _NO_CHANNEL, Connection
from mcp.server.runner import ServerRunner, modern_error_data
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from mcp.shared.inbound import (
    ERROR_CODE_HTTP_STATUS,
    InboundModernRoute,
    classify_inbound_request,
    find_duplicated_routing_header,
)
from mcp.shared.message import ServerMessageMetadata
from mcp_types import ClientCapabilities, InitializeRequestParams
from pydantic_core import from_json, to_json
from starlette.requests import Request
from starlette.types import Scope, Send

from mcp_server.transports.exchange import Exchange, Kernel
from mcp_server.transports.messages import accepts, send_json

_METHODS = {b"tools/call", b"tools/list"}
_REMEMBERED = 1_000
_SHORT = 500
"""Bytes, of what is remembered; whoever sends more is read anew each time."""


class QuickCalls:
    def __init__(self, kernel: Kernel, security: TransportSecuritySettings) -> None:
        self._kernel = kernel
        self._security = TransportSecurityMiddleware(security)
        self._passed: dict[tuple[bytes | None, ...], bool] = {}
        self._plain = lru_cache(_REMEMBERED)(self._is_plain)

    async def answer(self, scope: Scope, headers: Mapping[bytes, bytes], body: bytes, send: Send) -> bool:
        """Whether it was answered here. `body` is the whole of it."""
        if (
            headers.get(b"mcp-method") not in _METHODS
            or scope["method"] != "POST"
            or not accepts(headers.get(b"accept", b""))[0]
            or len(headers) < len(scope["headers"])  # one that comes twice: which of the two counts is not decided here
        ):
            return False
        request = Request(scope)
        if not await self._is_safe(request, headers):
            return False
        read = _route(scope, body)
        if read is None:
            return False
        message, route = read
        if message["method"] == "tools/call" and not self._takes(message["params"].get("name")):
            return False
        status, answer = await self._answered(message, route, ServerMessageMetadata(request_context=request))
        await send_json(to_json(answer), send, status=status)
        return True

    async def _is_safe(self, request: Request, headers: Mapping[bytes, bytes]) -> bool:
        """Host, Origin and Content-Type: the few that there are, are looked at once."""
        seen = tuple(headers.get(name) for name in (b"host", b"origin", b"content-type"))
        passed = self._passed.get(seen)
        if passed is None:
            passed = await self._security.validate_request(request, is_post=True) is None
            if len(self._passed) < _REMEMBERED and sum(len(value or b"") for value in seen) <= _SHORT:
                self._passed[seen] = passed
        return passed

    def _takes(self, name: Any) -> bool:
        return isinstance(name, str) and len(name) <= _SHORT and self._plain(name)

    def _is_plain(self, name: str) -> bool:
        """A tool none of whose arguments go into headers (SEP-2243)."""
        look_up = self._kernel.server.get_tool_input_schema
        schema = None if look_up is None else look_up(name)
        return schema is not None and b"x-mcp-header" not in to_json(schema)

    async def _answered(
        self, message: Mapping[str, Any], route: InboundModernRoute, metadata: ServerMessageMetadata
    ) -> tuple[int, dict[str, Any]]:
        kernel, params = self._kernel, message["params"]
        runner = ServerRunner(kernel.server, _client(route), kernel.lifespan_state)
        answer = {"jsonrpc": "2.0", "id": message["id"]}
        try:
            result = await runner.on_request(Exchange(message, metadata), message["method"], params)
        except Exception as error:  # noqa: BLE001 - the outermost line: the SDK puts it into words, or logs it
            said = modern_error_data(error)
            status = ERROR_CODE_HTTP_STATUS.get(said.code, 200)
            return status, {**answer, "error": said.model_dump(by_alias=True, mode="json", exclude_none=True)}
        return 200, {**answer, "result": result}


def _route(scope: Scope, body: bytes) -> tuple[dict[str, Any], InboundModernRoute] | None:
    """The message and what the SDK makes of it; None where there is anything to refuse or to look at more closely."""
    try:
        message = from_json(body, allow_inf_nan=False)
    except ValueError:
        return None
    if not isinstance(message, dict) or message.keys() != {"jsonrpc", "id", "method", "params"}:
        return None
    if message["jsonrpc"] != "2.0" or type(message["id"]) not in (str, int):
        return None
    lines = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    if find_duplicated_routing_header(lines) is not None or any(name.startswith("mcp-param-") for name, _ in lines):
        return None
    route = classify_inbound_request(message, headers=dict(lines))
    return (message, route) if isinstance(route, InboundModernRoute) else None


def _client(route: InboundModernRoute) -> Connection:
    """As `Connection.from_envelope`, which reads anew what a client says of itself in each of its requests."""
    said = to_json([route.client_info, route.client_capabilities])
    read = _said if len(said) <= _SHORT else _said.__wrapped__
    params, capabilities = read(route.protocol_version, said)
    connection = Connection(_NO_CHANNEL, protocol_version=route.protocol_version, client_params=params)
    connection.client_capabilities = capabilities
    connection.initialized.set()
    return connection


@lru_cache(_REMEMBERED)
def _said(version: str, said: bytes) -> tuple[InitializeRequestParams | None, ClientCapabilities | None]:
    info, capabilities = from_json(said)
    connection = Connection.from_envelope(version, info, capabilities)
    return connection.client_params, connection.client_capabilities
