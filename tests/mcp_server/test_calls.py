"""A tool call over the whole service: who may, what is answered, and the one audit row that it leaves."""

import asyncio
import hashlib
import logging

import asyncpg
import pytest
from mcp import MCPError
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from core.models import User
from mcp_server.auth.caller import Caller
from mcp_server.auth.verifier import Verifier
from mcp_server.backends.call import Call
from mcp_server.database import Database
from mcp_server.settings import HttpService
from mcp_server.tool import Answer, Arguments, Ask, Output, Tool
from mcp_server.tools import TOOLS
from tests import tokens
from tests.factories import MembershipFactory, StudyFactory
from tests.mcp_server.service import asking, called, served, standing_token
from tests.mcp_server.trail import owner_of, trail


@pytest.fixture
def user(transactional_db: None) -> User:
    """A viewer of one organization, which runs two studies."""
    membership = MembershipFactory()
    StudyFactory.create_batch(2, organization=membership.organization)
    account: User = membership.practitioner.user
    return account


@pytest.fixture
def token(user: User) -> str:
    return standing_token(user)


@pytest.fixture(params=["", "openid", "openid mcp.read", "MCP"])
def token_without_mcp(user: User, request: pytest.FixtureRequest) -> str:
    """It says that MCP was granted, and the issuer remembers that it was not."""
    return standing_token(user, granted=request.param)


@pytest.fixture
def studies(user: User) -> list[int]:
    """The ids of the two studies."""
    return list(user.practitioner.organizations.get().studies.order_by("pk").values_list("pk", flat=True))


@pytest.fixture
def narrowed_token(user: User, studies: list[int]) -> str:
    """A token whose claims leave the second study out."""
    return standing_token(user, jhe_permissions={"studies": studies[:1], "organizations": [], "truncated": False})


@pytest.fixture
def truncated_token(user: User) -> str:
    """A token whose claims were cut because there was more than fits."""
    return standing_token(user, jhe_permissions={"studies": [1], "organizations": [], "truncated": True})


async def test_a_call_is_answered_and_leaves_one_audit_row(settings: HttpService, user: User, token: str) -> None:
    async with served(settings) as http:
        response = await called(http, "get_study_count", token=token)
    result = response.json()["result"]
    assert result["structuredContent"]["total"] == 2
    assert result["content"][0]["text"] == "You can see 2 studies."
    [row] = await trail(settings)
    assert (row["door"], row["action"], row["outcome"]) == ("mcp", "get_study_count", "success")
    assert row["user_id"] == user.pk
    assert row["client_id"] == "some-client"
    assert row["token_key"] == hashlib.sha256(token.encode()).hexdigest()
    assert row["source"]


async def test_the_answer_is_also_text_for_hosts_that_show_nothing_else(settings: HttpService, token: str) -> None:
    async with served(settings) as http, asking(http, token) as client:
        answer = await client.call_tool("get_study_count", {})
    assert '"total":2' in answer.content[1].text  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "lapse",
    [
        "DELETE FROM oauth2_provider_accesstoken",
        "UPDATE oauth2_provider_accesstoken SET expires = now()",
        "UPDATE core_user SET is_active = false",
    ],
)
async def test_a_token_that_stands_no_more_is_answered_401_at_once(
    settings: HttpService, token: str, lapse: str
) -> None:
    async with served(settings) as http:
        assert (await called(http, "get_study_count", token=token)).status_code == 200
        async with owner_of(settings) as owner:
            await owner.execute(lapse)
        response = await called(http, "get_study_count", token=token)
    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]
    assert "resource_metadata=" in response.headers["WWW-Authenticate"]
    assert "studies" not in response.text
    assert [row["outcome"] for row in await trail(settings)] == ["success", "refused"]


async def test_a_genuine_token_that_the_issuer_does_not_remember_is_refused(settings: HttpService, user: User) -> None:
    async with served(settings) as http:
        response = await called(http, "get_study_count", token=tokens.access_token(user.pk))
    assert response.status_code == 401
    assert [row["outcome"] for row in await trail(settings)] == ["refused"]


async def test_a_token_that_was_not_granted_mcp_opens_nothing_whatever_it_says(
    settings: HttpService, token_without_mcp: str
) -> None:
    async with served(settings) as http:
        response = await called(http, "get_study_count", token=token_without_mcp)
    assert response.status_code == 401
    assert [row["outcome"] for row in await trail(settings)] == ["refused"]


