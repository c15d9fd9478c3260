"""A host on somebody's own computer that is given one study's endpoint: login, tools and refusals are that study's."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from demo.person import Person
from demo.services import Exchange
from demo.welcome import PASSWORD
from tests.e2e.by_hand import Database
from tests.e2e.stdio import answer, started, url_in
from tests.personas import BP, BP_AND_HR

MARY = Person("manager_mary@example.com", PASSWORD)


@pytest.fixture
def study_ids(database: Database) -> list[int]:
    """Both are Mary's."""
    return [database("SELECT id FROM core_study WHERE name = %s", name)[0][0] for name in (BP_AND_HR, BP)]


async def test_mary_logs_in_for_one_study_and_finds_nothing_else(
    exchange: Exchange, study_ids: list[int], tmp_path: Path
) -> None:
    hers, other = study_ids
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(exchange.mcp_url))
    async with started(exchange, tmp_path, "--url", f"{origin}/studies/{hers}/mcp") as client:
        asked = await client.call_tool("get_study_count", {})
        page = await answer(MARY, await url_in(tmp_path / "stderr"))
        count = await client.call_tool("get_study_count", {})
        refused = await client.call_tool("get_study_metadata", {"study_id": other})
    assert asked.is_error
    assert "You are logged in" in page.text
    assert count.structured_content is not None
    assert count.structured_content["total"] == 1
    assert refused.is_error
    assert f"No study {other} that you can see." in str(refused.content[0])
