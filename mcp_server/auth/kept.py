"""What was looked up, kept in mind for some seconds."""

import time
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

KEPT_SECONDS = 4
"""What has changed since is seen after this time, by what asks no question of the data; a question sees it at once."""
MAX_KEPT = 10_000

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Kept(Generic[Key, Value]):
    """Values, each for `KEPT_SECONDS`; the oldest go when there are too many."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, tuple[float, Value]] = OrderedDict()

    def get(self, key: Key) -> Value | None:
        until, value = self._kept.get(key, (0.0, None))
        return value if time.monotonic() < until else None

    def keep(self, key: Key, value: Value) -> None:
        self._kept[key] = (time.monotonic() + KEPT_SECONDS, value)
        self._kept.move_to_end(key)
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