async def test_unknown_arguments_are_refused_with_a_sentence_that_names_the_known_ones(
    settings: HttpService, token: str
) -> None:
    async with served(settings) as http, asking(http, token) as client:
        none_known = await client.call_tool("get_study_count", {"patient": "Peter Pan"})
        some_known = await client.call_tool("list_studies", {"organisation": 1})
    assert none_known.is_error
    assert none_known.content[0].text == "get_study_count takes no arguments; it does not know patient."  # type: ignore[union-attr]
    assert some_known.is_error
    assert "list_studies takes organization_id, query, cursor" in some_known.content[0].text  # type: ignore[union-attr]
    assert [row["outcome"] for row in await trail(settings)] == ["refused", "refused"]


async def test_wrong_arguments_of_a_revoked_token_are_answered_401(settings: HttpService, user: User) -> None:
    async with served(settings) as http:
        response = await called(http, "get_study_count", {"x": 1}, token=tokens.access_token(user.pk))
    assert response.status_code == 401


async def test_a_study_that_the_claims_leave_out_looks_like_one_that_does_not_exist(
    settings: HttpService, studies: list[int], narrowed_token: str
) -> None:
    [kept, left_out] = studies
    async with served(settings) as http, asking(http, narrowed_token) as client:
        seen = await client.call_tool("get_study_metadata", {"study_id": kept})
        hidden = await client.call_tool("get_study_metadata", {"study_id": left_out})
        missing = await client.call_tool("get_study_metadata", {"study_id": 999})
        count = await client.call_tool("get_study_count", {})
    assert not seen.is_error
    assert hidden.is_error
    said = hidden.content[0].text  # type: ignore[union-attr]
    assert said.startswith(f"No study {left_out} that you can see. Your studies: {kept}")
    assert missing.content[0].text == said.replace(str(left_out), "999", 1)  # type: ignore[union-attr]
    assert count.structured_content["total"] == 1  # type: ignore[index]
    assert [row["outcome"] for row in await trail(settings)] == ["success", "refused", "refused", "success"]
    assert [row["study_id"] for row in await trail(settings)] == [kept, left_out, 999, None]


async def test_a_truncated_claim_narrows_nothing(settings: HttpService, truncated_token: str) -> None:
    async with served(settings) as http, asking(http, truncated_token) as client:
        count = await client.call_tool("get_study_count", {})
    assert count.structured_content["total"] == 2  # type: ignore[index]


async def test_while_the_database_is_away_a_call_is_answered_503_and_the_service_stays_alive(
    settings_without_database: HttpService,
) -> None:
    token = tokens.access_token()
    async with served(settings_without_database) as http:
        first = await called(http, "get_study_count", token=token)
        with_a_token_in_mind = await called(http, "get_study_count", token=token)
        health = await http.get("http://localhost:8001/healthz")
    for response in (first, with_a_token_in_mind):
        assert response.status_code == 503
        assert response.headers["Retry-After"] == "5"
        assert "database does not answer" in response.json()["error_description"]
    assert health.status_code == 200


async def test_a_client_shows_the_sentence_while_the_database_is_away(settings_without_database: HttpService) -> None:
    async with served(settings_without_database) as http, asking(http, tokens.access_token()) as client:
        with pytest.raises(MCPError, match="database does not answer"):
            await client.call_tool("get_study_count", {})


async def test_a_question_that_takes_too_long_is_told_and_recorded(settings: HttpService, token: str) -> None:
    hurried = settings.model_copy(update={"statement_timeout": 0.3})
    async with served(hurried) as http, asking(http, token) as client, owner_of(settings) as owner:
        await owner.execute("BEGIN; LOCK TABLE core_study IN ACCESS EXCLUSIVE MODE")
        answer = await client.call_tool("get_study_count", {})
    assert answer.is_error
    assert "more than 0.3 s" in answer.content[0].text  # type: ignore[union-attr]
    assert [row["outcome"] for row in await trail(settings)] == ["failed"]


