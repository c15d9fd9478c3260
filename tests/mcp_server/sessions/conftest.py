"""Stores as they are in use: this process's memory, and a real Redis that workers share."""

from collections.abc import AsyncIterator, Callable, Iterator

import httpx2
import pytest

from mcp_server.sessions.memory import Memory
from mcp_server.sessions.redis import RedisStore
from mcp_server.sessions.store import Limits, Store
from tests.mcp_server.sessions.redis_server import RedisServer

LIMITS = Limits(sessions=100, per_subject=20, idle_seconds=600)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis(redis_server: RedisServer) -> RedisServer:
    redis_server.empty()
    return redis_server


@pytest.fixture(params=["memory", "redis"])
def new_store(request: pytest.FixtureRequest) -> Callable[..., Store]:
    """Makes the store of a worker; what is made of Redis is shared."""
    if request.param == "memory":
        return lambda limits=LIMITS: Memory(limits)
    url = request.getfixturevalue("redis").url
    return lambda limits=LIMITS: RedisStore(url, limits)


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(timeout=20) as client:
        yield client
