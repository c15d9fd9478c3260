"""What is no proper request, and what is told to whoever sends it."""

import asyncio
import json
from collections.abc import Iterator

import httpx2
import pytest
from starlette.types import Message

from mcp_server.sessions.memory import Memory
from mcp_server.settings import HttpService
from mcp_server.transports.messages import MAX_INTRODUCTION
from mcp_server.transports.sse import Sse
from mcp_server.transports.streamable_http import StreamableHttp
from tests.mcp_server.sessions.client import BOTH, Client, call, text
from tests.mcp_server.sessions.conftest import LIMITS
from tests.mcp_server.sessions.worker import Worker, worker

DEEP = b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": ' + b'{"a": ' * 10_000 + b"1" + b"}" * 10_001
NO_JSON = {
    "nothing": b"",
    "half": b'{"jsonrpc":',
    "NaN": b'{"jsonrpc": "2.0", "id": NaN}',
    "bytes": b"\xff\xfe",
    "depth": DEEP,
}
NO_MESSAGE = {
    "a number": 5,
    "nothing": None,
    "an object": {},
    "another version": {"jsonrpc": "1.0", "id": 1, "method": "ping"},
    "an id of neither kind": {"jsonrpc": "2.0", "id": 1.5, "method": "ping"},
    "null for an id": {"jsonrpc": "2.0", "id": None, "method": "ping"},
    "a list of params": {"jsonrpc": "2.0", "id": 1, "method": "ping", "params": [1]},
    "a method that is no text": {"jsonrpc": "2.0", "id": 1, "method": 5},
    "an answer without a result": {"jsonrpc": "2.0", "id": 1},
}


async def sent(served: Worker, http: httpx2.AsyncClient, body: bytes, **headers: str) -> httpx2.Response:
    mary = Client(http, served.url)
    sending = mary.headers(**{"Content-Type": "application/json", **headers})
    return await http.post(f"{served.url}/mcp", content=body, headers=sending)


@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28"])
async def test_what_is_no_json_is_a_parse_error(
    settings_without_database: HttpService, http: httpx2.AsyncClient, version: str
) -> None:
    async with worker(settings_without_database, Memory(LIMITS)) as served:
        for what, body in NO_JSON.items():
            refused = await sent(served, http, body, **{"MCP-Protocol-Version": version})
            assert refused.status_code == 400, what
            assert refused.json()["id"] is None, what
            if what != "NaN":  # Python's own reader, which the SDK uses, takes it
                assert refused.json()["error"]["code"] == -32700, what


async def test_json_that_is_no_message_is_refused(
    settings_without_database: HttpService, http: httpx2.AsyncClient
) -> None:
    async with worker(settings_without_database, Memory(LIMITS)) as served:
        for what, message in NO_MESSAGE.items():
            refused = await sent(served, http, json.dumps(message).encode())
            assert refused.status_code == 400, what
            error = {"code": -32600, "message": "The body is not a JSON-RPC 2.0 message."}
            assert refused.json()["error"] == error, what


async def test_a_batch_is_refused_with_a_sentence(
    settings_without_database: HttpService, http: httpx2.AsyncClient
) -> None:
    async with worker(settings_without_database, Memory(LIMITS)) as served:
        refused = await sent(served, http, json.dumps([call(1, "say"), call(2, "say")]).encode())
        assert refused.status_code == 400
        assert "one JSON-RPC message per request" in refused.json()["error"]["message"]


@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28"])
async def test_a_body_of_ten_megabytes_is_not_read(
    settings_without_database: HttpService, http: httpx2.AsyncClient, version: str
) -> None:
    async def in_pieces():
        for _ in range(10):
            yield b" " * 1_000_000

    async with worker(settings_without_database, Memory(LIMITS)) as served:
        headers = {"MCP-Protocol-Version": version}
        assert (await sent(served, http, b" " * 10_000_000, **headers)).status_code == 413
        assert (await sent(served, http, in_pieces(), **headers)).status_code == 413
        mary = Client(http, served.url)
        await mary.initialize()
        assert text((await mary.call("say", {"text": "here"})).json()) == "here"


async def test_a_client_that_says_much_of_itself_gets_no_session(
    settings_without_database: HttpService, http: httpx2.AsyncClient
) -> None:
    much = {"experimental": {"x": {"said": "x" * MAX_INTRODUCTION}}}
    async with worker(settings_without_database, Memory(LIMITS)) as served:
        mary = Client(http, served.url)
        refused = await mary.initialize(**much)
        assert refused.status_code == 400
        assert refused.json()["error"]["message"].startswith("An initialize has at most 16384 bytes")
        assert served.sessions is not None
        assert await served.sessions.ids() == []


