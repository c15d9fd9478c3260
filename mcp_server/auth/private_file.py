"""A JSON object in a file that its owner alone can read: where a person's own machine keeps logins and profiles."""

import json
import logging
import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from filelock import AsyncFileLock, Timeout

from core.policy.errors import InvalidInput, Unavailable

_log = logging.getLogger(__name__)
_LOCK_SECONDS = 30
_POSIX = os.name == "posix"
"""Elsewhere the folder is in the person's profile, which the system keeps from others."""


class PrivateFile:
    """Reading, changing and writing belong inside `locked()`, which all programs of the person share."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Raises Unavailable when another program does not finish."""
        self._make_folder()
        lock = AsyncFileLock(self.path.with_suffix(".lock"), timeout=_LOCK_SECONDS, mode=0o600)
        try:
            await lock.acquire()
        except Timeout:
            raise Unavailable(
                "Another program on this machine is busy with the login: try again in a minute."
            ) from None
        try:
            yield
        finally:
            await lock.release()

    def read(self) -> dict[str, Any]:
        """Empty when there is none, and when it is damaged, which is said. Raises InvalidInput for somebody else's."""
        try:
            text = self._text()
        except FileNotFoundError:
            return {}
        except OSError as error:  # a link (O_NOFOLLOW), a folder, a disk that fails
            raise InvalidInput(f"{self.path} cannot be read ({error.strerror}): move it away.") from None
        kept = as_object(text)
        if kept is None:
            _log.warning("%s is damaged and is not used: log in again.", self.path)
        return kept or {}

    def write(self, kept: dict[str, Any]) -> None:
        """Whole or not at all, and never readable by others, not even for a moment."""
        self._make_folder()
        unfinished = self.path.with_suffix(".unfinished")
        unfinished.unlink(missing_ok=True)
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(kept, file)
        unfinished.replace(self.path)

    def _text(self) -> str:
        with os.fdopen(os.open(self.path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), errors="replace") as file:
            if _POSIX and _is_open(os.fstat(file.fileno()), self.path):
                os.fchmod(file.fileno(), 0o600)
                _log.warning("%s could be read by other users of this machine, and no longer can.", self.path)
            return file.read()

    def _make_folder(self) -> None:
        folder = self.path.parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _POSIX and _is_open(folder.stat(), folder):
            folder.chmod(0o700)


def _is_open(found: os.stat_result, path: Path) -> bool:
    """Whether others may read or change it. Raises InvalidInput when it is theirs: they could have planted it."""
    if found.st_uid != os.geteuid():
        raise InvalidInput(f"{path} belongs to another user of this machine: move it away.")
    return bool(stat.S_IMODE(found.st_mode) & 0o077)


def as_object(text: str) -> dict[str, Any] | None:
    """What is found there may have been written by anybody."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
