"""A call that its client gives up stops in the database, on every way that leads there, and is recorded."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

import asyncpg
import httpx2
import pytest
from mcp import Client
from mcp.client.session import MessageHandlerFnT
from mcp.client.streamable_http import streamable_http_client
from mcp_types.version import LATEST_MODERN_VERSION

from mcp_server.app import build_server
from mcp_server.auth.caller import Caller
from mcp_server.auth.verifier import Verifier
from mcp_server.backends.direct import Direct
from mcp_server.backends.forward import Forward
from mcp_server.database import Database
from mcp_server.settings import HttpService
from mcp_server.transports.http import http_app
from tests.factories import MembershipFactory
from tests.mcp_server.service import standing_token
from tests.mcp_server.sessions.worker import listening
from tests.mcp_server.trail import owner_of, trail

ASKING = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'jhe-mcp' AND state = 'active'"

Connect = Callable[[HttpService, str], AbstractAsyncContextManager[Client]]


@pytest.fixture
def token(transactional_db: None) -> str:
    return standing_token(MembershipFactory().practitioner.user)


class Given:
    """A login that is there already."""

    def __init__(self, token: str) -> None:
        self._token = token
        self.given = asyncio.Event()
        self.given.set()

    async def access_token(self, refused: str = "") -> str:  # noqa: ARG002
        return self._token


@asynccontextmanager
async def served_at(settings: HttpService, **changes: Any) -> AsyncIterator[str]:
    """The whole service, behind a port of this machine."""
    async with listening(http_app(settings.model_copy(update=changes))) as url:
        yield f"{url}/mcp"


@asynccontextmanager
async def over_http(
    settings: HttpService, token: str, mode: str, message_handler: MessageHandlerFnT | None = None, **changes: Any
) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        served_at(settings, **changes) as url,
        httpx2.AsyncClient(headers=headers) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode, message_handler=message_handler) as client,
    ):
        yield client


def modern(settings: HttpService, token: str) -> AbstractAsyncContextManager[Client]:
    return over_http(settings, token, LATEST_MODERN_VERSION)


def in_a_session(settings: HttpService, token: str) -> AbstractAsyncContextManager[Client]:
    return over_http(settings, token, "legacy", sessions=True)


@asynccontextmanager
async def forwarded(settings: HttpService, token: str) -> AsyncIterator[Client]:
    """As stdio does on a laptop."""
    async with (
        served_at(settings) as url,
        Forward(url, Given(token)) as forward,
        Client(build_server(forward), mode="legacy") as client,
    ):
        yield client


@asynccontextmanager
async def direct(settings: HttpService, token: str) -> AsyncIterator[Client]:
    """As stdio does beside the database."""
    signed = await Verifier.of(settings).verify(token)

    async def find(_: object) -> Caller:
        return Caller(signed.principal, "stdio")

    async with Database.of(settings) as database, Client(build_server(Direct(database, find)), mode="legacy") as client:
        yield client


@pytest.mark.parametrize("connect", [modern, in_a_session, forwarded, direct])
async def test_a_call_that_is_given_up_stops_in_the_database(
    settings: HttpService, token: str, connect: Connect
) -> None:
    async with owner_of(settings) as owner, owner_of(settings) as watcher, connect(settings, token) as client:
        await owner.execute("BEGIN; LOCK TABLE core_study IN ACCESS EXCLUSIVE MODE")
        call = asyncio.create_task(client.call_tool("get_study_count", {}))
        await until(watcher, 1)
        call.cancel()
        with suppress(asyncio.CancelledError):
            await call
        await until(watcher, 0)
        assert await watcher.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted") == 0
        await owner.execute("ROLLBACK")
    assert [row["outcome"] for row in await trail(settings)] == ["failed"]


async def until(watcher: asyncpg.Connection, asking: int) -> None:
    """Until so many calls are being answered, which here takes a moment: what is locked stays locked."""
    async with asyncio.timeout(5):
        while await watcher.fetchval(ASKING) != asking:
            await asyncio.sleep(0.02)
