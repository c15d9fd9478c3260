"""`make demo`: what it prints, what it says when it cannot start, and that it leaves nothing running."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg2
import pytest

from core.seed import demo_world
from demo import welcome
from demo.services import ROOT, Exchange
from jhe import embedded
from tests.ports import free_ports

LAST_LINE = "Serving until Ctrl-C."


def demo(data_dir: Path, ports: tuple[int, int]) -> subprocess.Popen[str]:
    web_port, mcp_port = map(str, ports)
    return subprocess.Popen(
        [sys.executable, "-m", "demo"],
        cwd=ROOT,
        env={**os.environ, "JHE_DATA_DIR": str(data_dir), "JHE_PORT": web_port, "MCP_PORT": mcp_port},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def running_demo(data_dir: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A demo that has come to its last line, and what it printed."""
    with demo(data_dir, free_ports()) as process:
        try:
            assert process.stdout
            printed = list(iter(process.stdout.readline, f"{LAST_LINE}\n"))
            assert process.poll() is None, "".join(printed) + process.communicate()[1]
            yield process, "".join(printed)
        finally:
            process.terminate()
            process.communicate()


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared, so that only the first demo has to seed."""
    return tmp_path_factory.mktemp("demo") / "data"


def test_it_asks_a_first_question_as_mary_and_says_where_to_go(data_dir: Path) -> None:
    with running_demo(data_dir) as (_, printed):
        assert "manager_mary@example.com asks list_studies()" in printed
        assert "CGM & Wearables Demo" in printed
        assert "manager_mary@example.com asks get_glucose_metrics(patient_id=" in printed
        assert printed.count(" ms\n") == 2
        assert "gmi=" in printed
        assert "Cosmic Cardio Lab Study" not in printed  # not one of hers
        block = json.loads(printed[printed.index("{") :])["mcpServers"]["jupyterhealth"]
        assert Path(block["command"]).is_absolute()
        assert (Path(block["env"]["PYTHONPATH"]) / block["args"][1] / "__main__.py").exists()


def test_nobody_else_may_read_the_logs_an_older_one_neither(data_dir: Path) -> None:
    data_dir.mkdir(exist_ok=True)
    (data_dir / "web.log").touch(0o644)
    with running_demo(data_dir):
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in data_dir.glob("*.log")}
    assert modes == {"web.log": 0o600, "mcp.log": 0o600, "worker.log": 0o600}


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_stops_everything_that_it_started(data_dir: Path, stop: signal.Signals) -> None:
    with running_demo(data_dir) as (process, _):
        services = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(stop)
        assert process.wait() == 0
    assert len(services) == 3
    assert not any(service.is_running() for service in services)
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(embedded.database_url(data_dir))


def test_a_service_that_dies_ends_the_demo_with_a_sentence(data_dir: Path) -> None:
    with running_demo(data_dir) as (process, _):
        services = psutil.Process(process.pid).children(recursive=True)
        services[0].kill()
        _, said = process.communicate()
    assert process.returncode == 1
    assert said.startswith("\nThe web service ended by itself (")
    assert f"see {data_dir / 'web.log'}" in said
    assert not any(service.is_running() for service in services)


def test_a_taken_port_is_named_with_the_way_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = demo(tmp_path / "data", (free_ports()[0], port))
        _, said = process.communicate()
    assert process.returncode == 1
    assert said == f"\nPort {port} is taken: stop what listens there, or choose another port with MCP_PORT=…\n"


def test_one_port_for_both_services_is_refused(tmp_path: Path) -> None:
    port = free_ports()[0]
    process = demo(tmp_path / "data", (port, port))
    _, said = process.communicate()
    assert process.returncode == 1
    assert f"Port {port} is taken" in said


def test_a_data_directory_that_cannot_be_is_named_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    process = demo(tmp_path / "data", free_ports())
    _, said = process.communicate()
    assert process.returncode == 1
    assert len(said.strip().splitlines()) == 1
    assert "set JHE_DATA_DIR to another folder" in said


def test_the_printed_logins_are_those_of_the_demo_world() -> None:
    people = {person.email for person in (*demo_world.PRACTITIONERS, *demo_world.PATIENTS)}
    assert set(welcome.LOGINS) <= people | {demo_world.SUPERUSER}
    assert {person.email for person in demo_world.PRACTITIONERS} <= set(welcome.LOGINS)
    assert demo_world.PASSWORD == welcome.PASSWORD


def test_the_block_for_claude_desktop_holds_no_secret(tmp_path: Path) -> None:
    block = json.dumps(welcome.claude_desktop(Exchange(tmp_path, 8000, 8001)))
    assert not any(word in block.lower() for word in ("password", "secret", "token", "postgres"))
