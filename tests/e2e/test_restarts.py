"""Two workers with sessions in Redis, and each part killed under them: what was promised is kept, and nothing hangs."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, suppress
from pathlib import Path

import httpx2
import psutil
import pytest

from demo.services import ROOT, Exchange
from jhe import embedded
from tests.e2e.by_hand import Database
from tests.mcp_server.conftest import KeyServer, serving
from tests.mcp_server.sessions.client import Client, Stream, request
from tests.mcp_server.sessions.redis_server import RedisServer
from tests.ports import free_ports

STREAMS = 100
SECONDS = 15
"""No request takes longer, whatever has happened."""
STUDIES = "jhe://studies"
TOGETHER = 1
"""Seconds: a change as soon after another is told with it (mcp_server/backends/session_watches.py)."""


class Service:
    """Its own processes on the exchange's database, with keys and Redis that a test can take away."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, keys: KeyServer, redis: RedisServer) -> None:
        self.process, self.url, self.keys, self.redis = process, url, keys, redis

    def workers(self) -> list[psutil.Process]:
        children = psutil.Process(self.process.pid).children()
        with suppress(psutil.Error):  # one that has just ended, and is no worker any more
            return [child for child in children if "spawn_main" in " ".join(child.cmdline())]
        return []

    async def replaced(self, killed: psutil.Process) -> None:
        async def is_replaced() -> bool:
            workers = self.workers()
            return len(workers) == 2 and killed.pid not in {worker.pid for worker in workers}

        await eventually(is_replaced)


