"""How many requests a person, and each of their tokens, may make in a while."""

import logging
import time
from collections import OrderedDict
from dataclasses import dataclass

from limits import RateLimitItem
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import StorageError

from mcp_server.auth.caller import Caller

_log = logging.getLogger(__name__)

_REDIS_SECONDS = 0.25
_PAUSE_SECONDS = 5
_PARTS = 100
_MAX_BATCHES = 20_000


_Key = tuple[str, str]
"""Which limit, and of whom or of which token."""


@dataclass(slots=True)
class _Batch:
    left: int
    ends: float


class Rates:
    """Counts in fixed windows: in this process, or in Redis, where all processes of a service count together.

    Requests are counted in batches of a hundredth of the limit, ahead of their coming, so that most cost a look at a
    dictionary. While Redis is away each process counts by itself: nobody is locked out, and nobody runs free.
    """

    def __init__(self, subject: RateLimitItem, token: RateLimitItem, shared: Storage | None = None) -> None:
        """`shared` raises StorageError when it is away."""
        self._limits = {"subject": subject, "token": token}
        self._own = FixedWindowRateLimiter(MemoryStorage())
        self._shared = None if shared is None else FixedWindowRateLimiter(shared)
        self._away_until = 0.0
        self._batches: OrderedDict[_Key, _Batch] = OrderedDict()

    async def seconds_to_wait(self, caller: Caller) -> float:
        """0: the request may go on."""
        now = time.monotonic()
        for key in (("subject", caller.subject), ("token", caller.principal.token_key)):
            batch = self._batches.get(key)
            if batch is not None and batch.left > 0 and now < batch.ends:
                batch.left -= 1
            elif wait := await self._take(key):
                return wait
        return 0

    async def _take(self, key: _Key) -> float:
        try:
            return await self._counted(self._counter(), key)
        except StorageError as error:
            _log.warning("Redis does not count requests (%s): each process counts its own", type(error).__name__)
            self._away_until = time.monotonic() + _PAUSE_SECONDS
            return await self._counted(self._own, key)

    def _counter(self) -> FixedWindowRateLimiter:
        return self._own if self._shared is None or time.monotonic() < self._away_until else self._shared

    async def _counted(self, counter: FixedWindowRateLimiter, key: _Key) -> float:
        limit = self._limits[key[0]]
        size = max(1, limit.amount // _PARTS)
        if not await counter.hit(limit, *key, cost=size):
            reset, _ = await counter.get_window_stats(limit, *key)
            return max(1.0, reset - time.time())
        self._batches[key] = _Batch(size - 1, time.monotonic() + limit.get_expiry())
        self._batches.move_to_end(key)
        if len(self._batches) > _MAX_BATCHES:
            self._batches.popitem(last=False)
        return 0


def shared_counts(redis_url: str) -> Storage:
    """Counts in Redis (`redis://…`, `rediss://…`, `unix://…`)."""
    return RedisStorage(
        f"async+{redis_url.replace('unix://', 'redis+unix://', 1)}",
        wrap_exceptions=True,
        implementation="redispy",
        socket_timeout=_REDIS_SECONDS,
        socket_connect_timeout=_REDIS_SECONDS,
    )
