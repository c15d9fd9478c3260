"""What one person, and all together, may ask of the service: how often, and how much at a time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

from limits import parse
from limits.aio.storage import Storage
from limits.errors import StorageError
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from core.policy.errors import Unavailable
from mcp_server import metrics
from mcp_server.auth.bearer import caller_of
from mcp_server.health import Check
from mcp_server.places import Places
from mcp_server.rates import Rates, shared_counts
from mcp_server.refusals import refusal
from mcp_server.settings import HttpService
from mcp_server.transports.messages import headers_of
from mcp_server.transports.modern import LISTEN
from mcp_server.transports.streamable_http import is_modern

_RETRY_SECONDS = 1


IsStream = Callable[[Scope], bool]
"""Whether the answer is a stream of what happens, for as long as the client listens."""


def is_get(scope: Scope) -> bool:
    return bool(scope["method"] == "GET")


def is_stream(scope: Scope) -> bool:
    """By headers that are held against the body later on, which older revisions do not do (MCP 2026-07-28)."""
    headers = headers_of(scope)
    return is_get(scope) or (headers.get(b"mcp-method") == LISTEN and is_modern(headers))


@dataclass(frozen=True)
class Bounds:
    """Streams stay open for long, and take no place of a call."""

    rates: Rates
    calls: Places
    streams: Places
    checks: Mapping[str, Check]
    """For readiness: what the bounds need besides this process."""

    @classmethod
    def of(cls, settings: HttpService) -> Self:
        shared = shared_counts(settings.redis_url) if settings.redis_url else None
        return cls(
            Rates(parse(settings.subject_rate), parse(settings.token_rate), shared),
            Places(settings.calls, settings.calls_per_subject),
            Places(settings.streams, settings.streams_per_subject),
            {} if shared is None else {"redis": _answering(shared)},
        )

    def around(self, app: ASGIApp, *, is_stream: IsStream = is_stream) -> ASGIApp:
        """Lets a request through to `app` when there is room; behind the guard."""

        async def bounded(scope: Scope, receive: Receive, send: Send) -> None:
            caller = caller_of(scope)
            wait = await self.rates.seconds_to_wait(caller)
            if wait:
                await _too_often(wait)(scope, receive, send)
                return
            places = self.streams if is_stream(scope) else self.calls
            if places.are_all_taken():
                await _busy()(scope, receive, send)
            elif not places.take(caller.subject):
                await _too_many(is_stream(scope))(scope, receive, send)
            else:
                try:
                    await app(scope, receive, send)
                finally:
                    places.leave(caller.subject)

        return bounded


def _answering(shared: Storage) -> Check:
    async def check() -> None:
        try:
            answers = await shared.check()
        except StorageError:
            answers = False
        if not answers:
            raise Unavailable("Redis does not answer.")

    return check


def _too_often(wait: float) -> Response:
    metrics.REFUSED.labels("rate").inc()
    return refusal(429, f"You ask too often: go on in {round(wait)} s.", retry_after=wait)


def _too_many(streams: bool) -> Response:
    metrics.REFUSED.labels("concurrency").inc()
    what = "streams open" if streams else "calls under way"
    return refusal(429, f"You have too many {what}: wait for one to end.", retry_after=_RETRY_SECONDS)


def _busy() -> Response:
    metrics.REFUSED.labels("busy").inc()
    return refusal(503, "The exchange is busy: try again in a few seconds.", retry_after=_RETRY_SECONDS)
