"""Sessions of the handshake revisions: whose they are, and when they end; kept in the process, and in Redis."""

from collections.abc import Callable

import httpx2
import pytest

from mcp_server.sessions.store import Limits, Store
from mcp_server.settings import HttpService
from tests import tokens
from tests.mcp_server.sessions.client import Client, call, notification, session_not_found, text
from tests.mcp_server.sessions.worker import worker

NewStore = Callable[..., Store]
OLDER = ["2025-06-18", "2025-03-26", "2024-11-05"]


@pytest.mark.parametrize("version", ["2025-11-25", *OLDER])
async def test_a_client_of_each_revision_gets_a_session_that_knows_what_it_said(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient, version: str
) -> None:
    async with worker(settings_without_database, new_store()) as served:
        mary = Client(http, served.url)
        answer = await mary.initialize(version)
        assert answer.json()["result"]["protocolVersion"] == version
        assert (await mary.post(notification("notifications/initialized"))).status_code == 202
        called = await mary.call("session")
        assert called.headers["Content-Type"] == "application/json"
        assert text(called.json()) == f"{version} None"
        assert served.heard == ["notifications/initialized"]


async def test_a_service_without_sessions_gives_no_id_and_answers_all_the_same(
    settings_without_database: HttpService, http: httpx2.AsyncClient
) -> None:
    async with worker(settings_without_database, None) as served:
        mary = Client(http, served.url)
        assert "Mcp-Session-Id" not in (await mary.initialize()).headers
        assert text((await mary.call("session")).json()) == "none"
        assert (await http.get(f"{served.url}/mcp", headers=mary.headers())).status_code == 405
        assert (await mary.delete()).status_code == 405
        mary.session_id = "from before the redeploy"
        assert text((await mary.call("say", {"text": "on"})).json()) == "on"


async def test_a_client_behind_a_proxy_that_strips_the_session_id_just_goes_on(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient
) -> None:
    async with worker(settings_without_database, new_store()) as served:
        mary = Client(http, served.url)
        await mary.initialize()
        mary.session_id = None
        assert text((await mary.call("session")).json()) == "none"
        assert (await mary.post(notification("notifications/initialized"))).status_code == 202
        assert (await http.get(f"{served.url}/mcp", headers=mary.headers())).status_code == 405
        async with mary.streaming(call(1, "steps", {"steps": 2})) as stream:
            events = await stream.rest()
        assert [event.message.get("method", "answer") for event in events] == ["notifications/progress"] * 2 + [
            "answer"
        ]
        assert {event.id for event in events} == {""}


async def test_a_session_that_is_not_there_is_404_so_that_the_client_initializes_again(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient
) -> None:
    async with worker(settings_without_database, new_store()) as served:
        mary = Client(http, served.url)
        for session_id in ("unknown", "x" * 5_000, "jhe:*"):
            mary.session_id = session_id
            assert session_not_found(await mary.call("say"))
            assert session_not_found(await mary.post(notification("notifications/initialized")))
            assert session_not_found(await mary.delete())
            assert session_not_found(await http.get(f"{served.url}/mcp", headers=mary.headers()))
        assert "Mcp-Session-Id" in (await mary.initialize()).headers


@pytest.mark.parametrize(
    "other",
    [
        {"user_id": 10002},
        {"client_id": "another-client"},
    ],
    ids=["another person", "another client of the same person"],
)
async def test_nobody_can_use_the_session_of_another_or_learn_that_it_is_there(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient, other: dict[str, object]
) -> None:
    async with worker(settings_without_database, new_store()) as served:
        mary = Client(http, served.url)
        await mary.initialize()
        eve = Client(http, served.url, tokens.access_token(**other))
        eve.session_id = "none at all"
        unknown = await eve.call("say")
        eve.session_id = mary.session_id
        refusals = [
            await eve.call("say"),
            await eve.post(notification("notifications/cancelled", {"requestId": 1})),
            await eve.post({"jsonrpc": "2.0", "id": 1, "result": {}}),
            await eve.delete(),
            await http.get(f"{served.url}/mcp", headers=eve.headers()),
            await http.get(f"{served.url}/mcp", headers=eve.headers(**{"Last-Event-ID": "0.0"})),
        ]
        assert {(refusal.status_code, refusal.content) for refusal in refusals} == {(404, unknown.content)}
        assert text((await mary.call("say", {"text": "mine"})).json()) == "mine"


async def test_a_person_goes_on_with_a_renewed_token(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient
) -> None:
    async with worker(settings_without_database, new_store()) as served:
        mary = Client(http, served.url)
        await mary.initialize()
        mary.token = tokens.access_token(scope="openid mcp more")
        assert text((await mary.call("session")).json()) == "2025-11-25 None"
        assert served.sessions is not None
        await served.sessions.subscribe((await _only(served)), "jhe://studies")
        [subscriber] = await served.sessions.subscribers()
        assert subscriber.caller is not None
        assert "more" in subscriber.caller.principal.scopes


async def _only(served):
    [session_id] = await served.sessions.ids()
    return await served.sessions._store.find(session_id)


async def test_a_session_that_its_client_ends_is_over(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient
) -> None:
    async with worker(settings_without_database, new_store()) as served:
        mary = Client(http, served.url)
        await mary.initialize()
        async with mary.listening() as stream:
            await stream.next()
            assert (await mary.delete()).status_code == 204
            assert await stream.rest() == []
        assert session_not_found(await mary.call("say"))


async def test_the_session_that_was_not_used_for_longest_gives_way_to_one_too_many_of_a_person(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient
) -> None:
    store = new_store(Limits(sessions=100, per_subject=2, idle_seconds=600))
    async with worker(settings_without_database, store) as served:
        ann = Client(http, served.url, tokens.access_token(10002))
        await ann.initialize()
        first, second, third = [Client(http, served.url) for _ in range(3)]
        for client in (first, second, third):
            await client.initialize()
        assert session_not_found(await first.call("say"))
        for client in (second, third, ann):
            assert (await client.call("say")).status_code == 200


async def test_a_service_that_is_full_says_so_and_serves_whoever_needs_no_session(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient
) -> None:
    store = new_store(Limits(sessions=1, per_subject=5, idle_seconds=600))
    async with worker(settings_without_database, store) as served:
        mary, ann = Client(http, served.url), Client(http, served.url, tokens.access_token(10002))
        await mary.initialize()
        refused = await ann.initialize()
        assert refused.status_code == 503
        assert refused.headers["Retry-After"]
        assert "as many sessions as it can" in refused.json()["error"]["message"]
        assert (await ann.call("say")).status_code == 200
        assert (await mary.call("say")).status_code == 200
        await mary.delete()
        assert (await ann.initialize()).status_code == 200
