"""What Prometheus is told: of how much and how fast, never of whom or what.

Only the HTTP service imports this: prometheus_client takes long to import. What is counted on the way of every call is
counted in plain integers where it happens, and brought here once a second.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from functools import cache
from time import perf_counter
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp_types import CallToolResult
from prometheus_client import Counter, Gauge, Histogram

_EVERY_SECONDS = 1
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

CALLS = Counter("mcp_tool_calls", "Calls of tools, by how they ended.", ["tool", "outcome"])
SECONDS = Histogram("mcp_tool_call_seconds", "How long calls of tools took.", ["tool"], buckets=_SECONDS)
REFUSED = Counter("mcp_requests_refused", "Requests beyond a bound: rate, concurrency or busy.", ["bound"])
CALLS_NOW = Gauge("mcp_calls_in_flight", "Requests under way.", multiprocess_mode="livesum")
STREAMS_NOW = Gauge("mcp_streams_open", "Streams that clients listen to.", multiprocess_mode="livesum")
CONNECTIONS_NOW = Gauge("mcp_database_connections_in_use", "Database connections in use.", multiprocess_mode="livesum")
SESSIONS_OPENED = Counter("mcp_sessions_opened", "Sessions that clients opened.")
SESSIONS_ENDED = Counter("mcp_sessions_ended", "Sessions that clients ended; others lapse.")
WAITS = Counter("mcp_database_waits", "Questions that had to wait for a database connection.")
TOKENS_KEPT = Counter("mcp_tokens_known", "Requests with a token that was checked before.")
TOKENS_CHECKED = Counter("mcp_tokens_checked", "Requests with a token whose signature had to be checked.")
KEY_FETCHES = Counter("mcp_key_fetches", "Fetches of an issuer's keys.")
KEY_FAILURES = Counter("mcp_key_fetch_failures", "Fetches of an issuer's keys that failed.")

Read = Callable[[], float]


class Measured:
    """Counts and times calls of tools (middleware of the SDK's). A tool that is not `known` is counted as "other"."""

    def __init__(self, known: Collection[str]) -> None:
        self._known = frozenset(known)
        self._calls = cache(CALLS.labels)
        self._seconds = cache(SECONDS.labels)

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        if ctx.method != "tools/call":
            return await call_next(ctx)
        name = (ctx.params or {}).get("name")
        tool = name if isinstance(name, str) and name in self._known else "other"
        outcome, begun = "failed", perf_counter()
        try:
            result = await call_next(ctx)
            outcome = _outcome(result)
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            self._calls(tool, outcome).inc()
            self._seconds(tool).observe(perf_counter() - begun)
        return result


def _outcome(result: HandlerResult) -> str:
    match result:
        case CallToolResult(is_error=True) | {"isError": True}:
            return "refused"
        case _:
            return "answered"


@asynccontextmanager
async def published(gauges: Mapping[Gauge, Read], counters: Mapping[Counter, Read]) -> AsyncIterator[None]:
    """While this is entered, what is read is told every second. What counters read only grows."""
    told = dict.fromkeys(counters, 0.0)

    def publish() -> None:
        for gauge, read in gauges.items():
            gauge.set(read())
        for counter, read in counters.items():
            now = read()
            counter.inc(now - told[counter])
            told[counter] = now

    async def again_and_again() -> None:
        while True:
            publish()
            await asyncio.sleep(_EVERY_SECONDS)

    task = asyncio.create_task(again_and_again())
    try:
        yield
    finally:
        task.cancel()
        publish()
