"""How often, and how much at a time: who asks for more is told when to go on, and others notice nothing."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest
from limits import parse
from limits.aio.storage import MemoryStorage
from limits.errors import StorageError
from starlette.types import Receive, Scope, Send

from core.policy.principal import Principal, UserType
from mcp_server import rates
from mcp_server.auth.bearer import narrow
from mcp_server.auth.caller import Caller
from mcp_server.places import Places
from mcp_server.rates import Rates, shared_counts
from mcp_server.settings import HttpService, load
from mcp_server.transports.bounds import Bounds, is_get, is_stream
from tests import tokens
from tests.mcp_server.service import called, served

GENEROUS = parse("1000000/minute")


def caller(user_id: int = 10001, token: str = "hash") -> Caller:  # noqa: S107
    return Caller(Principal(user_id=user_id, user_type=UserType.PRACTITIONER, token_key=token), "192.0.2.7")


async def test_a_person_who_asks_too_often_is_told_when_to_go_on_and_nobody_else_is(
    settings_without_database: HttpService,
) -> None:
    mary, mark = tokens.access_token(10001), tokens.access_token(10002)
    async with served(settings_without_database.model_copy(update={"subject_rate": "3/hour"})) as http:
        marys = [await called(http, "nothing", token=mary) for _ in range(4)]
        also_marys = await called(http, "nothing", token=tokens.access_token(10001))
        marks = await called(http, "nothing", token=mark)
        alive = await http.get("http://localhost:8001/healthz")
        stranger = await called(http, "nothing", token=None)
    assert [answer.status_code for answer in marys] == [400, 400, 400, 429]
    refused = marys[-1]
    assert 1 <= int(refused.headers["Retry-After"]) <= 3600
    assert refused.json()["error"]["message"].startswith("You ask too often: go on in ")
    assert refused.json()["jsonrpc"] == "2.0"
    assert also_marys.status_code == 429
    assert marks.status_code == 400
    assert alive.status_code == 200
    assert stranger.status_code == 401


async def test_one_token_that_asks_too_often_does_not_stop_the_persons_others(
    settings_without_database: HttpService,
) -> None:
    token, another = tokens.access_token(10001), tokens.access_token(10001)
    async with served(settings_without_database.model_copy(update={"token_rate": "1/hour"})) as http:
        statuses = [(await called(http, "nothing", token=one)).status_code for one in (token, token, another)]
    assert statuses == [400, 429, 400]


async def test_counting_ahead_never_lets_more_through_than_the_limit() -> None:
    counted = Rates(parse("1000/hour"), GENEROUS)
    let_through = [await counted.seconds_to_wait(caller()) == 0 for _ in range(1_200)]
    assert sum(let_through) == 1_000
    assert not any(let_through[1_000:])


async def test_processes_that_share_a_count_let_no_more_through_together() -> None:
    shared = MemoryStorage()
    processes = [Rates(parse("1000/hour"), GENEROUS, shared) for _ in range(2)]
    let_through = [await processes[n % 2].seconds_to_wait(caller()) == 0 for n in range(2_400)]
    assert sum(let_through) == 1_000


class Away(MemoryStorage):
    """Redis that does not answer."""

    STORAGE_SCHEME = ["away"]
    asked = 0

    async def incr(self, *_: Any, **__: Any) -> int:
        type(self).asked += 1
        raise StorageError(ConnectionError())


async def test_while_redis_is_away_each_process_counts_its_own_and_does_not_ask_it_for_every_request() -> None:
    counted = Rates(parse("3/hour"), GENEROUS, Away())
    assert [await counted.seconds_to_wait(caller()) > 0 for _ in range(5)] == [False, False, False, True, True]
    assert Away.asked == 1


async def test_redis_that_is_not_there_raises_what_rates_understand() -> None:
    counted = Rates(parse("1/hour"), GENEROUS, shared_counts("redis://127.0.0.1:1/0"))
    assert [await counted.seconds_to_wait(caller()) > 0 for _ in range(2)] == [False, True]


async def test_a_caller_who_is_let_through_costs_microseconds() -> None:
    """Not timed: once a batch is counted, no storage is asked and nothing is awaited that could wait."""
    counted = Rates(GENEROUS, GENEROUS)
    await counted.seconds_to_wait(caller())
    with pytest.raises(StopIteration) as end:
        counted.seconds_to_wait(caller()).send(None)  # type: ignore[attr-defined]
    assert end.value.value == 0


async def test_however_many_tokens_there_are_no_memory_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "_MAX_BATCHES", 10)
    counted = Rates(GENEROUS, GENEROUS)
    for number in range(50):
        await counted.seconds_to_wait(caller(token=str(number)))
    assert len(counted._batches) == 10


class Held:
    """An application whose answers wait until they are let go."""

    def __init__(self) -> None:
        self.go, self.entered = asyncio.Event(), asyncio.Semaphore(0)

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        self.entered.release()
        await self.go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


Asking = Callable[..., Awaitable[httpx2.Response]]
Bounded = Callable[..., tuple[Held, Asking]]


@pytest.fixture
def ask(settings_without_database: HttpService) -> Bounded:
    """Requests of somebody, with bounds around an application that holds them."""

    def make(**bounds: int) -> tuple[Held, Asking]:
        held = Held()
        bounded = Bounds.of(settings_without_database.model_copy(update=bounds)).around(held)

        async def ask(user_id: int, method: str = "POST", **headers: str) -> httpx2.Response:
            async def as_user(scope: Scope, receive: Receive, send: Send) -> None:
                narrow(scope, caller(user_id))
                await bounded(scope, receive, send)

            async with httpx2.AsyncClient(transport=httpx2.ASGITransport(as_user)) as http:
                return await http.request(method, tokens.RESOURCE, headers=headers)

        return held, ask

    return make


async def test_a_person_with_all_their_calls_under_way_waits_and_others_do_not(
    ask: Bounded,
) -> None:
    held, ask_as = ask(calls_per_subject=2)
    under_way = [asyncio.ensure_future(ask_as(10001)) for _ in range(2)]
    for _ in under_way:
        await held.entered.acquire()
    refused = await ask_as(10001)
    others = asyncio.ensure_future(ask_as(10002))
    await held.entered.acquire()
    held.go.set()
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert "too many calls under way" in refused.json()["error"]["message"]
    assert [answer.status_code for answer in await asyncio.gather(*under_way, others)] == [200] * 3
    assert (await ask_as(10001)).status_code == 200  # places are given back


async def test_a_service_with_all_its_places_taken_says_that_it_is_busy(
    ask: Bounded,
) -> None:
    held, ask_as = ask(calls=2)
    under_way = [asyncio.ensure_future(ask_as(user_id)) for user_id in (10001, 10002)]
    for _ in under_way:
        await held.entered.acquire()
    busy = await ask_as(10003)
    held.go.set()
    await asyncio.gather(*under_way)
    assert (busy.status_code, busy.headers["Retry-After"]) == (503, "1")


LISTEN = {"Mcp-Method": "subscriptions/listen", "MCP-Protocol-Version": "2026-07-28"}


@pytest.mark.parametrize(("method", "headers"), [("GET", {}), ("POST", LISTEN)])
async def test_streams_take_no_place_of_a_call_and_have_a_bound_of_their_own(
    ask: Bounded, method: str, headers: dict[str, str]
) -> None:
    held, ask_as = ask(calls_per_subject=1, streams_per_subject=2)
    streams = [asyncio.ensure_future(ask_as(10001, method, **headers)) for _ in range(2)]
    for _ in streams:
        await held.entered.acquire()
    call = asyncio.ensure_future(ask_as(10001))
    await held.entered.acquire()
    refused = await ask_as(10001, method, **headers)
    held.go.set()
    assert refused.status_code == 429
    assert "too many streams open" in refused.json()["error"]["message"]
    assert (await call).status_code == 200
    await asyncio.gather(*streams)


@pytest.mark.parametrize("version", [{}, {"MCP-Protocol-Version": "2025-11-25"}], ids=["no version", "an older one"])
async def test_a_header_that_nothing_is_held_against_makes_no_stream_of_a_call(
    ask: Bounded, version: dict[str, str]
) -> None:
    held, ask_as = ask(calls_per_subject=1)
    call = asyncio.ensure_future(ask_as(10001))
    await held.entered.acquire()
    refused = await ask_as(10001, **{"Mcp-Method": "subscriptions/listen"}, **version)
    held.go.set()
    assert refused.status_code == 429
    assert (await call).status_code == 200


def test_a_message_of_the_older_transport_is_a_call_whatever_its_headers_say() -> None:
    scope = {"method": "POST", "headers": [(name.lower().encode(), value.encode()) for name, value in LISTEN.items()]}
    assert is_stream(scope)
    assert not is_get(scope)


async def test_a_client_that_goes_away_gives_its_place_back(ask: Bounded) -> None:
    held, ask_as = ask(calls_per_subject=1)
    gone = asyncio.ensure_future(ask_as(10001))
    await held.entered.acquire()
    gone.cancel()
    await asyncio.wait([gone])
    held.go.set()
    assert (await ask_as(10001)).status_code == 200


def test_places_that_are_closed_are_all_taken() -> None:
    places = Places(10, 10)
    assert places.take("somebody")
    places.close()
    assert places.are_all_taken()
    places.leave("somebody")
    assert places.taken == 0


@pytest.mark.parametrize("version", ["2026-07-28", "2025-11-25"])
async def test_json_that_is_nested_ten_thousand_deep_is_refused_at_once(
    settings_without_database: HttpService, version: str
) -> None:
    deep = "[" * 10_000 + "]" * 10_000
    params = f'{{"name": "x", "arguments": {{"a": {deep}}}}}'
    body = f'{{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {params}}}'
    headers = {
        "Authorization": f"Bearer {tokens.access_token()}",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": version,
        "Mcp-Method": "tools/call",
        "Mcp-Name": "x",
    }
    with pytest.raises(RecursionError):
        json.loads(body)
    async with served(settings_without_database) as http:
        response = await http.post(tokens.RESOURCE, content=body, headers=headers)
    assert response.status_code == 400
    assert "error" in response.json()


@pytest.mark.parametrize("body", [b"x" * 10_000_000, b'{"a": "' + b"y" * 10_000_000])
async def test_ten_megabytes_are_refused(settings_without_database: HttpService, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {tokens.access_token()}", "Content-Type": "application/json"}
    async with served(settings_without_database) as http:
        response = await http.post(tokens.RESOURCE, content=body, headers=headers)
    assert response.status_code == 413


@pytest.mark.parametrize("rate", ["", "many", "0/minute", "10/fortnight", "10 per minute; 5 per second"])
def test_a_rate_that_is_none_is_told_with_its_variable(monkeypatch: pytest.MonkeyPatch, rate: str) -> None:
    monkeypatch.setenv("MCP_SUBJECT_RATE", rate)
    with pytest.raises(SystemExit, match="MCP_SUBJECT_RATE"):
        load(HttpService, database_url="postgresql://nobody@127.0.0.1:1/nowhere")
