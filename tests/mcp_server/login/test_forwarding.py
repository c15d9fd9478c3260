"""Forwarding: where a token is sent, what a host is told while a call waits, and MCP tokens in the place of a login."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import mcp_types as types
import pytest
from mcp import Client
from mcp.client.context import ClientRequestContext

from core.policy.errors import InvalidInput
from core.policy.mcp_tokens import new_token
from mcp_server.app import build_server
from mcp_server.auth.login import AccessTokens, GivenToken
from mcp_server.auth.token_store import TokenStore
from mcp_server.backends import Backend
from mcp_server.backends.forward import Forward
from mcp_server.backends.waiting import Waiting
from mcp_server.settings import Exchange
from mcp_server.transports.stdio import backend
from tests.mcp_server.login.authorization_server import AuthorizationServer, get
from tests.mcp_server.login.logins import login
from tests.mcp_server.login.test_waiting import Window

COUNT = {"total": 2, "organizations": [], "returned": 0, "truncated": False}
DONE = {"content": [{"type": "text", "text": "You can see 2 studies."}], "structuredContent": COUNT}


class Endpoints(ThreadingHTTPServer):
    """An MCP endpoint that answers every call with DONE, or as a test wishes."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.url = f"http://127.0.0.1:{self.server_port}/mcp"
        self.asked: list[tuple[str, str | None]] = []
        """Path and Authorization header."""
        self.status = 200
        self.headers: dict[str, str] = {}


class _Answers(BaseHTTPRequestHandler):
    server: Endpoints

    def do_POST(self) -> None:
        self.server.asked.append((self.path, self.headers["Authorization"]))
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        result = {"resultType": "complete", **DONE}
        body = json.dumps({"jsonrpc": "2.0", "id": sent.get("id"), "result": result}).encode()
        self.send_response(self.server.status)
        for name, value in {"Content-Type": "application/json", **self.server.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[Endpoints]:
    with Endpoints() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@asynccontextmanager
async def asking(answers: Backend, **options: Any) -> AsyncIterator[Client]:
    async with Client(build_server(answers), **options) as client:
        yield client


async def said(endpoint: Endpoints, tokens: AccessTokens) -> str:
    async with Forward(endpoint.url, tokens) as forward, asking(forward) as client:
        answer = await client.call_tool("get_study_count", {})
    return answer.content[0].text  # type: ignore[union-attr]


async def test_an_mcp_token_asks_in_the_place_of_a_login(endpoint: Endpoints) -> None:
    token = new_token()
    assert await said(endpoint, GivenToken(token)) == "You can see 2 studies."
    assert endpoint.asked == [("/mcp", f"Bearer {token}")]


async def test_an_mcp_token_that_is_refused_is_said_to_be_and_opens_no_window(endpoint: Endpoints) -> None:
    endpoint.status = 401
    sentence = await said(endpoint, GivenToken(new_token()))
    assert sentence == "The exchange refuses the MCP token in JHE_MCP_TOKEN: make a new one there."
    assert len(endpoint.asked) == 1


async def test_an_mcp_token_asks_no_database() -> None:
    settings = Exchange(database_url="postgresql://jhe_mcp@127.0.0.1:1/x")
    with pytest.raises(InvalidInput, match="leave out --database-url"):
        async with backend(settings, GivenToken(new_token())):
            pass


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("there", ["/elsewhere", "http://127.0.0.1:1/mcp", "http://localhost:{port}/mcp"])
async def test_a_token_does_not_follow_a_redirect(endpoint: Endpoints, status: int, there: str) -> None:
    endpoint.status, endpoint.headers = status, {"Location": there.format(port=endpoint.server_port)}
    assert (await said(endpoint, GivenToken(new_token()))).startswith("The exchange says that it has moved")
    assert [path for path, _ in endpoint.asked] == ["/mcp"]


async def test_a_token_is_not_sent_to_another_address_than_its_own(endpoint: Endpoints) -> None:
    forward = Forward("http://127.0.0.1:1/mcp", GivenToken(new_token()))
    async with forward:
        for url in (endpoint.url, "http://127.0.0.1:1/other", "http://127.0.0.1:1/mcp?x=1"):
            response = await forward._http.post(url, json={})
            assert "not sent to another address" in response.json()["error"]["message"]
    assert endpoint.asked == []


async def test_a_call_waits_for_the_login_says_so_and_answers_by_itself(
    server: AuthorizationServer, store: TokenStore, endpoint: Endpoints
) -> None:
    window, told = Window(), asyncio.Event()
    messages: list[str] = []

    async def progress(_: float, __: float | None, message: str | None) -> None:
        messages.append(message or "")
        told.set()

    person = login(server, store, window.show, wait=60)
    async with Forward(endpoint.url, person) as forward, asking(Waiting(forward, person)) as client:
        call = asyncio.create_task(client.call_tool("get_study_count", {}, progress_callback=progress))
        await told.wait()
        await get(server.browse(window.prompts[0].url))
        answer = await call
    await person.aclose()
    assert answer.structured_content == COUNT
    assert messages[0] == f"Waiting for you. {window.prompts[0].sentence}"
    assert endpoint.asked == [("/mcp", "Bearer access-1")]


@asynccontextmanager
async def eliciting(
    server: AuthorizationServer, store: TokenStore, endpoint: Endpoints, action: str, mode: str = "legacy"
) -> AsyncIterator[tuple[Client, list[types.ElicitRequestURLParams]]]:
    """A host that can show URLs, with a person who does as `action` says, on a machine without a display."""
    shown: list[types.ElicitRequestURLParams] = []

    async def elicit(_: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:
        assert isinstance(params, types.ElicitRequestURLParams)
        shown.append(params)
        if action == "accept":
            await get(server.browse(params.url))
        return types.ElicitResult.model_validate({"action": action})

    person = login(server, store, Window().show, wait=60)
    async with (
        Forward(endpoint.url, person) as forward,
        asking(Waiting(forward, person), elicitation_callback=elicit, mode=mode) as client,
    ):
        yield client, shown
    await person.aclose()


async def test_a_host_that_can_show_urls_brings_the_login_before_the_person(
    server: AuthorizationServer, store: TokenStore, endpoint: Endpoints
) -> None:
    async with eliciting(server, store, endpoint, "accept") as (client, shown):
        answer = await client.call_tool("get_study_count", {})
    assert answer.structured_content == COUNT
    [elicited] = shown
    assert elicited.url.startswith(f"{server.url}/authorize?")


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_person_who_declines_to_log_in_is_not_waited_for(
    server: AuthorizationServer, store: TokenStore, endpoint: Endpoints, action: str
) -> None:
    async with eliciting(server, store, endpoint, action) as (client, _):
        answer = await client.call_tool("get_study_count", {})
    assert answer.is_error
    assert "given up" in answer.content[0].text  # type: ignore[union-attr]
    assert endpoint.asked == []


async def test_where_there_is_a_browser_nothing_is_elicited(
    server: AuthorizationServer, store: TokenStore, endpoint: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_server.backends.waiting.has_display", lambda: True)
    told = asyncio.Event()

    async def progress(_: float, __: float | None, ___: str | None) -> None:
        told.set()

    async with eliciting(server, store, endpoint, "accept") as (client, shown):
        call = asyncio.create_task(client.call_tool("get_study_count", {}, progress_callback=progress))
        await told.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert shown == []


def test_no_token_is_sent_in_the_clear_to_another_machine():
    for url in ("http://exchange.example.org/mcp", "http://127.0.0.2:8001/mcp"):
        with pytest.raises(InvalidInput, match="https only"):
            Forward(url, GivenToken(new_token()))
