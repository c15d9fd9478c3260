"""PostgreSQL is stopped and started under the running services; nobody restarts anything else."""

from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
from mcp import MCPError

from demo.person import Person
from demo.question import connected
from demo.services import Exchange
from demo.welcome import PASSWORD
from jhe import embedded
from jhe.__main__ import THREADS

LIST = "/api/v1/organizations"
TOKEN = {"Authorization": "Bearer one that nobody has"}
MARY = Person("manager_mary@example.com", PASSWORD)


async def test_the_mcp_server_comes_back_by_itself_when_postgresql_does(exchange: Exchange) -> None:
    async with connected(MARY, exchange.mcp_url) as client:
        assert not (await client.call_tool("get_study_count", {})).is_error
        embedded.release(exchange.data_dir)
        try:
            with pytest.raises(MCPError, match="database does not answer"):
                await client.call_tool("get_study_count", {})
            alive = httpx2.get(exchange.health_url("mcp"))
        finally:
            embedded.ensure_running(exchange.data_dir)
        back = await client.call_tool("get_study_count", {})
    assert alive.is_success
    assert back.structured_content["total"] == 2  # type: ignore[index]


def test_the_web_service_says_to_try_again_and_comes_back_by_itself_when_postgresql_does(exchange: Exchange) -> None:
    def answers() -> set[int]:
        """More at once than it has threads, so that each asks with a connection of its own."""
        with ThreadPoolExecutor(2 * THREADS) as clients:
            return set(
                clients.map(
                    lambda _: httpx2.get(f"{exchange.web_url}{LIST}", headers=TOKEN).status_code, range(2 * THREADS)
                )
            )

    assert answers() == {401}
    embedded.release(exchange.data_dir)
    try:
        away = httpx2.get(f"{exchange.web_url}{LIST}", headers=TOKEN)
        alive = httpx2.get(exchange.health_url("web"))
    finally:
        embedded.ensure_running(exchange.data_dir)
    assert (away.status_code, away.headers["Retry-After"]) == (503, "1")
    assert "database does not answer" in away.json()["detail"]
    assert alive.is_success
    assert answers() == {401}
