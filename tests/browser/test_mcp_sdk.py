"""The MCP SDK's OAuth client: from a first request without a token to answers, with nothing but the endpoint's URL."""

from collections.abc import Iterator

import pytest

from demo.services import Exchange
from tests.browser.client_document import published
from tests.browser.landing import Landing
from tests.browser.mcp_client import NAME, Kept, LoginRefusedError, connected, metadata, provider
from tests.personas import BP

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(params=["by its own description", "by registration"])
def client_metadata_url(request: pytest.FixtureRequest, exchange: Exchange, landing: Landing) -> Iterator[str | None]:
    """How the client becomes known: CIMD, which the SDK prefers where it can, and DCR (RFC 7591)."""
    if request.param == "by registration":
        yield None
        return
    description = metadata(landing.url).model_dump(mode="json", exclude_none=True)
    with published(description, exchange.data_dir / "clients.pem") as client_id:
        yield client_id


async def test_mary_logs_in_and_her_client_refreshes(
    exchange: Exchange, at_browser, landing: Landing, client_metadata_url: str | None
) -> None:
    mary = await at_browser("manager_mary")

    async def show(url: str) -> None:
        await mary.open(url)
        assert await mary.page.get_by_text(NAME).count()
        assert await mary.page.get_by_text("127.0.0.1").count()
        await mary.allow()

    kept = Kept()
    auth = provider(exchange.mcp_url, kept, landing, show, client_metadata_url)
    async with connected(exchange.mcp_url, auth) as client:
        studies = await client.call_tool("list_studies", {})
        assert studies.structured_content["total"] == 2
        auth.context.token_expiry_time = 1.0
        count = await client.call_tool("get_study_count", {})
        assert count.structured_content["total"] == 2
    assert len(kept.tokens) == 2
    assert kept.client is not None
    assert (kept.client.client_id == client_metadata_url) is (client_metadata_url is not None)


async def test_mary_gives_her_client_one_study_and_it_sees_no_other(
    exchange: Exchange, at_browser, landing: Landing
) -> None:
    mary = await at_browser("manager_mary")

    async def show(url: str) -> None:
        await mary.open(url)
        await mary.allow(studies=[BP])

    kept = Kept()
    auth = provider(exchange.mcp_url, kept, landing, show)
    async with connected(exchange.mcp_url, auth) as client:
        for _ in range(2):  # with the token that she gave, and with the one that follows
            studies = await client.call_tool("list_studies", {})
            assert [study["name"] for study in studies.structured_content["studies"]] == [BP]
            auth.context.token_expiry_time = 1.0
    assert len(kept.tokens) == 2


async def test_megan_cancels_and_her_client_is_told(exchange: Exchange, at_browser, landing: Landing) -> None:
    megan = await at_browser("member_megan")

    async def show(url: str) -> None:
        await megan.open(url)
        await megan.cancel()

    kept = Kept()
    with pytest.RaisesGroup(pytest.RaisesExc(LoginRefusedError, match="access_denied"), flatten_subgroups=True):
        async with connected(exchange.mcp_url, provider(exchange.mcp_url, kept, landing, show)) as client:
            await client.list_tools()
    assert kept.tokens == []
