"""Requests from the server to a client (elicitation, sampling, roots), whose answers may reach another worker."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from itertools import count
from secrets import token_hex
from typing import Any

import anyio
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import MCPError
from mcp_types import CONNECTION_CLOSED, REQUEST_TIMEOUT, ErrorData

from core.policy.errors import Unavailable

ANSWER_SECONDS = 300
"""How long a client has, unless the call says otherwise: a person may have to read and decide."""
_WITHDRAW_SECONDS = 5

Emit = Callable[[Mapping[str, Any]], Awaitable[None]]
"""Sends a JSON-RPC message to the client. Raises Unavailable."""


class Questions:
    """What this worker has asked and not been answered yet. Ids are unlike those of any other worker."""

    def __init__(self) -> None:
        self._worker = token_hex(6)
        self._numbers = count(1)
        self._open: dict[tuple[str, str], asyncio.Future[Mapping[str, Any]]] = {}

    async def ask(
        self, session_id: str, emit: Emit, method: str, params: Mapping[str, Any] | None, options: CallOptions | None
    ) -> dict[str, Any]:
        """The client's result. Raises MCPError for its error, and when it does not answer in time.

        A question that nobody waits for any more is withdrawn, so that the client takes it off the person's screen.
        """
        seconds = (options or {}).get("timeout", ANSWER_SECONDS)
        request_id = f"{self._worker}-{next(self._numbers)}"
        answer: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._open[session_id, request_id] = answer
        try:
            await emit({"jsonrpc": "2.0", "id": request_id, "method": method, "params": dict(params or {})})
            async with asyncio.timeout(seconds):
                return _result(await answer)
        except Unavailable as error:
            raise MCPError(CONNECTION_CLOSED, str(error)) from None
        except TimeoutError:
            await self._withdraw(emit, request_id, "It took too long.")
            raise MCPError(REQUEST_TIMEOUT, f"The client did not answer {method} in {seconds:g} s.") from None
        except asyncio.CancelledError:
            with anyio.move_on_after(_WITHDRAW_SECONDS, shield=True):
                await self._withdraw(emit, request_id, "What it was asked for was cancelled.")
            raise
        finally:
            del self._open[session_id, request_id]

    def answered(self, session_id: str, message: Mapping[str, Any]) -> bool:
        """A client's answer has come. False when the question was not asked here, or not in this session."""
        answer = self._open.get((session_id, str(message.get("id"))))
        if answer is None:
            return False
        if not answer.done():
            answer.set_result(message)
        return True

    def end(self, session_id: str) -> None:
        for (asked_in, _), answer in self._open.items():
            if asked_in == session_id and not answer.done():
                answer.set_exception(MCPError(CONNECTION_CLOSED, "The session has ended."))

    async def _withdraw(self, emit: Emit, request_id: str, reason: str) -> None:
        """MCP 2025-11-25, Cancellation: by the same way that the question went."""
        params = {"requestId": request_id, "reason": reason}
        with suppress(Unavailable):
            await emit({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})


def _result(answer: Mapping[str, Any]) -> dict[str, Any]:
    if "error" in answer:
        raise MCPError.from_error_data(ErrorData.model_validate(answer["error"]))
    return dict(answer["result"])
