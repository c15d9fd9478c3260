"""The MCP SDK of the older major version as a host: over HTTP, with and without sessions, and over stdio.

It checks every answer against its output schema.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from demo.services import ROOT, Exchange
from tests.e2e.stdio import environment
from tests.e2e.test_inspector import CALLS, mcp_token
from tests.ports import free_ports

OLDER = Path(__file__).with_name("mcp-1.30.0.txt")
HOST = Path(__file__).with_name("older_sdk.py")


@pytest.fixture(scope="module")
def older_sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages in a folder of their own, in front of those of .venv."""
    folder = tmp_path_factory.mktemp("mcp-1")
    # The environment has no pip of its own; the Python that it was made from has.
    pip = [getattr(sys, "_base_executable", sys.executable), "-m", "pip", "install", "--quiet", "--no-deps"]
    options = ["--only-binary=:all:", "--disable-pip-version-check", f"--target={folder}", f"--requirement={OLDER}"]
    done = subprocess.run([*pip, *options], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mcp 1.30.0 cannot be installed: {done.stderr.strip().rpartition(chr(10))[2]}")
    return folder


def told_by(older_sdk: Path, *target: str, **variables: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(HOST), *target],
        env={**os.environ, **variables, "PYTHONPATH": str(older_sdk)},
        input=json.dumps(CALLS),
        text=True,
        cwd=HOST.parent,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def check(told: dict[str, Any]) -> None:
    assert told["revision"] == "2025-11-25"
    assert set(told["tools"]) == set(CALLS)
    assert told["resources"] > 0
    assert told["failed"] == []
    assert told["progress"][:1] == ["Looking it up."]  # it may drop what comes with the answer


@pytest.fixture(scope="module")
def url_with_sessions(exchange: Exchange, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Another process for the same endpoint, which keeps sessions."""
    port, _ = free_ports()
    variables = {**exchange.environment, "MCP_PORT": str(port), "MCP_SESSIONS": "true"}
    with (tmp_path_factory.mktemp("sessions") / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mcp_server", "http"],
            cwd=ROOT,
            env={**exchange.environment, **variables},
            stderr=log,
        )
        try:
            wait_until_alive(port)
            yield f"http://localhost:{port}/mcp"
        finally:
            process.terminate()
            process.wait()


def wait_until_alive(port: int) -> None:
    for _ in range(600):
        with suppress(httpx2.TransportError):
            httpx2.get(f"http://127.0.0.1:{port}/healthz")
            return
        time.sleep(0.1)
    pytest.fail("the MCP server did not start")


def test_it_lists_and_calls_every_tool_over_http(
    exchange: Exchange, token_of: Callable[[str], str], older_sdk: Path
) -> None:
    check(told_by(older_sdk, "http", exchange.mcp_url, token_of("manager_mary")))


def test_it_lists_and_calls_every_tool_in_a_session(
    url_with_sessions: str, token_of: Callable[[str], str], older_sdk: Path
) -> None:
    check(told_by(older_sdk, "http", url_with_sessions, token_of("manager_mary")))


def test_it_lists_and_calls_every_tool_over_stdio(exchange: Exchange, older_sdk: Path, tmp_path: Path) -> None:
    server = tmp_path / "server.sh"  # in whose environment the older packages are not
    server.write_text(f"#!/bin/sh\ncd {ROOT} && exec env -u PYTHONPATH {sys.executable} -m mcp_server stdio\n")
    variables = environment(exchange, tmp_path, JHE_MCP_TOKEN=mcp_token(exchange, "manager_mary@example.com"))
    variables.pop("PYTHONWARNINGS")
    check(told_by(older_sdk, "stdio", "/bin/sh", str(server), **variables))
