"""The benchmarks' machinery, in a moment's length. What they measure is for people to read, not for tests to judge."""

import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from benchmarks import (
    client_reading,
    data_tools,
    export,
    ingest,
    observations,
    permission,
    processes,
    stateful,
    tool_calls,
)
from benchmarks.load import WrongAnswerError, generator, request

ROWS = [
    permission.API,
    permission.INTROSPECTION,
    permission.CLAIM_COLD,
    permission.CLAIM_CACHED,
    tool_calls.NOTHING,
    tool_calls.ECHO,
    tool_calls.LIST_STUDIES,
    stateful.ECHO,
    stateful.LIST_STUDIES,
    processes.SDK_STDIO,
    processes.STDIO,
    processes.IDLE,
    processes.SESSIONS,
    processes.ONE_WORKER,
    processes.TWO_WORKERS,
    data_tools.SMALL,
    data_tools.LARGE,
    data_tools.GLUCOSE,
    data_tools.BARE_GLUCOSE,
    data_tools.COHORT,
    data_tools.BARE_COHORT,
    ingest.BARE,
    ingest.HTTP,
    ingest.REPLAY,
    ingest.MEMORY,
    observations.SMALL,
    observations.LARGE,
    observations.BARE,
    observations.FIRST,
    observations.DEEP,
    observations.PATIENT,
    observations.STUDY,
    client_reading.FILES,
    client_reading.EXCHANGE,
    export.COPY,
    export.EXPORT,
]
GOALS = [*permission.GOALS, *tool_calls.GOALS, *stateful.GOALS, *processes.GOALS, *ingest.GOALS, export.EXPORT]
LIMITS = [*processes.LIMITS, *ingest.LIMITS, *observations.LIMITS, *data_tools.LIMITS, *client_reading.LIMITS]


@pytest.fixture(scope="module")
def printed() -> str:
    command = [sys.executable, "-m", "benchmarks", "--rounds", "1", "--seconds", "0.05", "--rows", "4000"]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


@pytest.mark.parametrize("row", ROWS)
def test_every_benchmark_prints_its_rows(printed: str, row: str) -> None:
    assert row in printed


def test_every_goal_is_printed_with_its_verdict(printed: str) -> None:
    lines = printed.splitlines()
    for words, expected in (("at least", GOALS), ("at most", LIMITS)):
        verdicts = [line for line in lines if words in line]
        assert len(verdicts) == len(expected)
        assert all("met" in line or "missed" in line for line in verdicts)


def test_an_answer_that_is_no_success_is_refused_and_not_measured() -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server, generator() as asking:
        answering = Thread(target=server.handle_request)  # the bare handler answers 501 to everything
        answering.start()
        with pytest.raises(WrongAnswerError, match="501"):
            asking.run(request(server.server_port, "/"), connections=1, seconds=0)
        answering.join()
