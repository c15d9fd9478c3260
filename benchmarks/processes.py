"""What the MCP server's processes cost: starting on stdio, resting over HTTP, keeping sessions, and a second worker."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median
from tempfile import TemporaryDirectory

import psutil

from benchmarks.exchange import Measured, free_ports
from benchmarks.load import Generator, Load, Request
from benchmarks.mcp_request import list_request, tool_call
from benchmarks.report import Row, duration, number, show
from benchmarks.rounds import Effort, in_turns, typical_ratio
from benchmarks.stateful import open_session
from benchmarks.tool_calls import CONNECTIONS, wait_for
from demo.services import ROOT

STDIO = "stdio, from start to the first answer"
SDK_STDIO = "the SDK's bare stdio server"
IDLE = "an idle HTTP server's memory"
SESSIONS = "what 1,000 idle sessions add"
ONE_WORKER = "one worker"
TWO_WORKERS = "two workers"
LIMITS = {STDIO: 2, IDLE: 1, SESSIONS: 1}
GOALS = {TWO_WORKERS: 1.6}
IDLE_BYTES, SESSIONS_BYTES = 150e6, 50e6
HOW_MANY = 1_000
_ASKED = (
    {
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "benchmark", "version": "1"},
        },
    },
    {"method": "notifications/initialized"},
    {"id": 2, "method": "tools/list"},
)


def measure(measured: Measured, generator: Generator, effort: Effort) -> None:
    _stdio(measured, effort)
    _memory(measured)
    _workers(measured, generator, effort)


def _stdio(measured: Measured, effort: Effort) -> None:
    with TemporaryDirectory() as nobody:  # logs in, and its login would be kept here
        ours = {**measured.exchange.environment, "XDG_DATA_HOME": nobody}
        ways = {
            SDK_STDIO: partial(_to_first_answer, ("benchmarks.echo", "stdio"), ours),
            STDIO: partial(_to_first_answer, ("mcp_server", "stdio"), ours),
        }
        in_turns(ways, 1)  # to warm up
        found = in_turns(ways, effort.rounds)
    rows = [
        Row(what, (duration(median(times)),), typical_ratio(times, found[SDK_STDIO]), limit=LIMITS.get(what))
        for what, times in found.items()
    ]
    show("A server on stdio", ["from its start to the list of tools"], "of the SDK's", rows)


def _to_first_answer(module: tuple[str, ...], environment: dict[str, str]) -> float:
    """Seconds. The client sends all it has to say at once."""
    began = time.perf_counter()
    command = [sys.executable, "-m", *module]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"".join(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n" for message in _ASKED))
        process.stdin.flush()
        answers = [json.loads(process.stdout.readline()) for _ in range(2)]
        took = time.perf_counter() - began
        process.stdin.close()
        process.wait()
    assert answers[1]["result"]["tools"], answers[1]
    return took


def _memory(measured: Measured) -> None:
    with _http_server(measured, 1, {"MCP_SESSIONS": "true"}) as (port, process):
        bearer = {"authorization": f"Bearer {measured.access_token}"}
        open_session(port, **bearer)
        idle = _resident(process)
        for _ in range(HOW_MANY):
            open_session(port, **bearer)
        added = _resident(process) - idle
    rows = [
        Row(IDLE, (f"{idle / 1e6:.0f} MB",), idle / IDLE_BYTES, limit=LIMITS[IDLE]),
        Row(SESSIONS, (f"{added / 1e6:.1f} MB",), added / SESSIONS_BYTES, limit=LIMITS[SESSIONS]),
    ]
    show("Memory of the MCP server", ["resident"], "of 150 MB, and of 50 MB", rows)


def _resident(process: subprocess.Popen[bytes]) -> int:
    """Bytes, of the process and all that it has started."""
    top = psutil.Process(process.pid)
    return sum(each.memory_info().rss for each in (top, *top.children(recursive=True)))


def _workers(measured: Measured, generator: Generator, effort: Effort) -> None:
    """A call's PostgreSQL has the same two cores, and there is no second one of it: its gain has no goal."""
    stateless = {"MCP_SESSIONS": "false"}
    bearer = {"authorization": f"Bearer {measured.access_token}"}
    with _http_server(measured, 1, stateless) as (one, _), _http_server(measured, 2, stateless) as (two, _):
        ports = {ONE_WORKER: one, TWO_WORKERS: two}
        discovered = {what: list_request(port, "server/discover", **bearer) for what, port in ports.items()}
        called = {what: tool_call(port, "list_studies", {}, **bearer) for what, port in ports.items()}
        _compare_workers("asked for server/discover", discovered, GOALS, generator, effort)
        _compare_workers("asked for list_studies", called, {}, generator, effort)


def _compare_workers(
    title: str, requests: dict[str, Request], goals: dict[str, float], generator: Generator, effort: Effort
) -> None:
    ways: dict[str, Callable[[], Load]] = {
        what: partial(generator.run, asked, connections=CONNECTIONS, seconds=effort.seconds)
        for what, asked in requests.items()
    }
    in_turns(ways, 1)  # to warm up
    found = in_turns(ways, effort.rounds)
    rates = {what: [load.calls_per_second for load in loads] for what, loads in found.items()}
    rows = [
        Row(what, (number(median(rates[what])),), typical_ratio(rates[what], rates[ONE_WORKER]), goals.get(what))
        for what in ways
    ]
    show(f"Workers of the MCP server, {title}", ["calls/s"], "of one", rows)


@contextmanager
def _http_server(
    measured: Measured, workers: int, settings: dict[str, str]
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """One more MCP server of the exchange, on a port of its own."""
    [port] = free_ports(1)
    own = {"MCP_PORT": str(port), "MCP_WORKERS": str(workers), **settings}
    process = subprocess.Popen(
        [sys.executable, "-m", "mcp_server", "http"], cwd=ROOT, env={**measured.exchange.environment, **own}
    )
    try:
        wait_for(port, process)
        yield port, process
    finally:
        process.terminate()
        process.wait()
