"""PostgreSQL is stopped and started under the running services; nobody restarts anything else."""

import httpx2

from demo.person import Person
from demo.question import connected
from demo.services import Exchange
from demo.welcome import PASSWORD
from jhe import embedded

MARY = Person("manager_mary@example.com", PASSWORD)


async def test_the_mcp_server_comes_back_by_itself_when_postgresql_does(exchange: Exchange) -> None:
    async with connected(MARY, exchange.mcp_url) as client:
        assert not (await client.call_tool("get_study_count", {})).is_error
        embedded.release(exchange.data_dir)
        try:
            away = await client.call_tool("get_study_count", {})
            alive = httpx2.get(exchange.health_url("mcp"))
        finally:
            embedded.ensure_running(exchange.data_dir)
        back = await client.call_tool("get_study_count", {})
    assert away.is_error
    assert "database does not answer" in away.content[0].text  # type: ignore[union-attr]
    assert alive.is_success
    assert back.structured_content["total"] == 2  # type: ignore[index]
