"""The service as its command starts it: several processes, one that is killed, and an end that loses nothing."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from statistics import median

import httpx2
import psutil
import pytest

from demo.services import ROOT
from tests import tokens
from tests.mcp_server.conftest import KeyServer, serving
from tests.ports import free_ports

SECONDS = 30
CONNECTIONS = 256


class Running:
    """A service without a database, and where it is reached."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, metrics_port: int) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{port}"
        self.metrics_url = f"http://127.0.0.1:{metrics_port}/metrics"

    def workers(self) -> list[psutil.Process]:
        children = psutil.Process(self.process.pid).children()
        return [child for child in children if "spawn_main" in " ".join(child.cmdline())]

    def ask(self) -> int:
        """A request with a token, on a connection of its own."""
        headers = {"Authorization": f"Bearer {tokens.access_token()}"}
        return httpx2.post(f"{self.url}/mcp", json={}, headers=headers).status_code

    def connections(self) -> list[int]:
        """How many clients each worker is connected to."""
        port = httpx2.URL(self.url).port
        return [
            sum(each.laddr.port == port and each.status == psutil.CONN_ESTABLISHED for each in worker.net_connections())
            for worker in self.workers()
        ]

    def metric(self, name: str) -> float:
        found = re.search(rf"^{name} (\S+)$", httpx2.get(self.metrics_url).text, re.MULTILINE)
        return float(found[1]) if found else 0


def eventually(check: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            if check():
                return True
        except (httpx2.TransportError, psutil.Error):  # it has not begun, or has just ended
            pass
        time.sleep(0.05)
    return False


@contextmanager
def running(issuer: KeyServer, **variables: str) -> Iterator[Running]:
    port, metrics_port = free_ports()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("MCP_", "JHE_", "OTEL_"))},
        "MCP_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nowhere",
        "MCP_PORT": str(port),
        "MCP_METRICS_PORT": str(metrics_port),
        "MCP_JWKS_URL": issuer.jwks_url,
        "JHE_BASE_URL": tokens.ISSUER,
        "JHE_MCP_URL": tokens.RESOURCE,
        **variables,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "mcp_server", "http"], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL
    )
    service = Running(process, port, metrics_port)
    try:
        assert eventually(lambda: httpx2.get(f"{service.url}/healthz").is_success)
        yield service
    finally:
        process.terminate()
        process.wait(SECONDS)


def shares(service: Running) -> list[int]:
    """How many of the connections that wait when the workers wake up each of them takes."""
    workers = service.workers()
    address = httpx2.URL(service.url)
    with ExitStack() as stack:
        for worker in workers:
            worker.suspend()
        try:
            for _ in range(CONNECTIONS):
                stack.enter_context(socket.create_connection((address.host, address.port)))
        finally:
            for worker in workers:
                worker.resume()
        assert eventually(lambda: sum(service.connections()) == CONNECTIONS)
        return service.connections()


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    """Two workers."""
    with ExitStack() as stack:
        yield stack.enter_context(running(stack.enter_context(serving()), MCP_WORKERS="2"))


def test_a_worker_that_is_killed_is_replaced_while_the_other_answers(service: Running) -> None:
    assert eventually(lambda: len(service.workers()) == 2)
    killed, other = service.workers()
    killed.kill()
    assert eventually(
        lambda: len(service.workers()) == 2 and {worker.pid for worker in service.workers()} - {killed.pid, other.pid}
    )
    assert other.is_running()
    assert eventually(lambda: service.ask() == 400)


def test_connections_that_are_opened_at_once_are_shared_by_the_workers(service: Running) -> None:
    """A proxy keeps its connections: had one worker got them all, the other would never have anything to do."""
    assert eventually(lambda: min(shares(service)) > 0)  # both have started
    assert median(min(shares(service)) for _ in range(5)) >= CONNECTIONS // 5


def test_the_metrics_are_those_of_all_workers_together(service: Running) -> None:
    def counted() -> float:
        return service.metric("mcp_tokens_known_total") + service.metric("mcp_tokens_checked_total")

    before = counted()
    assert {service.ask() for _ in range(20)} == {400}
    assert eventually(lambda: counted() - before >= 20)  # each tells every second: of requests before these, too


def test_nobody_finds_the_metrics_at_the_public_port(service: Running) -> None:
    assert httpx2.get(f"{service.url}/metrics").status_code == 404


def test_a_service_that_is_told_to_end_says_so_before_it_stops_answering() -> None:
    with serving() as issuer, running(issuer, MCP_DRAIN="1") as service:
        service.process.send_signal(signal.SIGTERM)
        assert eventually(lambda: httpx2.get(f"{service.url}/readyz").json()["status"] == "draining")
        assert service.ask() == 400
        assert service.process.wait(SECONDS) in (0, -signal.SIGTERM)


def test_several_workers_with_sessions_and_nothing_to_share_them_by_are_refused_with_advice() -> None:
    environment = {
        **os.environ,
        "MCP_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nowhere",
        "MCP_WORKERS": "2",
        "MCP_SESSIONS": "true",
    }
    command = [sys.executable, "-m", "mcp_server", "http"]
    said = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert said.returncode == 1
    assert "MCP_WORKERS above 1 with MCP_SESSIONS or MCP_SSE needs MCP_REDIS_URL" in said.stderr
    assert "Traceback" not in said.stderr
