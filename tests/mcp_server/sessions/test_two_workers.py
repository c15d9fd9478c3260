"""Two workers that share a Redis: any request of a session may reach either."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2

from mcp_server.sessions.redis import RedisStore
from mcp_server.settings import HttpService
from tests import tokens
from tests.mcp_server.sessions.client import Client, call, notification, session_not_found, text
from tests.mcp_server.sessions.conftest import LIMITS
from tests.mcp_server.sessions.redis_server import RedisServer
from tests.mcp_server.sessions.worker import Worker, worker


@asynccontextmanager
async def two_workers(settings: HttpService, redis: RedisServer) -> AsyncIterator[tuple[Worker, Worker]]:
    async with (
        worker(settings, RedisStore(redis.url, LIMITS)) as one,
        worker(settings, RedisStore(redis.url, LIMITS)) as other,
    ):
        yield one, other


async def test_a_session_is_known_to_both(
    settings_without_database: HttpService, redis: RedisServer, http: httpx2.AsyncClient
) -> None:
    async with two_workers(settings_without_database, redis) as (one, other):
        mary = Client(http, one.url)
        await mary.initialize("2025-06-18")
        assert one.sessions is not None
        [session_id] = await one.sessions.ids()
        assert session_id == mary.session_id
        mary.url = other.url
        assert text((await mary.call("session")).json()) == "2025-06-18 None"
        session = await one.sessions._store.find(session_id)
        assert session is not None
        await one.sessions.set_log_level(session, "warning")
        await _until(lambda: mary.call("session"), "2025-06-18 warning")


async def _until(ask, wanted):
    while text((await ask()).json()) != wanted:
        pass


async def test_the_session_of_another_is_refused_on_each(
    settings_without_database: HttpService, redis: RedisServer, http: httpx2.AsyncClient
) -> None:
    async with two_workers(settings_without_database, redis) as (one, other):
        mary, eve = Client(http, one.url), Client(http, one.url, tokens.access_token(10002))
        await mary.initialize()
        eve.session_id = mary.session_id
        for served in (one, other):
            eve.url = mary.url = served.url
            assert session_not_found(await eve.call("say"))
            assert session_not_found(await eve.delete())
            assert session_not_found(await http.get(f"{served.url}/mcp", headers=eve.headers()))
            assert (await mary.call("say")).status_code == 200


async def test_a_session_that_ends_on_one_is_over_on_the_other(
    settings_without_database: HttpService, redis: RedisServer, http: httpx2.AsyncClient
) -> None:
    async with two_workers(settings_without_database, redis) as (one, other):
        mary = Client(http, one.url)
        await mary.initialize()
        async with mary.listening() as stream:
            await stream.next()
            mary.url = other.url
            assert (await mary.call("say")).status_code == 200
            assert (await mary.delete()).status_code == 204
            assert await stream.rest() == []
        assert session_not_found(await mary.call("say"))


async def test_a_call_that_one_answers_is_cancelled_by_way_of_the_other(
    settings_without_database: HttpService, redis: RedisServer, http: httpx2.AsyncClient
) -> None:
    async with two_workers(settings_without_database, redis) as (one, other):
        mary = Client(http, one.url)
        await mary.initialize()
        async with mary.streaming(call(1, "wait")) as stream:
            await one.under_way.wait()
            mary.url = other.url
            await mary.post(notification("notifications/cancelled", {"requestId": 1}))
            *_, answer = await stream.rest()
        assert one.cancelled.is_set()
        assert answer.message["error"]["message"] == "Request cancelled"


async def test_what_one_asks_is_answered_by_way_of_the_other(
    settings_without_database: HttpService, redis: RedisServer, http: httpx2.AsyncClient
) -> None:
    async with two_workers(settings_without_database, redis) as (one, other):
        mary = Client(http, one.url)
        await mary.initialize(elicitation={})
        asked = set()
        for asking, answering in ((one, other), (other, one)):
            mary.url = asking.url
            async with mary.streaming(call(1, "ask")) as stream:
                await stream.next()
                question = (await stream.next()).message
                asked.add(question["id"])
                mary.url = answering.url
                await mary.post({"jsonrpc": "2.0", "id": question["id"], "result": {"action": "decline"}})
                [answer] = await stream.rest()
            assert text(answer.message) == "decline None"
        assert len(asked) == 2


async def test_what_one_was_answering_is_fetched_from_the_other(
    settings_without_database: HttpService, redis: RedisServer, http: httpx2.AsyncClient
) -> None:
    async with two_workers(settings_without_database, redis) as (one, other):
        mary = Client(http, one.url)
        await mary.initialize()
        async with mary.streaming(call(1, "wait")) as stream:
            primed = await stream.next()
            await one.under_way.wait()
        mary.url = other.url
        async with mary.listening(after=primed.id) as stream:
            step = await stream.next()
            assert step.message["method"] == "notifications/progress"
            one.may_go_on.set()
            [answer] = await stream.rest()
        assert text(answer.message) == "waited"


async def test_what_one_tells_unasked_is_heard_at_the_other(
    settings_without_database: HttpService, redis: RedisServer, http: httpx2.AsyncClient
) -> None:
    async with two_workers(settings_without_database, redis) as (one, other):
        mary = Client(http, one.url)
        await mary.initialize()
        async with mary.listening() as stream:
            await stream.next()
            mary.url = other.url
            await mary.call("tell", {"uri": "jhe://studies"})
            heard = await stream.next()
            assert heard.message["params"] == {"uri": "jhe://studies"}
            async with mary.listening() as elsewhere:
                await elsewhere.next()
                assert await stream.rest() == []


async def test_a_subscription_made_at_one_is_seen_by_the_other_and_acted_on_once(
    settings_without_database: HttpService, redis: RedisServer, http: httpx2.AsyncClient
) -> None:
    async with two_workers(settings_without_database, redis) as (one, other):
        mary = Client(http, one.url)
        await mary.initialize()
        assert one.sessions is not None
        assert other.sessions is not None
        session = await one.sessions._store.find(mary.session_id or "")
        assert session is not None
        await one.sessions.subscribe(session, "jhe://studies")
        [subscriber] = await other.sessions.subscribers()
        assert subscriber.subscriptions == {"jhe://studies"}
        assert subscriber.caller is not None
        assert subscriber.caller.subject == "10001"
        noticed = [await sessions.first("change 5", 60) for sessions in (one.sessions, other.sessions)]
        assert noticed == [True, False]
        await other.sessions.unsubscribe(session, "jhe://studies")
        assert await one.sessions.subscribers() == []


async def test_a_session_outlives_its_worker(
    settings_without_database: HttpService, redis: RedisServer, http: httpx2.AsyncClient
) -> None:
    mary = Client(http, "")
    async with worker(settings_without_database, RedisStore(redis.url, LIMITS)) as before:
        mary.url = before.url
        await mary.initialize()
    async with worker(settings_without_database, RedisStore(redis.url, LIMITS)) as after:
        mary.url = after.url
        assert text((await mary.call("session")).json()) == "2025-11-25 None"


async def test_while_redis_is_away_sessions_are_told_so_and_others_notice_nothing(
    settings_without_database: HttpService, redis: RedisServer, http: httpx2.AsyncClient
) -> None:
    async with two_workers(settings_without_database, redis) as (one, other):
        mary, alone = Client(http, one.url), Client(http, one.url)
        await mary.initialize()
        async with mary.listening() as stream:
            await stream.next()
            redis.stop()
            try:
                for served in (one, other):
                    mary.url = alone.url = served.url
                    refused = await mary.call("say")
                    while refused.status_code == 200:  # what a worker has read a moment ago still counts
                        refused = await mary.call("say")
                    assert refused.status_code == 503
                    assert refused.headers["Retry-After"]
                    assert "try again in a minute" in refused.json()["error"]["message"]
                    assert (await alone.initialize()).status_code == 503
                    alone.session_id = None
                    assert text((await alone.call("say", {"text": "on"})).json()) == "on"
            finally:
                redis.start()
            while (await mary.call("say")).status_code == 503:
                pass
            await mary.call("tell", {"uri": "jhe://studies"})
            heard = await stream.next()
            assert heard.message["params"] == {"uri": "jhe://studies"}


async def test_an_answer_that_was_promised_is_kept_until_redis_is_back(
    settings_without_database: HttpService, redis: RedisServer, http: httpx2.AsyncClient
) -> None:
    async with two_workers(settings_without_database, redis) as (one, _):
        mary = Client(http, one.url)
        await mary.initialize()
        async with mary.streaming(call(1, "wait")) as stream:
            await stream.next()
            await one.under_way.wait()
            redis.stop()
            one.may_go_on.set()
            await one.finished.wait()
            redis.start()
            *_, answer = await stream.rest()
        assert text(answer.message) == "waited"
