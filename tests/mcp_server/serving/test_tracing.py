"""Spans, where somebody collects them: of what was done and how it ended, never with what."""

from collections.abc import Iterator
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from mcp import MCPError
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from core.models import User
from mcp_server.settings import HttpService
from mcp_server.tool import Answer, Arguments, Ask, Output, Tool
from mcp_server.tools import TOOLS
from mcp_server.tracing import Traced, is_collected
from mcp_server.transports import http
from tests.factories import MembershipFactory, PatientFactory
from tests.mcp_server.service import called, served, standing_token

NAME = "Unmistakable"


@pytest.fixture(scope="session")
def exporter() -> Iterator[InMemorySpanExporter]:
    """OpenTelemetry takes one provider in the life of a process, and these tests are not run in one go."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    yield exporter
    provider.shutdown()


@pytest.fixture
def spans(exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """As if the environment said who collects them."""
    exporter.clear()
    monkeypatch.setattr(http, "is_collected", lambda: True)
    monkeypatch.setattr(http, "collected", nullcontext)
    yield exporter
    exporter.clear()


@pytest.fixture
def user(transactional_db: None) -> User:
    membership = MembershipFactory()
    PatientFactory(name_family=NAME, organizations=[membership.organization])
    account: User = membership.practitioner.user
    return account


@pytest.fixture
def token(user: User) -> str:
    return standing_token(user)


def everything(exporter: InMemorySpanExporter) -> str:
    """All that is sent of all spans."""
    return "".join(span.to_json() for span in exporter.get_finished_spans())


async def test_a_call_is_a_span_with_its_tool_and_without_arguments_or_answer(
    settings: HttpService, token: str, user: User, spans: InMemorySpanExporter
) -> None:
    async with served(settings) as client:
        answer = await called(client, "search_patients", {"family": NAME}, token=token)
    assert NAME in answer.text
    [span] = spans.get_finished_spans()
    assert span.name == "tools/call search_patients"
    assert dict(span.attributes or {})["gen_ai.tool.name"] == "search_patients"
    assert NAME not in everything(spans)
    assert str(user.pk) not in everything(spans)


async def test_a_span_belongs_to_the_trace_that_the_client_is_in(
    settings: HttpService, token: str, spans: InMemorySpanExporter
) -> None:
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    async with served(settings) as client:
        meta = {"traceparent": f"00-{trace_id}-b7ad6b7169203331-01"}
        await called(client, "get_study_count", token=token, meta=meta)
    [span] = spans.get_finished_spans()
    assert span.context is not None
    assert format(span.context.trace_id, "032x") == trace_id


async def raising(arguments: Any, ask: Ask) -> Answer:
    raise ValueError(NAME)


class Nothing(Output):
    pass


async def test_a_fault_of_ours_is_in_the_span_without_its_words(
    settings: HttpService, token: str, spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TOOLS, "faulty", Tool("faulty", "F", "F.", Arguments, Nothing, raising))
    async with served(settings) as client:
        answer = await called(client, "faulty", token=token)
        refused = await called(client, "get_study_metadata", {"study_id": NAME}, token=token)
    assert answer.json()["result"]["isError"]
    assert refused.json()["result"]["isError"]
    assert {span.status.is_ok for span in spans.get_finished_spans()} == {False}
    assert NAME not in everything(spans)


@pytest.mark.parametrize(
    "error", [MCPError(code=-32602, message=NAME), ValueError(NAME), KeyError(NAME)], ids=lambda e: type(e).__name__
)
async def test_what_an_error_says_reaches_the_client_and_not_the_span(
    spans: InMemorySpanExporter, error: Exception
) -> None:
    async def fails(_: Any) -> None:
        raise error

    context: Any = SimpleNamespace(
        method="resources/read", params={"uri": NAME}, protocol_version="2026-07-28", request_id=1, meta=None
    )
    with pytest.raises(type(error), match=NAME):
        await Traced()(context, fails)
    [span] = spans.get_finished_spans()
    assert not span.status.is_ok
    assert NAME not in everything(spans)


@pytest.mark.parametrize(
    ("environment", "collected"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
    ],
)
def test_spans_are_made_where_somebody_collects_them(environment: dict[str, str], collected: bool) -> None:
    assert is_collected(environment) is collected
