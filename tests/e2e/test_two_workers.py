"""Two workers as processes, each made to answer in turn: what a session has begun at one goes on at the other."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import httpx2
import psutil
import psycopg2
import pytest

from demo.services import Exchange
from jhe import embedded
from tests.e2e.by_hand import Database
from tests.e2e.test_restarts import (
    SECONDS,
    STUDIES,
    TOGETHER,
    Service,
    change,
    count,
    eventually,
    http,
    mary,
    service,
    updated,
)
from tests.mcp_server.sessions.client import Client, call, notification, request, session_not_found

__all__ = ["change", "http", "mary", "service"]

ASKING = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'jhe-mcp' AND wait_event_type = 'Lock'"


@contextmanager
def only(answering: psutil.Process, service: Service) -> Iterator[None]:
    """Nobody else takes a connection meanwhile. Shortly: who is silent for five seconds is replaced."""
    others = [worker for worker in service.workers() if worker.pid != answering.pid]
    for other in others:
        other.suspend()
    try:
        yield
    finally:
        for other in others:
            other.resume()


@pytest.fixture
def studies_locked(exchange: Exchange) -> Iterator[None]:
    """What asks for studies waits."""
    with psycopg2.connect(embedded.database_url(exchange.data_dir)) as connection:
        connection.cursor().execute("LOCK TABLE core_study IN ACCESS EXCLUSIVE MODE")
        yield
        connection.rollback()
    connection.close()


async def test_a_session_is_known_to_each_worker_and_refused_to_another_person_by_each(
    service: Service, mary: Callable[[], Client], http: httpx2.AsyncClient, token_of: Callable[[str], str]
) -> None:
    one, other = service.workers()
    client, eve = mary(), Client(http, service.url, token_of("member_megan"))
    with only(one, service):
        await client.initialize()
    eve.session_id = client.session_id
    for worker in (one, other):
        with only(worker, service):
            assert (await count(client)).json()["result"]["structuredContent"]["total"] > 0
            assert session_not_found(await count(eve))
            assert session_not_found(await eve.delete())
            assert session_not_found(await eve.http.get(f"{eve.url}/mcp", headers=eve.headers()))
    with only(other, service):
        assert (await client.delete()).status_code == 204
    with only(one, service):
        assert session_not_found(await count(client))


async def test_a_call_at_one_is_cancelled_by_way_of_the_other_and_stops_in_the_database(
    service: Service, mary: Callable[[], Client], database: Database, studies_locked: None
) -> None:
    one, other = service.workers()
    client = mary()
    await client.initialize()

    def are_asking(number: int) -> Callable[[], Awaitable[bool]]:
        async def asking() -> bool:
            return database(ASKING)[0][0] == number

        return asking

    with only(one, service):
        calling = client.streaming(call(1, "get_study_count"))
        stream = await calling.__aenter__()
    await eventually(are_asking(1))
    with only(other, service):
        cancelled = await client.post(notification("notifications/cancelled", {"requestId": 1}))
    assert cancelled.status_code == 202
    *_, answer = await asyncio.wait_for(stream.rest(), SECONDS)
    await calling.__aexit__(None, None, None)
    assert answer.message["error"]["message"] == "Request cancelled"
    await eventually(are_asking(0))
    await client.delete()


async def test_what_one_tells_is_fetched_from_the_other_and_a_change_is_told_at_most_twice(
    service: Service, mary: Callable[[], Client], change: Callable[[], None]
) -> None:
    one, other = service.workers()
    client = mary()
    await client.initialize()
    with only(one, service):
        assert (await client.post(request(1, "resources/subscribe", {"uri": STUDIES}))).is_success
        listening = client.listening()
        stream = await listening.__aenter__()
    change()
    seen = await asyncio.wait_for(updated(stream), SECONDS)
    await listening.__aexit__(None, None, None)
    await asyncio.sleep(TOGETHER)
    change()
    with only(other, service):
        again = client.listening(after=seen)
        stream = await again.__aenter__()
    assert await asyncio.wait_for(updated(stream), SECONDS) != seen
    await asyncio.sleep(TOGETHER)  # in which each worker has looked several times
    await client.delete()
    more = await asyncio.wait_for(stream.rest(), SECONDS)
    await again.__aexit__(None, None, None)
    assert sum(event.message.get("method") == "notifications/resources/updated" for event in more) <= 2
