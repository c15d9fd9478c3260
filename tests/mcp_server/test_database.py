"""The pool: bounded, patient for a bounded time, and back by itself when PostgreSQL is."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from core.policy.errors import Unavailable
from jhe import embedded
from mcp_server.database import Database, TookTooLong
from mcp_server.queries import Question

ONE = Question("one", "SELECT $1::int AS number", ("number",))
SLEEP = Question("sleep", "SELECT pg_sleep($1) IS NULL AS slept", ("seconds",))
SLEEPERS = Question("sleepers", "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'", ())
SELF = Question("self", "SELECT pg_backend_pid() AS pid, current_setting('application_name') AS name", ())


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """A PostgreSQL of these tests' own, to stop and start; each leaves it running."""
    with embedded.throw_away() as folder:
        yield folder


def database(data_dir: Path, **changes: Any) -> Database:
    limits: dict[str, Any] = {"size": 4, "wait": 5, "statement_timeout": 10, **changes}
    return Database(embedded.database_url(data_dir), **limits)


def stop(data_dir: Path) -> None:
    embedded.release(data_dir)


def start(data_dir: Path) -> None:
    embedded.ensure_running(data_dir)


async def test_a_question_is_bound_by_name(data_dir: Path) -> None:
    async with database(data_dir) as db:
        assert (await db.row(ONE, {"number": 7, "not_asked_for": "x"}))["number"] == 7


async def test_connections_say_whose_they_are(data_dir: Path) -> None:
    async with database(data_dir) as db:
        assert (await db.row(SELF, {}))["name"] == "jhe-mcp"


async def test_no_more_than_the_bound_ask_at_once_and_the_rest_wait(data_dir: Path) -> None:
    async with database(data_dir, size=2) as db:
        rows = await asyncio.gather(*(db.row(SELF, {}) for _ in range(20)))
    assert len({row["pid"] for row in rows}) <= 2


async def test_questions_one_after_another_share_a_connection(data_dir: Path) -> None:
    async with database(data_dir) as db:
        await asyncio.gather(*(db.row(SELF, {}) for _ in range(4)))
        assert len({(await db.row(SELF, {}))["pid"] for _ in range(4)}) == 1


async def test_who_waits_too_long_is_told_that_the_exchange_is_busy(data_dir: Path) -> None:
    async with database(data_dir, size=1, wait=0.2) as db:
        long = asyncio.create_task(db.row(SLEEP, {"seconds": 30}))
        await _until_asleep(data_dir)
        with pytest.raises(Unavailable, match="busy"):
            await db.row(ONE, {"number": 1})
        long.cancel()


async def test_a_person_whose_questions_take_long_leaves_connections_for_others(data_dir: Path) -> None:
    async with database(data_dir, size=4, wait=0.2) as db:
        long = [asyncio.create_task(db.row(SLEEP, {"seconds": 30, "person_id": 10001})) for _ in range(3)]
        more = [db.row(ONE, {"number": 1, "person_id": 10001}) for _ in range(5)]
        refused = await asyncio.gather(*more, return_exceptions=True)
        assert [str(each) for each in refused] == ["The exchange is busy: try again in a few seconds."] * 5
        assert (await db.row(ONE, {"number": 2, "person_id": 10002}))["number"] == 2
        assert (await db.row(ONE, {"number": 3}))["number"] == 3
        for each in long:
            each.cancel()
        await asyncio.wait(long)
        assert (await db.row(ONE, {"number": 4, "person_id": 10001}))["number"] == 4


