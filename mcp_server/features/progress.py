"""How far a call is, for clients that asked (MCP 2026-07-28 and before: notifications/progress)."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from itertools import count
from typing import Any

import anyio
from mcp.server.context import ServerRequestContext

from mcp_server.features.alongside import alongside

_EVERY_SECONDS = 1

_steps: ContextVar[Iterator[int] | None] = ContextVar("steps", default=None)
"""One count for each call, whoever tells of it: the protocol wants every number to be above the one before."""


def begin() -> Iterator[int]:
    """A request begins: nothing has been told of it."""
    steps = count(1)
    _steps.set(steps)
    return steps


async def tell(context: ServerRequestContext[Any], message: str) -> None:
    """Nothing is sent to a client that gave no `progressToken`. How many steps there will be is not known."""
    await context.session.report_progress(next(_steps.get() or begin()), message=message)


def is_wanted(context: ServerRequestContext[Any] | None) -> bool:
    """Of a tool's call: nothing else takes long."""
    return context is not None and context.method == "tools/call" and "progress_token" in (context.meta or {})


@asynccontextmanager
async def told(context: ServerRequestContext[Any]) -> AsyncIterator[None]:
    """The client is told at once that its question has arrived, every second that it is being answered, and the end."""
    await tell(context, "Looking it up.")
    async with alongside(_every_second(context)):
        yield
    await tell(context, "Answered.")


async def _every_second(context: ServerRequestContext[Any]) -> None:
    for seconds in count(_EVERY_SECONDS, _EVERY_SECONDS):
        await anyio.sleep(_EVERY_SECONDS)
        await tell(context, f"Still looking it up, after {seconds} s.")
