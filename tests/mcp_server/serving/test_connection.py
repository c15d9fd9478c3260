"""Clients that are slow, endless or do not listen, at a real port: each is cut off, and nobody else notices."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from mcp_server.transports.connection import MAX_HEAD, Connection

POST = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\n"
Opened = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Opened]]


class App:
    """Answers with the request's headers; sends without end at /endless, and is told when nobody listens any more."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.headers: dict[bytes, bytes] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endless = scope["path"] == "/endless"
        message = await receive()
        while message.get("more_body"):
            message = await receive()
        self.headers = dict(scope["headers"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if message["type"] == "http.disconnect":
            self.left.set()
        while endless and not self.left.is_set():
            await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
            if (await self._disconnected(receive)) is True:
                self.left.set()
        await send({"type": "http.response.body", "body": b"answered"})

    async def _disconnected(self, receive: Receive) -> bool:
        try:
            async with asyncio.timeout(0):
                return (await receive())["type"] == "http.disconnect"
        except TimeoutError:
            return False


@asynccontextmanager
async def served(app: App, seconds: float) -> AsyncIterator[Connect]:
    config = uvicorn.Config(
        app,
        http=partial(Connection, seconds=seconds),
        ws="none",
        lifespan="off",
        log_config=None,  # type: ignore[arg-type]
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = asyncio.create_task(server.serve([listening]))
        port = listening.getsockname()[1]
        yield lambda: asyncio.open_connection("127.0.0.1", port)
        server.should_exit = True
        await serving


@pytest.fixture
def app() -> App:
    return App()


async def all_of(opened: Opened) -> bytes:
    """What comes until the server closes the connection."""
    reader, writer = opened
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    "sent",
    [b"", b"PO", POST, POST + b"X-Y: ", POST + b"Content-Length: 10\r\n\r\n", POST + b"Content-Length: 10\r\n\r\n{"],
    ids=["nothing", "a method", "half a head", "half a header", "no body", "half a body"],
)
async def test_a_request_that_does_not_arrive_in_time_is_cut_off(app: App, sent: bytes) -> None:
    async with served(app, seconds=0.2) as connect:
        opened = await connect()
        opened[1].write(sent)
        assert await all_of(opened) == b""


async def test_a_body_that_comes_byte_by_byte_is_cut_off_though_something_always_comes(app: App) -> None:
    async with served(app, seconds=0.2) as connect:
        reader, writer = await connect()
        writer.write(POST + b"Content-Length: 100000\r\n\r\n")

        async def drip() -> None:
            while True:
                writer.write(b"x")
                await asyncio.sleep(0.01)

        dripping = asyncio.create_task(drip())
        assert await all_of((reader, writer)) == b""
        dripping.cancel()


async def test_a_connection_is_used_again_and_each_request_has_its_own_time(app: App) -> None:
    async with served(app, seconds=0.2) as connect:
        reader, writer = await connect()
        for _ in range(3):
            writer.write(POST + b"Content-Length: 2\r\n\r\n{}")
            assert (await reader.readuntil(b"answered")).startswith(b"HTTP/1.1 200")
            await reader.readuntil(b"0\r\n\r\n")
            await asyncio.sleep(0.15)
        writer.write(POST)
        assert await all_of((reader, writer)) == b""


@pytest.mark.parametrize("line", [b"X-Name: value\r\n", b"x"], ids=["many headers", "one that has no end"])
async def test_a_head_without_end_is_refused_where_it_passes_the_bound(app: App, line: bytes) -> None:
    async with served(app, seconds=20) as connect:
        reader, writer = await connect()
        writer.write(POST + (b"X-Long: " if line == b"x" else b"") + line * (MAX_HEAD // len(line) + 1))
        assert (await all_of((reader, writer))).startswith(b"HTTP/1.1 400 ")


CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"


@pytest.mark.parametrize("line", [b"X-Name: value\r\n", b"x"], ids=["many", "one that has no end"])
async def test_trailers_without_end_are_refused_where_they_pass_the_bound(app: App, line: bytes) -> None:
    async with served(app, seconds=20) as connect:
        reader, writer = await connect()
        writer.write(CHUNKED)
        await writer.drain()
        writer.write((b"X-Long: " if line == b"x" else b"") + line * (MAX_HEAD * 5 // len(line)))
        assert (await all_of((reader, writer))).startswith(b"HTTP/1.1 400 ")


async def test_a_trailer_is_no_header_of_this_request_or_the_next(app: App) -> None:
    async with served(app, seconds=5) as connect:
        reader, writer = await connect()
        writer.write(CHUNKED + b"Authorization: Bearer a\r\nOrigin: b\r\n\r\n")
        await reader.readuntil(b"answered")
        assert app.headers == {b"host": b"localhost", b"transfer-encoding": b"chunked"}
        writer.write(POST + b"Connection: close\r\nContent-Length: 0\r\n\r\n")
        assert b"answered" in await all_of((reader, writer))
    assert app.headers.keys() == {b"host", b"connection", b"content-length"}


async def test_a_body_is_no_head_however_long_it_is(app: App) -> None:
    async with served(app, seconds=5) as connect:
        reader, writer = await connect()
        writer.write(POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % (MAX_HEAD * 5))
        writer.write(b"x" * MAX_HEAD * 5)
        assert b"answered" in await all_of((reader, writer))


async def test_a_client_that_never_reads_is_cut_off_and_its_answer_is_given_up(app: App) -> None:
    async with served(app, seconds=0.2) as connect:
        _, writer = await connect()
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await app.left.wait()
        other = await connect()
        other[1].write(POST + b"Connection: close\r\nContent-Length: 0\r\n\r\n")
        assert (await all_of(other)).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_spaces_around_a_value_are_not_part_of_it(app: App) -> None:
    async with served(app, seconds=5) as connect:
        opened = await connect()
        opened[1].write(POST + b"Mcp-Method: \t tools/call \t \r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        assert b"answered" in await all_of(opened)
    assert app.headers[b"mcp-method"] == b"tools/call"


async def test_the_end_of_an_answer_does_not_wait_for_the_client_to_acknowledge_its_head(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once: list[bool] = []
    made = Connection.connection_made

    def noted(self: Connection, transport: asyncio.Transport) -> None:
        made(self, transport)
        accepted = transport.get_extra_info("socket")
        at_once.append(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0)

    monkeypatch.setattr(Connection, "connection_made", noted)
    async with served(app, 5) as connect:
        _, writer = await connect()
        writer.write(POST + b"Content-Length: 0\r\nConnection: close\r\n\r\n")
        while not at_once:
            await asyncio.sleep(0)
        writer.close()
    assert at_once == [True]
