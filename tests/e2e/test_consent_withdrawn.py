"""A consent is withdrawn in the database, and the same token, on the same connection, gets nothing any more."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from demo.services import Exchange
from tests.e2e.by_hand import Database

PERCY = "npl_patient_percy@example.com"
OF_PERCY = (
    "patient_id = (SELECT patient.id FROM core_patient patient JOIN core_user u ON u.id = user_id WHERE email = %s)"
)


@pytest.fixture
def withdraw(database: Database) -> Iterator[Callable[[], None]]:
    """Withdraws Percy's consent; the world is as it was afterwards."""
    change = f"UPDATE core_studypatientscopeconsent SET consented = %s WHERE {OF_PERCY}"  # noqa: S608
    yield lambda: database(change, False, PERCY) and None
    database(change, True, PERCY)


async def test_the_same_token_gets_nothing_and_the_audit_trail_shows_both(
    exchange: Exchange, token_of: Callable[[str], str], database: Database, withdraw: Callable[[], None]
) -> None:
    [(percy,)] = database("SELECT p.id FROM core_patient p JOIN core_user u ON u.id = user_id WHERE email = %s", PERCY)
    [(begin,)] = database("SELECT COALESCE(max(id), 0) FROM core_auditevent")
    [(changes,)] = database("SELECT count(*) FROM core_consenthistory")
    headers = {"Authorization": f"Bearer {token_of('manager_mark')}"}
    question: dict[str, Any] = {"patient_id": percy}
    async with (
        httpx2.AsyncClient(headers=headers) as http,
        Client(streamable_http_client(exchange.mcp_url, http_client=http)) as client,
    ):
        before = await client.call_tool("get_patient_observations", question)
        withdraw()
        after = await client.call_tool("get_patient_observations", question)

    assert before.structured_content is not None
    assert before.structured_content["total"] > 0
    assert after.structured_content is not None
    assert (after.structured_content["total"], after.structured_content["observations"]) == (0, [])
    trail = database("SELECT action, outcome, patient_ids FROM core_auditevent WHERE id > %s ORDER BY id", begin)
    assert trail == [("get_patient_observations", "success", [percy])] * 2
    history = database("SELECT before, after, user_id FROM core_consenthistory ORDER BY id OFFSET %s", changes)
    assert history == [(True, False, None)]
