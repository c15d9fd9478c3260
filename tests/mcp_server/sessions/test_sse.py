"""HTTP+SSE, for clients that know nothing newer."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest
from mcp import ClientSession
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.sse import sse_client
from mcp.shared.auth import OAuthClientInformationFull

from mcp_server.sessions.redis import RedisStore
from mcp_server.sessions.store import Store
from mcp_server.settings import HttpService
from mcp_server.transports.http import http_app
from mcp_server.transports.messages import MAX_INTRODUCTION
from tests import tokens
from tests.browser.mcp_client import Kept, metadata
from tests.factories import MembershipFactory
from tests.mcp_server.features.inbox import written
from tests.mcp_server.login.authorization_server import authorization_server
from tests.mcp_server.service import served, standing_token
from tests.mcp_server.sessions.client import call, notification, request, session_not_found, text
from tests.mcp_server.sessions.conftest import LIMITS
from tests.mcp_server.sessions.redis_server import RedisServer
from tests.mcp_server.sessions.worker import Worker, listening, worker
from tests.ports import free_ports

NewStore = Callable[..., Store]
INITIALIZE = request(
    0,
    "initialize",
    {"protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {"name": "old", "version": "1"}},
)


class Old:
    def __init__(self, http: httpx2.AsyncClient, served: Worker, token: str | None = None) -> None:
        self.http, self.served = http, served
        self.token = tokens.access_token() if token is None else token
        self.endpoint = ""

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    @asynccontextmanager
    async def connected(self) -> AsyncIterator["Old"]:
        async with self.http.stream("GET", f"{self.served.url}/sse", headers=self.headers) as response:
            self._lines = response.aiter_lines()
            self.endpoint = (await self._event())["data"]
            yield self

    async def send(self, message: object) -> httpx2.Response:
        return await self.http.post(self.served.url + self.endpoint, json=message, headers=self.headers)

    async def hear(self) -> dict[str, object]:
        return httpx2.Response(200, text=(await self._event())["data"]).json()

    async def ask(self, message: object) -> dict[str, object]:
        assert (await self.send(message)).status_code == 202
        return await self.hear()

    async def is_over(self) -> bool:
        return [line async for line in self._lines if line.startswith("data")] == []

    async def _event(self) -> dict[str, str]:
        fields: dict[str, str] = {}
        async for line in self._lines:
            if line:
                name, _, value = line.partition(":")
                fields[name] = value.removeprefix(" ")
            elif "data" in fields:
                return fields
        raise AssertionError("The stream is over.")


async def test_an_old_client_initializes_calls_and_hears(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient
) -> None:
    async with worker(settings_without_database, new_store()) as served, Old(http, served).connected() as mary:
        assert mary.endpoint.startswith("/messages?session_id=")
        assert (await mary.ask(INITIALIZE))["result"]["protocolVersion"] == "2024-11-05"
        assert (await mary.send(notification("notifications/initialized"))).status_code == 202
        assert text(await mary.ask(call(1, "session"))) == "2024-11-05 None"
        assert (await mary.ask(call(2, "steps", {"steps": 1})))["method"] == "notifications/progress"
        assert text(await mary.hear()) == "done"
        assert (await mary.ask(call(3, "tell", {"uri": "jhe://studies"})))["params"] == {"uri": "jhe://studies"}
        assert text(await mary.hear()) == "told"


async def test_an_old_client_that_says_much_of_itself_is_refused_and_may_say_less(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient
) -> None:
    async with worker(settings_without_database, new_store()) as served, Old(http, served).connected() as mary:
        much = {**INITIALIZE["params"], "capabilities": {"experimental": {"x": {"said": "x" * MAX_INTRODUCTION}}}}
        assert (await mary.send({**INITIALIZE, "params": much})).status_code == 400
        assert (await mary.ask(INITIALIZE))["result"]["protocolVersion"] == "2024-11-05"


async def test_the_sdks_own_client_of_that_transport_is_served(
    settings_without_database: HttpService, new_store: NewStore
) -> None:
    headers = {"Authorization": f"Bearer {tokens.access_token()}"}
    async with (
        worker(settings_without_database, new_store()) as served,
        sse_client(f"{served.url}/sse", headers) as streams,
        ClientSession(*streams) as client,
    ):
        await client.initialize()
        answer = await client.call_tool("say", {"text": "old but here"})
        assert answer.content[0].text == "old but here"


async def test_a_client_has_to_initialize_before_it_calls(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient
) -> None:
    async with worker(settings_without_database, new_store()) as served, Old(http, served).connected() as mary:
        assert "error" in await mary.ask(call(1, "say"))


async def test_an_old_client_is_asked_and_cancels(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient
) -> None:
    async with worker(settings_without_database, new_store()) as served, Old(http, served).connected() as mary:
        await mary.ask(INITIALIZE)
        async with httpx2.AsyncClient(timeout=20) as other:
            asking = Old(other, served)
            asking.endpoint = mary.endpoint
            asking.token = mary.token
            calling = _begin(asking, call(1, "ask"))
            question = await mary.hear()
            await mary.send({"jsonrpc": "2.0", "id": question["id"], "result": {"action": "decline"}})
            assert text(await mary.hear()) == "decline None"
            await calling
            calling = _begin(asking, call(2, "wait"))
            await served.under_way.wait()
            await mary.send(notification("notifications/cancelled", {"requestId": 2}))
            assert (await mary.hear())["method"] == "notifications/progress"
            assert (await mary.hear())["error"]["message"] == "Request cancelled"
            await calling
        assert served.cancelled.is_set()


def _begin(asking: Old, message: object) -> asyncio.Task[httpx2.Response]:
    return asyncio.create_task(asking.send(message))


@pytest.mark.parametrize("path", ["/sse", "/messages?session_id=x"])
async def test_nobody_comes_in_without_a_token(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient, path: str
) -> None:
    async with worker(settings_without_database, new_store()) as served:
        method = "GET" if path == "/sse" else "POST"
        assert (await http.request(method, served.url + path)).status_code == 401


async def test_a_message_to_the_session_of_another_is_404_like_one_to_none(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient
) -> None:
    async with worker(settings_without_database, new_store()) as served, Old(http, served).connected() as mary:
        eve = Old(http, served, tokens.access_token(10002))
        refusals = []
        for eve.endpoint in (mary.endpoint, "/messages?session_id=none", "/messages?session_id=", "/messages"):
            refusals.append(await eve.send(INITIALIZE))
        assert all(session_not_found(refused) for refused in refusals)
        assert len({refused.content for refused in refusals}) == 1


@pytest.mark.parametrize("ending", ["", "/"])
@pytest.mark.parametrize("path", ["/sse", "/messages"])
async def test_a_client_finds_metadata_that_spell_the_stream_as_it_does(
    settings_without_database: HttpService, path: str, ending: str
) -> None:
    """RFC 9728 §3.3. It asks for messages' tokens by the stream's address, too: it knows no other."""
    origin = tokens.RESOURCE.removesuffix("/mcp")
    changes = {"given_url": f"{tokens.RESOURCE}{ending}", "sessions": True, "sse": True}
    async with served(settings_without_database.model_copy(update=changes)) as http:
        refused = await (http.get if path == "/sse" else http.post)(f"{origin}{path}")
        named = refused.headers["WWW-Authenticate"].partition('resource_metadata="')[2].partition('"')[0]
        metadata = (await http.get(named)).json()
        token = {"Authorization": f"Bearer {tokens.access_token(aud=changes['given_url'])}"}
        let_in = await http.post(f"{origin}/messages?session_id=none", json={}, headers=token)
    assert refused.status_code == 401
    assert metadata["resource"] == f"{origin}/sse"
    assert session_not_found(let_in)


async def test_the_sdks_own_client_gets_itself_a_token_for_that_transport(
    settings: HttpService, transactional_db: None
) -> None:
    kept, went = Kept(OAuthClientInformationFull(client_id="old", redirect_uris=["http://127.0.0.1/back"])), []

    async def go(url: str) -> None:
        went.append(url)

    with authorization_server() as server:

        async def come_back() -> AuthorizationCodeResult:
            said = dict(parse_qsl(urlsplit(server.browse(f"{went[0]}&nonce=none")).query))
            return AuthorizationCodeResult(code=said["code"], state=said["state"], iss=said["iss"])

        port, _ = free_ports()
        url = f"http://127.0.0.1:{port}"
        claims = {"iss": server.url, "aud": f"{url}/mcp"}
        token = await written(lambda: standing_token(MembershipFactory().practitioner.user, **claims))
        server.token_response = {"access_token": token}
        given = {"issuer": server.url, "given_jwks_url": f"{server.url}/jwks", "given_url": f"{url}/mcp"}
        app = http_app(settings.model_copy(update={**given, "sessions": True, "sse": True}))
        login = OAuthClientProvider(f"{url}/sse", metadata("http://127.0.0.1/back"), kept, go, come_back)
        async with (
            listening(app, port),
            sse_client(f"{url}/sse", auth=login) as streams,
            ClientSession(*streams) as client,
        ):
            assert (await client.initialize()).protocol_version
        assert server.authorizations[0]["resource"] == f"{url}/sse"
        assert server.token_requests[0]["resource"] == f"{url}/sse"


@pytest.mark.parametrize(("path", "method"), [("/sse", "POST"), ("/messages", "GET")])
async def test_the_other_method_is_refused(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient, path: str, method: str
) -> None:
    async with worker(settings_without_database, new_store()) as served:
        headers = Old(http, served).headers | {"Content-Type": "application/json"}
        assert (await http.request(method, served.url + path, headers=headers)).status_code == 405


async def test_a_session_is_over_when_its_stream_is(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient
) -> None:
    async with worker(settings_without_database, new_store()) as served:
        mary = Old(http, served)
        async with mary.connected():
            await mary.ask(INITIALIZE)
        assert served.sessions is not None
        while await served.sessions.ids():
            await asyncio.sleep(0.01)
        assert session_not_found(await mary.send(call(1, "say")))


async def test_what_is_no_message_is_refused_where_it_was_sent(
    settings_without_database: HttpService, new_store: NewStore, http: httpx2.AsyncClient
) -> None:
    async with worker(settings_without_database, new_store()) as served, Old(http, served).connected() as mary:
        assert (await mary.send({"hello": 1})).status_code == 400
        assert (await mary.send([INITIALIZE])).status_code == 400


async def test_a_message_may_reach_another_worker_than_the_one_that_holds_the_stream(
    settings_without_database: HttpService, redis: RedisServer, http: httpx2.AsyncClient
) -> None:
    async with (
        worker(settings_without_database, RedisStore(redis.url, LIMITS)) as one,
        worker(settings_without_database, RedisStore(redis.url, LIMITS)) as other,
        Old(http, one).connected() as mary,
    ):
        mary.served = other
        await mary.ask(INITIALIZE)
        assert text(await mary.ask(call(1, "session"))) == "2024-11-05 None"
        eve = Old(http, other, tokens.access_token(10002))
        eve.endpoint = mary.endpoint
        assert session_not_found(await eve.send(INITIALIZE))
