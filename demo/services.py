"""The services and the worker as processes, started with the commands of fly.toml: as production runs them."""

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import httpx2

from jhe import embedded

ROOT = Path(__file__).resolve().parent.parent
DEPLOYMENT = tomllib.loads((ROOT / "fly.toml").read_text())
SERVED = tuple(service["processes"][0] for service in DEPLOYMENT["services"])
"""The processes that listen; the worker does not."""
Processes = Mapping[str, subprocess.Popen[bytes]]
SECONDS_TO_START = 60
SECONDS_TO_STOP = 15


class DemoError(Exception):
    """One sentence that says what is wrong and what to do."""


@dataclass(frozen=True)
class Exchange:
    """Where one exchange keeps its state and where its two services listen."""

    data_dir: Path
    web_port: int
    mcp_port: int

    @property
    def web_url(self) -> str:
        """The web service, which is also the OAuth issuer."""
        return f"http://localhost:{self.web_port}"

    @property
    def mcp_url(self) -> str:
        """The MCP endpoint, which is also the resource that tokens are for."""
        return f"http://localhost:{self.mcp_port}/mcp"

    def health_url(self, service: str) -> str:
        """Where the service (a process of fly.toml) says that it is alive."""
        return f"http://127.0.0.1:{self.web_port if service == 'web' else self.mcp_port}/healthz"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of all processes and of manage.py."""
        ours = {
            "DJANGO_SETTINGS_MODULE": "jhe.settings",
            "DATABASE_URL": embedded.database_url(self.data_dir, user="jhe_app"),
            "DATABASE_OWNER_URL": embedded.database_url(self.data_dir),
            "MCP_DATABASE_URL": embedded.database_url(self.data_dir, user="jhe_mcp"),
            "JHE_DATA_DIR": str(self.data_dir),
            "JHE_HOST": "127.0.0.1",
            "JHE_PORT": str(self.web_port),
            "JHE_BASE_URL": self.web_url,
            "MCP_HOST": "127.0.0.1",
            "MCP_PORT": str(self.mcp_port),
            "JHE_MCP_URL": self.mcp_url,
            "DEBUG": "true",
        }
        return {**os.environ, **ours}

    def log(self, service: str) -> Path:
        """Where the service writes its log, which its owner alone may read."""
        return self.data_dir / f"{service}.log"

    def manage(self, *arguments: str) -> None:
        """Run manage.py in this exchange; its progress goes to the terminal."""
        result = subprocess.run([sys.executable, "manage.py", *arguments], cwd=ROOT, env=self.environment, check=False)
        if result.returncode:
            raise DemoError(f"`manage.py {' '.join(arguments)}` failed, see above.")


def migrate(exchange: Exchange) -> None:
    """Bring the database to the newest version, as production does on release."""
    _, _, *arguments = shlex.split(DEPLOYMENT["deploy"]["release_command"])
    exchange.manage(*arguments, "--verbosity=0")


@contextmanager
def running(exchange: Exchange) -> Iterator[Processes]:
    """All processes, started and not yet awaited; stopped afterwards, whatever happens in between."""
    with ExitStack() as stack:
        yield {
            service: stack.enter_context(_process(exchange, service, command))
            for service, command in DEPLOYMENT["processes"].items()
        }


def wait_until_healthy(exchange: Exchange, processes: Processes) -> None:
    """Wait until both services answer their health checks."""
    for service in SERVED:
        _wait_until_healthy(exchange, service, processes[service])


def refuse_taken_ports(exchange: Exchange) -> None:
    """Raise when something else listens on a port already."""
    with ExitStack() as probes:
        for variable, port in (("JHE_PORT", exchange.web_port), ("MCP_PORT", exchange.mcp_port)):
            probe = probes.enter_context(socket.socket())
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                probe.listen()
            except OSError:
                raise DemoError(
                    f"Port {port} is taken: stop what listens there, or choose another port with {variable}=…"
                ) from None


def wait_for_one_to_die(exchange: Exchange, processes: Processes) -> NoReturn:
    """Wait as long as all processes run; raise when one has ended by itself."""
    while True:
        for service, process in processes.items():
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.5)
                raise _ended(exchange, service)


@contextmanager
def _process(exchange: Exchange, service: str, command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A service in a process group of its own, so that Ctrl-C reaches it through us, in order, and takes all of it."""
    _, *arguments = shlex.split(command)
    with exchange.log(service).open("wb") as log:
        os.fchmod(log.fileno(), 0o600)  # also one that was there before
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=exchange.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _wait_until_healthy(exchange: Exchange, service: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise _ended(exchange, service)
        with suppress(httpx2.TransportError):
            if httpx2.get(exchange.health_url(service)).is_success:
                return
        time.sleep(0.05)
    raise DemoError(f"The {service} service did not answer within {SECONDS_TO_START} s: see {exchange.log(service)}")


def _ended(exchange: Exchange, service: str) -> DemoError:
    log = exchange.log(service)
    last_line = log.read_text(errors="replace").strip().rpartition("\n")[2]
    return DemoError(f"The {service} service ended by itself ({last_line}): see {log}")
