"""A whole tool call, login, policy, query and audit included, beside the SDK's echo without any of them.

Over HTTP, stateless JSON of the 2026-07-28 revision, one worker each, the same server options. The echo never leaves
its process; a tool call also keeps PostgreSQL busy, on the same cores.
"""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from statistics import median

from benchmarks.exchange import Measured, free_ports
from benchmarks.load import Generator, Request
from benchmarks.mcp_request import tool_call
from benchmarks.report import Row, duration, number, show
from benchmarks.rounds import Effort, in_turns, typical_ratio
from demo.services import ROOT

CONNECTIONS = 16
SECONDS_TO_START = 30
NOTHING = "an answer without work: the load's limit"
ECHO = "the SDK's echo, no login"
LIST_STUDIES = "list_studies: login, policy, query, audit"
GOALS = {LIST_STUDIES: 0.5}


def measure(measured: Measured, generator: Generator, effort: Effort) -> None:
    nothing, sdk = free_ports(2)
    with echo_server("nothing", nothing), echo_server("sdk", sdk):
        requests = {
            NOTHING: tool_call(nothing, "echo", {}),
            ECHO: tool_call(sdk, "echo", {"text": "hello"}),
            LIST_STUDIES: measured.tool_call("list_studies"),
        }
        refuse_failures(generator, requests[ECHO], requests[LIST_STUDIES])
        compare("A tool call", requests, ECHO, GOALS, generator, effort)


def compare(
    title: str,
    requests: Mapping[str, Request | Sequence[Request]],
    echo: str,
    goals: Mapping[str, float],
    generator: Generator,
    effort: Effort,
) -> None:
    """Ask in turns, and show the calls per second of each beside those of the `echo` among them."""
    ways = {
        way: partial(generator.run, asked, connections=CONNECTIONS, seconds=effort.seconds)
        for way, asked in requests.items()
    }
    in_turns(ways, 1)  # to warm up
    found = in_turns(ways, effort.rounds)
    rates = {way: [load.calls_per_second for load in loads] for way, loads in found.items()}
    rows = [
        Row(
            way,
            (
                number(median(rates[way])),
                duration(median(load.p50 for load in loads)),
                duration(median(load.p99 for load in loads)),
            ),
            typical_ratio(rates[way], rates[echo]),
            goals.get(way),
        )
        for way, loads in found.items()
    ]
    show(f"{title}, {CONNECTIONS} connections", ["calls/s", "p50", "p99"], "of the echo", rows)


def refuse_failures(generator: Generator, *requests: Request) -> None:
    for request in requests:
        answer = json.loads(generator.run(request, connections=1, seconds=0).answer)
        assert not answer["result"]["isError"], answer["result"]["content"]


@contextmanager
def echo_server(which: str, port: int) -> Iterator[None]:
    """One of benchmarks/echo.py."""
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.echo", which, str(port)], cwd=ROOT)
    try:
        wait_for(port, process)
        yield
    finally:
        process.terminate()
        process.wait()


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"Nothing listens on port {port}.")
