"""Metrics tell how much and how fast, and of nobody."""

import asyncio
from typing import Any

import pytest
from prometheus_client import REGISTRY, generate_latest

from core.models import User
from mcp_server.settings import HttpService
from tests.factories import MembershipFactory, PatientFactory
from tests.mcp_server.service import called, served, standing_token
from tests.mcp_server.sessions.client import Client

CALLS, SECONDS = "mcp_tool_calls_total", "mcp_tool_call_seconds_count"


@pytest.fixture
def user(transactional_db: None) -> User:
    membership = MembershipFactory()
    PatientFactory(name_family="Unmistakable", organizations=[membership.organization])
    account: User = membership.practitioner.user
    return account


@pytest.fixture
def token(user: User) -> str:
    return standing_token(user)


class Since:
    """How far samples have grown since this was made."""

    def __init__(self) -> None:
        self._before = {(s.name, tuple(s.labels.items())): s.value for m in REGISTRY.collect() for s in m.samples}

    def __call__(self, name: str, **labels: str) -> float:
        now = REGISTRY.get_sample_value(name, labels) or 0
        return now - self._before.get((name, tuple(labels.items())), 0)


async def test_calls_are_counted_and_timed_by_tool_and_how_they_ended(settings: HttpService, token: str) -> None:
    since = Since()
    async with served(settings) as http:
        await called(http, "get_study_count", token=token)
        await called(http, "get_study_metadata", {"study_id": 1}, token=token)
        await called(http, "no_such_tool", token=token)
    assert since(CALLS, tool="get_study_count", outcome="answered") == 1
    assert since(CALLS, tool="get_study_metadata", outcome="refused") == 1
    assert since(CALLS, tool="other", outcome="failed") == 1
    assert since(SECONDS, tool="get_study_count") == 1


async def test_tokens_keys_connections_and_refusals_are_counted(settings: HttpService, token: str) -> None:
    since = Since()
    async with served(settings.model_copy(update={"subject_rate": "2/hour"})) as http:
        for _ in range(3):
            await called(http, "get_study_count", token=token)
    assert since("mcp_tokens_checked_total") == 1
    assert since("mcp_tokens_known_total") == 2
    assert since("mcp_key_fetches_total") == 1
    assert since("mcp_key_fetch_failures_total") == 0
    assert since("mcp_requests_refused_total", bound="rate") == 1
    assert REGISTRY.get_sample_value("mcp_calls_in_flight") == 0
    assert REGISTRY.get_sample_value("mcp_database_connections_in_use") == 0


async def test_sessions_are_counted(settings: HttpService, token: str) -> None:
    since = Since()
    async with served(settings.model_copy(update={"sessions": True})) as http:
        mary = Client(http, "http://localhost:8001", token)
        await mary.initialize()
        ready = await http.get("http://localhost:8001/readyz")
        await mary.delete()
    assert ready.json()["parts"]["sessions"] == "ok"
    assert since("mcp_sessions_opened_total") == 1
    assert since("mcp_sessions_ended_total") == 1


async def test_nobody_can_be_found_in_them_and_no_client_makes_them_grow(
    settings: HttpService, user: User, token: str
) -> None:
    async with served(settings) as http:
        await called(http, "search_patients", {"family": "Unmistakable"}, token=token)
        before = size()
        for number in range(20):
            await called(http, f"Unmistakable{number}", {"family": "Unmistakable"}, token=token)
        assert size() - before <= 1 + 1 + 15 + 2  # one more tool, "other", at most
    text = generate_latest().decode()
    assert "Unmistakable" not in text
    assert str(user.pk) not in text
    assert "mcp_tool_calls_total" in text


def size() -> int:
    return sum(len(metric.samples) for metric in REGISTRY.collect())


async def test_they_are_not_at_the_public_port(settings_without_database: HttpService) -> None:
    async with served(settings_without_database) as http:
        assert (await http.get("http://localhost:8001/metrics")).status_code == 404


async def test_requests_that_wait_for_a_connection_are_counted(settings: HttpService, token: str) -> None:
    since = Since()
    async with served(settings.model_copy(update={"pool_size": 1})) as http:
        answers: list[Any] = await asyncio.gather(*(called(http, "get_study_count", token=token) for _ in range(6)))
    assert {answer.status_code for answer in answers} == {200}
    assert since("mcp_database_waits_total") >= 1
