"""What a client hears before the answer, what it hears unasked, and how it gets what it has missed."""

import asyncio
import time
from collections.abc import Callable

import httpx2
import pytest

from mcp_server.auth.caller import Caller
from mcp_server.sessions import streams
from mcp_server.sessions.memory import Memory
from mcp_server.sessions.store import MAX_EVENTS, Store
from mcp_server.settings import HttpService
from mcp_server.transports import event_stream
from tests import tokens
from tests.mcp_server.sessions.client import Client, call, notification, request, text
from tests.mcp_server.sessions.conftest import LIMITS
from tests.mcp_server.sessions.worker import worker

NewStore = Callable[..., Store]
ANSWER = {"action": "accept", "content": {"which": "that"}}


async def test_progress_turns_the_answer_into_a_stream_that_ends_with_it(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient
) -> None:
    async with worker(settings_without_database, new_store()) as served:
        mary = Client(http, served.url)
        await mary.initialize()
        async with mary.streaming(call(7, "steps", {"steps": 3})) as stream:
            assert stream.response.headers["Content-Type"].startswith("text/event-stream")
            primed, *steps, answer = await stream.rest()
        assert primed.message == {}
        assert primed.id
        assert primed.retry
        assert [step.message["params"] for step in steps] == [
            {"progressToken": "token", "progress": number, "total": 3} for number in range(3)
        ]
        assert answer.message["id"] == 7
        assert text(answer.message) == "done"


async def test_a_client_that_takes_json_only_gets_the_answer_without_the_progress(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient
) -> None:
    async with worker(settings_without_database, new_store()) as served:
        mary = Client(http, served.url)
        await mary.initialize()
        answer = await mary.post(call(1, "steps", {"steps": 3}), Accept="application/json")
        assert text(answer.json()) == "done"
        refused = await mary.post(call(2, "ask"), Accept="application/json")
        assert "error" in refused.json()


async def test_a_client_that_asked_for_no_progress_hears_of_none(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient
) -> None:
    async with worker(settings_without_database, new_store()) as served:
        mary = Client(http, served.url)
        await mary.initialize()
        asked = request(1, "tools/call", {"name": "steps", "arguments": {"steps": 3}})
        assert text((await mary.post(asked)).json()) == "done"


@pytest.mark.parametrize("version", ["2025-06-18", "2025-03-26", "2024-11-05"])
async def test_a_client_that_knows_no_events_without_data_gets_none(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient, version: str
) -> None:
    async with worker(settings_without_database, new_store()) as served:
        mary = Client(http, served.url)
        await mary.initialize(version)
        async with mary.streaming(call(1, "steps", {"steps": 1})) as stream:
            events = await stream.rest()
        assert [event.message.get("method") for event in events] == ["notifications/progress", None]


async def test_a_client_fetches_what_it_missed_of_a_stream_and_nothing_of_another(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient
) -> None:
    async with worker(settings_without_database, new_store()) as served:
        mary = Client(http, served.url)
        await mary.initialize()
        async with mary.streaming(call(1, "steps", {"steps": 3})) as stream:
            first, second, *rest = await stream.rest()
        async with mary.streaming(call(2, "steps", {"steps": 2})) as stream:
            await stream.rest()
        for seen, missed in ((first, [second, *rest]), (second, rest)):
            async with mary.listening(after=seen.id) as stream:
                assert await stream.rest() == missed


async def test_events_are_not_found_by_their_ids_in_another_session(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient
) -> None:
    async with worker(settings_without_database, new_store()) as served:
        mary, eve = Client(http, served.url), Client(http, served.url, tokens.access_token(10002))
        again = Client(http, served.url)
        for client in (mary, eve, again):
            await client.initialize()
        async with mary.streaming(call(1, "steps", {"steps": 1})) as stream:
            primed, *_ = await stream.rest()
        for client in (eve, again):
            refused = await http.get(f"{served.url}/mcp", headers=client.headers(**{"Last-Event-ID": primed.id}))
            assert refused.status_code == 400
            assert "not kept" in refused.text


async def test_what_is_no_event_id_is_refused(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient
) -> None:
    async with worker(settings_without_database, new_store()) as served:
        mary = Client(http, served.url)
        await mary.initialize()
        for last in ("", "0", "0.x", "../0.1", "0.1.2", "*.1", f"0.{'9' * 30}", f"0.{'9' * 20}"):
            refused = await http.get(f"{served.url}/mcp", headers=mary.headers(**{"Last-Event-ID": last}))
            assert refused.status_code == 400, last