async def eventually(check: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(2 * SECONDS):
        while not await check():
            await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
def service(exchange: Exchange, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder: Path = tmp_path_factory.mktemp("restarts")
    port, _ = free_ports()
    with ExitStack() as stack:
        redis = RedisServer(folder)
        redis.start()
        stack.callback(redis.stop)
        keys = stack.enter_context(serving())
        keys.keys = httpx2.get(f"{exchange.web_url}/o/.well-known/jwks.json").json()
        environment = {
            **exchange.environment,
            "MCP_PORT": str(port),
            "MCP_WORKERS": "2",
            "MCP_SESSIONS": "true",
            "MCP_REDIS_URL": redis.url,
            "MCP_JWKS_URL": keys.jwks_url,
            "MCP_WATCH_INTERVAL": "0.2",
        }
        log = stack.enter_context((folder / "log").open("wb"))
        command = [sys.executable, "-m", "mcp_server", "http"]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        stack.callback(process.wait, SECONDS)
        stack.callback(process.terminate)
        yield Service(process, f"http://127.0.0.1:{port}", keys, redis)


@pytest.fixture
async def http(service: Service) -> AsyncIterator[httpx2.AsyncClient]:
    limits = httpx2.Limits(max_connections=2 * STREAMS + 10, max_keepalive_connections=0)
    async with httpx2.AsyncClient(timeout=SECONDS, limits=limits) as client:

        async def is_ready() -> bool:
            with suppress(httpx2.TransportError):
                return len(service.workers()) == 2 and (await client.get(f"{service.url}/readyz")).is_success
            return False

        await eventually(is_ready)
        yield client


@pytest.fixture
def mary(service: Service, http: httpx2.AsyncClient, token_of: Callable[[str], str]) -> Callable[[], Client]:
    """Clients of the study manager's."""
    return lambda: Client(http, service.url, token_of("manager_mary"))


@pytest.fixture
def change(database: Database) -> Iterator[Callable[[], None]]:
    """Changes something that Mary can subscribe to; it is as it was afterwards."""
    before = database("SELECT id, description FROM core_study")
    yield lambda: database("UPDATE core_study SET description = description || '.'") and None
    for study_id, description in before:
        database("UPDATE core_study SET description = %s WHERE id = %s", description, study_id)


async def count(client: Client) -> httpx2.Response:
    """A question to the database, in the client's session if it has one."""
    return await client.post(request(1, "tools/call", {"name": "get_study_count", "arguments": {}}))


async def is_answered(client: Client) -> bool:
    with suppress(httpx2.TransportError):
        response = await count(client)
        return response.status_code == 200 and not response.json()["result"].get("isError")
    return False


async def updated(stream: Stream) -> str:
    """The id of the next event that tells of the change."""
    while True:
        event = await stream.next()
        if event.message.get("method") == "notifications/resources/updated":
            assert event.message["params"]["uri"] == STUDIES
            return event.id


async def test_a_worker_is_killed_amid_a_hundred_streams_and_no_session_and_no_event_is_lost(
    service: Service, mary: Callable[[], Client], change: Callable[[], None]
) -> None:
    clients = [mary() for _ in range(STREAMS)]
    for begun in range(0, STREAMS, 20):
        await asyncio.gather(*(client.initialize() for client in clients[begun : begun + 20]))
    assert len({client.session_id for client in clients}) == STREAMS
    subscriber = clients[0]
    assert (await subscriber.post(request(1, "resources/subscribe", {"uri": STUDIES}))).is_success

    async with AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(client.listening()) for client in clients]
        assert {stream.response.status_code for stream in streams} == {200}
        change()
        seen = await updated(streams[0])
        killed = service.workers()[0]
        killed.kill()
        answers = await asyncio.gather(*(count(client) for client in clients[:20]), return_exceptions=True)
        assert all(isinstance(answer, httpx2.TransportError) or answer.is_success for answer in answers)
    await service.replaced(killed)
    assert all(await asyncio.gather(*(is_answered(client) for client in clients)))
    await asyncio.sleep(TOGETHER)
    change()  # while its stream is broken
    async with subscriber.listening(after=seen) as again:
        assert await asyncio.wait_for(updated(again), SECONDS) != seen
    async with AsyncExitStack() as stack:
        reopened = [await stack.enter_async_context(client.listening()) for client in clients[1:]]
        assert {stream.response.status_code for stream in reopened} == {200}
    ended = await asyncio.gather(*(client.delete() for client in clients))
    assert all(response.is_success for response in ended)


async def test_redis_is_restarted_and_sessions_go_on_while_requests_that_need_none_never_stopped(
    service: Service, mary: Callable[[], Client], http: httpx2.AsyncClient
) -> None:
    with_session, alone = mary(), mary()
    await with_session.initialize()

    async def is_said() -> bool:
        ready = await http.get(f"{service.url}/readyz")
        return ready.status_code == 503 and ready.json()["parts"]["redis"] == "away"

    service.redis.stop()
    try:
        assert await is_answered(alone)
        refused = await asyncio.wait_for(count(with_session), SECONDS)
        await eventually(is_said)
    finally:
        service.redis.start()
    assert refused.status_code in (200, 503)  # a worker may have known the session
    await eventually(lambda: is_answered(with_session))
    await with_session.delete()


async def test_postgresql_is_restarted_and_the_same_session_goes_on(
    exchange: Exchange, service: Service, mary: Callable[[], Client], http: httpx2.AsyncClient
) -> None:
    client = mary()
    await client.initialize()
    assert await is_answered(client)
    embedded.release(exchange.data_dir)
    try:
        away = await asyncio.gather(*(asyncio.wait_for(count(client), SECONDS) for _ in range(10)))
        alive = await http.get(f"{service.url}/healthz")
    finally:
        embedded.ensure_running(exchange.data_dir)
    assert {response.status_code for response in away} == {503}
    assert all(response.headers["Retry-After"] for response in away)
    assert alive.is_success
    await eventually(lambda: is_answered(client))
    await client.delete()


async def test_the_issuers_keys_are_away_and_who_was_let_in_before_goes_on(
    service: Service, mary: Callable[[], Client], http: httpx2.AsyncClient
) -> None:
    client = mary()
    for _ in range(10):  # both workers know the keys
        assert await is_answered(client)
    service.keys.status = 500
    try:
        assert await is_answered(client)
        killed = service.workers()[0]
        killed.kill()
        await service.replaced(killed)  # by one that has never had the keys

        async def has_met_the_new_one() -> bool:
            with suppress(httpx2.TransportError):
                response = await asyncio.wait_for(count(client), SECONDS)
                assert response.status_code in (200, 503)
                return response.status_code == 503
            return False

        await eventually(has_met_the_new_one)
    finally:
        service.keys.status = 200
    for _ in range(10):
        await eventually(lambda: is_answered(client))
