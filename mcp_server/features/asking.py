"""What a handler may ask the client in the middle of a request (MCP: elicitation, sampling, roots).

Up to 2025-11-25 the server sends a request and waits. Since 2026-07-28 it answers with what it wants to know, and the
client asks again, with the answers and what the server gave it to remember: the handler runs from its beginning, and
finds them. A client that does not offer a thing is never asked for it.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp.shared.message import ServerMessageMetadata
from mcp_types import (
    ClientCapabilities,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequest,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
    SamplingMessage,
    TextContent,
)
from mcp_types.methods import INPUT_REQUIRED_METHODS
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

_PATIENCE_SECONDS = 240
"""What a person may take. Whoever holds sessions gives up at 300."""
_TITLED_SINCE = "2025-11-25"
"""Before, a form's choices had their titles beside them (`enumNames`)."""

Reply = ElicitResult | CreateMessageResult | ListRootsResult
_REPLIES: dict[str, type[Reply]] = {
    "elicitation/create": ElicitResult,
    "sampling/createMessage": CreateMessageResult,
    "roots/list": ListRootsResult,
}


class InputRequired(Exception):  # noqa: N818 - the protocol's own words
    """Ends a request of 2026-07-28: the client is to ask again, with the replies."""

    def __init__(self, requests: dict[str, InputRequest], state: str | None) -> None:
        super().__init__("input_required")
        self.result = InputRequiredResult(input_requests=requests, request_state=state)


class Client:
    """The client of one request. What it says is no more to be believed than any argument of the request."""

    def __init__(self, context: ServerRequestContext[Any] | None) -> None:
        """Without a context there is nobody to ask."""
        self._context = context
        self._params = (context and context.params) or {}
        self.is_modern = context is not None and context.protocol_version in MODERN_PROTOCOL_VERSIONS
        self.capabilities = (context and context.session.client_capabilities) or ClientCapabilities()

    @property
    def state(self) -> str | None:
        """What the server gave the client to remember, one round before: genuine, in time, and for this request."""
        state = self._params.get("requestState")
        return state if self.is_modern and isinstance(state, str) else None

    @property
    def brought(self) -> dict[str, Any] | None:
        """Its replies to what it was asked one round before, as it sent them."""
        given = self._params.get("inputResponses")
        return given if self.is_modern and isinstance(given, dict) else None

    def offers(self, request: InputRequest) -> bool:
        offered = self.capabilities
        if isinstance(request, ElicitRequest):
            return offered.elicitation is not None and _has_mode(offered, request.params.mode)
        return (offered.sampling if isinstance(request, CreateMessageRequest) else offered.roots) is not None

    @property
    def has_forms(self) -> bool:
        return _has_mode(self.capabilities, "form")

    async def ask(self, requests: Mapping[str, InputRequest], state: str | None = None) -> dict[str, Reply]:
        """The replies, by the keys of `requests`: those that the client offers, and that it replied to as it should.

        Raises InputRequired where the client has to ask again; it will bring back `state`, and no one else can.
        """
        offered = {key: request for key, request in requests.items() if self.offers(request)}
        if self._context is None or not offered:
            return {}
        return self._brought(offered, state) if self.is_modern else await self._sent(self._context, offered)

    def _brought(self, requests: dict[str, InputRequest], state: str | None) -> dict[str, Reply]:
        if self._context is None or self._context.method not in INPUT_REQUIRED_METHODS:
            return {}
        given = self.brought or {}
        replies: dict[str, Reply] = {}
        for key, request in requests.items():
            with suppress(ValidationError):
                replies[key] = _REPLIES[request.method].model_validate(given.get(key), by_name=False)
        if requests.keys() - replies.keys():
            raise InputRequired(requests, state)
        return replies

    async def _sent(self, context: ServerRequestContext[Any], requests: dict[str, InputRequest]) -> dict[str, Reply]:
        replies: dict[str, Reply] = {}
        for key, request in requests.items() if context.session.can_send_request else ():
            with suppress(MCPError, ValidationError):  # a client that cannot after all, or a person who never came
                replies[key] = await context.session.send_request(
                    request,
                    _REPLIES[request.method],
                    request_read_timeout_seconds=_PATIENCE_SECONDS,
                    metadata=ServerMessageMetadata(related_request_id=context.request_id),
                )
        return replies

    async def choose(self, key: str, question: str, choices: Mapping[str, str]) -> str | None:
        """Which of `choices` (values and their titles) the person picks in a form; None when they do not."""
        form = ElicitRequestFormParams(
            message=question,
            requested_schema={"type": "object", "properties": {key: self._choice(choices)}, "required": [key]},
        )
        replies = await self.ask({key: ElicitRequest(params=form)}, state=key)
        return _accepted(replies.get(key), key)

    def _choice(self, choices: Mapping[str, str]) -> dict[str, Any]:
        if self._context is not None and self._context.protocol_version < _TITLED_SINCE:
            return {"type": "string", "enum": list(choices), "enumNames": list(choices.values())}
        return {"type": "string", "oneOf": [{"const": value, "title": title} for value, title in choices.items()]}

    def chosen(self) -> tuple[str, str] | None:
        """The key and the value that the person picked one round before, if this is a second round and they did."""
        key, given = self.state, self.brought
        if key is None or given is None:
            return None
        with suppress(ValidationError):
            value = _accepted(ElicitResult.model_validate(given.get(key), by_name=False), key)
            return None if value is None else (key, value)
        return None

    async def write(self, key: str, instruction: str, *, max_tokens: int) -> str | None:
        """What the client's own model writes; None when there is none, or nobody allows it."""
        request = CreateMessageRequest(
            params=CreateMessageRequestParams(
                messages=[SamplingMessage(role="user", content=TextContent(text=instruction))], max_tokens=max_tokens
            )
        )
        reply = (await self.ask({key: request})).get(key)
        written = reply.content if isinstance(reply, CreateMessageResult) else None
        return written.text if isinstance(written, TextContent) else None

    async def roots(self) -> list[str] | None:
        """The URIs of the folders that the client works in; None when it does not say."""
        reply = (await self.ask({"roots": ListRootsRequest()})).get("roots")
        return [str(root.uri) for root in reply.roots] if isinstance(reply, ListRootsResult) else None


NOBODY = Client(None)
"""Where there is no request."""


def calling(context: ServerRequestContext[Any] | None) -> Client:
    """The client of a tool's call. Other requests are never interrupted by a question."""
    return Client(context) if context is not None and context.method == "tools/call" else NOBODY


def _has_mode(offered: ClientCapabilities, mode: str | None) -> bool:
    """MCP 2025-11-25, Elicitation, Capabilities: a client that names no mode has forms."""
    elicitation = offered.elicitation
    if elicitation is None:
        return False
    if mode == "url":
        return elicitation.url is not None
    return elicitation.form is not None or elicitation.url is None


def _accepted(reply: Reply | None, key: str) -> str | None:
    if not isinstance(reply, ElicitResult) or reply.action != "accept":
        return None
    value = (reply.content or {}).get(key)
    return value if isinstance(value, str) else None
