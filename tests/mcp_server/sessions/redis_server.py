"""A Redis of the tests' own, on a port of its own, that can be stopped and started again."""

import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.exceptions import BusyLoadingError
from redis.exceptions import ConnectionError as ConnectionLost
from redis.retry import Retry


class RedisServer:
    def __init__(self, folder: Path) -> None:
        binary = shutil.which("redis-server")
        if binary is None:
            pytest.skip("redis-server is not installed: tests/system_packages.sh")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._command = [binary, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder)]
        self._command += ["--save", "", "--appendonly", "yes", "--appendfsync", "always"]
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        retry = Retry(ConstantBackoff(0.02), 500, (ConnectionLost, BusyLoadingError))
        with Redis.from_url(self.url, retry=retry) as redis:
            redis.ping()

    def stop(self) -> None:
        """As a machine that fails stops it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def empty(self) -> None:
        with Redis.from_url(self.url) as redis:
            redis.flushall()