async def test_the_next_free_connection_is_for_the_person_with_the_fewest(data_dir: Path) -> None:
    answered = []

    async def asked(db: Database, person: int) -> None:
        await db.row(ONE, {"number": 1, "person_id": person})
        answered.append(person)

    async with database(data_dir, size=2) as db:
        long = [asyncio.create_task(db.row(SLEEP, {"seconds": 30, "person_id": 10001})) for _ in range(2)]
        first, gone, last = [asyncio.create_task(asked(db, person)) for person in (10001, 10003, 10002)]
        await asyncio.sleep(0)
        assert db.waits == 3
        gone.cancel()
        long[0].cancel()
        await asyncio.gather(first, last)
        long[1].cancel()
        await asyncio.wait([*long, gone])
        assert db.in_use == 0
    assert answered == [10002, 10001]


async def test_a_question_that_takes_too_long_is_stopped(data_dir: Path) -> None:
    async with database(data_dir, statement_timeout=0.2) as db:
        with pytest.raises(TookTooLong, match="fewer days"):
            await db.row(SLEEP, {"seconds": 30})
        assert (await db.row(ONE, {"number": 1}))["number"] == 1


async def test_a_cancelled_call_cancels_its_statement_and_makes_room_for_the_next(data_dir: Path) -> None:
    async with database(data_dir, size=1) as db:
        long = asyncio.create_task(db.row(SLEEP, {"seconds": 30}))
        await _until_asleep(data_dir)
        long.cancel()
        with pytest.raises(asyncio.CancelledError):
            await long
        assert (await db.row(SLEEPERS, {}))["count"] == 0


async def test_it_opens_while_postgresql_is_down_and_answers_once_it_is_up(data_dir: Path) -> None:
    db = database(data_dir)
    stop(data_dir)
    async with db:
        with pytest.raises(Unavailable, match="does not answer"):
            await db.row(ONE, {"number": 1})
        start(data_dir)
        assert (await db.row(ONE, {"number": 1}))["number"] == 1


async def test_it_comes_back_by_itself_after_postgresql_was_stopped_and_started(data_dir: Path) -> None:
    async with database(data_dir) as db:
        await asyncio.gather(*(db.row(ONE, {"number": 1}) for _ in range(8)))
        stop(data_dir)
        with pytest.raises(Unavailable, match="does not answer"):
            await db.row(ONE, {"number": 1})
        start(data_dir)
        rows = await asyncio.gather(*(db.row(ONE, {"number": number}) for number in range(8)))
    assert [row["number"] for row in rows] == list(range(8))


async def test_a_restart_between_two_questions_is_not_noticed(data_dir: Path) -> None:
    async with database(data_dir) as db:
        await asyncio.gather(*(db.row(ONE, {"number": 1}) for _ in range(8)))
        stop(data_dir)
        start(data_dir)
        rows = await asyncio.gather(*(db.row(ONE, {"number": number}) for number in range(8)))
    assert [row["number"] for row in rows] == list(range(8))


async def test_a_question_whose_connection_dies_is_asked_once_more(
    data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with database(data_dir, size=1) as db:
        under_way = asyncio.create_task(db.row(SLEEP, {"seconds": 0.5}))
        await _end_the_sleeper(data_dir)
        with caplog.at_level(logging.WARNING):
            assert (await under_way)["slept"] is False
    assert "connection was lost" in caplog.text


async def test_what_is_not_open_says_so() -> None:
    with pytest.raises(RuntimeError, match="not open"):
        await Database("postgresql://x", size=1, wait=1, statement_timeout=1).row(ONE, {"number": 1})


async def _until_asleep(data_dir: Path) -> int:
    """The backend that sleeps, once one does."""
    watcher = await asyncpg.connect(embedded.database_url(data_dir))
    try:
        while True:
            sleeper: int | None = await watcher.fetchval(
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'jhe-mcp' AND wait_event = 'PgSleep'"
            )
            if sleeper is not None:
                return sleeper
    finally:
        await watcher.close()


async def _end_the_sleeper(data_dir: Path) -> None:
    sleeper = await _until_asleep(data_dir)
    administrator = await asyncpg.connect(embedded.database_url(data_dir))
    await administrator.execute("SELECT pg_terminate_backend($1)", sleeper)
    await administrator.close()
