"""Where a login is kept between starts: the system's keyring, or a file that only its owner can read."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import keyring
from filelock import AsyncFileLock
from keyring.errors import KeyringError
from platformdirs import user_data_path

_NAME = "jupyterhealth-exchange"

Tokens = dict[str, Any]
"""A token response (RFC 6749 §5.1) with `expires_at` in seconds since 1970."""


class TokenStore:
    """The tokens of one login, found by `key`: the URL that the login is for."""

    def __init__(self, key: str, folder: Path | None = None) -> None:
        self._key = key
        self._folder = folder or user_data_path(_NAME)
        self._file = self._folder / "tokens.json"

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """For reading, refreshing and writing: two programs that refresh at once look like a token thief."""
        self._make_folder()
        async with AsyncFileLock(self._folder / "tokens.lock", timeout=30, mode=0o600):
            yield

    def read(self) -> Tokens | None:
        kept: Tokens | None = None
        if _has_keyring():
            with suppress(KeyringError):
                kept = _object(keyring.get_password(_NAME, self._key) or "")
        return kept or self._read_file().get(self._key)

    def write(self, tokens: Tokens) -> None:
        if not self._write_keyring(tokens):
            self._write_file({**self._read_file(), self._key: tokens})

    def delete(self) -> None:
        if _has_keyring():
            with suppress(KeyringError):
                keyring.delete_password(_NAME, self._key)
        self._write_file({key: tokens for key, tokens in self._read_file().items() if key != self._key})

    def _write_keyring(self, tokens: Tokens) -> bool:
        """False when there is none, when it is locked, and when it is too small for a token, as on Windows."""
        if _has_keyring():
            with suppress(KeyringError):
                keyring.set_password(_NAME, self._key, json.dumps(tokens))
                return True
        return False

    def _make_folder(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _read_file(self) -> dict[str, Tokens]:
        try:
            return _object(self._file.read_text()) or {}
        except FileNotFoundError:
            return {}

    def _write_file(self, kept: dict[str, Tokens]) -> None:
        """Whole or not at all, and never readable by others, not even for a moment."""
        self._make_folder()
        unfinished = self._file.with_suffix(".unfinished")
        unfinished.unlink(missing_ok=True)
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(kept, file)
        unfinished.replace(self._file)


def _has_keyring() -> bool:
    return bool(keyring.get_keyring().priority > 0)


def _object(text: str) -> dict[str, Any] | None:
    """What is found there may have been written by anybody."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
