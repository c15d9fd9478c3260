"""A whole exchange: its own database with the demo world, and both services as the processes that production runs."""

from collections.abc import Iterator

import pytest

from demo.services import Exchange, migrate, running, wait_until_healthy
from jhe import embedded
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