async def test_a_client_that_goes_away_cancels_nothing_and_fetches_the_answer_later(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient
) -> None:
    async with worker(settings_without_database, new_store()) as served:
        mary = Client(http, served.url)
        await mary.initialize()
        async with mary.streaming(call(1, "wait")) as stream:
            primed = await stream.next()
            await served.under_way.wait()
        served.may_go_on.set()
        async with mary.listening(after=primed.id) as stream:
            step, answer = await stream.rest()
        assert step.message["method"] == "notifications/progress"
        assert text(answer.message) == "waited"
        assert not served.cancelled.is_set()


async def test_a_server_may_hang_up_and_the_client_comes_back_for_the_answer_while_it_is_made(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient
) -> None:
    async with worker(settings_without_database, new_store()) as served:
        mary = Client(http, served.url)
        await mary.initialize()
        async with mary.streaming(call(1, "hang_up")) as stream:
            [primed] = await stream.rest()
        assert primed.id
        async with mary.listening(after=primed.id) as stream:
            served.may_go_on.set()
            [answer] = await stream.rest()
        assert text(answer.message) == "hung up"


async def test_a_client_is_asked_in_the_stream_and_answers_in_a_post(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient
) -> None:
    async with worker(settings_without_database, new_store()) as served:
        mary = Client(http, served.url)
        await mary.initialize(elicitation={})
        async with mary.streaming(call(1, "ask")) as stream:
            await stream.next()
            question = (await stream.next()).message
            assert question["method"] == "elicitation/create"
            accepted = await mary.post({"jsonrpc": "2.0", "id": question["id"], "result": ANSWER})
            assert accepted.status_code == 202
            [answer] = await stream.rest()
        assert text(answer.message) == "accept {'which': 'that'}"


async def test_nobody_else_can_answer_what_a_client_was_asked(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient
) -> None:
    async with worker(settings_without_database, new_store()) as served:
        mary, eve = Client(http, served.url), Client(http, served.url, tokens.access_token(10002))
        await mary.initialize(elicitation={})
        await eve.initialize()
        async with mary.streaming(call(1, "ask")) as stream:
            await stream.next()
            question = (await stream.next()).message
            await eve.post({"jsonrpc": "2.0", "id": question["id"], "result": {"action": "decline"}})
            await mary.post({"jsonrpc": "2.0", "id": question["id"], "result": ANSWER})
            [answer] = await stream.rest()
        assert text(answer.message).startswith("accept")


async def test_a_client_that_does_not_answer_in_time_is_told_that_it_need_not(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient
) -> None:
    async with worker(settings_without_database, new_store()) as served:
        mary = Client(http, served.url)
        await mary.initialize(elicitation={})
        async with mary.streaming(call(1, "ask", {"seconds": 0.05})) as stream:
            _, question, withdrawn, answer = await stream.rest()
        assert withdrawn.message["method"] == "notifications/cancelled"
        assert withdrawn.message["params"]["requestId"] == question.message["id"]
        assert "did not answer elicitation/create in 0.05 s" in answer.message["error"]["message"]


@pytest.mark.parametrize("request_id", [5, "five"])
async def test_a_client_cancels_its_call(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient, request_id: int | str
) -> None:
    async with worker(settings_without_database, new_store()) as served:
        mary = Client(http, served.url)
        await mary.initialize()
        async with mary.streaming(call(request_id, "wait")) as stream:
            await served.under_way.wait()
            await mary.post(notification("notifications/cancelled", {"requestId": request_id, "reason": "enough"}))
            *_, answer = await stream.rest()
        assert served.cancelled.is_set()
        assert answer.message["error"]["message"] == "Request cancelled"


async def test_a_question_of_a_call_that_is_cancelled_is_withdrawn(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient
) -> None:
    async with worker(settings_without_database, new_store()) as served:
        mary = Client(http, served.url)
        await mary.initialize(elicitation={})
        async with mary.streaming(call(1, "ask")) as stream:
            await stream.next()
            question = (await stream.next()).message
            await mary.post(notification("notifications/cancelled", {"requestId": 1}))
            withdrawn, answer = await stream.rest()
        assert withdrawn.message["method"] == "notifications/cancelled"
        assert withdrawn.message["params"]["requestId"] == question["id"]
        assert answer.message["error"]["message"] == "Request cancelled"


