"""OpenTelemetry spans, where the environment says who collects them (OTEL_EXPORTER_OTLP_ENDPOINT)."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mcp import MCPError
from mcp.server._otel import OpenTelemetryMiddleware
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def is_collected(environment: Mapping[str, str] = os.environ) -> bool:
    return any(environment.get(name) for name in _ENDPOINTS)


@contextmanager
def collected() -> Iterator[None]:
    """Spans are sent while this is entered, from a thread; what is left is sent at the end."""
    from opentelemetry import trace  # it takes long to import, and most do not collect
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    name = os.environ.get("OTEL_SERVICE_NAME", "jhe-mcp")
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        provider.shutdown()


class _Failed(Exception):  # noqa: N818 - what a span says of an error: nothing
    pass


class Traced:
    """The SDK's span for each message, which never hears what an error says: that may repeat arguments and data."""

    def __init__(self) -> None:
        self._span = OpenTelemetryMiddleware()

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        met: list[Exception] = []

        async def without_words(inner: ServerRequestContext[Any, Any]) -> HandlerResult:
            try:
                return await call_next(inner)
            except MCPError as error:
                met.append(error)
                raise MCPError(code=error.error.code, message="") from None
            except Exception as error:  # noqa: BLE001 - raised again below, as it was
                met.append(error)
                raise _Failed from None

        try:
            return await self._span(ctx, without_words)
        except (MCPError, _Failed):
            if met:
                raise met[0] from None
            raise
