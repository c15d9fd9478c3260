"""Where tokens are kept: the keyring where there is one, else a file for its owner only."""

import stat
from pathlib import Path
from typing import ClassVar

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError, PasswordSetError

from mcp_server.auth.token_store import TokenStore

TOKENS = {"access_token": "a", "refresh_token": "r", "id_token": "i", "expires_at": 1}
URL = "https://mcp.example.org/mcp"


class Keyring(KeyringBackend):
    """A keyring in memory that can be too small."""

    priority: ClassVar[float] = 1

    def __init__(self, room: int = 10_000) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}
        self.room = room

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if len(password) > self.room:
            raise PasswordSetError("too long")
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError("not there")


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> object:
    def choose(backend: KeyringBackend) -> None:
        monkeypatch.setattr(keyring, "get_keyring", lambda: backend)
        for name in ("get_password", "set_password", "delete_password"):
            monkeypatch.setattr(keyring, name, getattr(backend, name))

    return choose


@pytest.fixture
def no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_server.auth.token_store._has_keyring", lambda: False)


@pytest.mark.usefixtures("no_keyring")
def test_without_a_keyring_tokens_go_into_a_file_for_the_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    TokenStore(URL, folder).write(TOKENS)
    assert TokenStore(URL, folder).read() == TOKENS
    [file] = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.usefixtures("no_keyring")
def test_a_file_that_others_could_read_is_replaced_by_one_that_they_cannot(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    file.write_text("{}")
    file.chmod(0o644)
    TokenStore(URL, tmp_path).write(TOKENS)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.usefixtures("no_keyring")
def test_logins_at_several_exchanges_do_not_touch_each_other(tmp_path: Path) -> None:
    one, other = TokenStore(URL, tmp_path), TokenStore("https://other.example/mcp", tmp_path)
    one.write(TOKENS)
    other.write({**TOKENS, "access_token": "b"})
    one.delete()
    assert one.read() is None
    assert (other.read() or {})["access_token"] == "b"


@pytest.mark.usefixtures("no_keyring")
@pytest.mark.parametrize("content", ["", "not JSON", "[]", '{"https://mcp.example.org/mcp": null}'])
def test_a_damaged_file_means_nobody_is_logged_in(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokens.json").write_text(content)
    store = TokenStore(URL, tmp_path)
    assert store.read() is None
    store.write(TOKENS)
    assert store.read() == TOKENS


def test_a_keyring_keeps_them_and_no_file_does(tmp_path: Path, use: object) -> None:
    use(Keyring())  # type: ignore[operator]
    store = TokenStore(URL, tmp_path)
    store.write(TOKENS)
    assert store.read() == TOKENS
    assert not (tmp_path / "tokens.json").exists()
    store.delete()
    assert store.read() is None


def test_a_keyring_that_is_too_small_is_passed_over(tmp_path: Path, use: object) -> None:
    use(Keyring(room=10))  # type: ignore[operator]
    store = TokenStore(URL, tmp_path)
    store.write(TOKENS)
    assert store.read() == TOKENS
    store.delete()
    assert store.read() is None


async def test_one_program_at_a_time(tmp_path: Path) -> None:
    store = TokenStore(URL, tmp_path)
    async with store.locked():
        assert (tmp_path / "tokens.lock").exists()
    async with store.locked():
        pass
