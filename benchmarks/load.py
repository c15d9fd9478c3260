"""A lean HTTP/1.1 client that asks the same thing over and over, over connections that stay open.

It runs in a process of its own and does no more than it must: it shares the machine with what is measured.
"""

import multiprocessing
import select
import socket
import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle, islice

_SECONDS_TO_ANSWER = 30
_MOST_AT_ONCE = 1 << 16


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

    def run(
        self, request: Request | Sequence[Request], *, connections: int, seconds: float, alike: bool = False
    ) -> Load:
        """Ask for `seconds`; where there are several requests, each connection has one.

        Raises WrongAnswerError unless every answer is a 200 with the same body; or `alike`, with one as long: a link to
        the next page is sealed anew each time.
        """
        requests = [request] if isinstance(request, Request) else list(request)
        return self._executor.submit(_ask, requests, connections, seconds, alike).result()


@contextmanager
def generator() -> Iterator[Generator]:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield Generator(executor)


class _Connection:
    def __init__(self, request: Request) -> None:
        self._request = request.sent
        self._received = b""
        self._began = 0.0
        self.socket = socket.create_connection(("127.0.0.1", request.port))

    def ask(self) -> None:
        self._began = time.perf_counter()
        self.socket.sendall(self._request)

    def receive(self) -> tuple[float, bytes] | None:
        """How long the answer took and its body, once it is complete."""
        self._received += self.socket.recv(_MOST_AT_ONCE)
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not self._received:
            raise WrongAnswerError("Nothing was measured: the connection was closed.")
        if not separator or len(body) < _content_length(head):
            return None
        if not head.startswith(b"HTTP/1.1 200"):
            raise WrongAnswerError(f"Nothing was measured: {head.decode().splitlines()[0]} {body[:500].decode()}")
        self._received = b""
        return time.perf_counter() - self._began, body


def _content_length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0])


def _ask(requests: Sequence[Request], connections: int, seconds: float, alike: bool) -> Load:
    with ExitStack() as stack:
        poll = stack.enter_context(select.epoll())
        by_number = {}
        for request in islice(cycle(requests), connections):
            connection = _Connection(request)
            stack.enter_context(connection.socket)
            poll.register(connection.socket, select.EPOLLIN)
            by_number[connection.socket.fileno()] = connection
        return _asked(poll, by_number, seconds, alike)


def _asked(poll: select.epoll, asking: dict[int, _Connection], seconds: float, alike: bool) -> Load:
    times: list[float] = []
    answer = b""
    began = time.perf_counter()
    for connection in asking.values():
        connection.ask()
    under_way = len(asking)
    while under_way:
        ready = poll.poll(_SECONDS_TO_ANSWER)
        if not ready:
            raise WrongAnswerError(f"Nothing was measured: no answer within {_SECONDS_TO_ANSWER} s.")
        for number, _ in ready:
            received = asking[number].receive()
            if received is None:
                continue
            took, body = received
            times.append(took)
            answer = answer or body
            if len(body) != len(answer) if alike else body != answer:
                raise WrongAnswerError(f"Nothing was measured: two answers differ: {answer[:500]!r} {body[:500]!r}")
            if time.perf_counter() - began < seconds:
                asking[number].ask()
            else:
                under_way -= 1
    hundredths = statistics.quantiles([*times, times[-1]], n=100, method="inclusive")
    return Load(len(times) / (time.perf_counter() - began), hundredths[49], hundredths[98], answer)
