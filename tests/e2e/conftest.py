"""A whole exchange: its own database with the demo world, and both services as the processes that production runs."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache, partial

import psycopg2
import pytest

from demo.services import ROOT, Exchange, migrate, running, wait_until_healthy
from jhe import embedded
from tests.e2e.by_hand import Database
from tests.ports import free_ports


@pytest.fixture(scope="session")
def exchange() -> Iterator[Exchange]:
    with embedded.throw_away() as data_dir:
        exchange = Exchange(data_dir, *free_ports())
        migrate(exchange)
        exchange.manage("seed")
        with running(exchange) as processes:
            wait_until_healthy(exchange, processes)
            yield exchange


@pytest.fixture(scope="session")
def database(exchange: Exchange) -> Iterator[Database]:
    database = Database(partial(psycopg2.connect, embedded.database_url(exchange.data_dir)))
    yield database
    database.close()


@pytest.fixture(scope="session")
def token_of(exchange: Exchange) -> Callable[[str], str]:
    """An access token for the MCP server by the name of somebody of the demo world, as `dev_token` prints it."""

    @cache
    def token_of(name: str) -> str:
        command = [sys.executable, "manage.py", "dev_token", f"{name}@example.com"]
        printed = subprocess.run(command, cwd=ROOT, env=exchange.environment, stdout=subprocess.PIPE, check=True)
        return printed.stdout.decode().strip()

    return token_of
