"""What stores keep, for how long, and how much of it."""

import asyncio
import time
import tracemalloc
from collections.abc import Callable

import pytest
from mcp_types import InitializeRequestParams

from core.policy.errors import InvalidInput
from core.policy.permissions import Permission
from core.policy.principal import Principal, TokenLimits, UserType
from mcp_server.auth.caller import Caller
from mcp_server.sessions import MAX_SUBSCRIPTIONS, Sessions
from mcp_server.sessions.memory import MAX_BYTES, Memory
from mcp_server.sessions.redis import RedisStore
from mcp_server.sessions.session import Session, from_record, new_session, owner_of, to_record
from mcp_server.sessions.store import Limits, Store, Stream
from tests.mcp_server.sessions.conftest import LIMITS
from tests.mcp_server.sessions.redis_server import RedisServer

NewStore = Callable[..., Store]


def mary(**principal: object) -> Caller:
    given = {
        "user_id": 10001,
        "user_type": UserType.PRACTITIONER,
        "client_id": "some-client",
        "scopes": frozenset({"mcp"}),
        "token_key": "k",
        "limits": TokenLimits(studies=frozenset({30001})),
        **principal,
    }
    return Caller(Principal(**given), "192.0.2.7", "https://issuer.example")


def client() -> InitializeRequestParams:
    return InitializeRequestParams.model_validate(
        {
            "protocolVersion": "2025-11-25",
            "capabilities": {"elicitation": {"form": {}}, "roots": {"listChanged": True}, "sampling": {}},
            "clientInfo": {"name": "a client with a name", "title": "A client", "version": "1.2.3"},
        }
    )


def test_a_record_of_mary_is_read_as_it_was_written() -> None:
    caller = mary(permissions=frozenset(list(Permission)[:2]), narrowing_id=-5, studies=frozenset({30001}))
    session = new_session(caller, protocol_version="2025-11-25", client=client(), subscriptions=frozenset({"jhe://a"}))
    assert from_record(to_record(session)) == session


@pytest.mark.parametrize(
    "other",
    [
        {"user_id": 10002},
        {"client_id": "another"},
        {"narrowing_id": -5},
        {"permissions": frozenset()},
        {"permissions": frozenset(list(Permission)[:1])},
    ],
)
def test_a_session_of_mary_is_not_that_of_a_token_that_reaches_or_can_do_something_else(
    other: dict[str, object],
) -> None:
    assert owner_of(mary(**other)) != owner_of(mary())
    assert owner_of(mary(token_key="renewed", scopes=frozenset({"mcp", "more"}))) == owner_of(mary())


async def test_a_session_that_mary_does_not_use_lapses(new_store: NewStore) -> None:
    store = new_store(Limits(sessions=10, per_subject=10, idle_seconds=1))
    async with store.run(lambda _: None):
        session = new_session(mary())
        await store.keep(session)
        assert await store.find(session.id) == session
        while await store.ids():
            await asyncio.sleep(0.05)
        assert await store.find(session.id) is None


async def test_a_session_that_mary_uses_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    store, now = Memory(Limits(sessions=10, per_subject=10, idle_seconds=10)), time.monotonic()
    session = new_session(mary())
    await store.keep(session)
    for seconds in (9, 18, 27):
        monkeypatch.setattr("mcp_server.sessions.memory.time.monotonic", lambda later=now + seconds: later)
        assert await store.find(session.id) == session
    monkeypatch.setattr("mcp_server.sessions.memory.time.monotonic", lambda: now + 38)
    assert await store.find(session.id) is None
    assert await store.ids() == []


async def test_streams_of_mary_give_way_to_each_other_and_to_nobody_elses() -> None:
    store = Memory(LIMITS)
    await store.append(Stream("ann", "ann/0"), b"a")
    for number in range(20):
        await store.append(Stream("mary", f"mary/{number}"), b"x" * (MAX_BYTES // 10))
    kept = [number for number in range(20) if await store.after(Stream("mary", f"mary/{number}"), "0") is not None]
    assert kept == list(range(10, 20))
    for _ in range(20):
        await store.append(Stream("mary", "mary/long"), b"x" * (MAX_BYTES // 10))
    assert len(await store.after(Stream("mary", "mary/long"), "0") or []) == 10
    assert await store.after(Stream("ann", "ann/0"), "0")


async def test_what_lasts_in_redis_has_an_end(redis: RedisServer) -> None:
    store = RedisStore(redis.url, LIMITS)
    async with store.run(lambda _: None):
        session = new_session(mary())
        await store.keep(session)
        await store.append(Stream("mary", f"{session.id}/0"), b"a")
        await store.first("change 1", 60)
        keys = await store._redis.keys("*")
        assert len(keys) == 5
        assert [key for key in keys if await store._redis.ttl(key) <= 0] == []


async def test_mary_subscribes_to_so_much_and_no_more(new_store: NewStore) -> None:
    sessions = Sessions(new_store())
    async with sessions.run():
        session = await sessions.open(mary())
        for number in range(MAX_SUBSCRIPTIONS):
            await sessions.subscribe(session, f"jhe://patients/{number}")
        await sessions.subscribe(session, "jhe://patients/1")
        with pytest.raises(InvalidInput, match="unsubscribe from some"):
            await sessions.subscribe(session, "jhe://patients/x")
        [subscriber] = await sessions.subscribers()
        assert len(subscriber.subscriptions) == MAX_SUBSCRIPTIONS


async def test_a_thousand_idle_sessions_take_a_few_megabytes() -> None:
    sessions = Sessions(Memory(Limits(sessions=10_000, per_subject=1_000, idle_seconds=600)))
    tracemalloc.start()
    try:
        opened: list[Session] = [
            await sessions.open(mary(), protocol_version="2025-11-25", client=client()) for _ in range(1_000)
        ]
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(await sessions.ids()) == len(opened)
    assert size < 15_000_000
