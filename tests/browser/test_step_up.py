"""A tool that needs more than a client has: the MCP SDK's client asks the person for it, and then the tool answers.

No tool of the exchange needs that, so the server of these tests has one more. It is built from the same parts, and
stands in this process at the endpoint of the running exchange, whose database, keys and tokens it uses.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from mcp import Client

from demo.services import Exchange
from mcp_server.settings import HttpService
from mcp_server.tool import Answer, Arguments, Ask, Output, Tool
from mcp_server.tools import TOOLS
from mcp_server.transports.http import http_app
from tests.browser.landing import Landing
from tests.browser.mcp_client import Kept, LoginRefusedError, Show, connected, provider

SCOPE = "user/Observation.rs"
IN_WORDS = "Read and search health data on your behalf"

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Counted(Output):
    studies: int


async def count(_: Arguments, ask: Ask) -> Answer:
    return Answer("Counted.", {"studies": (await ask("get_study_count", limit=1))["total"]})


@pytest.fixture(autouse=True)
def _a_tool_that_needs_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TOOLS, "more", Tool("more", "More", "Needs more.", Arguments, Counted, count, SCOPE))


@asynccontextmanager
async def connected_here(exchange: Exchange, landing: Landing, kept: Kept, show: Show) -> AsyncIterator[Client]:
    app = http_app(
        HttpService(
            given_url=exchange.mcp_url,
            issuer=exchange.web_url,
            database_url=exchange.environment["MCP_DATABASE_URL"],
        )
    )
    auth = provider(exchange.mcp_url, kept, landing, show)
    here = {exchange.mcp_url.removesuffix("/mcp"): httpx2.ASGITransport(app)}
    async with app.router.lifespan_context(app), connected(exchange.mcp_url, auth, here) as client:
        yield client


async def test_megan_is_asked_for_more_when_a_tool_needs_it(exchange: Exchange, at_browser, landing: Landing) -> None:
    megan = await at_browser("member_megan")
    asked: list[bool] = []

    async def show(url: str) -> None:
        await megan.open(url)
        asked.append(await megan.page.get_by_text(IN_WORDS).is_visible())
        await megan.allow()

    kept = Kept()
    async with connected_here(exchange, landing, kept, show) as client:
        before = await client.call_tool("get_study_count", {})
        assert [token.scope for token in kept.tokens] == ["mcp offline_access"]
        counted = await client.call_tool("more", {})
    assert asked == [False, True]
    assert counted.structured_content == {"studies": before.structured_content["total"]}
    assert set((kept.tokens[-1].scope or "").split()) == {"mcp", "offline_access", SCOPE}


async def test_megan_says_no_to_more_and_keeps_what_she_gave(exchange: Exchange, at_browser, landing: Landing) -> None:
    megan = await at_browser("member_megan")
    answers = iter([megan.allow, megan.cancel])

    async def show(url: str) -> None:
        await megan.open(url)
        await next(answers)()

    kept = Kept()
    with pytest.RaisesGroup(pytest.RaisesExc(LoginRefusedError, match="access_denied"), flatten_subgroups=True):
        async with connected_here(exchange, landing, kept, show) as client:
            await client.call_tool("get_study_count", {})
            await client.call_tool("more", {})
    async with connected_here(exchange, landing, kept, show) as client:
        assert not (await client.call_tool("get_study_count", {})).is_error
    assert len(kept.tokens) == 1
