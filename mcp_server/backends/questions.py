"""What an exchange elsewhere wants to know in the middle of a call is asked of the host at this end."""

from collections.abc import Awaitable, Callable
from typing import Any

from mcp_types import CallToolRequestParams, CallToolResult, ClientCapabilities, InputRequiredResult
from pydantic import TypeAdapter

from mcp_server import errors
from mcp_server.features.asking import Client

ANSWER: TypeAdapter[CallToolResult | InputRequiredResult] = TypeAdapter(CallToolResult | InputRequiredResult)

_MAX_ROUNDS = 10
_UNANSWERED = "The exchange asked what is meant, and nobody answered: name what the question is about."

Send = Callable[[CallToolRequestParams], Awaitable[CallToolResult | InputRequiredResult]]
"""Puts the call to the exchange."""


async def answered(params: CallToolRequestParams, host: Client, send: Send) -> CallToolResult:
    """Raises InputRequired for a host of 2026-07-28, which brings its replies with what the exchange has sealed."""
    brought = {"inputResponses": host.brought, "requestState": host.state}
    asked = CallToolRequestParams.model_validate({**params.model_dump(by_alias=True), **brought}, by_name=False)
    for _ in range(_MAX_ROUNDS):
        result = await send(asked)
        if isinstance(result, CallToolResult):
            return result
        requests = result.input_requests or {}
        replies = await host.ask(requests, result.request_state)
        if requests.keys() - replies.keys():
            break
        asked = params.model_copy(update={"input_responses": replies, "request_state": result.request_state})
    return errors.said(_UNANSWERED)


def callbacks(offered: ClientCapabilities) -> dict[str, Any]:
    """The options of the SDK's client that tell the exchange what the host offers.

    They are never called: in 2026-07-28 a server asks by its answer.
    """
    options = {
        "elicitation_callback": offered.elicitation,
        "sampling_callback": offered.sampling,
        "list_roots_callback": offered.roots,
    }
    return {name: _never for name, offer in options.items() if offer is not None}


async def _never(*_: Any) -> Any:
    raise NotImplementedError
