"""The short way of a tool call says what the SDK's own way says, and takes nothing that the SDK refuses."""

import json
from typing import Any

import httpx2
import pytest
from mcp_types import SERVER_INFO_META_KEY
from mcp_types.methods import serialize_server_result
from mcp_types.version import LATEST_MODERN_VERSION

from mcp_server.transports import messages, quick_calls
from mcp_server.transports.quick_calls import QuickCalls
from tests import tokens
from tests.factories import UserFactory
from tests.mcp_server.service import served, standing_token

META = {
    "io.modelcontextprotocol/protocolVersion": LATEST_MODERN_VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
}
HEADERS = {
    "Accept": "application/json, text/event-stream",
    "Content-Type": "application/json",
    "MCP-Protocol-Version": LATEST_MODERN_VERSION,
    "Mcp-Method": "tools/call",
    "Mcp-Name": "list_studies",
}


def call(**others: Any) -> dict[str, Any]:
    params = {"name": "list_studies", "arguments": {}, "_meta": META}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params, **others}


def params(**others: Any) -> dict[str, Any]:
    return call(params={"name": "list_studies", "arguments": {}, "_meta": META, **others})


LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}}
REGULAR = {
    "the list of tools": (LIST, {"Mcp-Method": "tools/list", "Mcp-Name": ""}),
    "the list again": (LIST, {"Mcp-Method": "tools/list", "Mcp-Name": ""}),
    "a plain call": (call(), {}),
    "a call whose id is text": (call(id="a"), {}),
    "a call without arguments": (call(params={"name": "list_studies", "_meta": META}), {}),
    "wrong arguments": (params(arguments={"nothing": 1}), {}),
    "a study that is not there": (
        params(name="get_study_metadata", arguments={"study_id": 7}),
        {"Mcp-Name": "get_study_metadata"},
    ),
    "a client that says who it is": (
        params(_meta={**META, "io.modelcontextprotocol/clientInfo": {"name": "somebody", "version": "1"}}),
        {},
    ),
    "a client whose word about itself has no shape": (
        params(_meta={**META, "io.modelcontextprotocol/clientInfo": 1}),
        {},
    ),
    "arguments that are no object": (params(arguments=[1]), {}),
}
LEFT_TO_THE_SDK = {
    "an unknown tool": (params(name="nothing"), {"Mcp-Name": "nothing"}),
    "a tool that is no name": (params(name=1), {}),
    "a header that names another tool": (call(), {"Mcp-Name": "search_patients"}),
    "a header that names another method": (call(), {"Mcp-Method": "tools/list"}),
    "another revision in the body": (
        params(_meta={**META, "io.modelcontextprotocol/protocolVersion": "2030-01-01"}),
        {},
    ),
    "a revision that is not served": (
        params(_meta={**META, "io.modelcontextprotocol/protocolVersion": "2030-01-01"}),
        {"MCP-Protocol-Version": "2030-01-01"},
    ),
    "no envelope": (call(params={"name": "list_studies"}), {}),
    "half an envelope": (params(_meta={"io.modelcontextprotocol/protocolVersion": LATEST_MODERN_VERSION}), {}),
    "another JSON-RPC": (call(jsonrpc="1.0"), {}),
    "an id that is true": (call(id=True), {}),
    "an id that is null": (call(id=None), {}),
    "an id that is a fraction": (call(id=1.5), {}),
    "a member too many": (call(more=1), {}),
    "params that are a list": (call(params=[]), {}),
    "a batch": ([call()], {}),
    "a notification": (
        {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "list_studies", "_meta": META}},
        {},
    ),
    "no JSON": (b"{", {}),
    "JSON that is nested too deeply": (b"[" * 10_000, {}),
    "a client that wants no JSON": (call(), {"Accept": "text/html"}),
    "a body that says it is text": (call(), {"Content-Type": "text/plain"}),
    "another host": (call(), {"Host": "elsewhere.example"}),
    "a page of another origin": (call(), {"Origin": "https://elsewhere.example"}),
    "a parameter in a header": (call(), {"Mcp-Param-Query": "heart"}),
}


