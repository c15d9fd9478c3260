"""What the service says of itself: alive, ready, and why not."""

import asyncio

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from core.policy.errors import Unavailable
from mcp_server import health
from mcp_server.health import Readiness
from mcp_server.settings import HttpService
from tests.mcp_server.conftest import KeyServer
from tests.mcp_server.service import served

READY = "http://localhost:8001/readyz"


async def test_a_service_whose_parts_answer_is_ready(settings: HttpService) -> None:
    async with served(settings) as http:
        response = await http.get(READY)
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "parts": {"database": "ok", "keys": "ok"}}


async def test_without_the_database_it_is_alive_and_not_ready_and_says_no_address(
    settings_without_database: HttpService,
) -> None:
    async with served(settings_without_database) as http:
        alive = await http.get("http://localhost:8001/healthz")
        response = await http.get(READY)
    assert alive.status_code == 200
    assert response.status_code == 503
    assert response.json() == {"status": "unavailable", "parts": {"database": "away", "keys": "ok"}}


async def test_without_the_issuers_keys_it_is_not_ready_until_they_have_been_fetched(
    settings: HttpService, issuer: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_KEPT_SECONDS", 0)
    monkeypatch.setattr("mcp_server.auth.keys._PAUSE_SECONDS", 0)
    issuer.status = 500
    async with served(settings) as http:
        before = (await http.get(READY)).json()
        issuer.status = 200
        fetched = (await http.get(READY)).json()
        issuer.status = 500
        away_again = (await http.get(READY)).json()
    assert before["parts"] == {"database": "ok", "keys": "away"}
    assert fetched["status"] == "ok"
    assert away_again["status"] == "ok"  # tokens can still be checked


async def test_redis_is_a_part_where_it_is_used(settings: HttpService) -> None:
    async with served(settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})) as http:
        response = await http.get(READY)
    assert response.status_code == 503
    assert response.json()["parts"] == {"database": "ok", "keys": "ok", "redis": "away"}


def asking(readiness: Readiness) -> httpx2.AsyncClient:
    app = Starlette(routes=[Route("/readyz", readiness.show)])
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app))


async def test_a_part_that_never_answers_is_away_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_SECONDS", 0.01)

    async def never() -> None:
        await asyncio.Event().wait()

    async with asking(Readiness({"database": never})) as http:
        assert (await http.get(READY)).json()["parts"] == {"database": "away"}


async def test_however_many_ask_one_look_answers_them_all() -> None:
    looks = 0

    async def look() -> None:
        nonlocal looks
        looks += 1
        raise Unavailable("Not now.")

    async with asking(Readiness({"database": look})) as http:
        answers = await asyncio.gather(*(http.get(READY) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {503}
    assert "Not now." not in answers[0].text
    assert looks == 1


async def test_a_process_that_will_end_says_so_while_everything_still_answers() -> None:
    async def answers() -> None:
        pass

    readiness = Readiness({"database": answers})
    readiness.drain()
    async with asking(readiness) as http:
        response = await http.get(READY)
    assert (response.status_code, response.json()["status"]) == (503, "draining")
