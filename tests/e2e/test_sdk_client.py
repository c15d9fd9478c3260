"""The MCP SDK's own client at the running exchange, over HTTP. It checks every answer against its output schema."""

from collections.abc import Callable

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from demo.services import Exchange
from tests.e2e.test_inspector import CALLS


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_it_lists_and_calls_every_tool(exchange: Exchange, token_of: Callable[[str], str], mode: str) -> None:
    headers = {"Authorization": f"Bearer {token_of('manager_mary')}"}
    async with (
        httpx2.AsyncClient(headers=headers) as http,
        Client(streamable_http_client(exchange.mcp_url, http_client=http), mode=mode) as client,
    ):
        listed = await client.list_tools()
        answers = {name: await client.call_tool(name, arguments) for name, arguments in CALLS.items()}
    assert {tool.name for tool in listed.tools} == set(CALLS)
    assert [name for name, answer in answers.items() if answer.is_error or not answer.structured_content] == []
