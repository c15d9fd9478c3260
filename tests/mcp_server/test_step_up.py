"""A tool that needs more scope: 403 with the scopes to ask for, on every revision and before any answer has begun."""

import json

import httpx2
import pytest
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.types import Message

from core.models import User
from mcp_server.auth.caller import Caller
from mcp_server.auth.step_up import MAX_READ, StepUp
from mcp_server.auth.verifier import Verifier
from mcp_server.backends.direct import Direct
from mcp_server.database import Database
from mcp_server.settings import HttpService
from mcp_server.tool import Answer, Arguments, Ask, Output, Tool
from mcp_server.tools import TOOLS
from tests import tokens
from tests.factories import MembershipFactory
from tests.mcp_server.service import asking, called, served, standing_token
from tests.mcp_server.trail import trail

SCOPE = "mcp:write"
HEADERS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}


async def count(_: Arguments, ask: Ask) -> Answer:
    return Answer("Counted.", {"studies": (await ask("get_study_count", limit=1))["total"]})


class Counted(Output):
    studies: int


@pytest.fixture(autouse=True)
def _a_tool_that_needs_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TOOLS, "write", Tool("write", "Write", "Writes.", Arguments, Counted, count, SCOPE))


@pytest.fixture
def user(transactional_db: None) -> User:
    account: User = MembershipFactory().practitioner.user
    return account


@pytest.fixture
def token_with_scope(user: User) -> str:
    return standing_token(user, granted=f"mcp {SCOPE}", scope=f"mcp {SCOPE}")


@pytest.fixture
def token_that_claims_the_scope(user: User) -> str:
    """It says that the scope was granted, and the issuer remembers that it was not."""
    return standing_token(user, granted="mcp", scope=f"mcp {SCOPE}")


def check_challenge(response: httpx2.Response, scopes: str = f"mcp {SCOPE}") -> None:
    assert response.status_code == 403
    assert response.headers["WWW-Authenticate"] == (
        'Bearer resource_metadata="http://localhost:8001/.well-known/oauth-protected-resource/mcp", '
        f'scope="{scopes}", error="insufficient_scope", error_description="The token lacks the scope {SCOPE}."'
    )
    assert response.json()["error"] == "insufficient_scope"


async def test_a_call_without_the_scope_is_told_all_scopes_to_ask_for(settings_without_database: HttpService) -> None:
    async with served(settings_without_database) as http:
        check_challenge(await called(http, "write", token=tokens.access_token(scope="openid mcp")))


async def test_what_the_token_could_do_before_is_not_lost_by_asking_for_more(
    settings_without_database: HttpService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TOOLS, "third", Tool("third", "3", "3.", Arguments, Counted, count, "mcp:third"))
    async with served(settings_without_database) as http:
        response = await called(http, "write", token=tokens.access_token(scope="openid mcp mcp:third"))
    check_challenge(response, f"mcp {SCOPE} mcp:third")


@pytest.mark.parametrize("version", HANDSHAKE_PROTOCOL_VERSIONS)
async def test_clients_of_older_revisions_are_told_too(settings_without_database: HttpService, version: str) -> None:
    headers = HEADERS | {"MCP-Protocol-Version": version, "Authorization": f"Bearer {tokens.access_token()}"}
    body = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "write", "arguments": {}}}
    async with served(settings_without_database) as http:
        check_challenge(await http.post(tokens.RESOURCE, json=body, headers=headers))


async def test_the_tool_stays_listed_and_the_others_answer(settings: HttpService, token_without: str) -> None:
    async with served(settings) as http, asking(http, token_without) as client:
        listed = await client.list_tools()
        answer = await client.call_tool("get_study_count", {})
    assert "write" in {tool.name for tool in listed.tools}
    assert not answer.is_error


@pytest.fixture
def token_without(user: User) -> str:
    return standing_token(user)


async def test_a_call_with_the_scope_is_answered(settings: HttpService, token_with_scope: str) -> None:
    async with served(settings) as http:
        response = await called(http, "write", token=token_with_scope)
    assert response.json()["result"]["structuredContent"] == {"studies": 0}


