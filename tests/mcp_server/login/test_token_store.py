"""Where tokens are kept: in a file for its owner only, sealed by the keyring where there is one."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import keyring
import pytest
from cryptography.fernet import Fernet
from keyring.backend import KeyringBackend
from keyring.backends import fail
from keyring.errors import PasswordDeleteError, PasswordSetError

from core.policy.errors import InvalidInput, Unavailable
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


Use = Callable[[KeyringBackend], None]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    def choose(backend: KeyringBackend) -> None:
        monkeypatch.setattr(keyring, "get_keyring", lambda: backend)
        for name in ("get_password", "set_password", "delete_password"):
            monkeypatch.setattr(keyring, name, getattr(backend, name))

    return choose


def test_without_a_keyring_tokens_go_into_a_file_for_the_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    TokenStore(URL, folder).write(TOKENS)
    assert TokenStore(URL, folder).read() == TOKENS
    [file] = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert TokenStore(URL, folder).place() == f"{file}, for your eyes only"


def test_the_file_is_never_readable_by_others_whatever_the_umask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = []
    replace = Path.replace

    def looking(self: Path, target: Path) -> Path:
        modes.append(stat.S_IMODE(self.stat().st_mode))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", looking)
    before = os.umask(0)
    try:
        TokenStore(URL, tmp_path).write(TOKENS)
    finally:
        os.umask(before)
    assert modes == [0o600]


@pytest.mark.parametrize("reading", [True, False])
def test_what_others_could_read_is_closed_to_them(tmp_path: Path, reading: bool) -> None:
    file = tmp_path / "tokens.json"
    file.write_text("{}")
    file.chmod(0o644)
    tmp_path.chmod(0o755)
    store = TokenStore(URL, tmp_path)
    store.read() if reading else store.write(TOKENS)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_that_somebody_else_has_planted_is_not_used(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    file.write_text(json.dumps({URL: TOKENS}))
    os.chown(file, 12345, 12345)
    with pytest.raises(InvalidInput, match="belongs to another user"):
        TokenStore(URL, tmp_path).read()


def test_a_folder_of_somebody_elses_is_not_used(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    os.chown(folder, 12345, 12345)
    with pytest.raises(InvalidInput, match="belongs to another user"):
        TokenStore(URL, folder).write(TOKENS)


def test_a_link_in_the_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(json.dumps({URL: TOKENS}))
    (tmp_path / "tokens.json").symlink_to(elsewhere)
    with pytest.raises(InvalidInput, match="cannot be read"):
        TokenStore(URL, tmp_path).read()


def test_logins_at_several_exchanges_do_not_touch_each_other(tmp_path: Path) -> None:
    one, other = TokenStore(URL, tmp_path), TokenStore("https://other.example/mcp", tmp_path)
    one.write(TOKENS)
    other.write({**TOKENS, "access_token": "b"})
    assert one.keys() == sorted([one.key, other.key])
    one.delete()
    assert one.read() is None
    assert (other.read() or {})["access_token"] == "b"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "not JSON",
        "[]",
        "[" * 100_000,
        "\x00\x01",
        json.dumps({URL: "tokens"}),
        json.dumps({URL: {"access_token": 1}}),
        json.dumps({URL: {**TOKENS, "expires_at": "soon"}}),
        json.dumps({URL: {**TOKENS, "refresh_token": None}}),
    ],
)
def test_a_damaged_file_is_said_to_be_and_means_nobody_is_logged_in(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "tokens.json").write_text(content)
    store = TokenStore(URL, tmp_path)
    assert store.read() is None
    assert "log in again" in caplog.text
    store.write(TOKENS)
    assert store.read() == TOKENS


def test_a_keyring_seals_the_file_with_one_short_entry_for_all_logins(tmp_path: Path, use: Use) -> None:
    ring = Keyring(room=100)
    use(ring)
    one, other = TokenStore(URL, tmp_path), TokenStore("https://other.example/mcp", tmp_path)
    large = {**TOKENS, "access_token": "long" * 5_000}
    one.write(large)
    other.write(TOKENS)
    assert one.read() == large
    assert other.read() == TOKENS
    assert len(ring.kept) == 1
    written = (tmp_path / "tokens.json").read_text()
    assert "access_token" not in written
    assert "longlong" not in written
    assert "sealed with a key in the system's keyring" in one.place()
    one.delete()
    assert one.read() is None
    assert other.read() == TOKENS


def test_a_login_that_an_earlier_version_kept_in_the_keyring_still_works(tmp_path: Path, use: Use) -> None:
    ring = Keyring()
    use(ring)
    ring.set_password("jupyterhealth-exchange", URL, json.dumps(TOKENS))
    store = TokenStore(URL, tmp_path)
    assert store.read() == TOKENS
    assert store.place() == "the system's keyring"
    store.delete()
    assert store.read() is None
    assert not ring.kept


def test_a_keyring_that_takes_nothing_is_passed_over(tmp_path: Path, use: Use) -> None:
    use(Keyring(room=10))
    store = TokenStore(URL, tmp_path)
    store.write(TOKENS)
    assert store.read() == TOKENS
    store.delete()
    assert store.read() is None


def test_a_keyring_that_is_gone_is_said_to_be_and_costs_nobody_the_login(tmp_path: Path, use: Use) -> None:
    ring = Keyring()
    use(ring)
    store = TokenStore(URL, tmp_path)
    store.write(TOKENS)
    use(fail.Keyring())
    with pytest.raises(Unavailable, match="keyring"):
        store.read()
    use(ring)
    assert store.read() == TOKENS


def test_a_login_sealed_by_another_key_means_nobody_is_logged_in(
    tmp_path: Path, use: Use, caplog: pytest.LogCaptureFixture
) -> None:
    use(Keyring())
    TokenStore(URL, tmp_path).write(TOKENS)
    ring = Keyring()
    use(ring)
    ring.set_password("jupyterhealth-exchange", "login", Fernet.generate_key().decode())
    assert TokenStore(URL, tmp_path).read() is None
    assert "log in again" in caplog.text


async def test_a_program_that_does_not_finish_is_said_to_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_server.auth.private_file._LOCK_SECONDS", 0)
    store = TokenStore(URL, tmp_path)
    async with store.locked():
        with pytest.raises(Unavailable, match="Another program"):
            async with TokenStore(URL, tmp_path).locked():
                pass
    async with store.locked():
        assert stat.S_IMODE((tmp_path / "tokens.lock").stat().st_mode) == 0o600
