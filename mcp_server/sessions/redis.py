"""The store of a service of several workers. Sessions outlive a restart of the workers, and of Redis where it saves.

Everything in it has an end (EXPIRE), so that nothing is left behind by workers that were killed. It holds what clients
were answered: who can read Redis can read that.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

from pydantic_core import from_json, to_json
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import RedisError, WatchError
from redis.exceptions import TimeoutError as TookTooLong

from core.policy.errors import Unavailable
from mcp_server.sessions.memory import FULL
from mcp_server.sessions.session import Session, from_record, to_record
from mcp_server.sessions.store import EVENTS_SECONDS, MAX_EVENTS, Edit, Event, Hear, Limits, Message, Stream

_log = logging.getLogger(__name__)

_AWAY = "The exchange's store of sessions does not answer: try again in a minute, or without a session."
_PREFIX = "jhe:mcp"
_TOLD = f"{_PREFIX}:told"
_ALL = f"{_PREFIX}:sessions"
_SUBSCRIBERS = f"{_PREFIX}:subscribers"
_KNOWN_SECONDS = 5
"""A worker believes what it has read of a session for as long, and less where sessions lapse sooner, unless it is told
of a change."""
_MAX_KNOWN = 10_000
_CONNECTIONS = 16
_SECONDS = 2
_AGAIN_SECONDS = 0.5


class RedisStore:
    """As `mcp_server.sessions.store.Store` says."""

    def __init__(self, url: str, limits: Limits) -> None:
        self._limits = limits
        self._idle = round(limits.idle_seconds)
        self._redis: Any = Redis.from_pool(  # its types also fit clients that decode, and pipelines that do not wait
            BlockingConnectionPool.from_url(
                url,
                max_connections=_CONNECTIONS,
                timeout=_SECONDS,
                socket_timeout=_SECONDS,
                socket_connect_timeout=_SECONDS,
                health_check_interval=10,
                retry=Retry(ExponentialBackoff(cap=0.4, base=0.05), 3, (ConnectionLost, TookTooLong)),
            )
        )
        self._known: OrderedDict[str, tuple[Session, float]] = OrderedDict()
        self._listening = False

    @asynccontextmanager
    async def run(self, hear: Hear) -> AsyncIterator[None]:
        listening = asyncio.create_task(self._listen(hear))
        try:
            yield
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening
            await self._redis.aclose()

    async def ready(self) -> None:
        with _asking():
            await self._redis.ping()

    async def keep(self, session: Session) -> None:
        now, theirs = time.time(), _of(session.subject)
        with _asking():
            counting = self._redis.pipeline(transaction=False)
            counting.zremrangebyscore(_ALL, 0, now).zcard(_ALL).zremrangebyscore(theirs, 0, now).zcard(theirs)
            _, everybodys, _, own = await counting.execute()
            if everybodys >= self._limits.sessions:
                raise Unavailable(FULL)
            if own >= self._limits.per_subject:
                for session_id, _ in await self._redis.zpopmin(theirs):
                    await self.forget(session_id.decode())
            keeping = self._redis.pipeline()
            keeping.set(_record(session.id), to_record(session), ex=self._idle)
            self._touch(keeping, session, now)
            await keeping.execute()

    async def find(self, session_id: str) -> Session | None:
        session, until = self._known.get(session_id, (None, 0.0))
        if session is not None and time.monotonic() < until:
            return session
        with _asking():
            record = await self._redis.getex(_record(session_id), ex=self._idle)
            if record is None:
                return None
            session = from_record(record)
            touching = self._redis.pipeline(transaction=False)
            self._touch(touching, session, time.time())
            await touching.execute()
        if self._listening:
            self._know(session)
        return session

    async def change(self, session_id: str, edit: Edit) -> None:
        key = _record(session_id)
        with _asking():
            async with self._redis.pipeline() as changing:
                while True:
                    await changing.watch(key)
                    record = await changing.get(key)
                    if record is None:
                        return
                    session = edit(from_record(record))
                    changing.multi()
                    changing.set(key, to_record(session), keepttl=True)
                    if session.subscriptions:
                        changing.sadd(_SUBSCRIBERS, session_id)
                    changing.publish(_TOLD, to_json({"changed": session_id}))
                    with suppress(WatchError):
                        await changing.execute()
                        break
        self._known.pop(session_id, None)

    async def forget(self, session_id: str) -> None:
        with _asking():
            record = await self._redis.getdel(_record(session_id))
            forgetting = self._redis.pipeline(transaction=False)
            forgetting.zrem(_ALL, session_id).srem(_SUBSCRIBERS, session_id)
            if record is not None:
                forgetting.zrem(_of(from_record(record).subject), session_id)
            forgetting.publish(_TOLD, to_json({"changed": session_id}))
            await forgetting.execute()
        self._known.pop(session_id, None)

    async def ids(self) -> list[str]:
        with _asking():
            found = await self._redis.zrange(_ALL, time.time(), "+inf", byscore=True)
        return [session_id.decode() for session_id in found]

    async def subscribers(self) -> list[Session]:
        with _asking():
            ids = list(await self._redis.smembers(_SUBSCRIBERS))
            if not ids:
                return []
            records = await self._redis.mget([_record(session_id.decode()) for session_id in ids])
            gone = [session_id for session_id, record in zip(ids, records, strict=True) if record is None]
            if gone:
                await self._redis.srem(_SUBSCRIBERS, *gone)
        sessions = [from_record(record) for record in records if record is not None]
        return [session for session in sessions if session.subscriptions]

    async def append(self, stream: Stream, data: bytes, *, last: bool = False) -> None:
        key = _events(stream)
        with _asking():
            appending = self._redis.pipeline(transaction=False)
            appending.xadd(key, {"data": data, "last": int(last)}, maxlen=MAX_EVENTS, approximate=False)
            appending.expire(key, EVENTS_SECONDS)
            appending.publish(_TOLD, to_json({"news": stream}))
            await appending.execute()

    async def after(self, stream: Stream, position: str) -> list[Event] | None:
        key = _events(stream)
        with _asking():
            reading = self._redis.pipeline(transaction=False)
            found, exists = await reading.xrange(key, min=f"({position}").exists(key).execute()
        if not exists:
            return None
        return [Event(at.decode(), fields[b"data"], fields[b"last"] == b"1") for at, fields in found]

    async def end_of(self, stream: Stream) -> str:
        with _asking():
            newest = await self._redis.xrevrange(_events(stream), count=1)
        return newest[0][0].decode() if newest else "0"

    async def drop(self, stream: Stream) -> None:
        with _asking():
            await self._redis.delete(_events(stream))

    async def tell(self, message: Message) -> None:
        with _asking():
            await self._redis.publish(_TOLD, to_json(message))

    async def first(self, what: str, seconds: int) -> bool:
        with _asking():
            return bool(await self._redis.set(f"{_PREFIX}:first:{what}", 1, nx=True, ex=seconds))

    def _touch(self, pipeline: Any, session: Session, now: float) -> None:
        theirs, until = _of(session.subject), now + self._idle
        pipeline.zadd(_ALL, {session.id: until}).expire(_ALL, self._idle)
        pipeline.zadd(theirs, {session.id: until}).expire(theirs, self._idle)

    def _know(self, session: Session) -> None:
        self._known[session.id] = session, time.monotonic() + min(_KNOWN_SECONDS, self._idle / 10)
        self._known.move_to_end(session.id)
        if len(self._known) > _MAX_KNOWN:
            self._known.popitem(last=False)

    async def _listen(self, hear: Hear) -> None:
        """For ever. What was told while Redis was away is lost, so then everything is looked at anew."""
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as told:
                    await told.subscribe(_TOLD)
                    self._listening = True
                    hear({})
                    async for message in told.listen():
                        self._hear(from_json(message["data"]), hear)
            except (RedisError, OSError) as error:
                _log.warning("Redis does not answer (%s)", type(error).__name__)
            self._listening = False
            self._known.clear()
            await asyncio.sleep(_AGAIN_SECONDS)

    def _hear(self, message: Message, hear: Hear) -> None:
        if "changed" in message:
            self._known.pop(message["changed"], None)
        else:
            hear(message)


@contextmanager
def _asking() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        raise Unavailable(_AWAY) from error


def _record(session_id: str) -> str:
    return f"{_PREFIX}:session:{session_id}"


def _of(subject: str) -> str:
    return f"{_PREFIX}:sessions:{subject}"


def _events(stream: Stream) -> str:
    return f"{_PREFIX}:events:{stream.name}"
