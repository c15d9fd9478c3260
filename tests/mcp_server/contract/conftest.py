from collections.abc import Iterator

import pytest

from tests.mcp_server.contract.endpoints import Endpoint, Scripted, scripted


@pytest.fixture(scope="module")
def _server() -> Iterator[Scripted]:
    with scripted() as server:
        yield server


@pytest.fixture
def server(_server: Scripted) -> Scripted:
    _server.endpoint = Endpoint()
    return _server
