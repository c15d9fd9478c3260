"""Where a login is kept between starts: in a file that only its owner can read, sealed by the system's keyring.

    tokens.json    {"<key of the login>": {"sealed": "<Fernet token>"}}      with a keyring
                   {"<key of the login>": {"access_token": …}}               without one

The keyring holds the one key that opens the file, not the tokens: Windows' takes 1280 characters an entry, which our
tokens are longer than, and macOS asks for permission entry by entry.
"""

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import jwt
import keyring
from cryptography.fernet import Fernet, InvalidToken
from keyring.errors import KeyringError
from platformdirs import user_data_path

from core.policy.errors import Unavailable
from mcp_server.auth.private_file import PrivateFile, as_object

NAME = "jupyterhealth-exchange"

Tokens = dict[str, Any]
"""A token response (RFC 6749 §5.1) with `expires_at` in seconds since 1970."""

_log = logging.getLogger(__name__)
_ENTRY = "login"
_SEALED = "sealed"


class TokenStore:
    """The tokens of one login, found by `key` (mcp_server/auth/profiles.py)."""

    def __init__(self, key: str, folder: Path | None = None) -> None:
        self.key = key
        self._file = PrivateFile((folder or user_data_path(NAME)) / "tokens.json")

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """For reading, refreshing and writing: two programs that refresh at once look like a token thief."""
        async with self._file.locked():
            yield

    def keys(self) -> list[str]:
        """Of all logins that are kept beside this one, and of this one."""
        return sorted(self._file.read())

    def read(self) -> Tokens | None:
        """Raises Unavailable when the keyring is locked, InvalidInput when the file is somebody else's."""
        entry = self._file.read().get(self.key)
        if entry is None:
            return _kept_in_keyring(self.key)
        tokens = _unsealed(entry[_SEALED]) if isinstance(entry, dict) and _SEALED in entry else entry
        if not _is_login(tokens):
            _log.warning("The login kept in %s cannot be used: log in again.", self._file.path)
            return None
        return tokens

    def write(self, tokens: Tokens) -> None:
        kept = self._file.read()
        key = _sealing_key(make=True)
        entry = tokens if key is None else {_SEALED: Fernet(key).encrypt(json.dumps(tokens).encode()).decode()}
        self._file.write({**kept, self.key: entry})

    def delete(self) -> None:
        kept = self._file.read()
        if kept.pop(self.key, None) is not None:
            self._file.write(kept)
        if _has_keyring():
            with suppress(KeyringError):
                keyring.delete_password(NAME, self.key)

    def place(self) -> str:
        """Where this login is, for its owner to read."""
        entry = self._file.read().get(self.key)
        if entry is None:
            return "the system's keyring"
        by = "sealed with a key in the system's keyring" if _SEALED in entry else "for your eyes only"
        return f"{self._file.path}, {by}"


def claims_of(tokens: Tokens) -> dict[str, Any]:
    """Of the ID token, which was verified before it was stored; none when the file was tampered with."""
    try:
        return jwt.decode(tokens["id_token"], options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return {}


def _sealing_key(*, make: bool) -> str | None:
    """None where there is no keyring, or none that can be used now."""
    if not _has_keyring():
        return None
    with suppress(KeyringError):
        key: str | None = keyring.get_password(NAME, _ENTRY)
        if key is None and make:
            key = Fernet.generate_key().decode()
            keyring.set_password(NAME, _ENTRY, key)
        return key
    return None


def _unsealed(text: Any) -> dict[str, Any] | None:
    key = _sealing_key(make=False)
    if key is None:
        raise Unavailable("The system's keyring, which opens the login kept here, is locked or gone: unlock it.")
    try:
        return as_object(Fernet(key).decrypt(str(text)).decode())
    except (InvalidToken, ValueError):
        return None


def _kept_in_keyring(key: str) -> Tokens | None:
    """A login that an earlier version kept there as a whole."""
    if _has_keyring():
        with suppress(KeyringError):
            tokens = as_object(keyring.get_password(NAME, key) or "")
            return tokens if _is_login(tokens) else None
    return None


def _is_login(tokens: Any) -> bool:
    return (
        isinstance(tokens, dict)
        and all(isinstance(tokens.get(name), str) for name in ("access_token", "id_token"))
        and isinstance(tokens.get("refresh_token", ""), str)
        and isinstance(tokens.get("expires_at"), int | float)
    )


def _has_keyring() -> bool:
    return bool(keyring.get_keyring().priority > 0)