@pytest.fixture
def taken(monkeypatch):
    """Which calls went the short way."""
    found: list[bool] = []
    answer = QuickCalls.answer

    async def noticed(*arguments: Any) -> bool:
        found.append(await answer(*arguments))
        return found[-1]

    monkeypatch.setattr(QuickCalls, "answer", noticed)
    return found


async def asked(http: httpx2.AsyncClient, token: str, body: Any, headers: dict[str, str]) -> tuple[int, Any]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {**HEADERS, "Authorization": f"Bearer {token}", **headers}
    answer = await http.post(tokens.RESOURCE, content=content, headers=sent)
    said = answer.headers.get("Content-Type", "").startswith("application/json")
    return answer.status_code, answer.json() if said and answer.content else answer.text


async def both_ways(
    settings: Any, token: str, cases: dict[str, Any], monkeypatch: Any
) -> dict[str, tuple[tuple[int, Any], tuple[int, Any]]]:
    """What each case is answered, with the short way and without it."""
    async with served(settings) as http:
        first = {name: await asked(http, token, *case) for name, case in cases.items()}

        async def never(*_: Any) -> bool:
            return False

        monkeypatch.setattr(QuickCalls, "answer", never)
        return {name: (answer, await asked(http, token, *cases[name])) for name, answer in first.items()}


@pytest.fixture
def token(settings):
    return standing_token(UserFactory())


async def test_a_well_formed_call_is_answered_as_the_sdk_answers_it(settings, token, taken, monkeypatch):
    answers = await both_ways(settings, token, REGULAR, monkeypatch)
    assert {name: short for name, (short, _) in answers.items()} == {name: sdk for name, (_, sdk) in answers.items()}
    assert taken == [True] * len(REGULAR)


async def test_whatever_else_a_client_sends_is_left_to_the_sdk(settings, token, taken, monkeypatch):
    answers = await both_ways(settings, token, LEFT_TO_THE_SDK, monkeypatch)
    assert {name: short for name, (short, _) in answers.items()} == {name: sdk for name, (_, sdk) in answers.items()}
    assert not any(taken)
    lenient = {name for name, (short, _) in answers.items() if short[0] < 400}
    assert lenient == {"a member too many", "a notification", "a parameter in a header"}


@pytest.mark.parametrize(
    ("name", "ours", "others"),
    [("Host", "localhost:8001", "elsewhere.example"), ("Origin", "http://localhost:8001", "https://elsewhere.example")],
)
async def test_a_header_that_comes_twice_opens_nothing_to_who_sends_one_of_the_two(settings, token, name, ours, others):
    """Which of the two is looked at and which is remembered must not differ."""
    lines = {**HEADERS, "Authorization": f"Bearer {token}"}.items()
    async with served(settings) as http:
        for sent in ([ours, others], [others, ours]):
            twice = [*lines, *((name, value) for value in sent)]
            await http.post(tokens.RESOURCE, content=json.dumps(call()), headers=twice)
        refused, _ = await asked(http, token, call(), {name: others})
        answered, _ = await asked(http, token, call(), {name: ours})
    assert (refused, answered) == ({"Host": 421, "Origin": 403}[name], 200)


async def test_a_result_has_the_shape_that_the_revision_says(settings, token):
    async with served(settings) as http:
        _, answer = await asked(http, token, call(), {})
    result = answer["result"]
    assert SERVER_INFO_META_KEY in result["_meta"]
    assert serialize_server_result("tools/call", LATEST_MODERN_VERSION, result) == result


async def test_what_a_client_says_of_itself_at_length_is_not_remembered(settings, token, taken):
    at_length = {"experimental": {f"key {number}": {} for number in range(1_000)}}
    body = params(_meta={**META, "io.modelcontextprotocol/clientCapabilities": at_length})
    before = quick_calls._said.cache_info().currsize, messages._accepts.cache_info().currsize
    async with served(settings) as http:
        status, _ = await asked(http, token, body, {"Accept": "application/json" + ", text/event-stream" * 100})
    assert (status, taken) == (200, [True])
    assert (quick_calls._said.cache_info().currsize, messages._accepts.cache_info().currsize) == before
