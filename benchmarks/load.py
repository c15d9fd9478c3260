"""A lean HTTP/1.1 client that asks the same thing over and over, over connections that stay open.

It runs in a process of its own and parses no more than it must, so that it is not what is measured.
"""

import asyncio
import multiprocessing
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

_SECONDS_TO_ANSWER = 30


class WrongAnswerError(Exception):
    """An answer was no success, or not the one that came before."""


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request as it goes out, head and body."""

    port: int
    sent: bytes


@dataclass(frozen=True, slots=True)
class Load:
    """What came of one round."""

    calls_per_second: float
    p50: float
    """Seconds from a request's first byte out to its answer's last byte in."""
    p99: float
    answer: bytes
    """The body that every call was answered with."""


def request(port: int, path: str, body: bytes = b"", **headers: str) -> Request:
    """A POST of `body`, or a GET when there is none. Headers are named with underscores, as in `content_type=`."""
    given = {"host": f"localhost:{port}", **{name.replace("_", "-"): value for name, value in headers.items()}}
    if body:
        given["content-length"] = str(len(body))
    lines = [f"{'POST' if body else 'GET'} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
    return Request(port, "\r\n".join([*lines, "", ""]).encode() + body)


class Generator:
    """The process that asks."""

    def __init__(self, executor: ProcessPoolExecutor) -> None:
        self._executor = executor

    def run(self, request: Request, *, connections: int, seconds: float) -> Load:
        """Ask for `seconds`. Raises WrongAnswerError unless every answer is a 200 with the same body."""
        return self._executor.submit(_run, request, connections, seconds).result()


@contextmanager
def generator() -> Iterator[Generator]:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield Generator(executor)


class _Connection(asyncio.Protocol):
    def __init__(self, request: Request, times: list[float], ends: float) -> None:
        self._request = request.sent
        self._times = times
        self._ends = ends
        self._received = bytearray()
        self._began = 0.0
        self._answer = b""
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator or len(body) < _content_length(head):
            return
        now = time.perf_counter()
        self._times.append(now - self._began)
        if not head.startswith(b"HTTP/1.1 200") or (self._answer and body != self._answer):
            self._fail(f"{head.decode().splitlines()[0]} {body[:500].decode()}")
        elif now < self._ends:
            self._answer = self._answer or bytes(body)
            self._ask()
        else:
            self._transport.close()
            self.answer.set_result(bytes(body))

    def connection_lost(self, error: Exception | None) -> None:
        if not self.answer.done():
            self._fail(f"the connection was lost: {error}")

    def _ask(self) -> None:
        self._received.clear()
        self._began = time.perf_counter()
        self._transport.write(self._request)

    def _fail(self, what: str) -> None:
        self._transport.close()
        self.answer.set_exception(WrongAnswerError(f"Nothing was measured: {what}"))


def _content_length(head: bytearray) -> int:
    _, _, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0])


def _run(request: Request, connections: int, seconds: float) -> Load:
    return asyncio.run(_ask_all(request, connections, seconds))


async def _ask_all(request: Request, connections: int, seconds: float) -> Load:
    loop = asyncio.get_running_loop()
    times: list[float] = []
    began = time.perf_counter()
    opened = [
        await loop.create_connection(lambda: _Connection(request, times, began + seconds), "127.0.0.1", request.port)
        for _ in range(connections)
    ]
    async with asyncio.timeout(seconds + _SECONDS_TO_ANSWER):
        answers = await asyncio.gather(*(connection.answer for _, connection in opened))
    if len(set(answers)) != 1:
        raise WrongAnswerError("Nothing was measured: not every connection was answered the same.")
    calls_per_second = len(times) / (time.perf_counter() - began)
    hundredths = statistics.quantiles([*times, times[-1]], n=100, method="inclusive")
    return Load(calls_per_second, hundredths[49], hundredths[98], answers[0])