async def test_nobody_cancels_the_call_of_another(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient
) -> None:
    async with worker(settings_without_database, new_store()) as served:
        mary, eve = Client(http, served.url), Client(http, served.url, tokens.access_token(10002))
        await mary.initialize()
        await eve.initialize()
        async with mary.streaming(call(1, "wait")) as stream:
            await served.under_way.wait()
            await eve.post(notification("notifications/cancelled", {"requestId": 1}))
            eve.session_id = None
            await eve.post(notification("notifications/cancelled", {"requestId": 1}))
            served.may_go_on.set()
            *_, answer = await stream.rest()
        assert text(answer.message) == "waited"


async def test_what_is_said_unasked_goes_to_whoever_listens_and_is_fetched_by_who_was_away(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient
) -> None:
    async with worker(settings_without_database, new_store()) as served:
        mary = Client(http, served.url)
        await mary.initialize()
        async with mary.listening() as stream:
            await stream.next()
            assert text((await mary.call("tell", {"uri": "jhe://studies/1"})).json()) == "told"
            heard = await stream.next()
        await mary.call("tell", {"uri": "jhe://studies/2"})
        async with mary.listening(after=heard.id) as stream:
            missed = await stream.next()
        assert [event.message["params"]["uri"] for event in (heard, missed)] == ["jhe://studies/1", "jhe://studies/2"]


async def test_a_client_that_listens_once_more_takes_the_place_of_itself(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient
) -> None:
    async with worker(settings_without_database, new_store()) as served:
        mary = Client(http, served.url)
        await mary.initialize()
        async with mary.listening() as before:
            await before.next()
            async with mary.listening() as now:
                await now.next()
                assert await before.rest() == []
                await mary.call("tell", {"uri": "jhe://studies"})
                assert (await now.next()).message["method"] == "notifications/resources/updated"


async def test_a_client_that_reads_nothing_holds_up_nobody_and_fills_no_memory(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient
) -> None:
    store = new_store()
    async with worker(settings_without_database, store) as served:
        mary = Client(http, served.url)
        await mary.initialize()
        async with mary.listening() as stream:
            await stream.next()
            assert served.sessions is not None
            [session_id] = await served.sessions.ids()
            session = await store.find(session_id)
            assert session is not None
            for number in range(3 * MAX_EVENTS):
                await served.sessions.notify(session, "notifications/message", {"data": f"{number} {'x' * 1_000}"})
            kept = await store.after(served.sessions.stream(session), "0")
            assert kept is not None
            assert len(kept) == MAX_EVENTS
            assert text((await mary.call("say", {"text": "here"})).json()) == "here"


@pytest.fixture
def looks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LOOK_SECONDS", 0.02)


async def test_a_stream_ends_when_its_token_is_revoked(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient, looks_at_once: None
) -> None:
    revoked = asyncio.Event()

    async def stands(_: Caller) -> bool:
        return not revoked.is_set()

    async with worker(settings_without_database, new_store(), stands) as served:
        mary = Client(http, served.url)
        await mary.initialize()
        async with mary.listening() as standalone, mary.streaming(call(1, "wait")) as called:
            await standalone.next()
            await called.next()
            revoked.set()
            assert await standalone.rest() == []
            await called.rest()
        served.may_go_on.set()


async def test_a_stream_ends_when_its_token_expires(
    settings_without_database: HttpService,
    new_store: NewStore,
    http: httpx2.AsyncClient,
    looks_at_once: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with worker(settings_without_database, new_store()) as served:
        mary = Client(http, served.url)
        await mary.initialize()
        async with mary.listening() as stream:
            await stream.next()
            later = time.time() + 3_700
            monkeypatch.setattr("mcp_server.sessions.streams.time.time", lambda: later)
            assert await stream.rest() == []
        assert (await mary.call("say")).status_code == 401


async def test_a_client_that_takes_nothing_from_its_stream_is_cut_off(
    settings_without_database: HttpService, http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "_SEND_SECONDS", 0.1)
    store = Memory(LIMITS)
    async with worker(settings_without_database, store) as served:
        mary = Client(http, served.url)
        await mary.initialize()
        session = await store.find(mary.session_id or "")
        assert session is not None
        assert served.sessions is not None
        host, port = served.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=1_000)
        lines = [f"{name}: {value}" for name, value in mary.headers(Host="localhost").items()]
        writer.write("\r\n".join(["GET /mcp HTTP/1.1", *lines, "", ""]).encode())
        await reader.readuntil(b"retry: 1000")
        while served.sessions.streams._reading:
            await served.sessions.notify(session, "notifications/message", {"data": "x" * 500_000})
            await asyncio.sleep(0.01)
        assert text((await mary.call("say", {"text": "here"})).json()) == "here"
        writer.close()
