"""What a client hears while a call runs: how far it is, and, at the level that it asked for, what it took."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import mcp_types as types
import pytest
from mcp import Client
from mcp_types.version import LATEST_MODERN_VERSION

from core.models import User
from mcp_server.settings import HttpService
from tests import tokens
from tests.factories import MembershipFactory
from tests.mcp_server.features.conftest import MODES, Host
from tests.mcp_server.service import called, served, standing_token
from tests.mcp_server.tools.world import Clinic, glucose, record
from tests.mcp_server.trail import owner_of, trail


@pytest.fixture
def user(transactional_db: None) -> User:
    account: User = MembershipFactory().practitioner.user
    return account


@pytest.fixture
def token(user: User) -> str:
    return standing_token(user)


def messages_in(stream: str) -> list[dict[str, Any]]:
    """What came as server-sent events."""
    return [json.loads(line.removeprefix("data: ")) for line in stream.splitlines() if line.startswith("data: ")]


async def call_with_progress(http: Any, token: str) -> Any:
    meta = {
        "io.modelcontextprotocol/protocolVersion": LATEST_MODERN_VERSION,
        "io.modelcontextprotocol/clientCapabilities": {},
        "progressToken": "p",
    }
    headers = {
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": LATEST_MODERN_VERSION,
        "Mcp-Method": "tools/call",
        "Mcp-Name": "get_study_count",
        "Authorization": f"Bearer {token}",
    }
    params = {"name": "get_study_count", "arguments": {}, "_meta": meta}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    return await http.post(tokens.RESOURCE, json=body, headers=headers)


async def test_a_client_that_asks_hears_the_beginning_and_the_end(settings: HttpService, token: str) -> None:
    async with served(settings) as http:
        *told, answer = messages_in((await call_with_progress(http, token)).text)
    assert [message["params"] for message in told] == [
        {"progressToken": "p", "progress": 1, "message": "Looking it up."},
        {"progressToken": "p", "progress": 2, "message": "Answered."},
    ]
    assert answer["result"]["structuredContent"]["total"] == 0


async def test_a_client_that_does_not_ask_gets_one_answer_and_nothing_else(settings: HttpService, token: str) -> None:
    async with served(settings) as http:
        response = await called(http, "get_study_count", token=token)
    assert response.headers["Content-Type"] == "application/json"


async def test_a_token_that_stands_no_more_is_answered_401_whatever_was_to_be_told(
    settings: HttpService, user: User
) -> None:
    async with served(settings) as http:
        response = await call_with_progress(http, tokens.access_token(user.pk))
    assert response.status_code == 401
    assert [row["outcome"] for row in await trail(settings)] == ["refused"]


def test_a_client_hears_every_second_that_its_question_is_being_answered(
    clinic: Clinic, host: Callable[..., Host], settings: HttpService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_server.features.progress._EVERY_SECONDS", 0.01)
    told: list[tuple[float, str | None]] = []
    asks = host(clinic.practitioner, "legacy")

    async def call() -> types.CallToolResult:
        enough = asyncio.Event()

        async def hear(progress: float, _: float | None, message: str | None) -> None:
            told.append((progress, message))
            if len(told) == 4:
                enough.set()

        async with asks.connected() as client, owner_of(settings) as owner:
            await owner.execute("BEGIN; LOCK TABLE core_study IN ACCESS EXCLUSIVE MODE")
            answer = asyncio.create_task(client.call_tool("get_study_count", {}, progress_callback=hear))
            await enough.wait()
            await owner.execute("ROLLBACK")
            return await answer

    assert not asks.person.run(call()).is_error
    numbers = [progress for progress, _ in told]
    assert numbers == sorted(set(numbers))
    assert told[0][1] == "Looking it up."
    assert str(told[1][1]).startswith("Still looking it up")
    assert told[-1][1] == "Answered."


class Log:
    def __init__(self) -> None:
        self.heard: list[types.LoggingMessageNotificationParams] = []

    async def __call__(self, params: types.LoggingMessageNotificationParams) -> None:
        self.heard.append(params)


def logged(host: Host, level: types.LoggingLevel | None, tool: str, arguments: dict[str, Any]) -> list[Any]:
    """What a client that asked for `level` is told of a call: (level, logger, data)."""
    log = Log()
    modern = host._mode != "legacy"

    async def call() -> None:
        options: dict[str, Any] = {"log_level": level} if modern else {}
        async with host.connected(logging_callback=log, **options) as client:
            if level is not None and not modern:
                await set_level(client, level)
            await client.call_tool(tool, arguments)

    host.person.run(call())
    return [(params.level, params.logger, params.data) for params in log.heard]


async def set_level(client: Client, level: types.LoggingLevel) -> None:
    params = types.SetLevelRequestParams(level=level)
    await client.session.send_request(types.SetLevelRequest(params=params), types.EmptyResult)


@pytest.fixture
def peter(clinic: Clinic) -> dict[str, Any]:
    """Arguments that leave one of Peter's two readings for the next page."""
    patient = clinic.patient(name_given="Peter")
    record(patient, clinic.glucose, *(glucose(value, f"2026-11-01T{value}:00:00Z") for value in (11, 12)))
    return {"patient_id": patient.pk, "limit": 1}


@pytest.mark.parametrize("mode", MODES)
def test_a_client_is_told_what_a_call_took_and_that_there_is_more_but_no_data(
    clinic: Clinic, host: Callable[..., Host], mode: str, peter: dict[str, Any]
) -> None:
    told = logged(host(clinic.practitioner, mode), "info", "get_patient_observations", peter)
    (level, logger, data), warning = told
    assert (level, logger) == ("info", "get_patient_observations")
    assert data.pop("seconds") >= 0
    assert data == {"total": 2, "returned": 1, "truncated": True}
    assert warning == (
        "warning",
        "get_patient_observations",
        "There is more: narrow the question, or pass next_cursor.",
    )


@pytest.mark.parametrize("mode", MODES)
def test_a_client_is_told_nothing_less_severe_than_it_asked_for_and_nothing_unasked(
    clinic: Clinic, host: Callable[..., Host], mode: str, peter: dict[str, Any]
) -> None:
    asks = host(clinic.practitioner, mode)
    assert [level for level, *_ in logged(asks, "warning", "get_patient_observations", peter)] == ["warning"]
    assert logged(asks, "error", "get_patient_observations", peter) == []
    assert logged(asks, None, "get_patient_observations", peter) == []
