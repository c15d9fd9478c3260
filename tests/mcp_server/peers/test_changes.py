"""What administrators change of a peer is told to whoever listens, in each revision as it has it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from mcp.client.subscriptions import ToolsListChanged

from core.actions.peers import save_peer
from core.models import Organization, Peer
from mcp_server.features.tool_changes import ToolChanges
from mcp_server.settings import HttpService
from tests.mcp_server.features.conftest import MODES
from tests.mcp_server.features.inbox import SOON
from tests.mcp_server.features.test_cancelling import over_http
from tests.mcp_server.peers.conftest import opened
from tests.mcp_server.peers.other_server import OtherServer
from tests.mcp_server.peers.test_forwarded import Changes
from tests.mcp_server.peers.test_link import until
from tests.mcp_server.peers.test_peers import NAME, names


@pytest.fixture
def quick(with_secret: HttpService) -> HttpService:
    return with_secret.model_copy(update={"watch_interval": 0.05})


@sync_to_async
def saved(peer: Peer, **fields: Any) -> None:
    """As the admin does, whatever was changed in it."""
    for name, value in fields.items():
        setattr(peer, name, value)
    save_peer(peer)


async def test_a_listener_is_told_of_a_peer_that_is_added_renamed_disabled_or_taken_away(
    quick: HttpService, north: OtherServer, lab: Organization, token: str
) -> None:
    async with (
        over_http(quick, token, MODES[0]) as mary,
        mary.listen(tools_list_changed=True) as stream,
        asyncio.timeout(2 * SOON),
    ):
        events = aiter(stream)
        assert NAME not in await names(mary)
        peer = await sync_to_async(opened)(north, "north", lab)
        assert await anext(events) == ToolsListChanged()
        await until_listed(mary, NAME)
        for change, name in (({"prefix": "other"}, "other__count_trials"), ({"enabled": False}, None)):
            await saved(peer, **change)
            assert await anext(events) == ToolsListChanged()
            listed = [each for each in await names(mary) if "__" in each]
            assert listed == ([] if name is None else [name])
        await sync_to_async(peer.delete)()
        assert await anext(events) == ToolsListChanged()


async def until_listed(client: Any, name: str) -> None:
    while name not in await names(client):
        pass


@pytest.mark.parametrize("change", [{"enabled": False}, {"prefix": "other"}])
async def test_a_session_is_told_as_its_handshake_said(
    quick: HttpService, peer: Peer, token: str, change: dict[str, Any]
) -> None:
    changes = Changes()
    async with over_http(quick, token, "legacy", message_handler=changes, sessions=True) as mary:
        assert mary.server_capabilities.tools is not None
        assert mary.server_capabilities.tools.list_changed
        assert NAME in await names(mary)
        await saved(peer, **change)
        await until(lambda: changes.heard == 1)
        assert NAME not in await names(mary)


@pytest.mark.parametrize("given", [{"sessions": False}, {"sessions": True, "client_secret": None}])
async def test_who_cannot_be_told_or_has_nothing_to_be_told_of_is_promised_nothing(
    quick: HttpService, token: str, given: dict[str, Any]
) -> None:
    async with over_http(quick, token, "legacy", **given) as mary:
        assert mary.server_capabilities.tools is not None
        assert not mary.server_capabilities.tools.list_changed


def test_nobody_is_looked_for_once_the_last_has_left() -> None:
    changes = ToolChanges(None)
    assert not changes.is_heard
    leave: list[Callable[[], None]] = [changes.subscribe(lambda _: None) for _ in range(2)]
    leave[0]()
    leave[0]()
    assert changes.is_heard
    leave[1]()
    assert not changes.is_heard
