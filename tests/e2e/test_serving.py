"""The web service as a process: what it reads of a request, and that slow clients take nobody else's place."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx2
import psycopg2
import pytest

from demo.services import Exchange
from jhe import embedded
from jhe.__main__ import APPLICATION_NAME, MAX_BODY_BYTES, THREADS

MANY = 3 * THREADS
HALF_A_REQUEST = b"POST /accounts/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nusername="


@pytest.fixture
def web(exchange: Exchange) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=exchange.web_url, timeout=20) as http:
        yield http


def chunks(size: int) -> Iterator[bytes]:
    """Without a declared size."""
    for start in range(0, size, 65_536):
        yield b"x" * min(65_536, size - start)


def connect(exchange: Exchange, stack: ExitStack) -> socket.socket:
    return stack.enter_context(socket.create_connection(("127.0.0.1", exchange.web_port)))


@pytest.mark.parametrize("size", [0, 1, MAX_BODY_BYTES])
def test_a_body_within_the_bound_reaches_its_page(web: httpx2.Client, size: int) -> None:
    """A page that takes no POST, which is said once the body was read."""
    assert web.post("/healthz", content=b"x" * size).status_code == 404
    without_framing = size * 99 // 100  # chunks have a head each
    assert web.post("/healthz", content=chunks(without_framing)).status_code == 404


def test_a_body_that_is_declared_larger_is_refused_unread(exchange: Exchange) -> None:
    with ExitStack() as stack:
        connection = connect(exchange, stack)
        connection.settimeout(20)
        connection.sendall(b"POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 600000000\r\n\r\n")
        answer = connection.makefile("rb").read().decode()  # until the server closes the connection
    assert answer.startswith("HTTP/1.1 413 ")
    assert f"exceeds max_body of {MAX_BODY_BYTES + 1}" in answer


def test_a_body_without_a_declared_size_is_refused_where_it_passes_the_bound(exchange: Exchange) -> None:
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    with ExitStack() as stack:
        connection = connect(exchange, stack)
        connection.settimeout(20)
        connection.sendall(b"POST /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.sendall(chunk * (MAX_BODY_BYTES // 65_536 + 1))
        assert connection.recv(12) == b"HTTP/1.1 413"


@pytest.mark.parametrize(
    "sent", [b"", b"POST /accounts/login/ HTTP/1.1\r\nHo", HALF_A_REQUEST], ids=["idle", "head", "body"]
)
def test_clients_that_send_slowly_take_nobody_elses_place(exchange: Exchange, web: httpx2.Client, sent: bytes) -> None:
    with ExitStack() as others:
        for _ in range(MANY):
            connect(exchange, others).sendall(sent)
        assert web.get("/accounts/login/").status_code == 200


def test_clients_that_do_not_read_take_nobody_elses_place(exchange: Exchange, web: httpx2.Client) -> None:
    with ExitStack() as others:
        for _ in range(MANY):
            connection = connect(exchange, others)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            connection.sendall(b"GET /.well-known/smart-configuration HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
        assert web.get("/accounts/login/").status_code == 200


def test_however_many_requests_come_there_are_no_more_database_connections_than_threads(
    exchange: Exchange, web: httpx2.Client
) -> None:
    token = {"grant_type": "refresh_token", "refresh_token": "x", "client_id": "jhe-mcp-stdio"}
    with ThreadPoolExecutor(MANY) as clients:
        answers = list(clients.map(lambda _: web.post("/o/token/", data=token), range(2 * MANY)))
    assert {answer.status_code for answer in answers} == {400}
    with psycopg2.connect(embedded.database_url(exchange.data_dir)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", [APPLICATION_NAME])
        assert 0 < cursor.fetchone()[0] <= THREADS
    connection.close()