async def test_a_scope_that_the_issuer_did_not_grant_opens_nothing(
    settings: HttpService, token_that_claims_the_scope: str
) -> None:
    async with served(settings) as http:
        response = await called(http, "write", token=token_that_claims_the_scope)
    assert response.status_code == 401
    assert [row["outcome"] for row in await trail(settings)] == ["refused"]


async def test_where_there_is_no_http_the_sentence_is_in_the_result(settings: HttpService, token_without: str) -> None:
    signed = await Verifier.of(settings).verify(token_without)

    async def find(_: object) -> Caller:
        return Caller(signed.principal, "stdio")

    async with Database.of(settings) as database:
        answer = await Direct(database, find).call(TOOLS["write"], {}, None)  # type: ignore[arg-type]
    assert answer.is_error
    assert answer.content[0].text == f"The token has no scope for this: ask for {SCOPE}, or a broader one."  # type: ignore[union-attr]
    assert [row["outcome"] for row in await trail(settings)] == ["refused"]


async def test_the_metadata_name_every_scope(settings_without_database: HttpService) -> None:
    async with served(settings_without_database) as http:
        metadata = await http.get("http://localhost:8001/.well-known/oauth-protected-resource/mcp")
    assert metadata.json()["scopes_supported"] == ["mcp", SCOPE]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[" * 100_000,
        "null",
        "[]",
        '"tools/call"',
        '{"method": "tools/call"}',
        '{"method": "tools/call", "params": []}',
        '{"method": "tools/call", "params": {"name": ["write"]}}',
        '{"method": ["tools/call"], "params": {"name": "write"}}',
        '[{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "write"}}]',
        "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    ],
)
async def test_a_body_that_is_no_call_is_left_to_the_server(settings_without_database: HttpService, body: str) -> None:
    headers = HEADERS | {"Authorization": f"Bearer {tokens.access_token()}"}
    async with served(settings_without_database) as http:
        response = await http.post(tokens.RESOURCE, content=body.encode("latin-1"), headers=headers)
    assert 400 <= response.status_code < 500
    assert "WWW-Authenticate" not in response.headers


async def test_a_body_that_is_too_large_is_refused(settings_without_database: HttpService) -> None:
    headers = HEADERS | {"Authorization": f"Bearer {tokens.access_token()}"}
    async with served(settings_without_database) as http:
        response = await http.post(tokens.RESOURCE, content=b" " * (MAX_READ + 1), headers=headers)
    assert response.status_code == 413


async def test_a_body_without_end_is_kept_no_further_than_the_server_would_read_it() -> None:
    pieces = 0

    async def receive() -> Message:
        nonlocal pieces
        pieces += 1
        return {"type": "http.request", "body": b"x" * 65_536, "more_body": True}

    lacking, again = await StepUp({"write": SCOPE}).lacking(frozenset({"mcp"}), receive)
    assert lacking == ""
    assert pieces * 65_536 <= MAX_READ + 65_536
    kept = pieces
    for _ in range(kept):
        await again()
    assert pieces == kept
    await again()
    assert pieces == kept + 1


async def test_a_token_that_may_call_every_tool_has_its_body_read_by_the_server_alone() -> None:
    async def receive() -> Message:
        raise AssertionError

    assert await StepUp({"write": SCOPE}).lacking(frozenset({"mcp", SCOPE}), receive) == ("", receive)


async def test_a_call_that_two_readers_would_read_differently_opens_nothing(
    settings: HttpService, token_without: str
) -> None:
    """The door and the server may each take another of two names; whichever runs, the scope is asked for."""
    head = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    params = (
        '{"name": "write", "name": "get_study_count", "arguments": {}}',
        '{"name": "get_study_count", "name": "write"}',
    )
    headers = HEADERS | {"MCP-Protocol-Version": "2025-11-25", "Authorization": f"Bearer {token_without}"}
    async with served(settings) as http:
        for twice in params:
            body = json.dumps(head)[:-1] + f', "params": {twice}}}'
            response = await http.post(tokens.RESOURCE, content=body.encode(), headers=headers)
            assert "Counted." not in response.text
