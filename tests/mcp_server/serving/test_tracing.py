"""Spans, where somebody collects them: of what was done and how it ended, never with what."""

from collections.abc import Iterator

import httpx2
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from core.models import User
from mcp_server import tracing
from mcp_server.settings import HttpService
from mcp_server.tool import Answer, Arguments, Ask, Output, Tool
from mcp_server.tools import TOOLS
from mcp_server.tracing import is_collected
from tests import tokens
from tests.factories import MembershipFactory, PatientFactory
from tests.mcp_server.service import asking, called, served, standing_token

NAME = "Unmistakable"


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    """OpenTelemetry takes one provider in the life of a process."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


@pytest.fixture
def spans(exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter.clear()
    monkeypatch.setattr("mcp_server.transports.http.is_collected", lambda: True)
    monkeypatch.setattr("mcp_server.transports.http.collected", tracing_is_set_up)
    yield exporter
    exporter.clear()