@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28"])
@pytest.mark.parametrize("endpoint", ["/mcp", "/messages"])
async def test_a_client_that_goes_away_amid_its_body_is_told_nothing_and_nothing_fails(
    settings_without_database: HttpService, endpoint: str, version: str
) -> None:
    made = Worker(Memory(LIMITS))
    mcp = StreamableHttp(made.server(), settings_without_database, made.sessions)
    assert made.sessions is not None
    session = await made.sessions.open(None)
    app = mcp if endpoint == "/mcp" else Sse(mcp.kernel, settings_without_database, made.sessions).message
    headers = {"Host": "localhost", "Content-Type": "application/json", "Accept": BOTH, "MCP-Protocol-Version": version}
    scope = {
        "type": "http",
        "method": "POST",
        "path": endpoint,
        "query_string": f"session_id={session.id}".encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    for begun in ([], [{"type": "http.request", "body": b'{"jsonrpc"', "more_body": True}]):
        coming = iter([*begun, {"type": "http.disconnect"}])

        async def receive(coming: Iterator[Message] = coming) -> Message:
            return next(coming)

        await app(scope, receive, send)
    assert sent == []


async def test_a_request_by_a_way_that_is_not_open_is_refused(
    settings_without_database: HttpService, http: httpx2.AsyncClient
) -> None:
    closed = {
        ("Accept", "text/html"): 406,
        ("Accept", "text/event-stream"): 406,
        ("Content-Type", "text/plain"): 400,
        ("Origin", "https://evil.example"): 403,
        ("Host", "evil.example"): 421,
        ("MCP-Protocol-Version", "1999-01-01"): 400,
    }
    async with worker(settings_without_database, Memory(LIMITS)) as served:
        for header, status in closed.items():
            refused = await sent(served, http, json.dumps(call(1, "say")).encode(), **dict([header]))
            assert refused.status_code == status, header


async def test_other_methods_are_told_which_there_are(
    settings_without_database: HttpService, http: httpx2.AsyncClient
) -> None:
    async with worker(settings_without_database, Memory(LIMITS)) as served:
        for method in ("PUT", "PATCH", "HEAD"):
            refused = await http.request(method, f"{served.url}/mcp", headers=Client(http, served.url).headers())
            assert refused.status_code == 405
            assert refused.headers["Allow"] == "POST, GET, DELETE"


async def test_a_client_that_would_listen_has_to_take_events(
    settings_without_database: HttpService, http: httpx2.AsyncClient
) -> None:
    async with worker(settings_without_database, Memory(LIMITS)) as served:
        mary = Client(http, served.url)
        await mary.initialize()
        headers = mary.headers(Accept="application/json")
        assert (await http.get(f"{served.url}/mcp", headers=headers)).status_code == 406


async def test_a_method_that_is_not_there_is_told_in_the_answer(
    settings_without_database: HttpService, http: httpx2.AsyncClient
) -> None:
    async with worker(settings_without_database, Memory(LIMITS)) as served:
        mary = Client(http, served.url)
        await mary.initialize()
        answer = await mary.post({"jsonrpc": "2.0", "id": "x", "method": "tea/make"})
        assert answer.status_code == 200
        assert answer.json()["id"] == "x"
        assert answer.json()["error"]["code"] == -32601


async def test_a_call_that_fails_says_nothing_of_how(
    settings_without_database: HttpService, http: httpx2.AsyncClient
) -> None:
    async with worker(settings_without_database, Memory(LIMITS)) as served:
        mary = Client(http, served.url)
        await mary.initialize()
        answer = await mary.call("steps", {"steps": "many"})
        assert answer.json()["error"] == {"code": -32603, "message": "Internal server error"}


async def test_a_modern_client_hears_progress_where_it_asked_for_it_and_has_json_otherwise(
    settings_without_database: HttpService, http: httpx2.AsyncClient
) -> None:
    async with worker(settings_without_database, None) as served:
        with_progress, without = [
            await http.post(f"{served.url}/mcp", json=modern(**meta), headers=modern_headers(served, http))
            for meta in ({"progressToken": 5}, {})
        ]
        assert with_progress.headers["Content-Type"] == "text/event-stream"
        assert with_progress.text.count("notifications/progress") == 3
        assert without.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("meta", [{"progressToken": 5}, {}], ids=["a stream", "json"])
async def test_a_modern_client_that_goes_away_cancels_its_call(
    settings_without_database: HttpService, http: httpx2.AsyncClient, meta: dict[str, int]
) -> None:
    async with worker(settings_without_database, None) as served:
        message, headers = modern("wait", **meta), modern_headers(served, http, "wait")
        calling = asyncio.create_task(http.post(f"{served.url}/mcp", json=message, headers=headers))
        await served.under_way.wait()
        calling.cancel()
        await served.cancelled.wait()
        assert not served.finished.is_set()


def modern(tool: str = "steps", **meta: int) -> dict[str, object]:
    prefix = "io.modelcontextprotocol"
    said = {f"{prefix}/protocolVersion": "2026-07-28", f"{prefix}/clientCapabilities": {}, **meta}
    params = {"name": tool, "arguments": {"steps": 3}, "_meta": said}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


def modern_headers(served: Worker, http: httpx2.AsyncClient, tool: str = "steps") -> dict[str, str]:
    mary = Client(http, served.url)
    mary.version = "2026-07-28"
    return mary.headers(**{"Accept": BOTH, "Mcp-Method": "tools/call", "Mcp-Name": tool})
