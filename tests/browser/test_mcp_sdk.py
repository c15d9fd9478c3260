"""The MCP SDK's OAuth client: from a first request without a token to answers, with nothing but the endpoint's URL."""

import pytest
from mcp.shared.auth import OAuthClientInformationFull

from core.actions.clients import STDIO_CLIENT_ID
from demo.services import Exchange
from tests.browser.landing import Landing
from tests.browser.mcp_client import Kept, Refused, connected, metadata, provider

pytestmark = pytest.mark.asyncio(loop_scope="session")


def registered(landing: Landing) -> Kept:
    """A host that was told the exchange's public client."""
    known = metadata(landing.url).model_dump() | {"client_id": STDIO_CLIENT_ID}
    return Kept(OAuthClientInformationFull.model_validate(known))


async def test_mary_logs_in_and_her_client_refreshes(exchange: Exchange, at_browser, landing: Landing) -> None:
    mary = await at_browser("manager_mary")
    kept = registered(landing)

    async def show(url: str) -> None:
        await mary.open(url)
        await mary.allow()

    auth = provider(exchange.mcp_url, kept, landing, show)
    async with connected(exchange.mcp_url, auth) as client:
        studies = await client.call_tool("list_studies", {})
        assert studies.structured_content["total"] == 2
        auth.context.token_expiry_time = 1.0
        count = await client.call_tool("get_study_count", {})
        assert count.structured_content["total"] == 2
    assert len(kept.tokens) == 2


async def test_megan_cancels_and_her_client_is_told(exchange: Exchange, at_browser, landing: Landing) -> None:
    megan = await at_browser("member_megan")

    async def show(url: str) -> None:
        await megan.open(url)
        await megan.cancel()

    kept = registered(landing)
    with pytest.RaisesGroup(pytest.RaisesExc(Refused, match="access_denied"), flatten_subgroups=True):
        async with connected(exchange.mcp_url, provider(exchange.mcp_url, kept, landing, show)) as client:
            await client.list_tools()
    assert kept.tokens == []