async def test_a_cancelled_call_is_recorded(settings: HttpService, token: str) -> None:
    signed = await Verifier.of(settings).verify(token)
    caller = Caller(signed.principal, "here")
    async with Database.of(settings) as database, owner_of(settings) as owner:
        await owner.execute("BEGIN; LOCK TABLE core_study IN ACCESS EXCLUSIVE MODE")
        under_way = asyncio.create_task(Call(database, caller, TOOLS["get_study_count"]).answer({}))
        await _until_waiting_for_a_lock(owner)
        under_way.cancel()
        with pytest.raises(asyncio.CancelledError):
            await under_way
    assert [row["outcome"] for row in await trail(settings)] == ["failed"]


async def test_a_fault_of_ours_is_recorded_and_says_nothing_of_what_it_was_about(
    settings: HttpService, token: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_: Arguments, __: Ask) -> Answer:
        raise ValueError("Peter Pan")

    monkeypatch.setitem(TOOLS, "faulty", Tool("faulty", "Faulty", "Fails.", Arguments, Output, fail))
    async with served(settings) as http, asking(http, token) as client:
        with caplog.at_level(logging.ERROR):
            answer = await client.call_tool("faulty", {})
    assert answer.is_error
    assert answer.content[0].text.startswith("The exchange failed to answer this")  # type: ignore[union-attr]
    assert [row["outcome"] for row in await trail(settings)] == ["failed"]
    assert [record.message for record in caplog.records if record.name.startswith("mcp_server")] == ["faulty failed"]


async def test_an_unknown_tool_is_a_protocol_error_that_names_the_tools(settings: HttpService, token: str) -> None:
    async with served(settings) as http:
        response = await called(http, "drop_tables", token=token)
    error = response.json()["error"]
    assert error["code"] == -32602
    assert "get_study_count" in error["message"]


@pytest.mark.parametrize("mode", ["legacy", "auto", "2026-07-28"])
async def test_clients_of_every_era_are_answered(settings: HttpService, token: str, mode: str) -> None:
    async with served(settings) as http, asking(http, token, mode) as client:
        tools = await client.list_tools()
        answer = await client.call_tool("get_study_count", {})
    assert {tool.name for tool in tools.tools} == set(TOOLS)
    assert answer.structured_content["total"] == 2  # type: ignore[index]


@pytest.mark.parametrize("version", HANDSHAKE_PROTOCOL_VERSIONS)
async def test_every_handshake_revision_is_spoken(settings: HttpService, token: str, version: str) -> None:
    headers = {"Accept": "application/json, text/event-stream", "Authorization": f"Bearer {token}"}
    hello = {
        "protocolVersion": version,
        "capabilities": {},
        "clientInfo": {"name": "an old client", "version": "1"},
    }
    async with served(settings) as http:
        opened = await http.post(
            tokens.RESOURCE,
            json={"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
            headers=headers,
        )
        called_ = await http.post(
            tokens.RESOURCE,
            json={
                "jsonrpc": "2.0",
                "id": 2,
                "method": "tools/call",
                "params": {"name": "get_study_count", "arguments": {}},
            },
            headers={**headers, "MCP-Protocol-Version": version},
        )
    assert opened.json()["result"]["protocolVersion"] == version
    assert opened.json()["result"]["instructions"]
    assert called_.json()["result"]["isError"] is False


async def test_a_revoked_token_of_an_older_client_is_answered_401_too(settings: HttpService, user: User) -> None:
    async with served(settings) as http:
        response = await http.post(
            tokens.RESOURCE,
            json={"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "get_study_count"}},
            headers={
                "Accept": "application/json, text/event-stream",
                "Authorization": f"Bearer {tokens.access_token(user.pk)}",
                "MCP-Protocol-Version": "2025-11-25",
            },
        )
    assert response.status_code == 401


def test_every_tool_is_read_only_titled_and_strict() -> None:
    for tool in TOOLS.values():
        listed = tool.listed()
        assert listed.title
        assert listed.annotations is not None
        assert listed.annotations.read_only_hint is True
        assert listed.annotations.open_world_hint is False
        assert listed.input_schema["type"] == "object"
        assert listed.input_schema["additionalProperties"] is False
        assert listed.output_schema is not None
        assert listed.output_schema["type"] == "object"


async def _until_waiting_for_a_lock(owner: asyncpg.Connection) -> None:
    waiting = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock')"
    async with asyncio.timeout(30):
        while not await owner.fetchval(waiting):
            # Inside a transaction the activity is a snapshot, kept until it is given up.
            await owner.execute("SELECT pg_stat_clear_snapshot()")
