"""A host on stdio sees the peers that the exchange lists for its person, and calls them as if they were beside it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import keyring
import mcp_types as types
import pytest
from asgiref.sync import sync_to_async
from keyring.backends import fail
from mcp import Client, MCPError
from mcp.client.subscriptions import ToolsListChanged

from core.models import Peer, User
from mcp_server.app import build_server
from mcp_server.auth.login import GivenToken, Login
from mcp_server.auth.provider import Provider
from mcp_server.auth.token_store import TokenStore
from mcp_server.backends.forward import Forward
from mcp_server.backends.forwarded_peers import ForwardedPeers
from mcp_server.peers.peer import PEER, PEERS
from mcp_server.settings import HttpService
from mcp_server.tools import TOOLS
from tests.mcp_server.features.conftest import MODES
from tests.mcp_server.features.inbox import SOON
from tests.mcp_server.features.test_cancelling import served_at
from tests.mcp_server.login.logins import nobody
from tests.mcp_server.peers.other_server import OtherServer
from tests.mcp_server.peers.test_link import until
from tests.mcp_server.peers.test_peers import NAME, names, raw, tools, words
from tests.mcp_server.service import standing_token

ANOTHER = types.Tool(name="another", input_schema={"type": "object"})


@asynccontextmanager
async def hosted(url: str, login: Login | GivenToken, mode: str = "legacy", **options: Any) -> AsyncIterator[Client]:
    async with (
        Forward(url, login) as forward,
        ForwardedPeers.of(url, login) as peers,
        Client(build_server(forward, elsewhere=peers), mode=mode, **options) as host,
    ):
        yield host


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> TokenStore:
    monkeypatch.setattr(keyring, "get_keyring", fail.Keyring)
    return TokenStore("the exchange", tmp_path)


def nobody_is_asked(store: TokenStore) -> Login:
    async def find() -> Provider:
        raise AssertionError("A person was asked to log in.")

    return Login(find, store, nobody)


def log_in(store: TokenStore, token: str) -> None:
    """As another program of this person's does."""
    store.write({"access_token": token, "id_token": "", "refresh_token": "", "expires_at": time.time() + 3600})


class Changes:
    def __init__(self) -> None:
        self.heard = 0

    async def __call__(self, message: Any) -> None:
        self.heard += isinstance(message, types.ToolListChangedNotification)


@pytest.mark.parametrize("mode", MODES)
async def test_mary_sees_the_peers_of_the_exchange_and_calls_one(
    peer: Peer, north: OtherServer, with_secret: HttpService, token: str, mode: str
) -> None:
    north.progress = [(1, "half way")]
    told: list[tuple[float, str | None]] = []

    async def hear(progress: float, _: float | None, message: str | None) -> None:
        told.append((progress, message))

    async with served_at(with_secret) as url, hosted(url, GivenToken(token), mode) as host:
        listed = await tools(host)
        result = await host.call_tool(
            NAME, {"country": "NO"}, meta={"example.org/why": "asked"}, progress_callback=hear
        )
        own = await raw(host, "get_study_count")
        with pytest.raises(MCPError, match="Unknown tool"):
            await raw(host, "south__anything")
        with pytest.raises(MCPError, match="Unknown tool"):
            await raw(host, "nothing")
    assert [tool.name for tool in listed.tools] == [*TOOLS, NAME]
    assert listed.meta is not None
    assert listed.meta[PEERS] == [{"prefix": "north", "name": "North"}]
    assert result.structured_content == {"trials": 7}
    assert result.meta is not None
    assert result.meta[PEER] == "north"
    assert not own.is_error
    assert told == ([(1, "North: «half way»")] if mode == "legacy" else [])  # in memory, the newest has no token for it
    [call] = north.calls
    assert call.arguments == {"country": "NO"}
    assert call.meta is not None
    assert call.meta["example.org/why"] == "asked"
    assert token not in json.dumps([vars(received) for received in north.received])


async def test_somebody_of_another_organization_has_this_exchanges_tools_only(
    peer: Peer, north: OtherServer, with_secret: HttpService, stranger: User
) -> None:
    token = await sync_to_async(standing_token)(stranger)
    async with served_at(with_secret) as url, hosted(url, GivenToken(token)) as host:
        listed = await tools(host)
        with pytest.raises(MCPError, match="Unknown tool"):
            await raw(host, NAME)
    assert [tool.name for tool in listed.tools] == list(TOOLS)
    assert (listed.meta or {}).get(PEERS) is None
    assert not north.received


async def test_a_call_that_the_host_gives_up_is_given_up_at_the_peer(
    peer: Peer, north: OtherServer, with_secret: HttpService, token: str
) -> None:
    north.seconds_to_answer = 60
    async with served_at(with_secret) as url, hosted(url, GivenToken(token)) as host:
        async with anyio.create_task_group() as group:
            group.start_soon(raw, host, NAME)
            await until(lambda: len(north.calls) == 1)
            group.cancel_scope.cancel()
        await until(lambda: north.cancelled == 1)


async def test_an_exchange_that_is_away_takes_no_tool_of_this_server_from_the_list() -> None:
    async with hosted("http://127.0.0.1:1/mcp", GivenToken("jhe_pat_x")) as host:
        assert await names(host) == list(TOOLS)
        result = await raw(host, NAME)
    assert result.is_error
    assert "cannot be reached" in words(result)


async def test_nobody_is_asked_to_log_in_for_a_list_and_the_host_is_told_when_there_is_more(
    peer: Peer, with_secret: HttpService, token: str, store: TokenStore
) -> None:
    login, changes = nobody_is_asked(store), Changes()
    async with served_at(with_secret) as url, hosted(url, login, message_handler=changes) as host:
        assert host.server_capabilities.tools is not None
        assert host.server_capabilities.tools.list_changed
        for _ in range(2):
            assert await names(host) == list(TOOLS)
        assert changes.heard == 0
        log_in(store, token)
        assert not (await raw(host, "get_study_count")).is_error
        await until(lambda: changes.heard == 1)
        assert await names(host) == [*TOOLS, NAME]


async def test_a_host_of_the_newest_revision_hears_by_its_stream_that_there_is_more(
    peer: Peer, with_secret: HttpService, token: str, store: TokenStore
) -> None:
    login = nobody_is_asked(store)
    async with served_at(with_secret) as url, hosted(url, login, MODES[0]) as host:
        assert await names(host) == list(TOOLS)
        log_in(store, token)
        async with host.listen(tools_list_changed=True) as stream, asyncio.timeout(SOON):
            assert await anext(aiter(stream)) == ToolsListChanged()
        assert await names(host) == [*TOOLS, NAME]


async def test_a_host_is_told_when_a_peer_has_other_tools(
    peer: Peer, north: OtherServer, with_secret: HttpService, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_server.peers.link.FRESH_SECONDS", 0)
    changes = Changes()
    async with (
        served_at(with_secret) as url,
        hosted(url, GivenToken(token), message_handler=changes) as host,
        asyncio.timeout(SOON),
    ):
        assert NAME in await names(host)
        north.tools = [ANOTHER]
        while not changes.heard:  # the watch begins when it does, and each list asks the peer behind it
            await names(host)
        assert "north__another" in await names(host)
