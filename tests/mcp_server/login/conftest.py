"""An authorization server to log in at, and a machine without a keyring to keep the login on."""

from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backends import fail

from mcp_server.auth.token_store import TokenStore
from tests.mcp_server.login.authorization_server import AuthorizationServer, authorization_server


@pytest.fixture(autouse=True)
def _no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring, "get_keyring", fail.Keyring)


@pytest.fixture(autouse=True)
def _no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_server.backends.waiting.has_display", lambda: False)


@pytest.fixture
def server() -> Iterator[AuthorizationServer]:
    with authorization_server() as running:
        yield running


@pytest.fixture
def store(server: AuthorizationServer, tmp_path: Path) -> TokenStore:
    return TokenStore(server.mcp_url, tmp_path)
