"""Lists of a peer's tools: shown as they were last known, renewed behind that, and listeners are told of others."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from core.policy.errors import Unavailable
from mcp_server.peers.link import Link
from mcp_server.peers.peer import Peer as Known
from tests.mcp_server.peers.other_server import COUNT, OtherServer


class Told:
    times = 0

    async def __call__(self) -> None:
        self.times += 1


@asynccontextmanager
async def linked(other: OtherServer, told: Told) -> AsyncIterator[Link]:
    link = Link(Known(1, "north", "North", other.url, ""), "https://here.example.org/mcp", 5, told)
    try:
        yield link
    finally:
        await link.aclose()


@pytest.fixture
def token(north: OtherServer) -> Callable[[str], Any]:
    async def get(_: str) -> str:
        return str(north.new_token()["access_token"])

    return get


async def until(holds: Callable[[], bool]) -> None:
    with anyio.fail_after(10):
        while not holds():
            await anyio.sleep(0.01)


async def test_listeners_are_told_when_the_peer_has_other_tools_and_only_then(
    north: OtherServer, token: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_server.peers.link.FRESH_SECONDS", 0)
    told = Told()
    async with linked(north, told) as link:
        assert [tool.name for tool in (await link.listing(7, "", token)).tools] == ["north__count_trials"]
        await link.listing(7, "", token)
        await until(lambda: not link._fetching)
        assert told.times == 0
        north.tools = [COUNT.model_copy(update={"name": "another"})]
        assert [tool.name for tool in (await link.listing(7, "", token)).tools] == ["north__count_trials"]
        await until(lambda: told.times == 1)
        assert [tool.name for tool in (await link.listing(7, "", token)).tools] == ["north__another"]


async def test_a_list_that_comes_late_is_told_of_and_was_not_waited_for(
    north: OtherServer, token: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_server.peers.link.PATIENCE_SECONDS", 0)
    told = Told()
    async with linked(north, told) as link:
        listing = await link.listing(7, "", token)
        assert (listing.tools, listing.problem) == ([], "North takes long to say what it offers.")
        await until(lambda: told.times == 1)
        assert len((await link.listing(7, "", token)).tools) == 1


async def test_one_persons_list_and_one_logins_list_are_nobody_elses(
    north: OtherServer, token: Callable[[str], Any]
) -> None:
    async with linked(north, Told()) as link:
        await link.listing(7, "", token)
        north.tools = []
        assert len((await link.listing(7, "", token)).tools) == 1
        assert (await link.listing(8, "", token)).tools == []
        assert (await link.listing(7, "logged in anew", token)).tools == []


async def test_more_questions_than_a_peer_is_to_answer_at_a_time_are_refused_at_once(
    north: OtherServer, token: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with linked(north, Told()) as link:
        monkeypatch.setattr("mcp_server.peers.turns.AT_A_TIME", 0)
        with pytest.raises(Unavailable, match="questions to answer already"):
            await link._tools(7, token)
